/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/kept.h"

#include <stdatomic.h>
#include <stdint.h>

#include "core/clock.h"
#include "domain/fd_mark.h"

static struct {
	int fds[ADEV_KEPT_FDS];
	struct adev_fd_mark files[ADEV_KEPT_FDS];
	_Atomic bool lost;
	_Atomic uint64_t looked_ns;
} kept = { .fds = { -1, -1, -1 } };

int adev_kept_begin(const int fds[ADEV_KEPT_FDS])
{
	int error = 0;
	int i;

	for (i = 0; i < ADEV_KEPT_FDS && !error; i++)
		if (fds[i] >= 0)
			error = adev_fd_mark(fds[i], &kept.files[i]);
	for (i = 0; i < ADEV_KEPT_FDS; i++)
		kept.fds[i] = error ? -1 : fds[i];
	atomic_store(&kept.looked_ns, 0);
	atomic_store(&kept.lost, false);
	return error;
}

void adev_kept_end(void)
{
	int i;

	for (i = 0; i < ADEV_KEPT_FDS; i++)
		kept.fds[i] = -1;
	atomic_store(&kept.lost, false);
}

bool adev_kept_look(void)
{
	int i;

	for (i = 0; i < ADEV_KEPT_FDS && !atomic_load(&kept.lost); i++)
		if (kept.fds[i] >= 0 &&
		    !adev_fd_is(kept.fds[i], &kept.files[i]))
			atomic_store(&kept.lost, true);
	atomic_store(&kept.looked_ns, adev_now_ns());
	return !atomic_load(&kept.lost);
}

bool adev_kept(void)
{
	uint64_t looked_ns = atomic_load(&kept.looked_ns);

	if (atomic_load(&kept.lost))
		return false;
	return adev_now_ns() - looked_ns < ADEV_MS_NS || adev_kept_look();
}
