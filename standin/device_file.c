/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "device_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "arnica/hw/segment.h"
#include "complain.h"

#define STANDIN_DEVICE_FILE_NAME "arnica-uverbs0"

/*
 * write() on the descriptor must not reach the header: the position is parked
 * at the end of all offsets, where every length overflows and the kernel says
 * EINVAL, as uverbs does about a write() that it does not understand. write()
 * itself can therefore stay unwrapped.
 */
static int standin_device_file_park(int fd)
{
	return syscall(SYS_lseek, fd, INT64_MAX, SEEK_SET) < 0 ? errno : 0;
}

static int standin_device_file_fill(int fd, int flags)
{
	struct arnica_hw_segment_header header;
	struct rlimit limit;

	memset(&header, 0, sizeof(header));
	header.magic = arnica_to_le64(ARNICA_HW_SEGMENT_MAGIC);
	header.version = arnica_to_le32(ARNICA_HW_VERSION);
	header.device_index = arnica_to_le32(0);
	/* Relaxed: nobody else has the descriptor yet. */
	arnica_store32(&header.state, ARNICA_HW_SEGMENT_OPENED,
		       memory_order_relaxed);

	/* Beyond the limit it would raise SIGXFSZ. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) &&
	    limit.rlim_cur < ARNICA_HW_PAGE_BYTES)
		return EFBIG;
	if (syscall(SYS_ftruncate, fd, (long)ARNICA_HW_PAGE_BYTES))
		return errno;
	if (syscall(SYS_pwrite64, fd, &header, sizeof(header), 0L) !=
	    (long)sizeof(header))
		return ENOSPC;
	if (syscall(SYS_fchmod, fd, STANDIN_DEVICE_MEMORY_MODE & 07777))
		return errno;
	if (flags & O_NONBLOCK && syscall(SYS_fcntl, fd, F_SETFL, O_NONBLOCK))
		return errno;
	return standin_device_file_park(fd);
}

int standin_device_file_create(int flags, int *fd)
{
	unsigned int memfd_flags = MFD_ALLOW_SEALING;
	int saved = errno;
	int error;

	if (flags & O_CLOEXEC)
		memfd_flags |= MFD_CLOEXEC;
	*fd = (int)syscall(SYS_memfd_create, STANDIN_DEVICE_FILE_NAME,
			   memfd_flags);
	if (*fd < 0) {
		error = errno;
	} else {
		error = standin_device_file_fill(*fd, flags);
		if (error)
			syscall(SYS_close, *fd);
	}
	if (error == EFBIG)
		standin_complain("cannot make the device file: %s; raise the limit of file sizes (ulimit -f)",
				 strerror(error));
	errno = saved;
	return error;
}

/* Looks at the status first, so that no file of the program, perhaps on a slow
 * or a special file system, is ever read. The status is set before, because
 * compilers look at it before they know whether there is one, and valgrind
 * would tell the program's author. */
static bool standin_device_file_read(int fd,
				     struct arnica_hw_segment_header *header)
{
	const size_t length = offsetof(struct arnica_hw_segment_header, state);
	struct stat status = { 0 };

	return !syscall(SYS_fstat, fd, &status) &&
	       status.st_mode == STANDIN_DEVICE_MEMORY_MODE &&
	       status.st_nlink == 0 &&
	       syscall(SYS_pread64, fd, header, length, 0L) == (long)length;
}

bool standin_device_file_check(int fd, uint32_t *index)
{
	struct arnica_hw_segment_header header;
	int saved = errno;
	bool found = standin_device_file_read(fd, &header) &&
		     arnica_from_le64(header.magic) == ARNICA_HW_SEGMENT_MAGIC;

	errno = saved;
	if (found)
		*index = arnica_from_le32(header.device_index);
	return found;
}

void standin_device_file_disguise(struct stat *status, uint32_t index)
{
	status->st_mode = STANDIN_DEVICE_MODE;
	status->st_rdev = makedev(STANDIN_DEVICE_MAJOR,
				  STANDIN_DEVICE_MINOR + index);
}

void standin_device_file_disguise_x(struct statx *status, uint32_t index)
{
	status->stx_mode = STANDIN_DEVICE_MODE;
	status->stx_rdev_major = STANDIN_DEVICE_MAJOR;
	status->stx_rdev_minor = STANDIN_DEVICE_MINOR + index;
}
