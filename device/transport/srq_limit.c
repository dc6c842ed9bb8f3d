/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The limit of a shared receive queue and its event (IBTA 11.6.3, "SRQ Limit
 * Reached"). */
#include <infiniband/verbs.h>

#include "comp/async.h"
#include "comp/channel.h"
#include "core/fault_point.h"
#include "transport/srq.h"
#include "transport/srq_owner.h"
#include "trace.h"

/* Tells the owner. Each step may be done twice. */
static void announce(const struct adev_view *view, uint32_t index)
{
	struct adev_shared *shared = view->shared;

	atomic_fetch_or(&shared->srq_events[index / 64], 1ull << index % 64);
	ADEV_POINT("srq_event_marked");
	atomic_store(&shared->srq_attention, 1);
	adev_view_kick(view);
}

static bool is_below(const struct adev_srq_shared *shared, uint32_t limit)
{
	/* In this order: posts that come meanwhile only make it more. */
	uint32_t head = arnica_load32(&shared->record.head,
				      memory_order_seq_cst);

	return arnica_load32(&shared->record.producer, memory_order_seq_cst) -
		       head <
	       limit;
}

void adev_srq_check_limit(const struct adev_view *view, uint32_t index)
{
	struct adev_srq_shared *shared = &view->srqs[index];
	uint32_t limit = atomic_load_explicit(&shared->limit,
					      memory_order_relaxed);

	if (!limit)
		return;
	if (!(limit & ADEV_SRQ_FIRED) &&
	    (!is_below(shared, limit) ||
	     !atomic_compare_exchange_strong(&shared->limit, &limit,
					     limit | ADEV_SRQ_FIRED)))
		return;
	ADEV_POINT("srq_fired");
	/* Also when another one fired: it may have been stopped before it could
	 * tell the owner. */
	announce(view, index);
}

/* The word was `limit` and is it no more: raises the event if it had fired.
 * With channel_lock held; returns true when the event waits for room. */
static bool raise(struct adev_function *fn, uint32_t index, uint32_t limit)
{
	struct adev_srq_owner *owner = &fn->srqs[index];

	if (!owner->number || !(limit & ADEV_SRQ_FIRED))
		return false;
	arnica_trace_srq_limit(owner->number, limit & ~ADEV_SRQ_FIRED);
	return adev_async_raise_locked(fn, IBV_EVENT_SRQ_LIMIT_REACHED,
				       owner->user_data,
				       &owner->async_written);
}

/* Raises what has fired. The limit that is armed now; 0: none, and the event of
 * the last one is raised already. */
static uint32_t deliver(struct adev_function *fn, uint32_t index)
{
	_Atomic uint32_t *word = &fn->view.srqs[index].limit;
	bool waits = false;
	uint32_t limit;

	/* Whoever sees no limit must find its event: both under the lock. */
	pthread_mutex_lock(&fn->channel_lock);
	limit = atomic_load(word);
	if (limit & ADEV_SRQ_FIRED) {
		waits = atomic_compare_exchange_strong(word, &limit, 0) &&
			raise(fn, index, limit);
		limit = 0;
	}
	pthread_mutex_unlock(&fn->channel_lock);
	if (waits)
		adev_view_kick(&fn->view);
	return limit;
}

void adev_srq_arm(struct adev_function *fn, uint32_t index, uint32_t limit)
{
	bool waits;

	/* What was armed before may have fired up to this moment. */
	pthread_mutex_lock(&fn->channel_lock);
	waits = raise(fn, index,
		      atomic_exchange(&fn->view.srqs[index].limit, limit));
	pthread_mutex_unlock(&fn->channel_lock);
	if (waits)
		adev_view_kick(&fn->view);
	/* The queue may be below it already. */
	adev_srq_check_limit(&fn->view, index);
	(void)deliver(fn, index);
}

uint32_t adev_srq_limit(struct adev_function *fn, uint32_t index)
{
	/* One who is stopped may have fired it and told nobody. */
	return deliver(fn, index);
}

void adev_srq_serve(struct adev_function *fn)
{
	struct adev_shared *shared = fn->view.shared;
	uint32_t word;

	if (!atomic_load_explicit(&shared->srq_attention,
				  memory_order_relaxed) ||
	    !atomic_exchange(&shared->srq_attention, 0))
		return;
	for (word = 0; word < fn->view.layout.max_srq / 64 + 1 &&
		       word < ARNICA_HW_MAX_SRQ / 64;
	     word++) {
		uint64_t bits = atomic_exchange(&shared->srq_events[word], 0);

		for (; bits; bits &= bits - 1) {
			uint32_t index = word * 64 +
					 (uint32_t)__builtin_ctzll(bits);

			if (index < fn->view.layout.max_srq)
				(void)deliver(fn, index);
		}
	}
}

void adev_srq_fail(struct adev_function *fn, uint32_t index)
{
	struct adev_srq_owner *owner = &fn->srqs[index];
	bool waits;

	pthread_mutex_lock(&fn->channel_lock);
	waits = owner->number &&
		adev_async_raise_locked(fn, IBV_EVENT_SRQ_ERR, owner->user_data,
					&owner->async_written);
	pthread_mutex_unlock(&fn->channel_lock);
	if (waits)
		adev_view_kick(&fn->view);
}

void adev_srq_rescan(struct adev_function *fn)
{
	uint32_t index;

	for (index = 0; index < fn->next_srq; index++)
		if (fn->srqs[index].number)
			adev_srq_check_limit(&fn->view, index);
}
