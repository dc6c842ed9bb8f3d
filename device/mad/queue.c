/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "mad/queue.h"

#include "domain/block.h"
#include "domain/directory.h"

#define QUEUE_BYTES (ADEV_MAD_SLOTS * sizeof(struct adev_mad_slot))

static uint64_t word_of(const struct adev_function *fn,
			enum adev_mad_state state)
{
	return adev_block_encode(fn->view.generation, fn->view.function,
				 (uint32_t)state);
}

static enum adev_mad_state state_of(uint64_t word)
{
	return (enum adev_mad_state)arnica_field_get(word,
						     ADEV_BLOCK_LEASE_MASK);
}

int adev_mad_queue_open(struct adev_function *fn)
{
	uint64_t offset;
	int error = adev_heap_alloc(&fn->heap, QUEUE_BYTES, &offset);

	if (error)
		return error;
	atomic_store(&fn->view.shared->mads_offset, offset);
	return 0;
}

/* The slots of a function, own or foreign; NULL: there are none, or what it
 * says of them makes no sense. */
static struct adev_mad_slot *slots_of(const struct adev_view *view)
{
	uint64_t offset = atomic_load(&view->shared->mads_offset);

	return offset && !(offset % ARNICA_HW_PAGE_BYTES) ?
		       adev_view_at(view, offset, QUEUE_BYTES) :
		       NULL;
}

/* Free, or claimed by one who has ended and will not come back to it. */
static bool is_free(const struct adev_function *fn, uint64_t word)
{
	return !word || (state_of(word) == ADEV_MAD_CLAIMED &&
			 !adev_block_is_owned(fn->directory, word));
}

static struct adev_mad_slot *claim(const struct adev_function *fn,
				   struct adev_mad_slot *slots)
{
	uint32_t i;

	for (i = 0; i < ADEV_MAD_SLOTS; i++) {
		uint64_t word = atomic_load(&slots[i].word);

		if (is_free(fn, word) && atomic_compare_exchange_strong(
						 &slots[i].word, &word,
						 word_of(fn, ADEV_MAD_CLAIMED)))
			return &slots[i];
	}
	return NULL;
}

enum adev_mad_posted adev_mad_queue_post(const struct adev_function *fn,
					 const struct adev_view *to,
					 const struct arnica_bus_mad *mad)
{
	struct adev_mad_slot *slots = slots_of(to), *slot;

	if (!slots)
		return ADEV_MAD_NOBODY;
	slot = claim(fn, slots);
	if (!slot)
		return ADEV_MAD_NO_ROOM;
	slot->ticket = atomic_fetch_add(&to->shared->mads_ticket, 1);
	slot->mad = *mad;
	/* P12: the MAD is complete before it is posted; C12 in oldest(). */
	atomic_store_explicit(&slot->word, word_of(fn, ADEV_MAD_POSTED),
			      memory_order_release);
	atomic_store(&to->shared->mads_posted, 1);
	adev_view_kick(to);
	return ADEV_MAD_IS_POSTED;
}

static struct adev_mad_slot *oldest(struct adev_mad_slot *slots, uint64_t *word)
{
	struct adev_mad_slot *found = NULL;
	uint32_t i;

	for (i = 0; i < ADEV_MAD_SLOTS; i++) {
		/* C12: pairs with P12. */
		uint64_t now = atomic_load_explicit(&slots[i].word,
						    memory_order_acquire);

		if (state_of(now) != ADEV_MAD_POSTED ||
		    (found && (int32_t)(slots[i].ticket - found->ticket) > 0))
			continue;
		found = &slots[i];
		*word = now;
	}
	return found;
}

bool adev_mad_queue_take(struct adev_function *fn, struct arnica_bus_mad *mad)
{
	struct adev_mad_slot *slots = slots_of(&fn->view), *slot;
	uint64_t word;

	slot = slots ? oldest(slots, &word) : NULL;
	/* What was posted is nobody's but the owner's, unless somebody writes
	 * here who has nothing to do with it. */
	if (!slot || !atomic_compare_exchange_strong(
			     &slot->word, &word, word_of(fn, ADEV_MAD_TAKING)))
		return false;
	*mad = slot->mad;
	atomic_store_explicit(&slot->word, 0, memory_order_release);
	return true;
}
