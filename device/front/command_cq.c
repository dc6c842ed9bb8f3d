/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion queues. Entries stand in the rings of the work queues, which have
 * room for all that they can complete. So a CQ needs no memory but its record,
 * and it can overrun only when its work queues together are deeper than it is;
 * only then are its entries counted.
 *
 * Counting begins with what stands in the rings when a CQ becomes too small for
 * its queues. What is written or polled at that moment may be missed, so an
 * overrun may be found that much later. The host's count never goes below zero.
 *
 * A CQ that was overrun stays in error: it can be polled, for what it held, and
 * destroyed.
 */
#include <string.h>

#include "comp/channel.h"
#include "comp/moderation.h"
#include "domain/segment.h"
#include "front/command.h"
#include "front/objects.h"
#include "transport/qp.h"

#define CQ_FLAGS                                                               \
	((uint32_t)ARNICA_HW_CQ_TIMESTAMP | ARNICA_HW_CQ_IGNORE_OVERRUN)
#define CQE_PER_PAGE 64u

bool adev_cq_valid(const struct adev_function *fn, uint32_t cq)
{
	return cq < fn->next_cq && fn->view.cqs[cq].in_use;
}

static uint64_t cq_offset(const struct adev_function *fn, uint32_t cq)
{
	return fn->view.layout.cq_offset +
	       (uint64_t)cq * sizeof(struct adev_cq_shared);
}

/* Entries of a ring that nobody has polled. */
static uint32_t unpolled(const struct adev_ring *ring)
{
	uint32_t first, count = 0;

	if (!ring->entries)
		return 0;
	first = arnica_load32(&ring->record->polled, memory_order_acquire);
	while (count <= ring->mask &&
	       adev_completion_published(ring, first + count))
		count++;
	return count;
}

static uint32_t count_unpolled(const struct adev_function *fn, uint32_t cq)
{
	uint32_t index, count = 0;

	for (index = 0; index < fn->qp_scan_end; index++) {
		const struct adev_qp *qp = fn->qps[index];

		if (qp && qp->send_cq == cq)
			count += unpolled(&qp->send_ring);
		if (qp && qp->recv_cq == cq)
			count += unpolled(&qp->recv_ring);
	}
	return count;
}

/*
 * Granted are whole pages of entries, or a power of two of them in a part of one,
 * always one entry spared, as adapters do that keep them in pages. A program mostly
 * asks for as many as its send queue holds, and has a receive queue of a few at the
 * same CQ; with room for those nothing needs to be counted. But where few are asked
 * for few are granted: programs fill a CQ to see what happens then.
 */
static uint32_t granted(uint32_t cqe)
{
	const uint32_t power = 1u << (32 - __builtin_clz(cqe)); /* that is more */
	const uint32_t part = power < CQE_PER_PAGE ? power : CQE_PER_PAGE;
	const uint32_t whole = cqe | (part - 1);

	return whole < ARNICA_HW_MAX_CQE ? whole : ARNICA_HW_MAX_CQE;
}

/* Counts entries from now on, or no more, as depths and limit demand. */
static void update_counted(struct adev_function *fn, uint32_t cq)
{
	struct adev_cq_shared *shared = &fn->view.cqs[cq];
	struct arnica_hw_cq_record *record = &shared->record;
	bool wanted = fn->cq_depths[cq] > arnica_load32(&record->limit,
							memory_order_relaxed) &&
		      !(shared->flags & ARNICA_HW_CQ_IGNORE_OVERRUN);
	bool counted = arnica_load32(&record->counted, memory_order_relaxed);

	if (wanted == counted ||
	    arnica_load32(&record->state, memory_order_relaxed))
		return;
	arnica_store32(&record->outstanding,
		       wanted ? count_unpolled(fn, cq) : 0,
		       memory_order_relaxed);
	arnica_store32(&record->counted, wanted, memory_order_release);
}

void adev_cq_attach(struct adev_function *fn, uint32_t cq, uint32_t depth)
{
	fn->cq_references[cq]++;
	fn->cq_depths[cq] += depth;
	update_counted(fn, cq);
}

void adev_cq_detach(struct adev_function *fn, uint32_t cq, uint32_t depth)
{
	fn->cq_references[cq]--;
	fn->cq_depths[cq] -= depth;
	update_counted(fn, cq);
}

void adev_cq_adapt(struct adev_function *fn, uint32_t cq, uint32_t before,
		   uint32_t depth)
{
	fn->cq_depths[cq] += depth - before;
	update_counted(fn, cq);
}

static enum arnica_hw_command_status check_create(
	const struct arnica_hw_cmd_create_cq *create)
{
	uint32_t cqe = arnica_from_le32(create->cqe);

	if (arnica_from_le32(create->handle) ||
	    arnica_from_le32(create->reserved0) || cqe < 1 ||
	    cqe > ARNICA_HW_MAX_CQE ||
	    arnica_from_le32(create->vector) >= ARNICA_HW_COMP_VECTORS ||
	    arnica_from_le32(create->flags) & ~CQ_FLAGS)
		return ARNICA_HW_COMMAND_INVALID;
	return ARNICA_HW_COMMAND_OK;
}

static void init_cq(struct adev_function *fn, uint32_t cq,
		    const struct arnica_hw_cmd_create_cq *create)
{
	struct adev_cq_shared *shared = &fn->view.cqs[cq];

	/* Events are delivered under this lock, by another thread. */
	pthread_mutex_lock(&fn->channel_lock);
	memset(shared, 0, sizeof(*shared));
	arnica_store32(&shared->record.limit,
		       granted(arnica_from_le32(create->cqe)),
		       memory_order_relaxed);
	shared->flags = arnica_from_le32(create->flags);
	shared->channel = arnica_from_le32(create->channel);
	shared->user_data = arnica_from_le64(create->user_data);
	shared->in_use = 1;
	fn->cq_events[cq] = (struct adev_event_count){ 0 };
	if (fn->cq_scan_end <= cq)
		fn->cq_scan_end = cq + 1;
	pthread_mutex_unlock(&fn->channel_lock);
	fn->cq_references[cq] = 0;
	fn->cq_depths[cq] = 0;
	fn->num_cqs++;
}

static int take_cq(struct adev_function *fn, uint32_t *cq)
{
	int error = adev_index_take(&fn->free_cqs, &fn->next_cq,
				    fn->view.layout.max_cq, cq);

	if (error)
		return error;
	error = adev_segment_populate(fn->segment_fd, cq_offset(fn, *cq),
				      sizeof(struct adev_cq_shared));
	if (error)
		adev_index_give(&fn->free_cqs, *cq);
	return error;
}

static void answer(const struct adev_function *fn, uint32_t cq, uint32_t cqe,
		   struct arnica_hw_completion *completion)
{
	completion->cq.handle = arnica_to_le32(cq);
	completion->cq.cqe = arnica_to_le32(cqe);
	completion->cq.record_offset = arnica_to_le64(
		cq_offset(fn, cq) + offsetof(struct adev_cq_shared, record));
}

ADEV_COMMAND_HANDLER(create_cq)
{
	const struct arnica_hw_cmd_create_cq *create = &command->create_cq;
	uint32_t channel = arnica_from_le32(create->channel);
	enum arnica_hw_command_status status = check_create(create);
	uint32_t cq;

	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	if (channel != ARNICA_HW_NO_CHANNEL && !adev_channel_get(fn, channel))
		return ARNICA_HW_COMMAND_INVALID;
	if (take_cq(fn, &cq)) {
		if (channel != ARNICA_HW_NO_CHANNEL)
			adev_channel_put(fn, channel);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	init_cq(fn, cq, create);
	answer(fn, cq, granted(arnica_from_le32(create->cqe)), completion);
	return ARNICA_HW_COMMAND_OK;
}

/* The rings stay where they are: only the limit changes. */
ADEV_COMMAND_HANDLER(resize_cq)
{
	const struct arnica_hw_cmd_create_cq *resize = &command->create_cq;
	uint32_t cq = arnica_from_le32(resize->handle);
	uint32_t cqe = arnica_from_le32(resize->cqe);
	struct arnica_hw_cq_record *record;

	if (!adev_cq_valid(fn, cq))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (cqe < 1 || cqe > ARNICA_HW_MAX_CQE ||
	    arnica_from_le32(resize->reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	cqe = granted(cqe);
	record = &fn->view.cqs[cq].record;
	if (arnica_load32(&record->state, memory_order_relaxed) ||
	    count_unpolled(fn, cq) > cqe)
		return ARNICA_HW_COMMAND_INVALID;
	arnica_store32(&record->limit, cqe, memory_order_relaxed);
	update_counted(fn, cq);
	answer(fn, cq, cqe, completion);
	return ARNICA_HW_COMMAND_OK;
}

/* What was held back under the earlier terms is looked at again. */
ADEV_COMMAND_HANDLER(modify_cq)
{
	const struct arnica_hw_cmd_modify_cq *modify = &command->modify_cq;
	uint32_t cq = arnica_from_le32(modify->handle);
	uint32_t count = arnica_from_le32(modify->count);
	uint32_t period_us = arnica_from_le32(modify->period_us);

	(void)completion;
	if (!adev_cq_valid(fn, cq))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (count > ARNICA_HW_MAX_MODERATION_COUNT ||
	    period_us > ARNICA_HW_MAX_MODERATION_US ||
	    arnica_from_le32(modify->reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	adev_moderation_set(fn, cq, count, period_us);
	return ARNICA_HW_COMMAND_OK;
}

/* Nothing is written for the CQ any more; what was, and read by nobody, is
 * taken back. */
static void settle_events(struct adev_function *fn, uint32_t channel,
			  uint64_t user_data,
			  const struct adev_event_count *written,
			  struct arnica_hw_res_events *read)
{
	uint32_t events = adev_channel_settle(fn, channel, user_data,
					      written->completion);

	read->completion_events = arnica_to_le32(events);
	events = adev_async_settle(fn, user_data, written->async);
	read->async_events = arnica_to_le32(events);
}

ADEV_COMMAND_HANDLER(destroy_cq)
{
	uint32_t cq = arnica_from_le32(command->object.handle);
	struct adev_event_count written;
	struct adev_cq_shared *shared;
	uint32_t channel;

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_cq_valid(fn, cq))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (fn->cq_references[cq])
		return ARNICA_HW_COMMAND_BUSY;
	shared = &fn->view.cqs[cq];
	/* Nothing is written for it from here on, also nothing deferred. */
	pthread_mutex_lock(&fn->channel_lock);
	shared->in_use = 0;
	channel = shared->channel;
	written = fn->cq_events[cq];
	arnica_store32(&shared->record.armed, 0, memory_order_relaxed);
	pthread_mutex_unlock(&fn->channel_lock);
	settle_events(fn, channel, shared->user_data, &written,
		      &completion->events);
	if (channel != ARNICA_HW_NO_CHANNEL)
		adev_channel_put(fn, channel);
	fn->num_cqs--;
	adev_index_give(&fn->free_cqs, cq);
	return ARNICA_HW_COMMAND_OK;
}
