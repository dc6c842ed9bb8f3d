/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * madvise() and mremap(): the adapter makes registered memory shareable, and
 * must know when the program throws its contents away or moves it.
 *
 * What is not about such memory goes to the kernel and to nobody else: these
 * calls come out of allocators, at times when looking up the next definition
 * would need memory.
 */
#include "entry.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adapter.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* The adapter, when it has to do with [start, start + bytes). */
static const struct standin_adapter *standin_memory_of(const void *start,
							size_t bytes)
{
	const struct standin_adapter *adapter = standin_adapter_if_loaded();

	return adapter && adapter->memory_concerned(start, bytes) ? adapter :
								   NULL;
}

STANDIN_ENTRY int madvise(void *start, size_t bytes, int advice)
{
	const struct standin_adapter *adapter = standin_memory_of(start, bytes);
	int error;

	if (!adapter)
		return (int)syscall(SYS_madvise, start, bytes, (long)advice);
	error = adapter->memory_advise(start, bytes, advice);
	if (!error)
		return 0;
	errno = error;
	return -1;
}

STANDIN_ENTRY void *mremap(void *start, size_t bytes, size_t new_bytes,
			   int flags, ...)
{
	const struct standin_adapter *adapter = standin_memory_of(start, bytes);
	void *wanted = NULL;
	va_list args;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_start(args, flags);
		wanted = va_arg(args, void *);
		va_end(args);
	}
	if (adapter && adapter->memory_moving(start, bytes)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mremap, start, bytes, new_bytes,
			       (long)flags, wanted);
}
