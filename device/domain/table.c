/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/file_lock.h"
#include "domain/life.h"
#include "domain/log.h"
#include "domain/proc.h"

static const char file_name[] = "directory";

#define OPEN_ATTEMPTS 8
#define LOCK_PATIENCE_MS 2000u

/* Size, mode and header; the rest is zeros, which is an empty directory. */
static int fill(int fd)
{
	const struct adev_table_header header = {
		.magic = ADEV_TABLE_MAGIC,
		.version = ADEV_TABLE_VERSION,
		.num_functions = ADEV_FUNCTIONS,
		.slot_bytes = sizeof(struct adev_slot),
		.num_blocks = ADEV_BLOCKS,
		.size_bytes = sizeof(struct adev_table),
		.boot = adev_proc_boot(),
	};
	int error;

	if (adev_proc_file_limit() < sizeof(struct adev_table))
		return EFBIG;
	/* All of it now, so that no store meets a full file system later. */
	error = posix_fallocate(fd, 0, sizeof(struct adev_table));
	if (error)
		return error;
	if (pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return errno ? errno : EIO;
	return 0;
}

/* The file appears under its name complete or not at all; who is killed while
 * making it leaves nothing. */
static int create_unnamed(int folder_fd)
{
	int fd = openat(folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char link[32];
	int error;

	if (fd < 0)
		return adev_proc_is_exhausted(errno) ? errno : EOPNOTSUPP;
	error = fill(fd);
	if (!error) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (linkat(AT_FDCWD, link, folder_fd, file_name,
			   AT_SYMLINK_FOLLOW) != 0)
			error = errno == EEXIST ? EEXIST : EOPNOTSUPP;
	}
	close(fd);
	return error;
}

/* For file systems that know no unnamed files. */
static int create_named(int folder_fd)
{
	char name[48];
	int error;
	int fd;

	snprintf(name, sizeof(name), ".%s-%016llx", file_name,
		 (unsigned long long)adev_proc_random());
	fd = openat(folder_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return errno;
	error = fill(fd);
	if (!error && linkat(folder_fd, name, folder_fd, file_name, 0) != 0)
		error = errno;
	unlinkat(folder_fd, name, 0);
	close(fd);
	return error;
}

static int create(int folder_fd)
{
	int error = create_unnamed(folder_fd);

	if (error == EOPNOTSUPP)
		error = create_named(folder_fd);
	return error == EEXIST ? 0 : error;
}

static int open_existing(int folder_fd, int *fd)
{
	struct stat status;
	int opened = openat(folder_fd, file_name,
			    O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (opened < 0)
		return errno;
	if (fstat(opened, &status) != 0 || !S_ISREG(status.st_mode)) {
		close(opened);
		return EPROTO;
	}
	*fd = opened;
	return 0;
}

enum verdict {
	VERDICT_GOOD,
	VERDICT_STALE, /* of an earlier boot, or of a build that nobody runs */
	VERDICT_ALIEN, /* of another version, or no directory at all */
};

/* All versions have the header, and slots of one size that begin with the life
 * word, at the same places. */
static bool has_slots(const struct adev_table_header *header)
{
	return header->num_functions == ADEV_FUNCTIONS &&
	       header->slot_bytes == sizeof(struct adev_slot);
}

/* Of another version: does a function live in it? */
static bool is_deserted(int fd)
{
	enum { PART = 64 };
	struct adev_slot slots[PART];
	uint32_t first, i;

	for (first = 0; first < ADEV_FUNCTIONS; first += PART) {
		off_t at = (off_t)offsetof(struct adev_table, slots) +
			   (off_t)(first * sizeof(slots[0]));

		if (pread(fd, slots, sizeof(slots), at) !=
		    (ssize_t)sizeof(slots))
			return false;
		for (i = 0; i < PART; i++)
			if (!adev_life_is_free(atomic_load_explicit(
				    &slots[i].life, memory_order_relaxed)))
				return false;
	}
	return true;
}

static enum verdict check(int fd)
{
	struct adev_table_header header;
	struct stat status;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    header.magic != ADEV_TABLE_MAGIC)
		return VERDICT_ALIEN;
	if (header.boot != adev_proc_boot())
		return VERDICT_STALE;
	if (header.version != ADEV_TABLE_VERSION)
		return has_slots(&header) && is_deserted(fd) ? VERDICT_STALE :
							       VERDICT_ALIEN;
	if (!has_slots(&header) || header.num_blocks != ADEV_BLOCKS ||
	    header.size_bytes != sizeof(struct adev_table))
		return VERDICT_ALIEN;
	if (fstat(fd, &status) != 0 ||
	    (uint64_t)status.st_size < sizeof(struct adev_table))
		return VERDICT_ALIEN;
	return VERDICT_GOOD;
}

/* The lock keeps two processes from each removing a file of which the second
 * is the first one's new one. */
static int remove_stale(int folder_fd)
{
	int error = adev_file_lock(folder_fd, LOCK_PATIENCE_MS);
	int fd;

	if (error)
		return error;
	if (open_existing(folder_fd, &fd) == 0) {
		if (check(fd) == VERDICT_STALE)
			unlinkat(folder_fd, file_name, 0);
		close(fd);
	}
	adev_file_unlock(folder_fd);
	return 0;
}

static int map(int fd, struct adev_table **table)
{
	void *base = mmap(NULL, sizeof(struct adev_table),
			  PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return errno;
	madvise(base, sizeof(struct adev_table), MADV_DONTDUMP);
	*table = base;
	return 0;
}

/* One step towards an open directory; EAGAIN: the next one may do it. */
static int try_open(int folder_fd, struct adev_table **table)
{
	enum verdict verdict;
	int error;
	int fd;

	error = open_existing(folder_fd, &fd);
	if (error == ENOENT) {
		error = create(folder_fd);
		return error ? error : EAGAIN;
	}
	if (error)
		return error;
	verdict = check(fd);
	if (verdict == VERDICT_GOOD) {
		error = map(fd, table);
	} else if (verdict == VERDICT_STALE) {
		error = remove_stale(folder_fd);
		error = error ? error : EAGAIN;
	} else {
		error = EPROTO;
	}
	close(fd);
	return error;
}

int adev_table_open(int folder_fd, const char *folder,
		    struct adev_table **table)
{
	int error = EAGAIN;
	int i;

	for (i = 0; i < OPEN_ATTEMPTS && error == EAGAIN; i++)
		error = try_open(folder_fd, table);
	if (error == EPROTO)
		adev_log_error("%s/%s is of another version: end the programs "
			       "that use it; if there are none, remove the "
			       "folder",
			       folder, file_name);
	else if (error && !adev_proc_is_exhausted(error))
		adev_log_error(
			"cannot use %s/%s: %s; free some space there, or "
			"set ARNICA_RUNTIME_DIR to another folder",
			folder, file_name, strerror(error));
	return error;
}

void adev_table_close(struct adev_table *table)
{
	munmap(table, sizeof(*table));
}
