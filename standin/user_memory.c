/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "user_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int standin_user_copy(long number, void *own, uint64_t theirs,
			     size_t length, int *error)
{
	struct iovec local = { own, length };
	struct iovec remote = { (void *)(uintptr_t)theirs, length };
	long copied = syscall(number, (long)getpid(), &local, 1L, &remote, 1L,
			      0L);

	if (copied == (long)length) {
		*error = 0;
		return 1;
	}
	/* Part of the range: it ends at a page that is not there. */
	*error = EFAULT;
	return copied >= 0 || errno == EFAULT;
}

int standin_user_read(void *to, uint64_t from, size_t length)
{
	int error;

	if (!from)
		return EFAULT;
	if (!standin_user_copy(SYS_process_vm_readv, to, from, length,
			       &error)) {
		memcpy(to, (const void *)(uintptr_t)from, length);
		error = 0;
	}
	return error;
}

int standin_user_write(uint64_t to, const void *from, size_t length)
{
	int error;

	if (!to)
		return EFAULT;
	if (!standin_user_copy(SYS_process_vm_writev, (void *)(uintptr_t)from,
			       to, length, &error)) {
		memcpy((void *)(uintptr_t)to, from, length);
		error = 0;
	}
	return error;
}
