/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Changing the size of a shared receive queue; see srq.h.
 *
 * Slots only become more: first those of the queue, then those of the completion
 * ring of each of its queue pairs, one after the other. Nothing that is posted
 * moves. What fails on the way leaves room that nobody uses yet; only at the end
 * new slots go into the list of free ones. A smaller queue takes slots out of
 * that list, and so it cannot become smaller than what is outstanding.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "context.h"
#include "cq.h"
#include "qp.h"
#include "srq.h"

/* With a queue pair that a stopped process has in its hands, and a completion
 * queue that is being polled. */
#define PATIENCE 1000u /* looks, a millisecond apart */

/* The ring, as the adapter has it by now; NULL: `error` says why. */
static void *grow(struct arnica_context *context,
		  enum arnica_hw_command_opcode opcode, uint32_t handle,
		  uint32_t *slots, size_t slot_bytes, int *error)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.grow = { .handle = arnica_to_le32(handle),
			  .slots = arnica_to_le32(*slots) },
	};
	struct arnica_hw_completion answer;
	uint32_t granted;
	void *ring;

	*error = arnica_command_execute(&context->commands, &command, &answer);
	if (*error)
		return NULL;
	granted = arnica_from_le32(answer.grown.slots);
	*error = EIO;
	/* As with a queue that is made: it must hang together. */
	if (granted < *slots || granted > ARNICA_HW_MAX_QUEUE_DEPTH ||
	    !arnica_is_power_of_two(granted))
		return NULL;
	ring = arnica_context_map(context,
				  arnica_from_le64(answer.grown.ring_offset),
				  granted * slot_bytes);
	if (!ring)
		return NULL;
	*slots = granted;
	*error = 0;
	return ring;
}

/* With the lock: what is posted stands in the ring that is looked at. */
static int grow_queue(struct arnica_srq *srq, uint32_t slots)
{
	arnica_atomic_le32 *ring;
	int error = 0;

	if (slots <= srq->mask + 1)
		return 0;
	if (slots > srq->capacity)
		return ENOMEM;
	arnica_spinlock_lock(&srq->lock);
	ring = grow(srq->context, ARNICA_HW_CMD_GROW_SRQ,
		    srq->verbs.base.handle, &slots, sizeof(*ring), &error);
	if (ring && slots > srq->capacity)
		error = EIO;
	if (!error) {
		srq->ring = ring;
		srq->mask = slots - 1;
	}
	arnica_spinlock_unlock(&srq->lock);
	return error;
}

/* Nobody polls the queue pair's completions meanwhile. */
static int try_grow_ring(struct arnica_ring *ring, uint32_t slots)
{
	struct arnica_hw_cqe *entries;
	int error;

	/* It is promised that one thread uses the CQ, and this may be another. */
	if (ring->cq->lock.unshared)
		return EOPNOTSUPP;
	if (!arnica_spinlock_try_lock(&ring->cq->lock))
		return EBUSY;
	entries = grow(ring->qp->context, ARNICA_HW_CMD_GROW_RING,
		       ring->qp->verbs.base.handle, &slots, sizeof(*entries),
		       &error);
	if (entries) {
		ring->entries = entries;
		ring->mask = slots - 1;
	}
	arnica_spinlock_unlock(&ring->cq->lock);
	return error;
}

static int grow_ring(struct arnica_ring *ring, uint32_t slots)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int error = try_grow_ring(ring, slots);
	uint32_t tries;

	for (tries = 0; error == EBUSY && tries < PATIENCE; tries++) {
		/* Directly: the C library's is a cancellation point. */
		(void)syscall(SYS_nanosleep, &moment, NULL);
		error = try_grow_ring(ring, slots);
	}
	return error;
}

static int grow_rings(struct arnica_srq *srq, uint32_t slots)
{
	struct arnica_qp *qp;
	int error = 0;

	for (qp = srq->context->qps; qp && !error; qp = qp->next) {
		struct arnica_ring *ring = &qp->receive_ring;

		if (ring->srq == srq && ring->mask + 1 < slots)
			error = grow_ring(ring, slots);
	}
	return error;
}

/* Takes so many free slots out of use; false, and nothing is changed, when more
 * are outstanding than would be left. */
static bool park(struct arnica_srq *srq, uint32_t count)
{
	uint32_t first = 0, slot, i;

	arnica_spinlock_lock(&srq->lock);
	for (i = 0; i < count; i++) {
		slot = arnica_srq_take_free(srq);
		if (!slot)
			break;
		srq->next[slot - 1] = first;
		first = slot;
	}
	while (first) {
		uint32_t *list = i == count ? &srq->parked : &srq->free;

		slot = first;
		first = srq->next[slot - 1];
		srq->next[slot - 1] = *list;
		*list = slot;
	}
	arnica_spinlock_unlock(&srq->lock);
	return i == count;
}

/* So many slots more: those that were parked, then new ones. */
static void release(struct arnica_srq *srq, uint32_t count)
{
	arnica_spinlock_lock(&srq->lock);
	while (count--) {
		uint32_t slot = srq->parked;

		if (slot)
			srq->parked = srq->next[slot - 1];
		else
			slot = ++srq->num_slots;
		srq->next[slot - 1] = srq->free;
		srq->free = slot;
	}
	arnica_spinlock_unlock(&srq->lock);
}

static int set_depth(struct arnica_srq *srq, uint32_t depth, uint32_t limit,
		     uint32_t mask)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_SRQ),
		.modify_srq = {
			.handle = arnica_to_le32(srq->verbs.base.handle),
			.limit = arnica_to_le32(limit),
			.depth = arnica_to_le32(depth),
			.mask = arnica_to_le32(mask | ARNICA_HW_SRQ_DEPTH),
		},
	};
	int error = arnica_command_execute(&srq->context->commands, &command,
					   NULL);

	if (!error)
		atomic_store_explicit(&srq->depth, depth, memory_order_relaxed);
	return error;
}

int arnica_srq_resize(struct arnica_srq *srq, uint32_t depth, uint32_t limit,
		      uint32_t mask)
{
	uint32_t before = atomic_load_explicit(&srq->depth,
					       memory_order_relaxed);
	uint32_t slots = arnica_round_up_power(depth);
	int error;

	if (depth < before) {
		if (!park(srq, before - depth))
			return EINVAL;
		error = set_depth(srq, depth, limit, mask);
		if (error)
			release(srq, before - depth);
		return error;
	}
	error = grow_queue(srq, slots);
	if (!error)
		error = grow_rings(srq, slots);
	if (!error)
		error = set_depth(srq, depth, limit, mask);
	if (!error)
		release(srq, depth - before);
	return error;
}
