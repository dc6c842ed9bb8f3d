/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Record locks belong to the process, and all of them on a file end when it
 * closes any descriptor of it. So the file is opened once, and closed by nobody;
 * and a process counts its own openings, of which the kernel knows the first.
 */
#include "domain/xrcd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "domain/folder.h"
#include "domain/proc.h"

static const char file_name[] = "xrcd";

#define PATIENCE_MS 2000u
#define PRIVATE_BIT (1ull << 63)
#define OFFSET_MASK ((1ull << 61) - 1)

struct opened {
	uint64_t id;
	uint32_t count;
	struct opened *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct opened *first;
static int file = -1;

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

/* A child has none of its parent's locks, and so none of its domains open. */
static void in_child(void)
{
	while (first) {
		struct opened *next = first->next;

		free(first);
		first = next;
	}
	pthread_mutex_unlock(&lock);
}

/* Early: the handlers that are installed first take their lock last, and this
 * lock is taken under others. */
__attribute__((constructor)) static void prepare_for_fork(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

static int open_file(void)
{
	char folder[ADEV_FOLDER_PATH_BYTES];
	int folder_fd, error;

	if (file >= 0)
		return 0;
	error = adev_folder_open(folder, &folder_fd);
	if (error)
		return error;
	file = openat(folder_fd, file_name,
		      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	error = file < 0 ? errno : 0;
	close(folder_fd);
	return error;
}

/* The byte that says that it is open; the one behind it orders changes. */
static struct flock byte_of(uint64_t id, short type, bool order)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)((id & OFFSET_MASK) * 2 + (order ? 1 : 0)),
		.l_len = 1,
	};
}

static int begin(uint64_t id)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint32_t patience = PATIENCE_MS;
	struct flock order = byte_of(id, F_WRLCK, true);

	while (fcntl(file, F_SETLK, &order) != 0) {
		if (errno != EACCES && errno != EAGAIN && errno != EINTR)
			return errno;
		if (!patience--)
			return EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void release(uint64_t id, bool order)
{
	struct flock byte = byte_of(id, F_UNLCK, order);

	(void)fcntl(file, F_SETLK, &byte);
}

/* Between begin() and the release: the first opening of this process. */
static int open_first(uint64_t id, bool create, bool exclusive)
{
	struct flock others = byte_of(id, F_WRLCK, false);
	struct flock mine = byte_of(id, F_RDLCK, false);

	if (fcntl(file, F_GETLK, &others) != 0)
		return errno;
	if (others.l_type != F_UNLCK && create && exclusive)
		return EINVAL;
	if (others.l_type == F_UNLCK && !create)
		return EAGAIN;
	return fcntl(file, F_SETLK, &mine) ? errno : 0;
}

static struct opened *find(uint64_t id)
{
	struct opened *opened = first;

	while (opened && opened->id != id)
		opened = opened->next;
	return opened;
}

static int open_locked(uint64_t id, bool create, bool exclusive)
{
	struct opened *opened = find(id);
	int error;

	if (opened) {
		if (create && exclusive)
			return EINVAL;
		opened->count++;
		return 0;
	}
	opened = calloc(1, sizeof(*opened));
	error = opened ? open_file() : ENOMEM;
	if (!error)
		error = begin(id);
	if (!error) {
		error = open_first(id, create, exclusive);
		release(id, true);
	}
	if (error) {
		free(opened);
		return error;
	}
	opened->id = id;
	opened->count = 1;
	opened->next = first;
	first = opened;
	return 0;
}

int adev_xrcd_open(uint64_t device, uint64_t inode, bool create, bool exclusive,
		   uint64_t *id)
{
	const uint64_t name[2] = { device, inode };
	int error;

	*id = (adev_proc_hash(0, name, sizeof(name)) & ~PRIVATE_BIT) | 1;
	pthread_mutex_lock(&lock);
	error = open_locked(*id, create, exclusive);
	pthread_mutex_unlock(&lock);
	return error;
}

uint64_t adev_xrcd_private(void)
{
	return adev_proc_random() | PRIVATE_BIT;
}

void adev_xrcd_close(uint64_t id)
{
	struct opened **link = &first;

	if (id & PRIVATE_BIT)
		return;
	pthread_mutex_lock(&lock);
	while (*link && (*link)->id != id)
		link = &(*link)->next;
	if (*link && !--(*link)->count) {
		struct opened *last = *link;

		*link = last->next;
		free(last);
		release(id, false);
	}
	pthread_mutex_unlock(&lock);
}
