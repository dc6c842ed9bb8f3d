/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Pipes of records: writing without SIGPIPE, taking records back. */
#include "comp/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/cancel.h"
#include "domain/wake.h"

int adev_pipe_create(int *read_fd, int *write_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	/* The ends are separate descriptions: the read end goes on blocking. */
	if (fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0) {
		int error = errno;

		close(ends[0]);
		close(ends[1]);
		return error;
	}
	*read_fd = ends[0];
	*write_fd = adev_fd_high(ends[1]);
	return 0;
}

int adev_pipe_join(int write_fd, int *read_fd)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", write_fd);
	/* Otherwise opening the end of a pipe waits for the other one. */
	*read_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*read_fd < 0)
		return errno;
	if (fcntl(*read_fd, F_SETFL, 0) != 0) {
		int error = errno;

		close(*read_fd);
		return error;
	}
	return 0;
}

bool adev_pipe_abandoned(int write_fd)
{
	struct pollfd end = { .fd = write_fd };

	return poll(&end, 1, 0) > 0 && end.revents & (POLLERR | POLLNVAL);
}

static int write_record(int write_fd, const void *record, size_t bytes)
{
	ssize_t written;

	do {
		written = write(write_fd, record, bytes);
	} while (written < 0 && errno == EINTR);
	if (written == (ssize_t)bytes)
		return 0;
	return written < 0 && errno == EAGAIN ? EAGAIN : EPIPE;
}

/* With SIGPIPE blocked: a signal that this write caused is taken back, one
 * that was there before stays. */
static int write_and_take_signal(int write_fd, const void *record, size_t bytes,
				 const sigset_t *sigpipe)
{
	static const struct timespec at_once;
	sigset_t pending;
	bool was_pending;
	int error;

	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	error = write_record(write_fd, record, bytes);
	if (error == EPIPE && !was_pending) {
		while (sigtimedwait(sigpipe, NULL, &at_once) < 0 &&
		       errno == EINTR)
			;
	}
	return error;
}

static int write_unless_abandoned(int write_fd, const void *record,
				  size_t bytes)
{
	sigset_t sigpipe, before;
	int error;

	if (adev_pipe_abandoned(write_fd))
		return EPIPE;
	/* The reader may still go away between the look and the write. */
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
	error = write_and_take_signal(write_fd, record, bytes, &sigpipe);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int adev_pipe_write(int write_fd, const void *record, size_t bytes)
{
	int saved_errno = errno; /* called from poll_cq, which sets none */
	int cancel = adev_cancel_off();
	int error = write_unless_abandoned(write_fd, record, bytes);

	adev_cancel_restore(cancel);
	errno = saved_errno;
	return error;
}

/* A second reader of the pipe, non-blocking; -1 where /proc is missing. */
static int open_reader(int write_fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", write_fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static size_t read_all(int fd, char *records, size_t room)
{
	size_t used = 0;

	while (used < room) {
		ssize_t got = read(fd, records + used, room - used);

		if (got > 0)
			used += (size_t)got;
		else if (got == 0 || errno != EINTR)
			break;
	}
	return used;
}

/* Returns how many records were someone else's and stay. */
static size_t keep_others(char *records, size_t count, size_t record_bytes,
			  uint64_t user_data)
{
	size_t kept = 0, i;

	for (i = 0; i < count; i++) {
		const char *record = records + i * record_bytes;
		uint64_t owner;

		memcpy(&owner, record, sizeof(owner));
		if (owner == user_data)
			continue;
		memmove(records + kept * record_bytes, record, record_bytes);
		kept++;
	}
	return kept;
}

static uint32_t purge_with(int reader, int write_fd, size_t record_bytes,
			   uint64_t user_data)
{
	int size = fcntl(write_fd, F_GETPIPE_SZ);
	size_t count, kept, i;
	char *records = size > 0 ? malloc((size_t)size) : NULL;

	if (!records)
		return ADEV_PURGE_UNKNOWN;
	count = read_all(reader, records, (size_t)size) / record_bytes;
	kept = keep_others(records, count, record_bytes, user_data);
	/* There is room: what is written back stood there before. */
	for (i = 0; i < kept; i++)
		(void)!write_record(write_fd, records + i * record_bytes,
				    record_bytes);
	free(records);
	return (uint32_t)(count - kept);
}

uint32_t adev_pipe_purge(int write_fd, size_t record_bytes, uint64_t user_data)
{
	int saved_errno = errno;
	int reader = open_reader(write_fd);
	uint32_t removed = ADEV_PURGE_UNKNOWN;

	if (reader >= 0) {
		removed = purge_with(reader, write_fd, record_bytes, user_data);
		close(reader);
	}
	errno = saved_errno;
	return removed;
}
