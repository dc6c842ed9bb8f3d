/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Shared receive queues that become larger (ADR 0011). What any process may be
 * using just now stays where it is: entries and words, and the ring of numbers
 * of the size that it was. command_ring_grow.c has the completion rings.
 *
 * An SRQ that becomes smaller keeps its slots.
 */
#include "domain/segment.h"
#include "front/command.h"
#include "front/srq_table.h"
#include "transport/qp.h"

int adev_srq_populate(struct adev_function *fn, uint32_t srq, uint32_t slots)
{
	const struct adev_srq_shared *shared = &fn->view.srqs[srq];
	int error = adev_segment_populate(fn->segment_fd,
					  shared->entries_offset,
					  (uint64_t)slots * shared->stride);

	if (!error)
		error = adev_segment_populate(
			fn->segment_fd, shared->words_offset,
			slots * sizeof(arnica_atomic_le64));
	if (!error)
		error = adev_segment_populate(
			fn->segment_fd, adev_srq_ring_offset(shared, slots),
			slots * sizeof(arnica_atomic_le32));
	return error;
}

bool adev_srq_holds(const struct adev_function *fn, uint32_t srq,
		    uint32_t depth)
{
	uint32_t index;

	if (!depth || depth > fn->view.srqs[srq].slots)
		return false;
	for (index = 0; index < fn->qp_scan_end; index++) {
		const struct adev_qp *qp = fn->qps[index];

		if (qp && qp->srq.shared && qp->srq.index == srq &&
		    depth > qp->recv_ring.mask + 1)
			return false;
	}
	return true;
}

void adev_srq_set_depth(struct adev_function *fn, uint32_t srq, uint32_t depth)
{
	struct adev_srq_owner *owner = &fn->srqs[srq];
	uint32_t i;

	for (i = 0; i < owner->num_cqs; i++)
		adev_cq_adapt(fn, owner->cqs[i].cq, owner->depth, depth);
	owner->depth = depth;
}

static arnica_atomic_le32 *ring_of(const struct adev_function *fn, uint32_t srq,
				   uint32_t slots)
{
	return (void *)(fn->view.base +
			adev_srq_ring_offset(&fn->view.srqs[srq], slots));
}

/* What is posted gets its place in the larger ring. One who still looks at the
 * smaller one finds the same there; what is posted from now on is in the larger
 * one only, and who sees that it was posted sees that the ring has grown. */
static void copy_numbers(struct adev_function *fn, uint32_t srq, uint32_t slots)
{
	struct adev_srq_shared *shared = &fn->view.srqs[srq];
	uint32_t old = shared->slots, index, producer;
	const arnica_atomic_le32 *from = ring_of(fn, srq, old);
	arnica_atomic_le32 *to = ring_of(fn, srq, slots);

	producer = arnica_load32(&shared->record.producer,
				 memory_order_acquire);
	for (index = producer - old; index != producer; index++)
		arnica_store32(&to[index & (slots - 1)],
			       arnica_load32(&from[index & (old - 1)],
					     memory_order_relaxed),
			       memory_order_relaxed);
	/* P12 */
	atomic_store_explicit(&shared->slots, slots, memory_order_release);
}

ADEV_COMMAND_HANDLER(grow_srq)
{
	uint32_t index = arnica_from_le32(command->grow.handle);
	uint32_t slots = arnica_from_le32(command->grow.slots);
	struct adev_srq_shared *shared;

	if (!adev_srq_valid(fn, index))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	shared = &fn->view.srqs[index];
	if (!arnica_is_power_of_two(slots) || slots > ARNICA_HW_MAX_QUEUE_DEPTH)
		return ARNICA_HW_COMMAND_INVALID;
	if (slots > shared->capacity)
		return ARNICA_HW_COMMAND_NO_MEMORY;
	if (slots > shared->slots) {
		if (adev_srq_populate(fn, index, slots))
			return ARNICA_HW_COMMAND_NO_MEMORY;
		copy_numbers(fn, index, slots);
	}
	completion->grown.ring_offset =
		arnica_to_le64(adev_srq_ring_offset(shared, shared->slots));
	completion->grown.slots = arnica_to_le32(shared->slots);
	return ARNICA_HW_COMMAND_OK;
}
