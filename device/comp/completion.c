/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Completion unit: entries, ready list, armed CQs. */
#include "comp/completion.h"

#include "comp/channel.h"
#include "comp/hold.h"
#include "comp/moderation.h"
#include "core/fault_point.h"

/* The entry is lost, and with it the order of its ring: the CQ takes no others
 * any more, and the QP cannot go on (IBTA 10.10.2.3, 11.6.3.2). */
static bool overrun(const struct adev_ring *ring)
{
	arnica_store32(&ring->cq->record.state, ARNICA_HW_CQ_OVERRUN,
		       memory_order_release);
	adev_view_need(ring->view, ring->number / 2, ADEV_QP_NEEDS_END);
	return false;
}

bool adev_completion_reserve(const struct adev_ring *ring)
{
	struct arnica_hw_cq_record *record = &ring->cq->record;
	uint32_t outstanding = 0;

	if (arnica_load32(&record->state, memory_order_relaxed))
		return overrun(ring);
	outstanding = arnica_load32(&record->outstanding,
				    memory_order_relaxed);
	do {
		if ((int32_t)outstanding >=
		    (int32_t)arnica_load32(&record->limit,
					   memory_order_relaxed))
			return overrun(ring);
	} while (!arnica_compare_exchange32(&record->outstanding, &outstanding,
					    outstanding + 1,
					    memory_order_relaxed));
	return true;
}

bool adev_completion_published(const struct adev_ring *ring, uint32_t index)
{
	return arnica_load32(&adev_ring_entry(ring, index)->sequence,
			     memory_order_acquire) == index + 1;
}

/* Puts the ring on the ready stack. Lock free: what a killed or stopped
 * writer leaves undone concerns its own ring. */
static void push_ready(const struct adev_ring *ring)
{
	struct arnica_hw_cq_record *record = &ring->cq->record;
	uint32_t head;

	if (arnica_exchange32(&ring->record->queued, 1, memory_order_acq_rel))
		return;
	ADEV_POINT("ready_queued");
	head = arnica_load32(&record->ready, memory_order_relaxed);
	do {
		arnica_store32(&ring->record->next, head,
			       memory_order_relaxed);
		ADEV_POINT("ready_linked");
	} while (!arnica_compare_exchange32(&record->ready, &head,
					    ring->number + 1,
					    memory_order_acq_rel));
	ADEV_POINT("ready_pushed");
}

/* Tells the owner's agent of an event; within the owner's process the event is
 * delivered at once, or when what the wire brought is acknowledged, and nobody is
 * woken for it. Each step may be done twice. */
static void announce_event(const struct adev_ring *ring)
{
	struct adev_function *own = ring->view->own;
	struct adev_shared *shared = ring->view->shared;
	uint32_t word = ring->cq_index / 64;

	if (own && adev_events_keep(own, ring->cq_index))
		return;
	atomic_fetch_or(&shared->cq_events[word], 1ull << ring->cq_index % 64);
	ADEV_POINT("event_marked");
	atomic_fetch_or(&shared->cq_events_summary[word / 64],
			1ull << word % 64);
	ADEV_POINT("event_summarised");
	if (!own || adev_channels_deliver(own))
		adev_view_kick(ring->view);
}

static bool fires(uint32_t armed, const struct adev_completion *completion)
{
	uint32_t arm = armed & ARNICA_HW_ARMED_ARM_MASK;

	return arm == ARNICA_HW_ARM_NEXT ||
	       (arm == ARNICA_HW_ARM_SOLICITED &&
		(completion->solicited || completion->status));
}

/*
 * With moderation the owner fires the CQ, who has the clock. A writer counts,
 * and tells the owner unless it looks at the clock already, and when there are
 * enough (M3 in comp/moderation.c).
 */
static bool hold_back(const struct adev_ring *ring)
{
	struct adev_cq_shared *cq = ring->cq;
	uint32_t terms = atomic_load_explicit(&cq->moderation,
					      memory_order_relaxed);
	uint32_t held;

	if (!terms)
		return false;
	held = atomic_fetch_add(&cq->held, 1) + 1;
	ADEV_POINT("event_held");
	if (held >= adev_moderation_count(terms) ||
	    !atomic_load(&cq->held_timed))
		announce_event(ring);
	return true;
}

static void fire(const struct adev_ring *ring,
		 const struct adev_completion *completion, uint32_t armed)
{
	struct arnica_hw_cq_record *record = &ring->cq->record;

	while (fires(armed, completion) && !hold_back(ring)) {
		uint32_t fired = (armed & ~ARNICA_HW_ARMED_ARM_MASK) +
				 ARNICA_HW_ARMED_FIRED_ONE;

		if (arnica_compare_exchange32(&record->armed, &armed, fired,
					      memory_order_acq_rel)) {
			ADEV_POINT("event_fired");
			armed = fired;
			break;
		}
	}
	/* Also when another writer fired: it may have been stopped before it
	 * could tell the agent. */
	if (armed & ARNICA_HW_ARMED_FIRED_MASK)
		announce_event(ring);
}

void adev_completion_tell(const struct adev_ring *ring,
			  const struct adev_completion *completion)
{
	struct arnica_hw_cq_record *record = &ring->cq->record;
	uint32_t armed;

	if (!arnica_load32(&ring->record->queued, memory_order_relaxed))
		push_ready(ring);
	armed = arnica_load32(&record->armed, memory_order_relaxed);
	if (armed)
		fire(ring, completion, armed);
	if (arnica_load32(&record->state, memory_order_relaxed))
		announce_event(ring);
}

void adev_completion_rescan(const struct adev_ring *ring)
{
	arnica_store32(&ring->cq->record.rescan, 1, memory_order_seq_cst);
}
