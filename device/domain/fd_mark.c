/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/fd_mark.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int adev_fd_mark(int fd, struct adev_fd_mark *mark)
{
	struct stat status;

	memset(mark, 0, sizeof(*mark));
	/* Not by libc's name: the stand-in answers for its own files there. */
	if (syscall(SYS_fstat, fd, &status))
		return errno;
	mark->device = status.st_dev;
	mark->inode = status.st_ino;
	mark->kind = status.st_mode & S_IFMT;
	return 0;
}

bool adev_fd_is(int fd, const struct adev_fd_mark *mark)
{
	int saved_errno = errno;
	struct adev_fd_mark now;
	int error = fd < 0 ? EBADF : adev_fd_mark(fd, &now);

	errno = saved_errno;
	return !error && now.device == mark->device &&
	       now.inode == mark->inode && now.kind == mark->kind;
}

void adev_fd_close(int *fd, const struct adev_fd_mark *mark)
{
	if (adev_fd_is(*fd, mark))
		close(*fd);
	*fd = -1;
}
