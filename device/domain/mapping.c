/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/mapping.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct mapping {
	struct mapping *next;
	void *base;
	uint64_t size;
	dev_t device;
	ino_t inode;
	unsigned int references;
	bool inherited; /* in a forked child: a placeholder, see start_child()
			 */
};

static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static struct mapping *mappings;

static void lock_mappings(void)
{
	pthread_mutex_lock(&mappings_lock);
}

static void unlock_mappings(void)
{
	pthread_mutex_unlock(&mappings_lock);
}

/*
 * The kernel left the segment out of the child (MADV_DONTFORK). Zero pages take
 * its place; where the machine does not promise that much memory to a mapping
 * that may be written, one that can only be read.
 */
static void put_placeholder(const struct mapping *mapping)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			  MAP_FIXED_NOREPLACE;

	if (mmap(mapping->base, mapping->size, PROT_READ | PROT_WRITE, flags,
		 -1, 0) != MAP_FAILED)
		return;
	mmap(mapping->base, mapping->size, PROT_READ, flags, -1, 0);
}

static void start_child(void)
{
	struct mapping *mapping;

	for (mapping = mappings; mapping; mapping = mapping->next) {
		if (!mapping->inherited)
			put_placeholder(mapping);
		mapping->inherited = true;
	}
	unlock_mappings();
}

static void prepare_for_fork(void)
{
	pthread_atfork(lock_mappings, unlock_mappings, start_child);
}

static struct mapping *find_file(const struct stat *status)
{
	struct mapping *mapping;

	for (mapping = mappings; mapping; mapping = mapping->next)
		if (!mapping->inherited && mapping->inode == status->st_ino &&
		    mapping->device == status->st_dev)
			return mapping;
	return NULL;
}

static int map_file(int fd, uint64_t size, void **base)
{
	void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (mapped == MAP_FAILED)
		return errno;
	/* Both are refinements that no current kernel refuses; a core dump of
	 * gigabytes or a child with the parent's registers is not one. */
	if (madvise(mapped, size, MADV_DONTDUMP) != 0 ||
	    madvise(mapped, size, MADV_DONTFORK) != 0) {
		int error = errno;

		munmap(mapped, size);
		return error;
	}
	*base = mapped;
	return 0;
}

/* Holds the lock. */
static int add(int fd, const struct stat *status, uint64_t size, void **base)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	int error;

	if (!mapping)
		return ENOMEM;
	error = map_file(fd, size, &mapping->base);
	if (error) {
		free(mapping);
		return error;
	}
	mapping->size = size;
	mapping->device = status->st_dev;
	mapping->inode = status->st_ino;
	mapping->references = 1;
	mapping->next = mappings;
	mappings = mapping;
	*base = mapping->base;
	return 0;
}

static int get(int fd, uint64_t size, bool may_exist, void **base)
{
	struct mapping *mapping;
	struct stat status;
	int error = 0;

	if (fstat(fd, &status) != 0)
		return errno;
	pthread_once(&fork_once, prepare_for_fork);
	lock_mappings();
	mapping = find_file(&status);
	if (!mapping) {
		error = add(fd, &status, size, base);
	} else if (!may_exist) {
		error = EEXIST;
	} else if (mapping->size != size) {
		error = EPROTO;
	} else {
		mapping->references++;
		*base = mapping->base;
	}
	unlock_mappings();
	return error;
}

int adev_mapping_create(int fd, uint64_t size, void **base)
{
	return get(fd, size, false, base);
}

int adev_mapping_get(int fd, uint64_t size, void **base)
{
	return get(fd, size, true, base);
}

static struct mapping **find_base(const void *base, uint64_t size)
{
	struct mapping **link;

	for (link = &mappings; *link; link = &(*link)->next)
		if ((*link)->base == base && (*link)->size == size)
			break;
	return link;
}

void adev_mapping_put(void *base, uint64_t size)
{
	struct mapping **link;
	struct mapping *mapping;

	lock_mappings();
	link = find_base(base, size);
	mapping = *link;
	if (mapping && --mapping->references == 0) {
		*link = mapping->next;
		munmap(mapping->base, mapping->size);
		free(mapping);
	}
	unlock_mappings();
}
