/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Bringing in the pages of a range, with madvise() or as far as it goes. */
#include "front/memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adopt/raw.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Pages that one mincore() looks at. */
#define LOOK_PAGES 4096u

static void *pointer(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* Is the whole range mapped? mincore() looks at mappings, not at rights. */
static bool is_mapped(uint64_t start, uint64_t bytes, uint64_t page)
{
	unsigned char residency[LOOK_PAGES];

	while (bytes) {
		uint64_t step = bytes < LOOK_PAGES * page ? bytes :
							    LOOK_PAGES * page;

		if (mincore(pointer(start), step, residency))
			return false;
		start += step;
		bytes -= step;
	}
	return true;
}

static int try_populate(uint64_t start, uint64_t bytes, bool writable)
{
	/* Past the stand-in, who would ask us whose memory it is. */
	return adev_raw_madvise(start, bytes,
				writable ? MADV_POPULATE_WRITE :
					   MADV_POPULATE_READ);
}

/* A kernel that knows the advice takes it for a page of our own. */
static bool knows_populate(uint64_t page)
{
	static const char here = 1;

	return try_populate((uintptr_t)&here & ~(page - 1), page, false) !=
	       EINVAL;
}

int adev_memory_populate(uint64_t address, uint64_t length, bool writable)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start = address & ~(page - 1);
	uint64_t bytes = ((address + length - 1) & ~(page - 1)) - start + page;
	int error;

	/* The last page of all is never mapped, and with the first one the
	 * number of bytes would be zero, which succeeds. */
	if (!bytes || start + bytes == 0)
		return EFAULT;
	error = try_populate(start, bytes, writable);
	switch (error) {
	case 0:
		return 0;
	case EINVAL: /* wrong rights, or an old kernel */
		if (!knows_populate(page) && is_mapped(start, bytes, page))
			return 0;
		return EFAULT;
	case ENOMEM: /* a hole, or no memory */
		return is_mapped(start, bytes, page) ? ENOMEM : EFAULT;
	default:
		return EFAULT;
	}
}
