/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Regions that work requests register. */
#include "tpt/fast.h"

#include <errno.h>
#include <stdlib.h>

#include <arnica/hw/wqe.h>

#include "core/function.h"

/* As for windows: how long one try waits for an access. */
#define DRAIN_MS 1u

struct adev_fast {
	uint32_t index;
	uint32_t pd;
	uint32_t max_ranges;
	uint64_t items; /* place in the segment; zero: none */
	uint32_t key;  /* as registered last */
	bool used;     /* it was valid, and may have users still */
	bool draining; /* LOCAL_INV waits for them */
	bool filling;  /* between begin and commit */
	uint64_t asked; /* what it waits for (tpt/list.h); zero: not yet */
};

struct adev_fasts {
	pthread_mutex_t lock;
	pthread_cond_t filled;	    /* somebody committed or aborted */
	struct adev_fast **regions; /* by index */
};

int adev_fasts_init(struct adev_function *fn)
{
	uint32_t entries = fn->view.layout.max_mr;
	struct adev_fasts *fasts = calloc(1, sizeof(*fasts));

	if (!fasts)
		return ENOMEM;
	fasts->regions = calloc(entries, sizeof(struct adev_fast *));
	if (!fasts->regions) {
		free(fasts);
		return ENOMEM;
	}
	pthread_mutex_init(&fasts->lock, NULL);
	pthread_cond_init(&fasts->filled, NULL);
	fn->fasts = fasts;
	return 0;
}

void adev_fasts_fini(struct adev_function *fn)
{
	struct adev_fasts *fasts = fn->fasts;
	uint32_t number;

	if (!fasts)
		return;
	/* Entries are handed out in this order: the rest was never touched. */
	for (number = 0; number < fn->next_mr; number++)
		free(fasts->regions[number ^ fn->tpt_mask]);
	free(fasts->regions);
	pthread_cond_destroy(&fasts->filled);
	pthread_mutex_destroy(&fasts->lock);
	free(fasts);
	fn->fasts = NULL;
}

static struct adev_tpt_entry *entry_of(struct adev_function *fn,
				       const struct adev_fast *fast)
{
	return &fn->view.tpt[fast->index];
}

static struct adev_fast *find(struct adev_function *fn, uint32_t index)
{
	return index < fn->view.layout.max_mr ? fn->fasts->regions[index] :
						NULL;
}

static uint64_t items_bytes(const struct adev_fast *fast)
{
	return fast->max_ranges * sizeof(struct adev_tpt_item);
}

int adev_fast_create(struct adev_function *fn, uint32_t index, uint32_t pd,
		     uint32_t max_ranges)
{
	struct adev_fast *fast = calloc(1, sizeof(*fast));

	if (!fast)
		return ENOMEM;
	fast->index = index;
	fast->pd = pd;
	fast->max_ranges = max_ranges;
	if (max_ranges > 1 && adev_heap_alloc(&fn->heap, items_bytes(fast),
					      &fast->items)) {
		free(fast);
		return ENOMEM;
	}
	pthread_mutex_lock(&fn->fasts->lock);
	fn->fasts->regions[index] = fast;
	pthread_mutex_unlock(&fn->fasts->lock);
	return 0;
}

bool adev_fast_exists(struct adev_function *fn, uint32_t index)
{
	bool exists;

	pthread_mutex_lock(&fn->fasts->lock);
	exists = find(fn, index) != NULL;
	pthread_mutex_unlock(&fn->fasts->lock);
	return exists;
}

/* The key is invalid: nobody comes any more, not even for an answer that he has
 * had once (tpt/touch.h). */
static void close_entry(struct adev_function *fn, const struct adev_fast *fast)
{
	atomic_store(&entry_of(fn, fast)->touched, 0);
}

struct adev_fast *adev_fast_withdraw(struct adev_function *fn, uint32_t index,
				     uint32_t *tag)
{
	struct adev_fast *fast;

	pthread_mutex_lock(&fn->fasts->lock);
	while ((fast = find(fn, index)) && fast->filling)
		pthread_cond_wait(&fn->fasts->filled, &fn->fasts->lock);
	if (fast) {
		fn->fasts->regions[index] = NULL;
		*tag = atomic_exchange(&entry_of(fn, fast)->tag, 0);
		close_entry(fn, fast);
	}
	pthread_mutex_unlock(&fn->fasts->lock);
	return fast;
}

void adev_fast_restore(struct adev_function *fn, struct adev_fast *fast,
		       uint32_t tag)
{
	pthread_mutex_lock(&fn->fasts->lock);
	fn->fasts->regions[fast->index] = fast;
	if (tag)
		adev_tpt_publish(entry_of(fn, fast), tag);
	pthread_mutex_unlock(&fn->fasts->lock);
}

uint32_t adev_fast_destroy(struct adev_function *fn, struct adev_fast *fast)
{
	uint32_t key = fast->key;

	/* As in adev_window_destroy(). */
	close_entry(fn, fast);
	if (fast->items)
		adev_heap_free(&fn->heap, fast->items, items_bytes(fast));
	free(fast);
	return key;
}

/* The key is invalid; true when the accesses under it are over. */
static bool drain(struct adev_function *fn, struct adev_fast *fast)
{
	close_entry(fn, fast);
	if (fast->used && !fast->asked)
		fast->asked = adev_tpt_list_ask();
	/* Own threads go through lists, which may name this region, too (H4). */
	if (fast->used && (adev_tpt_in_use(fn, fast->index, DRAIN_MS) ||
			   !adev_tpt_list_is_over(fast->asked)))
		return false;
	fast->used = false;
	fast->asked = 0;
	fast->draining = false;
	return true;
}

/* With the lock held. */
static enum adev_window_result begin(struct adev_function *fn, uint32_t pd,
				     uint32_t key, struct adev_fast **fast,
				     uint32_t *cause)
{
	struct adev_fast *found = find(fn, adev_tpt_index(key));

	*cause = ARNICA_HW_REFUSAL_KEY;
	if (!found || found->pd != pd)
		return ADEV_WINDOW_REFUSED;
	*cause = ARNICA_HW_REFUSAL_IN_USE;
	if (found->filling || found->draining ||
	    atomic_load(&entry_of(fn, found)->tag))
		return ADEV_WINDOW_REFUSED;
	if (!drain(fn, found))
		return ADEV_WINDOW_BUSY;
	found->filling = true;
	*fast = found;
	return ADEV_WINDOW_DONE;
}

enum adev_window_result adev_fast_begin(struct adev_function *fn, uint32_t pd,
					uint32_t key, struct adev_fast **fast,
					uint32_t *cause)
{
	enum adev_window_result result;

	pthread_mutex_lock(&fn->fasts->lock);
	result = begin(fn, pd, key, fast, cause);
	pthread_mutex_unlock(&fn->fasts->lock);
	return result;
}

uint32_t adev_fast_max_ranges(const struct adev_fast *fast)
{
	return fast->max_ranges;
}

struct adev_tpt_item *adev_fast_items(struct adev_function *fn,
				      const struct adev_fast *fast)
{
	return fast->items ? (void *)(fn->view.base + fast->items) : NULL;
}

/* With the lock held. */
static void end_filling(struct adev_function *fn, struct adev_fast *fast)
{
	fast->filling = false;
	pthread_cond_broadcast(&fn->fasts->filled);
}

void adev_fast_commit(struct adev_function *fn, struct adev_fast *fast,
		      const struct adev_fast_memory *memory, uint32_t key)
{
	struct adev_tpt_entry *entry = entry_of(fn, fast);

	pthread_mutex_lock(&fn->fasts->lock);
	entry->pd = fast->pd;
	entry->access = memory->access | ADEV_TPT_TAKEN_BACK;
	entry->iova = memory->iova;
	entry->address_space = fn->view.function;
	if (memory->count) {
		adev_tpt_list_store(entry, fast->items, memory->count,
				    memory->row, memory->length);
	} else {
		entry->type = ADEV_TPT_FAST;
		entry->length = memory->length;
		entry->address = memory->address;
		entry->qpn = 0;
	}
	fast->key = key;
	fast->used = true;
	adev_tpt_publish(entry, key);
	end_filling(fn, fast);
	pthread_mutex_unlock(&fn->fasts->lock);
}

void adev_fast_abort(struct adev_function *fn, struct adev_fast *fast)
{
	pthread_mutex_lock(&fn->fasts->lock);
	end_filling(fn, fast);
	pthread_mutex_unlock(&fn->fasts->lock);
}

/* With the lock held. */
static enum adev_window_result invalidate(struct adev_function *fn,
					  uint32_t pd, uint32_t stag)
{
	struct adev_fast *fast = find(fn, adev_tpt_index(stag));
	uint32_t tag = stag;

	if (!fast || fast->pd != pd || fast->key != stag || !stag)
		return ADEV_WINDOW_REFUSED;
	/* The peer may just have taken it back. */
	if (!fast->draining &&
	    !atomic_compare_exchange_strong(&entry_of(fn, fast)->tag, &tag, 0))
		return ADEV_WINDOW_REFUSED;
	fast->draining = true;
	return drain(fn, fast) ? ADEV_WINDOW_DONE : ADEV_WINDOW_BUSY;
}

enum adev_window_result adev_fast_invalidate(struct adev_function *fn,
					     uint32_t pd, uint32_t stag)
{
	enum adev_window_result result;

	pthread_mutex_lock(&fn->fasts->lock);
	result = invalidate(fn, pd, stag);
	pthread_mutex_unlock(&fn->fasts->lock);
	return result;
}
