/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Placing the payload of short messages when they are polled. The adapter
 * checked everything when the message arrived and left the payload in the
 * completion entry or in the queue's eager ring; here it is copied to the
 * segments of the receive entry. What stands unpolled is placed early when the
 * memory, the queue or the CQ is about to change under it.
 */
#ifndef ARNICA_SCATTER_H
#define ARNICA_SCATTER_H

#include <stdbool.h>
#include <stdint.h>

#include <string.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/cqe.h"
#include "arnica/hw/format.h"
#include "arnica/hw/wqe.h"
#include "mr.h"
#include "qp.h"
#include "ring.h"

struct arnica_cq;

/*
 * Places the payload of `entry`, if it has one, into the receive at `work` of
 * the work queue, and gives its eager bytes back. False when the entry contradicts the queue's
 * memory: nothing was written outside the receive buffers then. The caller
 * holds the CQ's lock.
 */
bool arnica_scatter_entry(struct arnica_ring *ring, uint32_t work,
			  const struct arnica_hw_cqe *entry, uint32_t flags,
			  uint32_t byte_len) ARNICA_MUST_CHECK;

/* The same for what most short messages are: in the completion entry, and for the
 * first segment. False: it is not that, and nothing was done. */
static inline bool arnica_scatter_short(struct arnica_ring *ring, uint32_t work,
					const struct arnica_hw_cqe *entry,
					uint32_t flags, uint32_t byte_len)
{
	struct arnica_hw_data_segment segment;
	uint32_t lkey;
	void *target;

	if (!(flags & ARNICA_HW_CQE_DATA) ||
	    byte_len - 1 >= ARNICA_HW_CQE_INLINE_BYTES ||
	    ring->work_max_sge == 0)
		return false;
	memcpy(&segment,
	       ring->work + ((size_t)(work & ring->mask) << ring->work_shift),
	       sizeof(segment));
	lkey = arnica_from_le32(segment.lkey);
	if (lkey == ARNICA_HW_LKEY_END ||
	    arnica_from_le32(segment.length) < byte_len)
		return false;
	target = arnica_mr_translate(ring->qp->context, lkey,
				     arnica_from_le64(segment.address));
	if (target)
		(void)arnica_bus_place(target, entry->data, byte_len);
	return true;
}

/* Places what stands unpolled: of one ring, of a CQ, of the whole context. */
void arnica_scatter_ring(struct arnica_ring *ring);
void arnica_scatter_cq(struct arnica_cq *cq);
void arnica_scatter_outstanding(struct arnica_context *context);

#endif
