/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A timer that whoever polls busily puts off, so that the agent sleeps as long
 * as that goes on: to look for itself it would have to take the processor from
 * that thread. It is a descriptor among those that the agent sleeps on.
 *
 * Any thread may put it off; the owner opens and closes it. Once its number is
 * found to be something else, or nothing, there is none.
 */
#ifndef ADEV_LINK_WATCHDOG_H
#define ADEV_LINK_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct adev_watchdog {
	_Atomic int fd;		   /* a timerfd; -1: there is none */
	_Atomic uint64_t barks_ns; /* as it was set last */
};

void adev_watchdog_open(struct adev_watchdog *watchdog);
void adev_watchdog_close(struct adev_watchdog *watchdog);

static inline bool adev_watchdog_is_open(const struct adev_watchdog *watchdog)
{
	return atomic_load_explicit(&watchdog->fd, memory_order_relaxed) >= 0;
}

/* Sets it `time_ns` ahead; false: there is none. A system call, and now and then
 * some more; errno stays. */
bool adev_watchdog_set(struct adev_watchdog *watchdog, uint64_t now_ns,
		       uint64_t time_ns);

/* The same when less than half of that is left. */
static inline void adev_watchdog_feed(struct adev_watchdog *watchdog,
				      uint64_t now_ns, uint64_t time_ns)
{
	if (now_ns + time_ns / 2 >
	    atomic_load_explicit(&watchdog->barks_ns, memory_order_relaxed))
		(void)adev_watchdog_set(watchdog, now_ns, time_ns);
}

#endif
