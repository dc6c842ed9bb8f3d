/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/file_lock.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

int adev_file_lock(int fd, uint32_t patience_ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		if (!patience_ms--)
			return EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

void adev_file_unlock(int fd)
{
	flock(fd, LOCK_UN);
}
