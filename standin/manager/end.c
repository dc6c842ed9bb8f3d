/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "end.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t standin_cm_socket_inode(int fd)
{
	struct stat status;

	return !syscall(SYS_fstat, fd, &status) && S_ISSOCK(status.st_mode) ?
		       status.st_ino :
		       0;
}

static int standin_cm_end_raise(int fd)
{
	static const int floors[] = { 512, 256, 128 };
	unsigned int i;
	int high;

	for (i = 0; i < sizeof(floors) / sizeof(*floors); i++) {
		high = fcntl(fd, F_DUPFD_CLOEXEC, floors[i]);
		if (high < 0)
			continue;
		close(fd);
		return high;
	}
	return fd;
}

int standin_cm_end_init(struct standin_cm_end *end, int fd)
{
	end->fd = -1;
	end->inode = standin_cm_socket_inode(fd);
	if (!end->inode) {
		close(fd);
		return ENOTSOCK;
	}
	end->fd = standin_cm_end_raise(fd);
	return 0;
}

bool standin_cm_end_is_ours(const struct standin_cm_end *end)
{
	return end->inode && standin_cm_socket_inode(end->fd) == end->inode;
}

bool standin_cm_end_send(const struct standin_cm_end *end)
{
	return standin_cm_end_is_ours(end) &&
	       send(end->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void standin_cm_end_fini(struct standin_cm_end *end)
{
	if (standin_cm_end_is_ours(end))
		close(end->fd);
	end->inode = 0;
	end->fd = -1;
}
