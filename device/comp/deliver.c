/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Delivery of events: from the marks that writers of completions leave in the
 * segment to records in the pipes. The count of a CQ's undelivered events is
 * in its word `armed`; the marks only say where to look, so a mark too many
 * does no harm, and none is taken away before its count is. A CQ whose records
 * found no room, or whose event is held back (comp/moderation.h), is remembered
 * aside, and marked again after a pause.
 */
#include <errno.h>

#include <arnica/hw/event.h>

#include "comp/async.h"
#include "comp/channel.h"
#include "comp/channel_table.h"
#include "comp/moderation.h"
#include "comp/pipe.h"
#include "core/clock.h"

#define NUM_SUMMARY_WORDS (ADEV_CQ_WORDS / 64)
#define PAUSE_NS (5 * ADEV_MS_NS)

void adev_channels_mark(struct adev_function *fn, uint32_t cq)
{
	struct adev_shared *shared = fn->view.shared;
	uint32_t word = cq / 64;

	atomic_fetch_or(&shared->cq_events[word], 1ull << cq % 64);
	atomic_fetch_or(&shared->cq_events_summary[word / 64],
			1ull << word % 64);
}

/* Takes the count and leaves the request as it is. */
static uint32_t take_fired(struct arnica_hw_cq_record *record)
{
	uint32_t armed = arnica_load32(&record->armed, memory_order_relaxed);

	while (!arnica_compare_exchange32(&record->armed, &armed,
					  armed & ARNICA_HW_ARMED_ARM_MASK,
					  memory_order_acq_rel))
		;
	return (uint32_t)arnica_field_get(armed, ARNICA_HW_ARMED_FIRED_MASK);
}

static void put_back(struct arnica_hw_cq_record *record, uint32_t fired)
{
	uint32_t armed = arnica_load32(&record->armed, memory_order_relaxed);

	while (!arnica_compare_exchange32(
		&record->armed, &armed,
		armed + fired * ARNICA_HW_ARMED_FIRED_ONE,
		memory_order_acq_rel))
		;
}

/* Writes up to `count` records; returns how many found no room. Where nobody
 * reads, all are dropped. */
static uint32_t write_records(struct adev_function *fn, uint32_t index,
			      uint32_t count)
{
	const struct adev_cq_shared *cq = &fn->view.cqs[index];
	const struct arnica_hw_completion_event event = {
		.user_data = cq->user_data,
	};
	uint32_t channel = cq->channel, left = count;
	int error = 0;

	if (channel >= fn->num_channels)
		return 0;
	for (; left && !error; left -= !error)
		error = adev_pipe_write(fn->channels[channel].write_fd, &event,
					sizeof(event));
	fn->cq_events[index].completion += count - left;
	return error == EAGAIN ? left : 0;
}

/* Counts each event that has to wait once, however often it is tried. */
static void count_deferred(struct adev_function *fn, struct adev_cq_shared *cq,
			   uint32_t left)
{
	if (left > cq->num_deferred)
		adev_count_add(&fn->counters, events_deferred,
			       left - cq->num_deferred);
	cq->num_deferred = left;
}

static bool raise_overrun(struct adev_function *fn, uint32_t index)
{
	struct adev_cq_shared *cq = &fn->view.cqs[index];

	if (cq->overrun_raised ||
	    arnica_load32(&cq->record.state, memory_order_acquire) !=
		    ARNICA_HW_CQ_OVERRUN)
		return false;
	cq->overrun_raised = 1;
	return adev_async_raise_locked(fn, ADEV_EVENT_CQ_ERR, cq->user_data,
				       &fn->cq_events[index].async);
}

static bool deliver_cq(struct adev_function *fn, uint32_t index)
{
	struct adev_cq_shared *cq = &fn->view.cqs[index];
	bool waits;
	uint32_t left;

	if (index >= fn->view.layout.max_cq || !cq->in_use)
		return false;
	waits = raise_overrun(fn, index);
	if (adev_moderation_holds(fn, index))
		fn->cq_deferred[index / 64] |= 1ull << index % 64;
	left = write_records(fn, index, take_fired(&cq->record));
	count_deferred(fn, cq, left);
	if (!left)
		return waits;
	put_back(&cq->record, left);
	fn->cq_deferred[index / 64] |= 1ull << index % 64;
	return true;
}

/* The CQs of one word of the summary: 64 words of 64. */
static bool deliver_group(struct adev_function *fn, uint32_t group)
{
	struct adev_shared *shared = fn->view.shared;
	uint64_t words = atomic_exchange(&shared->cq_events_summary[group], 0);
	bool waits = false;

	for (; words; words &= words - 1) {
		uint32_t word = group * 64 + (uint32_t)__builtin_ctzll(words);
		uint64_t cqs = atomic_exchange(&shared->cq_events[word], 0);

		for (; cqs; cqs &= cqs - 1)
			waits |= deliver_cq(
				fn, word * 64 + (uint32_t)__builtin_ctzll(cqs));
	}
	return waits;
}

static bool any_marked(struct adev_function *fn)
{
	uint32_t group;

	for (group = 0; group < NUM_SUMMARY_WORDS; group++) {
		if (atomic_load(&fn->view.shared->cq_events_summary[group]))
			return true;
	}
	return false;
}

/* What waited, for room or for its time, is looked at again; with channel_lock
 * held. */
static void mark_deferred(struct adev_function *fn)
{
	uint32_t word;

	for (word = 0; word < ADEV_CQ_WORDS; word++) {
		uint64_t cqs = fn->cq_deferred[word];

		fn->cq_deferred[word] = 0;
		for (; cqs; cqs &= cqs - 1)
			adev_channels_mark(
				fn, word * 64 + (uint32_t)__builtin_ctzll(cqs));
	}
}

void adev_channels_wait(struct adev_function *fn, uint64_t until_ns)
{
	uint64_t again_ns = atomic_load(&fn->deliver_again_ns);

	if (!again_ns || until_ns < again_ns)
		atomic_store(&fn->deliver_again_ns, until_ns);
}

void adev_channels_pause(struct adev_function *fn)
{
	adev_channels_wait(fn, adev_now_ns() + PAUSE_NS);
}

bool adev_channels_deliver(struct adev_function *fn)
{
	uint64_t again = atomic_load(&fn->deliver_again_ns);
	bool due = again && adev_now_ns() >= again, waits = false;
	uint32_t group;

	if (!due && !any_marked(fn))
		return again;
	pthread_mutex_lock(&fn->channel_lock);
	if (due) {
		mark_deferred(fn);
		atomic_store(&fn->deliver_again_ns, 0);
	}
	for (group = 0; group < NUM_SUMMARY_WORDS; group++)
		waits |= deliver_group(fn, group);
	waits |= adev_async_flush_locked(fn);
	if (waits)
		adev_channels_pause(fn);
	pthread_mutex_unlock(&fn->channel_lock);
	return atomic_load(&fn->deliver_again_ns);
}

static bool has_events(const struct adev_cq_shared *cq)
{
	return cq->in_use &&
	       (arnica_load32(&cq->record.armed, memory_order_relaxed) &
			ARNICA_HW_ARMED_FIRED_MASK ||
		atomic_load_explicit(&cq->held, memory_order_relaxed) ||
		arnica_load32(&cq->record.state, memory_order_relaxed));
}

void adev_channels_rescan(struct adev_function *fn)
{
	uint32_t cq;

	pthread_mutex_lock(&fn->channel_lock);
	for (cq = 0; cq < fn->cq_scan_end; cq++) {
		if (has_events(&fn->view.cqs[cq]))
			adev_channels_mark(fn, cq);
	}
	pthread_mutex_unlock(&fn->channel_lock);
}
