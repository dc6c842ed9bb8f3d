/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "command.h"
#include "engine.h"
#include "events.h"
#include "machine.h"

/* Inodes of files, or zero; read without the lock. Relaxed: a descriptor gets
 * from where it was made to where it is used by other means. */
static _Atomic uint64_t standin_cm_inodes[STANDIN_CM_MAX_FILES];
static atomic_uint standin_cm_num_inodes; /* slots that were ever used */

bool standin_cm_is_used(void)
{
	return atomic_load_explicit(&standin_cm_num_inodes,
				    memory_order_relaxed) != 0;
}

bool standin_cm_is_file(uint32_t mode, uint64_t inode)
{
	uint32_t num = atomic_load_explicit(&standin_cm_num_inodes,
					    memory_order_relaxed);
	uint32_t i;

	if ((mode & S_IFMT) != S_IFSOCK)
		return false;
	for (i = 0; i < num; i++) {
		if (atomic_load_explicit(&standin_cm_inodes[i],
					 memory_order_relaxed) == inode)
			return true;
	}
	return false;
}

void standin_cm_disguise(struct stat *status)
{
	status->st_mode = S_IFCHR | 0666;
	status->st_rdev = makedev(STANDIN_CM_MAJOR, STANDIN_CM_MINOR);
}

void standin_cm_disguise_x(struct statx *status)
{
	status->stx_mode = S_IFCHR | 0666;
	status->stx_rdev_major = STANDIN_CM_MAJOR;
	status->stx_rdev_minor = STANDIN_CM_MINOR;
}

static int standin_cm_enter_inode(struct standin_cm_file *file)
{
	uint32_t i;

	for (i = 0; i < STANDIN_CM_MAX_FILES; i++) {
		if (atomic_load_explicit(&standin_cm_inodes[i],
					 memory_order_relaxed))
			continue;
		file->slot = i;
		atomic_store_explicit(&standin_cm_inodes[i], file->inode,
				      memory_order_relaxed);
		if (i >= atomic_load_explicit(&standin_cm_num_inodes,
					      memory_order_relaxed))
			atomic_store_explicit(&standin_cm_num_inodes, i + 1,
					      memory_order_relaxed);
		return 0;
	}
	return ENFILE;
}

static int standin_cm_file_make(struct standin_cm_file *file, int theirs)
{
	struct stat status;
	int error;

	if (syscall(SYS_fstat, theirs, &status))
		return errno;
	file->inode = status.st_ino;
	file->last = &file->first;
	pthread_mutex_lock(&standin_cm.lock);
	error = standin_cm_enter_inode(file);
	if (!error) {
		file->next = standin_cm.files;
		standin_cm.files = file;
		standin_cm_engine_wake();
	}
	pthread_mutex_unlock(&standin_cm.lock);
	return error;
}

static int standin_cm_flags(int fd, int flags)
{
	if (flags & O_NONBLOCK && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return errno;
	if (!(flags & O_CLOEXEC) && fcntl(fd, F_SETFD, 0))
		return errno;
	return 0;
}

int standin_cm_open(int flags, int *fd)
{
	struct standin_cm_file *file;
	int saved = errno;
	int error = standin_cm_engine_start();
	int ends[2];

	if (error)
		return error;
	file = calloc(1, sizeof(*file));
	if (!file)
		return ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		error = errno;
		goto err_free;
	}
	error = standin_cm_end_init(&file->own, ends[0]);
	if (!error)
		error = standin_cm_flags(ends[1], flags);
	if (!error)
		error = standin_cm_file_make(file, ends[1]);
	if (error)
		goto err_close;
	*fd = ends[1];
	errno = saved;
	return 0;

err_close:
	standin_cm_end_fini(&file->own);
	close(ends[1]);
err_free:
	free(file);
	errno = saved;
	return error;
}

int standin_cm_file_find(int fd, struct standin_cm_file **file)
{
	struct stat status;

	if (syscall(SYS_fstat, fd, &status))
		return EBADF;
	if (!standin_cm_is_file(status.st_mode, status.st_ino))
		return EINVAL;
	for (*file = standin_cm.files; *file; *file = (*file)->next) {
		if ((*file)->inode == status.st_ino)
			return standin_cm_end_is_ours(&(*file)->own) ? 0 : EIO;
	}
	return EIO;
}

bool standin_cm_write(int fd, const void *bytes, size_t length, ssize_t *result)
{
	struct standin_cm_file *file;
	struct stat status;
	int saved = errno;
	int cancel;
	int error;

	if (syscall(SYS_fstat, fd, &status) ||
	    !standin_cm_is_file(status.st_mode, status.st_ino)) {
		errno = saved;
		return false;
	}
	/* Only a thread that waits may be cancelled: it has not the lock. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	/* EDEADLK: a signal's handler, in the middle of a command. */
	error = pthread_mutex_lock(&standin_cm.lock);
	if (!error) {
		error = standin_cm_file_find(fd, &file);
		if (!error)
			error = standin_cm_command(file, fd, bytes, length,
						   cancel);
		pthread_mutex_unlock(&standin_cm.lock);
	}
	pthread_setcancelstate(cancel, NULL);
	errno = error ? error : saved;
	*result = error ? -1 : (ssize_t)length;
	return true;
}

/* The program's end stays recognisable where it may be open still. */
static void standin_cm_file_end(struct standin_cm_file *file)
{
	struct standin_cm_event *event;
	uint32_t i;

	for (i = 0; i < standin_cm.table_size; i++) {
		if (standin_cm.table[i] && standin_cm.table[i]->file == file)
			standin_cm_destroy(standin_cm.table[i], -1);
	}
	while ((event = file->first)) {
		file->first = event->next;
		free(event);
	}
	if (standin_cm_end_is_ours(&file->own))
		atomic_store_explicit(&standin_cm_inodes[file->slot], 0,
				      memory_order_relaxed);
	standin_cm_end_fini(&file->own);
	free(file);
}

/* Nobody has the other end any more, or the program has closed this one. */
static bool standin_cm_file_has_ended(const struct standin_cm_file *file)
{
	struct pollfd end = { .fd = file->own.fd };

	return !standin_cm_end_is_ours(&file->own) ||
	       (poll(&end, 1, 0) == 1 && end.revents & (POLLHUP | POLLNVAL));
}

void standin_cm_files_sweep(void)
{
	struct standin_cm_file **at = &standin_cm.files;
	struct standin_cm_file *file;

	standin_cm.files_lost = false;
	while ((file = *at)) {
		if (!standin_cm_file_has_ended(file)) {
			at = &file->next;
			continue;
		}
		*at = file->next;
		standin_cm_file_end(file);
	}
}
