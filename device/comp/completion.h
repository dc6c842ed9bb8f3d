/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion unit: writes entries into the completion ring of a work queue,
 * puts the ring on its CQ's ready list, and fires an armed CQ. Works on rings
 * of this process and of peers alike.
 *
 * A writer may be killed or stopped between any two stores: every step either
 * concerns its own ring only, or can be done again by the next writer.
 */
#ifndef ADEV_COMP_COMPLETION_H
#define ADEV_COMP_COMPLETION_H

#include <arnica/hw/cqe.h>

#include "core/clock.h"
#include "core/fault_point.h"
#include "core/view.h"

/* One work queue's completion ring, with everything that a completion needs. */
struct adev_ring {
	const struct adev_view *view;
	struct arnica_hw_cqe *entries;
	uint32_t mask;
	uint32_t number; /* 2 * QP index, plus one for the receive queue */
	struct arnica_hw_queue_record *record;
	struct adev_cq_shared *cq;
	uint32_t cq_index;
	uint32_t qpn;
};

struct adev_completion {
	uint32_t wqe_index;
	uint32_t byte_len;
	uint32_t immediate; /* raw, in wire order */
	uint16_t flags;     /* enum arnica_hw_cqe_flags */
	uint8_t opcode;
	uint8_t status; /* enum arnica_hw_status */
	uint32_t vendor_error;
	bool solicited;
};

/* The entry at free-running index `index`, to put payload into before it is
 * published. */
static inline struct arnica_hw_cqe *adev_ring_entry(const struct adev_ring *ring,
						    uint32_t index)
{
	return &ring->entries[index & ring->mask];
}

/* Fills in the entry and publishes it. The caller then passes a full barrier
 * (most have a lock to release) and calls adev_completion_notify(). */
static inline void
adev_completion_publish(const struct adev_ring *ring, uint32_t index,
			const struct adev_completion *completion);

/* Was the entry published? Tells how far a dead writer came. */
bool adev_completion_published(const struct adev_ring *ring, uint32_t index);

static inline void
adev_completion_notify(const struct adev_ring *ring,
		       const struct adev_completion *completion);

/* For the owner, after a writer died: the host looks at all rings. */
void adev_completion_rescan(const struct adev_ring *ring);

/* Accounts for one more entry of a CQ that its queues can overrun. False: there
 * is no room for it. */
bool adev_completion_reserve(const struct adev_ring *ring) ARNICA_MUST_CHECK;

static inline void
adev_completion_publish(const struct adev_ring *ring, uint32_t index,
			const struct adev_completion *completion)
{
	struct arnica_hw_cqe *cqe = adev_ring_entry(ring, index);
	struct adev_cq_shared *cq = ring->cq;

	if (__builtin_expect(arnica_load32(&cq->record.counted,
					   memory_order_relaxed),
			     0) &&
	    !adev_completion_reserve(ring))
		return;
	if (__builtin_expect(cq->flags & ARNICA_HW_CQ_TIMESTAMP, 0))
		cqe->timestamp = arnica_to_le64(adev_now_ns());
	cqe->byte_len = arnica_to_le32(completion->byte_len);
	cqe->immediate.raw = completion->immediate;
	cqe->wqe_index = arnica_to_le32(completion->wqe_index);
	cqe->vendor_error = arnica_to_le32(completion->vendor_error);
	cqe->info = arnica_to_le32((uint32_t)completion->flags << 16 |
				   (uint32_t)completion->opcode << 8 |
				   completion->status);
	ADEV_POINT("completion_before_publish");
	/* P1: publishes the entry; pairs with C1 in the host's poll. */
	arnica_store32(&cqe->sequence, index + 1, memory_order_release);
	ADEV_POINT("completion_published");
}

/* The rest of adev_completion_notify(), when the host wants to hear of it. */
void adev_completion_tell(const struct adev_ring *ring,
			  const struct adev_completion *completion);

static inline void
adev_completion_notify(const struct adev_ring *ring,
		       const struct adev_completion *completion)
{
	const struct arnica_hw_cq_record *record = &ring->cq->record;

	/* P2: the entry was published before `queued` is read; the host (C2)
	 * clears `queued` before it looks at the ring for the last time. */
	if (__builtin_expect(
		    !arnica_load32(&ring->record->queued,
				   memory_order_relaxed) ||
			    arnica_load32(&record->armed,
					  memory_order_relaxed) ||
			    arnica_load32(&record->state, memory_order_relaxed),
		    0))
		adev_completion_tell(ring, completion);
}

#endif
