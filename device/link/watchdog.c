/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/watchdog.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "core/kept.h"

void adev_watchdog_open(struct adev_watchdog *watchdog)
{
	watchdog->fd = timerfd_create(CLOCK_MONOTONIC,
				      TFD_NONBLOCK | TFD_CLOEXEC);
	atomic_store(&watchdog->barks_ns, 0);
}

void adev_watchdog_close(struct adev_watchdog *watchdog)
{
	if (watchdog->fd >= 0 && adev_kept_look())
		close(watchdog->fd);
	watchdog->fd = -1;
}

void adev_watchdog_set(struct adev_watchdog *watchdog, uint64_t now_ns,
		       uint64_t time_ns)
{
	const uint64_t at_ns = now_ns + time_ns;
	const struct itimerspec time = {
		.it_value = { .tv_sec = (time_t)(at_ns / 1000000000u),
			      .tv_nsec = (long)(at_ns % 1000000000u) }
	};

	/* The number may be a file of the program's by now. */
	if (watchdog->fd < 0 || !adev_kept())
		return;
	atomic_store_explicit(&watchdog->barks_ns, at_ns, memory_order_relaxed);
	(void)timerfd_settime(watchdog->fd, TFD_TIMER_ABSTIME, &time, NULL);
}
