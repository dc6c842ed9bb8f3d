/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counters seen from outside. They are in the memory of the function's process,
 * whose segment says where; a reader takes a copy of them, which costs that
 * process nothing.
 */
#include "core/counters.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include <arnica/hw/bus.h>

#include <arnica/hw/scheduler.h>

#include "core/export.h"
#include "core/layout.h"

static const struct arnica_bus_counter names[] = {
#define COUNTER_NAME(name, text) { #name, text, 0 },
	ADEV_COUNTER_LIST(COUNTER_NAME)
#undef COUNTER_NAME
};
#define NUM_COUNTERS (sizeof(names) / sizeof(names[0]))

_Static_assert(sizeof(struct adev_counters) == 8 * NUM_COUNTERS,
	       "a word for each counter");

/* Where they are; a segment of another build has others. */
static int locate(int device_fd, uint64_t *address)
{
	struct adev_shared shared;
	int error = adev_shared_read(device_fd, &shared);

	if (!error && shared.counters_bytes != sizeof(struct adev_counters))
		error = EPROTO;
	if (!error)
		*address = shared.counters_address;
	return error;
}

EXPORT int arnica_bus_counters(int device_fd, pid_t pid,
			       arnica_bus_counter_fn *found, void *argument)
{
	uint64_t values[NUM_COUNTERS], address;
	struct iovec to = { .iov_base = values, .iov_len = sizeof(values) };
	struct iovec from = { .iov_len = sizeof(values) };
	struct arnica_bus_counter counter;
	uint32_t i;
	int error = locate(device_fd, &address);

	if (error)
		return error;
	from.iov_base = (void *)(uintptr_t)address;
	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != sizeof(values))
		return errno;
	for (i = 0; i < NUM_COUNTERS; i++) {
		counter = names[i];
		counter.value = values[i];
		found(&counter, argument);
	}
	return 0;
}

EXPORT int arnica_bus_scheduler(int device_fd, pid_t pid,
				struct arnica_hw_sched_counters *counters)
{
	struct iovec to = { .iov_base = counters,
			    .iov_len = sizeof(*counters) };
	struct iovec from = { .iov_len = sizeof(*counters) };
	struct adev_shared shared;
	int error = adev_shared_read(device_fd, &shared);

	if (error)
		return error;
	if (shared.scheduler_bytes != sizeof(*counters))
		return EPROTO;
	from.iov_base = (void *)(uintptr_t)shared.scheduler_address;
	if (process_vm_readv(pid, &to, 1, &from, 1, 0) !=
	    (ssize_t)sizeof(*counters))
		return errno;
	return 0;
}
