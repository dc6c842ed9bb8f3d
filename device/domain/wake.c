/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cancel.h"

/* A pipe holds at most 64 KiB of knocks; more in one go is somebody's flood. */
#define DRAIN_READS 16

int adev_fd_high(int fd)
{
	static const int floors[] = { 512, 256, 128 };
	unsigned int i;
	int high;

	for (i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
		if (fd >= floors[i])
			break;
		high = fcntl(fd, F_DUPFD_CLOEXEC, floors[i]);
		if (high < 0)
			continue;
		close(fd);
		return high;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* The pipe again, for reading and writing: with it there is always a reader,
 * and with that no SIGPIPE. Without /proc the plain end has to do. */
static int make_reader_too(int write_fd)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", write_fd);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return write_fd;
	close(write_fd);
	return fd;
}

int adev_wake_create(int *read_fd, int *write_fd)
{
	int ends[2];

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return errno;
	/* A page will do, and users have a quota for pipes' memory. */
	(void)fcntl(ends[1], F_SETPIPE_SZ, 4096);
	*read_fd = adev_fd_high(ends[0]);
	*write_fd = adev_fd_high(make_reader_too(ends[1]));
	return 0;
}

static void knock(int fd, const void *what, size_t bytes)
{
	int saved_errno = errno;
	int cancel = adev_cancel_off();

	/* EAGAIN: full, so the agent has enough to wake up for. */
	while (write(fd, what, bytes) < 0 && errno == EINTR)
		;
	adev_cancel_restore(cancel);
	errno = saved_errno; /* called from poll_cq, which sets none */
}

void adev_wake_signal(int fd)
{
	static const char one = 1;

	knock(fd, &one, sizeof(one));
}

int adev_wake_create_own(int *fd)
{
	int made = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (made < 0)
		return errno;
	*fd = adev_fd_high(made);
	return 0;
}

void adev_wake_signal_own(int fd)
{
	static const uint64_t one = 1;

	knock(fd, &one, sizeof(one));
}

void adev_wake_drain(int fd)
{
	char knocks[4096];
	ssize_t got;
	int i;

	for (i = 0; i < DRAIN_READS; i++) {
		got = read(fd, knocks, sizeof(knocks));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < (ssize_t)sizeof(knocks))
			return;
	}
}

static int check_pipe(int fd, uint64_t inode)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return errno;
	return S_ISFIFO(status.st_mode) && status.st_ino == inode ? 0 : ENOENT;
}

static int open_pipe(int dir_fd, int number, uint64_t inode, int access,
		     int *fd)
{
	char name[16];
	struct stat status;
	int opened;
	int error;

	snprintf(name, sizeof(name), "%d", number);
	/* Looked at before it is opened: opening a device can have effects. */
	if (fstatat(dir_fd, name, &status, 0) != 0)
		return errno;
	if (!S_ISFIFO(status.st_mode) || status.st_ino != inode)
		return ENOENT;
	opened = openat(dir_fd, name, access | O_NONBLOCK | O_CLOEXEC);
	if (opened < 0)
		return errno;
	error = check_pipe(opened, inode);
	if (error) {
		close(opened);
		return error;
	}
	*fd = adev_fd_high(opened);
	return 0;
}

int adev_wake_open(int dir_fd, int number, uint64_t inode, int *fd)
{
	return open_pipe(dir_fd, number, inode, O_RDWR, fd);
}

int adev_beacon_create(int *fd)
{
	int ends[2];

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return errno;
	(void)fcntl(ends[1], F_SETPIPE_SZ, 4096);
	close(ends[0]);
	*fd = adev_fd_high(ends[1]);
	return 0;
}

int adev_beacon_open(int dir_fd, int number, uint64_t inode, int *fd)
{
	return open_pipe(dir_fd, number, inode, O_RDONLY, fd);
}
