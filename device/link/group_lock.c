/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/group_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "domain/folder.h"

#define PAUSE_NS 1000000

/* A lock on a file is the process's, not the thread's; and closing any
 * descriptor of the file gives it back, so one at a time has it open. */
static pthread_mutex_t in_process = PTHREAD_MUTEX_INITIALIZER;

static int open_file(int *fd)
{
	char path[ADEV_FOLDER_PATH_BYTES];
	int folder_fd;
	int error = adev_folder_open(path, &folder_fd);

	if (error)
		return error;
	*fd = openat(folder_fd, "port",
		     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	error = *fd < 0 ? errno : 0;
	close(folder_fd);
	return error;
}

static bool try_file(int fd)
{
	/* Not one of the open file (F_OFD_SETLK), which a forked child would
	 * keep when its parent is killed. */
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &whole) == 0;
}

int adev_group_lock(uint64_t patience_ns, int *lock)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t pauses = patience_ns / PAUSE_NS;
	int error;

	while (pthread_mutex_trylock(&in_process)) {
		if (!pauses--)
			return EBUSY;
		nanosleep(&pause, NULL);
	}
	error = open_file(lock);
	if (error)
		goto err_unlock;
	while (!try_file(*lock)) {
		error = EBUSY;
		if (!pauses--)
			goto err_close;
		nanosleep(&pause, NULL);
	}
	return 0;

err_close:
	close(*lock);
err_unlock:
	pthread_mutex_unlock(&in_process);
	return error;
}

void adev_group_unlock(int lock)
{
	close(lock);
	pthread_mutex_unlock(&in_process);
}

void adev_group_lock_forget(void)
{
	pthread_mutex_init(&in_process, NULL);
}
