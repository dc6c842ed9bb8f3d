/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moderation, the owner's side.
 *
 * M3: a writer publishes its entry, sees the CQ armed, adds to `held`, and then
 * looks at `held_timed`. The owner, to fire, clears `held_timed`, then `held`,
 * and then takes the request out of `armed`. So a writer that tells nobody has
 * its entry published before the event that is coming. What it adds to `held`
 * after that is of an entry that the event, or the poll after the next arming,
 * shows; it can only bring a later event forward. A writer that was stopped
 * before it told the owner is made up for by the next one, and a dead one by
 * adev_channels_rescan().
 */
#include "comp/moderation.h"

#include "comp/async.h"
#include "core/clock.h"
#include "trace.h"

#define US_NS 1000ull

void adev_moderation_set(struct adev_function *fn, uint32_t cq, uint32_t count,
			 uint32_t period_us)
{
	struct adev_cq_shared *shared = &fn->view.cqs[cq];
	bool wanted = count > 1 && period_us;

	pthread_mutex_lock(&fn->channel_lock);
	atomic_store(&shared->moderation,
		     wanted ? count << 16 | period_us : 0);
	/* Whoever counts from here on tells; what is held is looked at now. */
	atomic_store(&shared->held_timed, 0);
	fn->cq_events[cq].held_until_ns = 0;
	adev_channels_mark(fn, cq);
	pthread_mutex_unlock(&fn->channel_lock);
	adev_view_kick(&fn->view);
}

/* Its event is due if it is armed. */
static void fire(struct adev_cq_shared *cq)
{
	struct arnica_hw_cq_record *record = &cq->record;
	uint32_t armed, fired;

	atomic_store(&cq->held_timed, 0); /* M3 */
	atomic_store(&cq->held, 0);
	armed = arnica_load32(&record->armed, memory_order_relaxed);
	do {
		if (!(armed & ARNICA_HW_ARMED_ARM_MASK))
			return;
		fired = (armed & ~ARNICA_HW_ARMED_ARM_MASK) +
			ARNICA_HW_ARMED_FIRED_ONE;
	} while (!arnica_compare_exchange32(&record->armed, &armed, fired,
					    memory_order_acq_rel));
}

bool adev_moderation_holds(struct adev_function *fn, uint32_t cq)
{
	struct adev_cq_shared *shared = &fn->view.cqs[cq];
	uint64_t *until_ns = &fn->cq_events[cq].held_until_ns;
	uint32_t terms = atomic_load(&shared->moderation);
	uint32_t held = atomic_load(&shared->held);
	uint64_t now;

	/* What was counted for an event that has come stays: the next one to
	 * count tells. */
	if (!held || !(arnica_load32(&shared->record.armed,
				     memory_order_relaxed) &
		       ARNICA_HW_ARMED_ARM_MASK))
		return false;
	if (terms && held < adev_moderation_count(terms)) {
		now = adev_now_ns();
		if (!*until_ns) {
			*until_ns = now + adev_moderation_period_us(terms) *
						  US_NS;
			atomic_store(&shared->held_timed, 1);
		}
		if (now < *until_ns) {
			adev_channels_wait(fn, *until_ns);
			return true;
		}
	}
	arnica_trace_event_moderated(cq, held);
	*until_ns = 0;
	fire(shared);
	return false;
}
