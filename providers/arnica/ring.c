/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Entering rings in the context's table and in their CQ, and taking them out;
 * see ring.h.
 */
#include "ring.h"

#include <stdlib.h>

#include "cq.h"
#include "scatter.h"

/* Room in the hot list for every ring of the CQ, so that polling never
 * allocates. */
static bool reserve_hot(struct arnica_cq *cq, uint32_t num_rings)
{
	struct arnica_ring **hot;
	uint32_t capacity = cq->hot_capacity ? cq->hot_capacity : 8;

	if (num_rings <= cq->hot_capacity)
		return true;
	while (capacity < num_rings)
		capacity *= 2;
	hot = realloc(cq->hot, capacity * sizeof(*hot));
	if (!hot)
		return false;
	cq->hot = hot;
	cq->hot_capacity = capacity;
	return true;
}

bool arnica_ring_attach(struct arnica_ring *ring, struct arnica_cq *cq)
{
	struct arnica_ring_slot *slot = &cq->context->rings[ring->number];

	arnica_spinlock_lock(&cq->lock);
	if (!reserve_hot(cq, cq->num_rings + 1)) {
		arnica_spinlock_unlock(&cq->lock);
		return false;
	}
	ring->cq = cq;
	ring->hot_index = ARNICA_RING_NOT_HOT;
	ring->next_of_cq = cq->rings;
	ring->link_of_cq = &cq->rings;
	if (cq->rings)
		cq->rings->link_of_cq = &ring->next_of_cq;
	cq->rings = ring;
	cq->num_rings++;
	slot->ring = ring;
	atomic_store_explicit(&slot->record, cq->record, memory_order_release);
	atomic_store_explicit(&slot->cq, cq, memory_order_release);
	arnica_spinlock_unlock(&cq->lock);
	return true;
}

void arnica_ring_detach(struct arnica_ring *ring)
{
	struct arnica_cq *cq = ring->cq;
	struct arnica_ring_slot *slot;

	if (!cq)
		return;
	slot = &cq->context->rings[ring->number];
	arnica_spinlock_lock(&cq->lock);
	/* The ready stack may run through the record of this ring, which the
	 * adapter will use again: empties the stack. A writer that has marked
	 * the ring and not pushed it yet may still write into the record; what
	 * it spoils is looked for when it has (find_ring in cq_poll.c). */
	arnica_cq_take_ready(cq);
	arnica_cq_cool(cq, ring);
	if (cq->dirty == ring)
		cq->dirty = NULL;
	atomic_store_explicit(&slot->cq, NULL, memory_order_relaxed);
	atomic_store_explicit(&slot->record, NULL, memory_order_relaxed);
	slot->ring = NULL;
	*ring->link_of_cq = ring->next_of_cq;
	if (ring->next_of_cq)
		ring->next_of_cq->link_of_cq = ring->link_of_cq;
	cq->num_rings--;
	ring->cq = NULL;
	arnica_spinlock_unlock(&cq->lock);
}

void arnica_ring_reset(struct arnica_ring *ring, uint32_t producer)
{
	struct arnica_cq *cq = ring->cq;
	uint32_t discarded = 0;

	if (!cq)
		return;
	arnica_spinlock_lock(&cq->lock);
	while (arnica_ring_has(ring, ring->head)) {
		ring->head++;
		discarded++;
	}
	/* Of an SRQ the next completion stands where the last one ended. */
	if (ring->is_receive) {
		if (!ring->srq)
			ring->head = producer;
		ring->scattered = ring->head;
	}
	atomic_store_explicit(&ring->tail, producer, memory_order_release);
	arnica_ring_publish(ring);
	arnica_cq_count_polled(cq, discarded);
	arnica_spinlock_unlock(&cq->lock);
}
