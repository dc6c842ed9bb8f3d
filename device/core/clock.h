/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Time of the adapter: ns of CLOCK_MONOTONIC, or what a simulation says. The
 * simulated time is one load and a branch on the way to the real one.
 */
#ifndef ADEV_CORE_CLOCK_H
#define ADEV_CORE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define ADEV_NEVER_NS UINT64_MAX
#define ADEV_MS_NS 1000000ull

/* Zero: the real time. */
extern _Atomic uint64_t adev_clock_simulated_ns;

static inline bool adev_clock_is_simulated(void)
{
	return atomic_load_explicit(&adev_clock_simulated_ns,
				    memory_order_relaxed) != 0;
}

static inline uint64_t adev_now_ns(void)
{
	uint64_t simulated = atomic_load_explicit(&adev_clock_simulated_ns,
						  memory_order_relaxed);
	struct timespec now;

	if (__builtin_expect(simulated != 0, 0))
		return simulated;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
