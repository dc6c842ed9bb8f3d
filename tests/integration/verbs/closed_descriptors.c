/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A program that closes descriptors which it has not opened, as daemons do, and
 * opens others in their place: what needs none goes on, its processor is its
 * own, and so are its descriptors.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vt.h"

#define MAX_CLOSED 64
#define LONG_BYTES (1u << 20)

struct closed {
	int fds[MAX_CLOSED];
	int count;
};

/* All but the first three, and that of the peer. */
static void close_all(int but, struct closed *closed)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;

	VT_CHECK(folder);
	closed->count = 0;
	while ((entry = readdir(folder))) {
		int fd = atoi(entry->d_name);

		if (fd <= STDERR_FILENO || fd == but || fd == dirfd(folder))
			continue;
		VT_CHECK(closed->count < MAX_CLOSED);
		closed->fds[closed->count++] = fd;
	}
	closedir(folder);
	for (int i = 0; i < closed->count; i++)
		VT_EQUAL(close(closed->fds[i]), 0);
}

static void sleep_ms(long ms)
{
	struct timespec rest = { .tv_sec = ms / 1000,
				 .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&rest, &rest))
		VT_EQUAL(errno, EINTR);
}

static uint64_t processor_ms(void)
{
	struct timespec used;

	VT_EQUAL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

static void pass(struct vt_end *end, int fd, uint64_t id, size_t bytes,
		 bool sends)
{
	if (sends) {
		vt_sync(fd);
		vt_fill(end->buffer, bytes, id);
		vt_send(end, id, 0, bytes);
		vt_expect(end->send_cq, id, IBV_WC_SUCCESS);
	} else {
		vt_recv(end, id, 0, bytes);
		vt_sync(fd);
		vt_expect(end->recv_cq, id, IBV_WC_SUCCESS);
		vt_check_fill(end->buffer, bytes, id, "received");
	}
}

/* Both sides call it, one with `first`. */
static void talk(struct vt_end *end, int fd, bool first)
{
	for (uint64_t i = 0; i < 20; i++) {
		pass(end, fd, i, 8, first == !(i & 1));
		pass(end, fd, i, LONG_BYTES, first == !(i & 1));
	}
}

static void peer_run(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_sync(fd);
	talk(&end, fd, true);
	vt_sync(fd);
	talk(&end, fd, true);
	vt_sync(fd);
	vt_end_close(&end);
}

static void who_closes_all_descriptors_goes_on_by_polling(void)
{
	struct vt_peer peer = vt_fork(peer_run, NULL);
	struct vt_wish wish = vt_defaults();
	struct closed closed;
	struct vt_end end;
	uint64_t used, began;

	vt_end_open(&end, &wish);
	vt_meet(peer.fd, &end);
	close_all(peer.fd, &closed);
	vt_sync(peer.fd);
	talk(&end, peer.fd, false);
	/* The agent looks at its descriptors once a second at least. */
	sleep_ms(1100);
	used = processor_ms();
	began = vt_now_ms();
	sleep_ms(200);
	VT_CHECK((processor_ms() - used) * 10 < vt_now_ms() - began);
	vt_sync(peer.fd);
	talk(&end, peer.fd, false);
	vt_sync(peer.fd);
	vt_end_close(&end);
	vt_join(&peer);
}

/* What the program opens has the numbers of what it has closed. */
static void open_others(const struct closed *closed, int ends[2])
{
	VT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends),
		 0);
	for (int i = 0; i < closed->count; i++)
		if (closed->fds[i] != ends[0] && closed->fds[i] != ends[1])
			VT_EQUAL(dup2(ends[0], closed->fds[i]), closed->fds[i]);
}

static void what_the_program_opens_instead_is_left_alone(void)
{
	struct vt_peer peer = vt_fork(peer_run, NULL);
	struct vt_wish wish = vt_defaults();
	struct closed closed;
	struct vt_end end;
	char byte = 'p';
	int ends[2];

	vt_end_open(&end, &wish);
	vt_meet(peer.fd, &end);
	close_all(peer.fd, &closed);
	open_others(&closed, ends);
	sleep_ms(2); /* the adapter looks once a millisecond */
	VT_EQUAL(send(ends[1], &byte, 1, 0), 1);
	vt_sync(peer.fd);
	talk(&end, peer.fd, false);
	vt_sync(peer.fd);
	talk(&end, peer.fd, false);
	/* Nobody has written to them, or taken what was in them. */
	VT_EQUAL(recv(ends[1], &byte, 1, 0), -1);
	VT_EQUAL(errno, EAGAIN);
	VT_EQUAL(recv(ends[0], &byte, 1, 0), 1);
	vt_sync(peer.fd);
	vt_join(&peer);
	_exit(0); /* the device cannot be closed: its number is another's */
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(who_closes_all_descriptors_goes_on_by_polling),
		VT_CASE(what_the_program_opens_instead_is_left_alone),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
