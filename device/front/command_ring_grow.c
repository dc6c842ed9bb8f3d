/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * GROW_RING: a larger completion ring for a QP whose SRQ has become larger (ADR
 * 0011), under that QP's responder lock and no other. Who delivers to the QP
 * looks at `rq_slots` whenever it has the lock, and so finds the new ring.
 */
#include <string.h>

#include <arnica/hw/cqe.h>

#include "core/qp_lock.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/srq_table.h"
#include "transport/qp.h"

/* The host asks again. */
#define GROW_LOCK_MS 1u

static uint64_t ring_bytes(uint32_t slots)
{
	return (uint64_t)slots * sizeof(struct arnica_hw_cqe);
}

static uint64_t offset_of(const struct adev_qp *qp)
{
	return (uint64_t)((const char *)qp->recv_ring.entries -
			  qp->fn->view.base);
}

/* The first ring is part of the QP's memory. */
static bool has_grown(const struct adev_qp *qp)
{
	return qp->srq.shared &&
	       offset_of(qp) - qp->memory_offset >= qp->memory_bytes;
}

void adev_srq_free_ring(struct adev_qp *qp)
{
	if (has_grown(qp))
		adev_heap_free(&qp->fn->heap, offset_of(qp),
			       ring_bytes(qp->recv_ring.mask + 1));
}

/* Whatever was published, at the place of its index. The last one may be from
 * somebody who died before he could count it. */
static void copy_entries(const struct adev_ring *from,
			 struct arnica_hw_cqe *to, uint32_t slots)
{
	uint32_t i;

	for (i = 0; i <= from->mask; i++) {
		uint32_t sequence = arnica_load32(&from->entries[i].sequence,
						  memory_order_acquire);

		if (sequence)
			memcpy(&to[(sequence - 1) & (slots - 1)],
			       &from->entries[i], sizeof(*to));
	}
}

/* With the responder lock: who gets it next sees that `rq_slots` has changed. */
static void replace_ring(struct adev_qp *qp, uint64_t offset, uint32_t slots)
{
	struct arnica_hw_cqe *entries = (void *)(qp->fn->view.base + offset);

	copy_entries(&qp->recv_ring, entries, slots);
	qp->shared->recv_ring_offset = offset;
	qp->shared->rq_slots = slots;
	qp->recv_ring.entries = entries;
	qp->recv_ring.mask = slots - 1;
}

static enum arnica_hw_command_status grow(struct adev_qp *qp, uint32_t slots)
{
	struct adev_function *fn = qp->fn;
	uint64_t offset, old = offset_of(qp);
	uint32_t old_slots = qp->recv_ring.mask + 1;
	bool frees = has_grown(qp);

	if (adev_heap_alloc(&fn->heap, ring_bytes(slots), &offset))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	if (adev_qp_lock_owner(fn, qp->shared, GROW_LOCK_MS)) {
		adev_heap_free(&fn->heap, offset, ring_bytes(slots));
		return ARNICA_HW_COMMAND_BUSY;
	}
	replace_ring(qp, offset, slots);
	adev_qp_unlock(qp->shared);
	if (frees)
		adev_heap_free(&fn->heap, old, ring_bytes(old_slots));
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(grow_ring)
{
	uint32_t handle = arnica_from_le32(command->grow.handle);
	uint32_t slots = arnica_from_le32(command->grow.slots);
	struct adev_qp *qp = adev_qp_by_handle(fn, handle);
	enum arnica_hw_command_status status = ARNICA_HW_COMMAND_OK;

	if (!qp || qp->orphaned)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (!qp->srq.shared || !arnica_is_power_of_two(slots) ||
	    slots > ARNICA_HW_MAX_QUEUE_DEPTH)
		return ARNICA_HW_COMMAND_INVALID;
	if (slots > qp->recv_ring.mask + 1)
		status = grow(qp, slots);
	completion->grown.ring_offset = arnica_to_le64(offset_of(qp));
	completion->grown.slots = arnica_to_le32(qp->recv_ring.mask + 1);
	return status;
}
