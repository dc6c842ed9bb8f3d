/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Pace of a queue pair (IBV_QP_RATE_LIMIT, ibv_modify_qp_rate_limit(3)): how fast
 * it may send, and how much of that at once. As with the port's limit (ADR 0017)
 * the bucket is a time: when all that was charged will have been sent. Something
 * may go when that is not in the future, so the last step of a burst may overshoot
 * and is waited for after it.
 *
 * In the time between t1 and t2 no more goes than rate * (t2 - t1), a burst and
 * the last step. Time is an argument. A queue pair without a pace has none of
 * these; with the QP's sq_lock.
 */
#ifndef ADEV_TRANSPORT_PACE_H
#define ADEV_TRANSPORT_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct adev_pace {
	uint64_t rate;	     /* bytes in a second */
	uint64_t burst_ns;   /* what it may send at once after a pause */
	uint32_t step_bytes; /* of a message that are moved in one go */
	bool waits;          /* it asked, and may not yet */
	uint64_t free_ns;    /* when what was charged is sent */
};

/* kbps: not zero. burst: bytes; zero: what suits this adapter. */
void adev_pace_set(struct adev_pace *pace, uint32_t kbps, uint32_t burst,
		   uint64_t now_ns);

/* When something may go; not after now_ns: now. */
static inline uint64_t adev_pace_ready(const struct adev_pace *pace)
{
	return pace->free_ns;
}

/* When something may go after `bytes` more. */
uint64_t adev_pace_after(const struct adev_pace *pace, uint64_t bytes,
			 uint64_t now_ns);

/* So much went. */
static inline void adev_pace_sent(struct adev_pace *pace, uint64_t bytes,
				  uint64_t now_ns)
{
	pace->free_ns = adev_pace_after(pace, bytes, now_ns);
}

#endif
