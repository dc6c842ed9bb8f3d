/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A function's wire, as the files of this folder know it. */
#ifndef ADEV_LINK_WIRE_STATE_H
#define ADEV_LINK_WIRE_STATE_H

#include <stdatomic.h>

#include "core/function.h"
#include "link/trust.h"
#include "link/watchdog.h"
#include "link/wire_ops.h"

struct adev_wire {
	struct adev_function *fn;
	const struct adev_wire_ops *ops;
	void *lower;

	/* Lock role `wire_receive`, and a count of the drains: odd while one
	 * is under way. */
	_Atomic uint32_t turn;
	/* Under wire_receive. */
	struct adev_trust trust;
	struct roce_icrc_memo leads; /* of what came in */

	/* When somebody polled last, and how often without a pause: the agent
	 * keeps away from who polls busily. */
	_Atomic uint64_t polled_ns;
	_Atomic uint64_t poll_takes_ns; /* the longest of late */
	_Atomic uint32_t polls_in_row;
	_Atomic pid_t poller;	       /* the thread; zero: none yet */
	_Atomic bool polled_busily;    /* as the agent sees it */
	_Atomic bool sending;	       /* somebody else than the agent is */
	_Atomic uint32_t took;	       /* packets of the last drain */
	_Atomic uint64_t took_ns;      /* when a drain took any */
	_Atomic uint32_t vain_polls;   /* since one took any */
	_Atomic bool owes;	       /* acknowledgements were put off */
	struct adev_watchdog watchdog; /* for as long as that is so */
	_Atomic uint64_t hold_after_ns; /* no post is held for polls before */
	uint64_t no_hold_ns; /* how long that was, last; who serves */
	/* The agent's own. */
	uint64_t watch_until_ns; /* whoever polls */
	uint64_t watch_ns;
	uint64_t busy_since_ns; /* of no meaning unless polled_busily */
	uint32_t turn_seen;
	uint64_t lively_until_ns; /* it looks until then; zero: it sleeps */
};

/* wire_agent.c: the calling thread sends something, which takes its time. */
void adev_wire_begin_send(struct adev_wire *wire);
void adev_wire_end_send(struct adev_wire *wire);

static inline struct adev_wire *adev_wire_of(const struct adev_function *fn)
{
	return atomic_load_explicit(&fn->wire, memory_order_acquire);
}

#endif
