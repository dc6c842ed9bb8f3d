/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moderation of completion events: an armed CQ has its event when `count`
 * completions of those that it is armed for have come, or `period` after the
 * first of them; so many completions cost one event. Polls see every entry at
 * once, as always.
 *
 * Writers, which may be peers, only count (comp/completion.c). The CQ's owner
 * fires it, who delivers events anyway: its agent has the clock.
 */
#ifndef ADEV_COMP_MODERATION_H
#define ADEV_COMP_MODERATION_H

#include "core/function.h"

/* The terms in one word: the count in the high half, the period in us in the
 * low one. Zero: no moderation. */
static inline uint32_t adev_moderation_count(uint32_t terms)
{
	return terms >> 16;
}

static inline uint32_t adev_moderation_period_us(uint32_t terms)
{
	return terms & 0xffff;
}

/* New terms, for what is held back already, too. Both at most 65535; one
 * completion, or no time, is no moderation. */
void adev_moderation_set(struct adev_function *fn, uint32_t cq, uint32_t count,
			 uint32_t period_us);

/* For delivery, with channel_lock held: fires the CQ if its time has come. True
 * when it has not: then adev_channels_wait() was told when it will. */
bool adev_moderation_holds(struct adev_function *fn, uint32_t cq);

/* Has somebody look at a CQ; with channel_lock held or not. In deliver.c. */
void adev_channels_mark(struct adev_function *fn, uint32_t cq);

#endif
