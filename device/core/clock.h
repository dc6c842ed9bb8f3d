/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Time of the adapter: ns of CLOCK_MONOTONIC. */
#ifndef ADEV_CORE_CLOCK_H
#define ADEV_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define ADEV_NEVER_NS UINT64_MAX
#define ADEV_MS_NS 1000000ull


static inline uint64_t adev_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
