/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Zeros without end, and a sink. */
#include "tpt/null_memory.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <arnica/hw/limits.h>

#define RANGE_BYTES ((size_t)ARNICA_HW_MAX_MESSAGE)
#define SINK_BYTES ((size_t)4 << 20)

static char *reserve(int protection)
{
	char *range = mmap(NULL, RANGE_BYTES, protection,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (range == MAP_FAILED)
		return NULL;
	(void)madvise(range, RANGE_BYTES, MADV_DONTDUMP);
	return range;
}

/* The same pages all over the range. */
static int fill_sink(char *range, int fd)
{
	size_t offset;

	if (ftruncate(fd, (off_t)SINK_BYTES))
		return ENOMEM;
	for (offset = 0; offset < RANGE_BYTES; offset += SINK_BYTES)
		if (mmap(range + offset, SINK_BYTES, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			return ENOMEM;
	(void)madvise(range, RANGE_BYTES, MADV_DONTDUMP);
	return 0;
}

static char *make_sink(void)
{
	int fd = memfd_create("arnica-null", MFD_CLOEXEC);
	char *range = NULL;

	if (fd < 0)
		return NULL;
	range = reserve(PROT_NONE);
	if (range && fill_sink(range, fd)) {
		munmap(range, RANGE_BYTES);
		range = NULL;
	}
	close(fd);
	return range;
}

int adev_null_memory(uint64_t *zeros, uint64_t *sink)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char *source, *target;
	int error = 0;

	pthread_mutex_lock(&lock);
	if (!source)
		source = reserve(PROT_READ);
	if (!target)
		target = make_sink();
	if (!source || !target)
		error = ENOMEM;
	*zeros = (uintptr_t)source;
	*sink = (uintptr_t)target;
	pthread_mutex_unlock(&lock);
	return error;
}
