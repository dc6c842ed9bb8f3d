/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Shared receive queues: memory, references, the limit. The queue itself is
 * filled by the host and emptied by whoever delivers (transport/srq.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "comp/channel.h"
#include "domain/proc.h"
#include "domain/segment.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/srq_table.h"

bool adev_srq_valid(const struct adev_function *fn, uint32_t srq)
{
	return srq < fn->next_srq && fn->srqs[srq].number;
}

static struct adev_srq_cq *find_cq(const struct adev_srq_owner *owner,
				   uint32_t cq)
{
	uint32_t i;

	for (i = 0; i < owner->num_cqs; i++)
		if (owner->cqs[i].cq == cq)
			return &owner->cqs[i];
	return NULL;
}

int adev_srq_get(struct adev_function *fn, uint32_t srq, uint32_t cq)
{
	struct adev_srq_owner *owner;
	struct adev_srq_cq *entry;

	if (srq == ADEV_NO_SRQ)
		return 0;
	owner = &fn->srqs[srq];
	entry = find_cq(owner, cq);
	if (!entry) {
		entry = realloc(owner->cqs,
				(owner->num_cqs + 1) * sizeof(*entry));
		if (!entry)
			return ENOMEM;
		owner->cqs = entry;
		entry += owner->num_cqs++;
		*entry = (struct adev_srq_cq){ .cq = cq };
	}
	entry->references++;
	owner->references++;
	return 0;
}

uint32_t adev_srq_adds(const struct adev_function *fn, uint32_t srq,
		       uint32_t cq)
{
	if (srq == ADEV_NO_SRQ || find_cq(&fn->srqs[srq], cq)->references > 1)
		return 0;
	return fn->srqs[srq].depth;
}

uint32_t adev_srq_put(struct adev_function *fn, uint32_t srq, uint32_t cq)
{
	struct adev_srq_owner *owner;
	struct adev_srq_cq *entry;

	if (srq == ADEV_NO_SRQ)
		return 0;
	owner = &fn->srqs[srq];
	owner->references--;
	entry = find_cq(owner, cq);
	if (--entry->references)
		return 0;
	*entry = owner->cqs[--owner->num_cqs];
	return owner->depth;
}

void adev_srq_quarantine(struct adev_function *fn, uint32_t srq)
{
	fn->srqs[srq].quarantined = true;
}

/* An SRQ may have this part of the address space that is free to grow. */
#define SPARE_SHARE 16u

static enum arnica_hw_command_status
check(const struct adev_function *fn,
      const struct arnica_hw_cmd_create_srq *cmd)
{
	uint32_t depth = arnica_from_le32(cmd->depth);

	if (!adev_pd_valid(fn, arnica_from_le32(cmd->pd)))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (!depth || depth > ARNICA_HW_MAX_QUEUE_DEPTH ||
	    arnica_from_le32(cmd->sge) > ARNICA_HW_MAX_SGE ||
	    arnica_from_le32(cmd->reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	return ARNICA_HW_COMMAND_OK;
}

/* Of an entry, its word, and its part of the rings of all sizes, of which the
 * largest is as large as the others together. */
static uint64_t slot_bytes(const struct adev_srq_shared *shared)
{
	return shared->stride + sizeof(arnica_atomic_le64) +
	       2 * sizeof(arnica_atomic_le32);
}

/*
 * For how many slots there is address space: as many as a queue can have, unless
 * that is scarce. What an SRQ does not use costs nothing else.
 */
static uint32_t capacity(struct adev_function *fn,
			 const struct adev_srq_shared *shared, uint32_t slots)
{
	uint64_t free_bytes = adev_heap_room(&fn->heap);
	uint32_t most = ARNICA_HW_MAX_QUEUE_DEPTH;

	if (free_bytes < fn->heap.quota_bytes / 2)
		return slots;
	while (most > slots &&
	       most * slot_bytes(shared) > free_bytes / SPARE_SHARE)
		most /= 2;
	return most;
}

/* Entries, their words, and the rings behind one another. */
static uint64_t lay_out(struct adev_function *fn,
			const struct arnica_hw_cmd_create_srq *cmd,
			struct adev_srq_shared *shared)
{
	uint32_t sge = arnica_from_le32(cmd->sge);
	uint32_t slots = arnica_round_up_power(arnica_from_le32(cmd->depth));

	memset(shared, 0, sizeof(*shared));
	shared->slots = slots;
	shared->stride = arnica_round_up_power((sge ? sge : 1) * 16);
	shared->max_sge = sge;
	shared->pd = arnica_from_le32(cmd->pd);
	shared->capacity = capacity(fn, shared, slots);
	shared->words_offset = (uint64_t)shared->capacity * shared->stride;
	shared->rings_offset = shared->words_offset +
			       shared->capacity * sizeof(arnica_atomic_le64);
	return shared->capacity * slot_bytes(shared);
}

static uint64_t record_offset(const struct adev_function *fn, uint32_t index)
{
	return fn->view.layout.srq_offset +
	       (uint64_t)index * sizeof(struct adev_srq_shared);
}

/* ENOMEM: nothing is taken. */
static int take_memory(struct adev_function *fn, uint32_t index,
		       const struct arnica_hw_cmd_create_srq *cmd)
{
	struct adev_srq_shared *shared = &fn->view.srqs[index];
	struct adev_srq_owner *owner = &fn->srqs[index];
	uint64_t base;
	int error = adev_segment_populate(fn->segment_fd,
					  record_offset(fn, index),
					  sizeof(*shared));

	if (error)
		return error;
	owner->memory_bytes = lay_out(fn, cmd, shared);
	error = adev_heap_reserve(&fn->heap, owner->memory_bytes, &base);
	if (error)
		return error;
	owner->memory_offset = base;
	shared->entries_offset = base;
	shared->words_offset += base;
	shared->rings_offset += base;
	error = adev_srq_populate(fn, index, shared->slots);
	if (error)
		adev_heap_free(&fn->heap, base, owner->memory_bytes);
	return error;
}

static void answer(const struct adev_function *fn, uint32_t index,
		   const struct arnica_hw_cmd_create_srq *cmd,
		   struct arnica_hw_res_srq *answer)
{
	const struct adev_srq_shared *shared = &fn->view.srqs[index];

	answer->handle = arnica_to_le32(index);
	answer->number = arnica_to_le32(fn->srqs[index].number);
	answer->entries_offset = arnica_to_le64(shared->entries_offset);
	answer->words_offset = arnica_to_le64(shared->words_offset);
	answer->ring_offset =
		arnica_to_le64(adev_srq_ring_offset(shared, shared->slots));
	answer->record_offset = arnica_to_le64(record_offset(fn, index));
	answer->entry_bytes = arnica_to_le32(shared->stride);
	answer->slots = arnica_to_le32(shared->slots);
	answer->depth = cmd->depth;
	answer->max_sge = cmd->sge;
	answer->capacity = arnica_to_le32(shared->capacity);
}

ADEV_COMMAND_HANDLER(create_srq)
{
	const struct arnica_hw_cmd_create_srq *cmd = &command->create_srq;
	enum arnica_hw_command_status status = check(fn, cmd);
	struct adev_srq_owner *owner;
	uint32_t index;

	if (status)
		return status;
	if (adev_index_take(&fn->free_srqs, &fn->next_srq,
			    fn->view.layout.max_srq, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	owner = &fn->srqs[index];
	memset(owner, 0, sizeof(*owner));
	if (take_memory(fn, index, cmd)) {
		adev_index_give(&fn->free_srqs, index);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	owner->pd = arnica_from_le32(cmd->pd);
	owner->depth = arnica_from_le32(cmd->depth);
	owner->user_data = arnica_from_le64(cmd->user_data);
	pthread_mutex_lock(&fn->channel_lock);
	owner->number = (uint32_t)(adev_proc_random() & 0xffffff) | 1;
	pthread_mutex_unlock(&fn->channel_lock);
	adev_pd_get(fn, owner->pd);
	fn->num_srqs++;
	answer(fn, index, cmd, &completion->srq);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(modify_srq)
{
	const struct arnica_hw_cmd_modify_srq *cmd = &command->modify_srq;
	uint32_t index = arnica_from_le32(cmd->handle);
	uint32_t mask = arnica_from_le32(cmd->mask);
	uint32_t limit = mask & ARNICA_HW_SRQ_LIMIT ?
				 arnica_from_le32(cmd->limit) :
				 0;
	uint32_t depth;

	(void)completion;
	if (!adev_srq_valid(fn, index))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (mask & ~(uint32_t)(ARNICA_HW_SRQ_DEPTH | ARNICA_HW_SRQ_LIMIT))
		return ARNICA_HW_COMMAND_INVALID;
	depth = fn->srqs[index].depth;
	if (mask & ARNICA_HW_SRQ_DEPTH) {
		depth = arnica_from_le32(cmd->depth);
		/* A limit that stays must still have a meaning. */
		if (!(mask & ARNICA_HW_SRQ_LIMIT))
			limit = adev_srq_limit(fn, index);
		if (!adev_srq_holds(fn, index, depth))
			return ARNICA_HW_COMMAND_INVALID;
	}
	if (limit > depth)
		return ARNICA_HW_COMMAND_INVALID;
	if (mask & ARNICA_HW_SRQ_DEPTH)
		adev_srq_set_depth(fn, index, depth);
	if (mask & ARNICA_HW_SRQ_LIMIT)
		adev_srq_arm(fn, index, limit);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(query_srq)
{
	uint32_t index = arnica_from_le32(command->object.handle);

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_srq_valid(fn, index))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	completion->srq_limit.limit = arnica_to_le32(adev_srq_limit(fn, index));
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(destroy_srq)
{
	uint32_t index = arnica_from_le32(command->object.handle), events;
	struct adev_srq_owner *owner;

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_srq_valid(fn, index))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	owner = &fn->srqs[index];
	if (owner->references)
		return ARNICA_HW_COMMAND_BUSY;
	/* No event is raised for it from here on. */
	pthread_mutex_lock(&fn->channel_lock);
	owner->number = 0;
	pthread_mutex_unlock(&fn->channel_lock);
	events = adev_async_settle(fn, owner->user_data, owner->async_written);
	completion->events.async_events = arnica_to_le32(events);
	adev_pd_put(fn, owner->pd);
	fn->num_srqs--;
	free(owner->cqs);
	owner->cqs = NULL;
	if (owner->quarantined)
		return ARNICA_HW_COMMAND_OK;
	adev_heap_free(&fn->heap, owner->memory_offset, owner->memory_bytes);
	adev_index_give(&fn->free_srqs, index);
	return ARNICA_HW_COMMAND_OK;
}
