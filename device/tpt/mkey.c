/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Indirect keys: their room, and what they are set to. */
#include "tpt/mkey.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <arnica/hw/wqe.h>

#include "core/clock.h"
#include "core/function.h"
#include "core/qp_lock.h"

/* How long one try waits for an access: most are over in a microsecond. */
#define DRAIN_MS 1u

#define RIGHTS                                                                 \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE |                              \
	 ARNICA_HW_ACCESS_REMOTE_WRITE | ARNICA_HW_ACCESS_REMOTE_READ |        \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC)
#define REMOTE_STORES                                                          \
	((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE |                             \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC)

struct adev_mkey {
	uint32_t index;
	uint32_t key;
	uint32_t pd;
	uint32_t max_items;
	uint64_t items_offset; /* in the segment */
	bool draining;
	uint64_t asked; /* what draining waits for (tpt/list.h); zero: not yet */
};

struct adev_mkeys {
	pthread_mutex_t lock;
	struct adev_mkey **by_index;
};

static uint64_t room_of(uint32_t max_items)
{
	uint64_t bytes = (uint64_t)max_items * sizeof(struct adev_tpt_item);

	return (bytes + ARNICA_HW_PAGE_BYTES - 1) &
	       ~(uint64_t)(ARNICA_HW_PAGE_BYTES - 1);
}

int adev_mkeys_init(struct adev_function *fn)
{
	struct adev_mkeys *mkeys = calloc(1, sizeof(*mkeys));

	if (!mkeys)
		return ENOMEM;
	mkeys->by_index = calloc(fn->view.layout.max_mr,
				 sizeof(struct adev_mkey *));
	if (!mkeys->by_index) {
		free(mkeys);
		return ENOMEM;
	}
	pthread_mutex_init(&mkeys->lock, NULL);
	fn->mkeys = mkeys;
	return 0;
}

void adev_mkeys_fini(struct adev_function *fn)
{
	struct adev_mkeys *mkeys = fn->mkeys;
	uint32_t number;

	if (!mkeys)
		return;
	/* Entries are handed out in this order: the rest was never touched. */
	for (number = 0; number < fn->next_mr; number++)
		free(mkeys->by_index[number ^ fn->tpt_mask]);
	free(mkeys->by_index);
	pthread_mutex_destroy(&mkeys->lock);
	free(mkeys);
	fn->mkeys = NULL;
}

static struct adev_tpt_entry *entry_of(struct adev_function *fn,
				       const struct adev_mkey *mkey)
{
	return &fn->view.tpt[mkey->index];
}

static struct adev_mkey *find(struct adev_function *fn, uint32_t index)
{
	return index < fn->view.layout.max_mr ? fn->mkeys->by_index[index] :
						NULL;
}

uint32_t adev_mkey_key(struct adev_function *fn, uint32_t index, uint32_t *pd)
{
	struct adev_mkey *mkey;
	uint32_t key;

	pthread_mutex_lock(&fn->mkeys->lock);
	mkey = find(fn, index);
	key = mkey ? mkey->key : 0;
	*pd = mkey ? mkey->pd : 0;
	pthread_mutex_unlock(&fn->mkeys->lock);
	return key;
}

int adev_mkey_create(struct adev_function *fn, uint32_t index, uint32_t key,
		     uint32_t pd, uint32_t max_items)
{
	struct adev_mkey *mkey;
	int error;

	if (!max_items || max_items > ADEV_TPT_MAX_ITEMS)
		return EINVAL;
	mkey = calloc(1, sizeof(*mkey));
	if (!mkey)
		return ENOMEM;
	mkey->index = index;
	mkey->key = key;
	mkey->pd = pd;
	mkey->max_items = max_items;
	error = adev_heap_alloc(&fn->heap, room_of(max_items),
				&mkey->items_offset);
	if (error) {
		free(mkey);
		return error;
	}
	pthread_mutex_lock(&fn->mkeys->lock);
	fn->mkeys->by_index[index] = mkey;
	pthread_mutex_unlock(&fn->mkeys->lock);
	return 0;
}

/* May somebody still be at the memory behind a key that was made invalid? Peers,
 * requests of theirs that this process serves, and its own messages (H4). */
static bool is_in_use(struct adev_function *fn, struct adev_mkey *mkey,
		      uint32_t timeout_ms)
{
	uint64_t until = adev_now_ns() + timeout_ms * ADEV_MS_NS;

	if (!mkey->asked)
		mkey->asked = adev_tpt_list_ask();
	if (adev_tpt_in_use(fn, mkey->index, timeout_ms))
		return true;
	while (!adev_tpt_list_is_over(mkey->asked)) {
		if (adev_now_ns() > until)
			return true;
		sched_yield();
	}
	mkey->asked = 0;
	return false;
}

static struct adev_mkey *withdraw(struct adev_function *fn, uint32_t index)
{
	struct adev_mkey *mkey;

	pthread_mutex_lock(&fn->mkeys->lock);
	mkey = find(fn, index);
	if (mkey) {
		fn->mkeys->by_index[index] = NULL;
		adev_tpt_invalidate(entry_of(fn, mkey));
	}
	pthread_mutex_unlock(&fn->mkeys->lock);
	return mkey;
}

int adev_mkey_destroy(struct adev_function *fn, uint32_t index,
		      uint32_t timeout_ms, uint32_t *pd)
{
	struct adev_mkey *mkey = withdraw(fn, index);

	if (!mkey)
		return ENOENT;
	if (is_in_use(fn, mkey, timeout_ms)) {
		pthread_mutex_lock(&fn->mkeys->lock);
		mkey->draining = true;
		fn->mkeys->by_index[index] = mkey;
		pthread_mutex_unlock(&fn->mkeys->lock);
		return EBUSY;
	}
	*pd = mkey->pd;
	adev_heap_free(&fn->heap, mkey->items_offset,
		       room_of(mkey->max_items));
	free(mkey);
	return 0;
}

/* Rights that such a key may have, all of it there (10.6.7.2.3 for windows), and
 * not itself within itself. */
static enum adev_window_result may_set(struct adev_function *fn,
				       const struct adev_mkey *mkey,
				       const struct adev_mkey_layout *layout,
				       const struct adev_tpt_item *items,
				       uint64_t row_bytes)
{
	uint32_t i;

	if (layout->access & ~RIGHTS ||
	    (layout->access & REMOTE_STORES &&
	     !(layout->access & ARNICA_HW_ACCESS_LOCAL_WRITE)))
		return ADEV_WINDOW_REFUSED;
	for (i = 0; i < layout->count; i++)
		if (!items[i].stag ||
		    adev_tpt_index(items[i].stag) == mkey->index)
			return ADEV_WINDOW_REFUSED;
	return adev_window_result_of(adev_tpt_list_check_items(
		&fn->view, items, layout->count, layout->rows, row_bytes,
		mkey->pd, layout->access));
}

static void publish(struct adev_function *fn, struct adev_mkey *mkey,
		    const struct adev_mkey_layout *layout,
		    const struct adev_tpt_item *items, uint64_t row_bytes,
		    uint64_t length)
{
	struct adev_tpt_entry *entry = entry_of(fn, mkey);

	memcpy(fn->view.base + mkey->items_offset, items,
	       layout->count * sizeof(*items));
	adev_tpt_list_store(entry, mkey->items_offset, layout->count, row_bytes,
			    length);
	if (entry->pd != mkey->pd) /* as the type in adev_tpt_list_store() */
		entry->pd = mkey->pd;
	entry->access = layout->access;
	entry->iova = 0;
	entry->address_space = fn->view.function;
	adev_tpt_publish(entry, mkey->key);
}

/* With the lock held. */
static enum adev_window_result set(struct adev_function *fn, uint32_t pd,
				   const struct adev_mkey_layout *layout,
				   struct adev_tpt_item *items)
{
	struct adev_mkey *mkey = find(fn, adev_tpt_index(layout->key));
	enum adev_window_result result;
	uint64_t row_bytes, length;

	if (!mkey || mkey->key != layout->key || mkey->pd != pd ||
	    layout->count > mkey->max_items ||
	    adev_tpt_list_arrange(items, layout->count, layout->rows,
				  &row_bytes, &length))
		return ADEV_WINDOW_REFUSED;
	result = may_set(fn, mkey, layout, items, row_bytes);
	if (result != ADEV_WINDOW_DONE)
		return result;
	if (atomic_load(&entry_of(fn, mkey)->tag))
		mkey->draining = true;
	adev_tpt_invalidate(entry_of(fn, mkey));
	if (mkey->draining && is_in_use(fn, mkey, DRAIN_MS))
		return ADEV_WINDOW_BUSY;
	mkey->draining = false;
	publish(fn, mkey, layout, items, row_bytes, length);
	return ADEV_WINDOW_DONE;
}

enum adev_window_result adev_mkey_set(struct adev_function *fn, uint32_t pd,
				      const struct adev_mkey_layout *layout,
				      struct adev_tpt_item *items)
{
	enum adev_window_result result;

	pthread_mutex_lock(&fn->mkeys->lock);
	result = set(fn, pd, layout, items);
	pthread_mutex_unlock(&fn->mkeys->lock);
	return result;
}

void adev_mkey_read_items(const struct arnica_hw_mkey_entry *entries,
			  uint32_t count, struct adev_tpt_item *items)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		items[i] = (struct adev_tpt_item){
			.iova = arnica_from_le64(entries[i].address),
			.length = arnica_from_le32(entries[i].length),
			.stride = arnica_from_le64(entries[i].stride),
			.stag = arnica_from_le32(entries[i].lkey),
		};
}
