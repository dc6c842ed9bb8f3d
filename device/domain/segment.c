/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arnica/hw/segment.h"
#include "domain/identity.h"
#include "domain/mapping.h"
#include "domain/proc.h"

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)
/* A long fallocate() that a signal interrupts undoes its work and would never
 * end under a fast timer. */
#define POPULATE_STEP (1ull << 20)
#define SPACE_SHARE 8u

uint64_t adev_segment_max_bytes(void)
{
	uint64_t bytes;

	/* A wrong one has been told of. */
	if (adev_setting_number(ARNICA_SETTING(SEGMENT_MAX),
				ADEV_SEGMENT_DEFAULT_BYTES, &bytes))
		return ADEV_SEGMENT_DEFAULT_BYTES;
	return bytes;
}

static int check_header(int fd)
{
	struct arnica_hw_segment_header header;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    arnica_from_le64(header.magic) != ARNICA_HW_SEGMENT_MAGIC)
		return EBADF;
	if (arnica_from_le32(header.version) != ARNICA_HW_VERSION)
		return EPROTO;
	if (arnica_load32(&header.state, memory_order_relaxed) !=
	    ARNICA_HW_SEGMENT_OPENED)
		return EBUSY;
	return 0;
}

static int check_device_file(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return EBADF;
	if ((seals & SIZE_SEALS) == SIZE_SEALS)
		return EBUSY;
	if (seals & F_SEAL_SEAL)
		return EBADF;
	return check_header(fd);
}

static uint64_t round_down_to_power(uint64_t bytes)
{
	return 1ull << (63 - __builtin_clzll(bytes));
}

/* Fixes the size for good. The seals go on in one step, so of two who try, one
 * fails here. */
static int seal(int fd, uint64_t size)
{
	struct stat status;

	if (ftruncate(fd, (off_t)size) != 0)
		return errno == EPERM ? EBUSY : errno == EFBIG ? ENOMEM : errno;
	if (fcntl(fd, F_ADD_SEALS, SIZE_SEALS | F_SEAL_SEAL) != 0)
		return errno == EPERM ? EBUSY : errno;
	if (fstat(fd, &status) != 0)
		return errno;
	return (uint64_t)status.st_size == size ? 0 : EBUSY;
}

/* Where the address space is limited, the segments of peers have to be mapped
 * in it, too, and they are as large as ours if their limit is the same. */
static uint64_t fair_share(uint64_t bytes, uint64_t smallest)
{
	uint64_t share = adev_proc_space_limit() / SPACE_SHARE;

	if (share < smallest)
		share = smallest;
	return share < bytes ? round_down_to_power(share) : bytes;
}

/* The largest power of two that the address space takes. */
static int map_largest(int fd, uint64_t bytes, void **base, uint64_t *size)
{
	uint64_t smallest = bytes < ADEV_SEGMENT_SMALLEST_BYTES ?
				    bytes :
				    ADEV_SEGMENT_SMALLEST_BYTES;
	int error = ENOMEM;

	bytes = fair_share(bytes, smallest);
	for (*size = bytes; *size >= smallest; *size /= 2) {
		/* Beyond the limit, ftruncate() would raise SIGXFSZ. */
		if (*size > adev_proc_file_limit())
			continue;
		error = adev_mapping_create(fd, *size, base);
		if (error != ENOMEM)
			return error;
	}
	return error;
}

int adev_segment_reserve(int device_fd, uint64_t max_bytes, void **base,
			 uint64_t *size)
{
	int error = check_device_file(device_fd);

	if (error)
		return error;
	if (!max_bytes)
		max_bytes = adev_segment_max_bytes();
	if (max_bytes < ARNICA_HW_BAR_END ||
	    max_bytes > ADEV_SEGMENT_LARGEST_BYTES)
		return EINVAL;
	error = map_largest(device_fd, round_down_to_power(max_bytes), base,
			    size);
	if (error)
		return error == EEXIST ? EBUSY : error;
	error = seal(device_fd, *size);
	if (error)
		adev_mapping_put(*base, *size);
	return error;
}

static int populate_step(int fd, uint64_t offset, uint64_t length)
{
	while (fallocate(fd, 0, (off_t)offset, (off_t)length) != 0) {
		if (errno == EINTR)
			continue;
		return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ?
			       ENOMEM :
			       errno;
	}
	return 0;
}

int adev_segment_populate(int fd, uint64_t offset, uint64_t length)
{
	struct stat status;
	int error = 0;

	if (fstat(fd, &status) != 0)
		return errno;
	/* Beyond the end, fallocate() would raise SIGXFSZ under a limit. */
	if (offset > (uint64_t)status.st_size ||
	    length > (uint64_t)status.st_size - offset)
		return EINVAL;
	while (length && !error) {
		uint64_t step = length < POPULATE_STEP ? length : POPULATE_STEP;

		error = populate_step(fd, offset, step);
		offset += step;
		length -= step;
	}
	return error;
}

void adev_segment_release(void *base, uint64_t size)
{
	adev_mapping_put(base, size);
}
