/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "comp/hold.h"

#include "comp/channel.h"
#include "comp/moderation.h"
#include "core/view.h"

/* CQs whose order is kept; those beyond are delivered after them. */
#define MAX_KEPT 16u

static __thread struct {
	struct adev_function *fn; /* NULL: nothing is held */
	uint32_t count;
	uint32_t cqs[MAX_KEPT];
	bool more; /* some are marked only */
} hold;

void adev_events_hold(struct adev_function *fn)
{
	hold.fn = fn;
	hold.count = 0;
	hold.more = false;
}

bool adev_events_keep(struct adev_function *fn, uint32_t cq)
{
	uint32_t i;

	if (hold.fn != fn)
		return false;
	for (i = 0; i < hold.count; i++)
		if (hold.cqs[i] == cq)
			return true;
	if (hold.count < MAX_KEPT) {
		hold.cqs[hold.count++] = cq;
	} else {
		adev_channels_mark(fn, cq);
		hold.more = true;
	}
	return true;
}

bool adev_events_are_kept(void)
{
	return hold.fn && hold.count;
}

void adev_events_release(void)
{
	struct adev_function *fn = hold.fn;
	bool waits = false;
	uint32_t i;

	if (!fn)
		return;
	hold.fn = NULL;
	for (i = 0; i < hold.count; i++) {
		adev_channels_mark(fn, hold.cqs[i]);
		waits |= adev_channels_deliver(fn);
	}
	if (hold.more)
		waits |= adev_channels_deliver(fn);
	if (waits)
		adev_view_kick(&fn->view);
}
