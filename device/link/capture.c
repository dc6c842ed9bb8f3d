/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Captures: the file, and the packets of the wire. */
#include "link/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cancel.h"
#include "domain/file_lock.h"
#include "domain/log.h"
#include "domain/proc.h"
#include "domain/wake.h"
#include "link/capture_state.h"
#include "link/wire_ops.h"
#include "pcapng_file.h"

#define BUFFER_BYTES (256u << 10)
#define MAX_PACKET_BYTES 65000u /* IP cannot carry more than 65535 */
#define LOCK_PATIENCE_MS 1000u

struct adev_capture {
	pthread_mutex_t lock; /* lock role `capture` */
	_Atomic uint32_t references;
	pid_t pid;
	int fd;
	bool stopped;
	uint64_t time_ns; /* of the burst */
	uint64_t file_limit;
	uint32_t used; /* bytes of `buffer` */
	char path[PATH_MAX];
	uint8_t buffer[BUFFER_BYTES];
};

/* That of this process; a forked child has inherited its parent's. */
static struct adev_capture *current;

/* The name with the process number in place of %p. */
static int expand(const char *name, char path[PATH_MAX])
{
	size_t used = 0;

	while (*name && used < PATH_MAX - 16) {
		if (name[0] == '%' && name[1] == 'p') {
			used += (size_t)snprintf(path + used, 16, "%d",
						 getpid());
			name += 2;
		} else {
			path[used++] = *name++;
		}
	}
	path[used] = '\0';
	return *name ? ENAMETOOLONG : 0;
}

static int open_file(const char *path, bool own, int *result)
{
	int flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY |
		    O_NONBLOCK;
	int fd = open(path, own ? flags | O_TRUNC : flags, 0666);
	int error;

	if (fd < 0)
		return errno;
	fd = adev_fd_high(fd);
	error = adev_file_lock(fd, LOCK_PATIENCE_MS);
	if (!error)
		error = arnica_pcapng_file_begin(fd);
	adev_file_unlock(fd);
	if (error)
		close(fd);
	else
		*result = fd;
	return error;
}

static void explain(const char *path, int error)
{
	adev_log_error("ARNICA_PCAP: '%s': %s", path,
		       error == EEXIST ? "there is a file of another kind" :
		       error == EINVAL ? "not a regular file" :
					 strerror(error));
}

static int create(const char *name, struct adev_capture **result)
{
	struct adev_capture *capture = calloc(1, sizeof(*capture));
	int error;

	if (!capture) {
		explain(name, ENOMEM);
		return ENOMEM;
	}
	error = expand(name, capture->path);
	if (!error)
		error = open_file(capture->path, strstr(name, "%p") != NULL,
				  &capture->fd);
	if (error) {
		explain(*capture->path ? capture->path : name, error);
		free(capture);
		return error;
	}
	pthread_mutex_init(&capture->lock, NULL);
	atomic_init(&capture->references, 1);
	capture->pid = getpid();
	capture->file_limit = adev_proc_file_limit();
	*result = capture;
	return 0;
}

int adev_capture_open(struct adev_function *fn)
{
	const char *name = secure_getenv("ARNICA_PCAP");
	int error;

	if (!name || !*name)
		return 0;
	if (current && current->pid == getpid()) {
		atomic_fetch_add(&current->references, 1);
	} else {
		error = create(name, &current);
		if (error)
			return error;
	}
	fn->capture = current;
	return 0;
}

void adev_capture_close(struct adev_function *fn)
{
	struct adev_capture *capture = fn->capture;

	fn->capture = NULL;
	if (!capture || atomic_fetch_sub(&capture->references, 1) > 1)
		return;
	if (current == capture)
		current = NULL;
	close(capture->fd);
	free(capture);
}

/* Packets that did not fit would make the rest of the file unreadable: what was
 * written of them is taken back, unless others have appended since. */
static void stop(struct adev_capture *capture, ssize_t written, int error)
{
	off_t end = lseek(capture->fd, 0, SEEK_CUR);
	struct stat status;

	capture->stopped = true;
	if (written > 0 && !fstat(capture->fd, &status) &&
	    status.st_size == end && ftruncate(capture->fd, end - written))
		error = errno;
	adev_log_error("the capture to '%s' ends here: %s", capture->path,
		       strerror(error));
}

/* True when the file would outgrow its limit, which is a deadly signal. */
static bool too_large(const struct adev_capture *capture)
{
	struct stat status;

	return capture->file_limit != UINT64_MAX &&
	       (fstat(capture->fd, &status) ||
		(uint64_t)status.st_size + capture->used > capture->file_limit);
}

static void flush(struct adev_capture *capture)
{
	ssize_t written = 0;
	int cancel;

	if (!capture->used || capture->stopped)
		return;
	cancel = adev_cancel_off();
	if (too_large(capture))
		stop(capture, 0, EFBIG);
	else
		written = write(capture->fd, capture->buffer, capture->used);
	if (!capture->stopped && written != (ssize_t)capture->used)
		stop(capture, written, written < 0 ? errno : ENOSPC);
	adev_cancel_restore(cancel);
	capture->used = 0;
}

void adev_capture_begin(struct adev_capture *capture)
{
	struct timespec now;

	pthread_mutex_lock(&capture->lock);
	clock_gettime(CLOCK_REALTIME, &now);
	capture->time_ns = (uint64_t)now.tv_sec * 1000000000u +
			   (uint64_t)now.tv_nsec;
}

void adev_capture_end(struct adev_capture *capture)
{
	flush(capture);
	pthread_mutex_unlock(&capture->lock);
}

static uint32_t frame_bytes(const struct adev_capture_packet *packet)
{
	return adev_capture_header_bytes(packet->path) + packet->bytes;
}

uint8_t *adev_capture_reserve(struct adev_capture *capture,
			      const struct adev_capture_packet *packet)
{
	uint32_t wanted;

	if (packet->bytes > MAX_PACKET_BYTES)
		return NULL;
	wanted = arnica_pcapng_block_bytes(frame_bytes(packet));
	if (capture->used + wanted > BUFFER_BYTES)
		flush(capture);
	if (capture->stopped)
		return NULL;
	return capture->buffer + capture->used + ARNICA_PCAPNG_BEFORE_BYTES +
	       adev_capture_header_bytes(packet->path);
}

void adev_capture_commit(struct adev_capture *capture,
			 const struct adev_capture_packet *packet)
{
	const struct arnica_pcapng_packet frame = {
		.time_ns = capture->time_ns,
		.bytes = frame_bytes(packet),
		.direction = packet->direction,
		.crc_error = packet->crc_error,
	};
	uint8_t *block = capture->buffer + capture->used;

	adev_capture_headers(packet,
			     block + ARNICA_PCAPNG_BEFORE_BYTES +
				     adev_capture_header_bytes(packet->path));
	capture->used += arnica_pcapng_wrap(&frame, block);
}

static void add(struct adev_capture *capture,
		const struct adev_capture_packet *packet,
		const uint8_t *payload)
{
	uint8_t *place = adev_capture_reserve(capture, packet);

	if (!place)
		return;
	memcpy(place, payload, packet->bytes);
	adev_capture_commit(capture, packet);
}

void adev_capture_sent(struct adev_capture *capture,
		       const struct adev_frame *frames, uint32_t count)
{
	uint32_t i;

	adev_capture_begin(capture);
	for (i = 0; i < count; i++) {
		struct adev_path path = *frames[i].path;
		const struct adev_capture_packet packet = {
			.path = &path,
			.bytes = frames[i].length,
			.ip_id = frames[i].ip_id,
			.direction = ARNICA_PCAPNG_OUTBOUND,
		};

		path.source_port = frames[i].source_port;
		add(capture, &packet, frames[i].bytes);
	}
	adev_capture_end(capture);
}

static void add_received(struct adev_capture *capture,
			 const struct adev_datagram *datagram)
{
	struct adev_capture_packet packet = {
		.path = &datagram->path,
		.bytes = datagram->length,
		.ip_id = datagram->segment,
		.direction = ARNICA_PCAPNG_INBOUND,
	};
	const struct roce_envelope envelope = adev_path_envelope(
		packet.path, packet.path->source_port, packet.ip_id);
	enum roce_icrc_match match = ROCE_ICRC_WRONG;
	uint16_t ip_id = 0;

	if (packet.bytes >= ROCE_BTH_BYTES + ROCE_ICRC_BYTES)
		match = roce_icrc_check(&envelope, datagram->bytes,
					packet.bytes, &ip_id);
	if (match == ROCE_ICRC_SOME_ID)
		packet.ip_id = ip_id;
	packet.crc_error = match == ROCE_ICRC_WRONG;
	add(capture, &packet, datagram->bytes);
}

void adev_capture_received(struct adev_capture *capture,
			   const struct adev_datagram *datagrams,
			   uint32_t count)
{
	uint32_t i;

	adev_capture_begin(capture);
	for (i = 0; i < count; i++)
		add_received(capture, &datagrams[i]);
	adev_capture_end(capture);
}
