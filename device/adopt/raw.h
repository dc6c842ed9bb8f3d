/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * System calls on mappings, past every definition in front of them: the memory
 * that moves is the application's, its addresses stay, and neither a sanitizer
 * nor the stand-in shall take the move for something that the program does.
 * Nothing here touches memory other than the stack.
 */
#ifndef ADEV_ADOPT_RAW_H
#define ADEV_ADOPT_RAW_H

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <arnica/hw/format.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Zero, or what errno says; *place is where the mapping is. */
static inline ARNICA_MUST_CHECK int adev_raw_mmap(uint64_t wanted,
						  uint64_t bytes, int rights,
						  int flags, int fd,
						  uint64_t offset,
						  uint64_t *place)
{
	long result = syscall(SYS_mmap, wanted, bytes, rights, flags, fd,
			      offset);

	if (result == -1)
		return errno;
	*place = (uint64_t)result;
	return 0;
}

static inline ARNICA_MUST_CHECK int
adev_raw_mremap(uint64_t from, uint64_t bytes, int flags, uint64_t to)
{
	return syscall(SYS_mremap, from, bytes, bytes,
		       flags | MREMAP_MAYMOVE | MREMAP_FIXED, to) == -1 ?
		       errno :
		       0;
}

static inline void adev_raw_munmap(uint64_t start, uint64_t bytes)
{
	if (bytes)
		(void)syscall(SYS_munmap, start, bytes);
}

static inline int adev_raw_madvise(uint64_t start, uint64_t bytes, int advice)
{
	long result;

	do {
		result = syscall(SYS_madvise, start, bytes, advice);
	} while (result == -1 && errno == EINTR);
	return result == -1 ? errno : 0;
}

static inline int adev_raw_mprotect(uint64_t start, uint64_t bytes, int rights)
{
	return syscall(SYS_mprotect, start, bytes, rights) == -1 ? errno : 0;
}

#endif
