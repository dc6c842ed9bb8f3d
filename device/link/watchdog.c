/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/watchdog.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/kept.h"
#include "domain/wake.h"

void adev_watchdog_open(struct adev_watchdog *watchdog)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	atomic_store(&watchdog->fd, fd < 0 ? -1 : adev_fd_high(fd));
	atomic_store(&watchdog->barks_ns, 0);
}

/* The number may be a file of the program's by now: it is not if it is a timer. */
void adev_watchdog_close(struct adev_watchdog *watchdog)
{
	int fd = atomic_exchange(&watchdog->fd, -1);
	struct itimerspec left;

	if (fd >= 0 && timerfd_gettime(fd, &left) == 0)
		close(fd);
}

bool adev_watchdog_set(struct adev_watchdog *watchdog, uint64_t now_ns,
		       uint64_t time_ns)
{
	const uint64_t at_ns = now_ns + time_ns;
	const struct itimerspec time = {
		.it_value = { .tv_sec = (time_t)(at_ns / 1000000000u),
			      .tv_nsec = (long)(at_ns % 1000000000u) }
	};
	int fd = atomic_load_explicit(&watchdog->fd, memory_order_relaxed);
	int saved_errno = errno;

	if (fd < 0)
		return false;
	if (!adev_kept() ||
	    timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL)) {
		atomic_store_explicit(&watchdog->fd, -1, memory_order_relaxed);
		errno = saved_errno;
		return false;
	}
	atomic_store_explicit(&watchdog->barks_ns, at_ns, memory_order_relaxed);
	return true;
}
