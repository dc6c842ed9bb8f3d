/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A short sleep, for who has looked in vain for a while: what is waited for may
 * need this processor. To yield it would be for a whole slice, or for nothing
 * where the scheduler goes on with the one that yields.
 */
#ifndef ADEV_CORE_REST_H
#define ADEV_CORE_REST_H

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline void adev_rest(void)
{
	/* Long enough that the timer does not end before the sleep begins. */
	const struct timespec moment = { .tv_nsec = 10000 };

	/* Directly: the C library's is a cancellation point. */
	(void)syscall(SYS_nanosleep, &moment, NULL);
}

#endif
