/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions that work requests register, as their owner's process keeps them
 * (IBTA 10.6.4, "fast registration"). The entry of the table exists from
 * ALLOC_MR on; a request of a send queue gives it memory and a key, in order
 * with what stands before and behind it.
 *
 *     free --begin, commit--> registered --LOCAL_INV--> draining --> free
 *       ^                        |
 *       +--SEND_INV, one touch---+      (the tag tells registered from free)
 *
 * What a peer took back may be in use by another one: it is waited for before
 * the entry changes. Such a region is never what a window stands on.
 *
 * Everything here takes lock role `fast`.
 */
#ifndef ADEV_TPT_FAST_H
#define ADEV_TPT_FAST_H

#include "tpt/list.h"
#include "tpt/window.h"

struct adev_fast;

/* What a region becomes: one range, or the first `count` of its items. */
struct adev_fast_memory {
	uint64_t iova;
	uint64_t length;
	uint64_t address; /* one range */
	uint64_t row;     /* items: bytes of them all */
	uint32_t count;   /* of items; zero: one range */
	uint32_t access;
};

int adev_fasts_init(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_fasts_fini(struct adev_function *fn);

/* Entry `index` becomes a region without memory, with room in the segment for so
 * many items (tpt/list.h) if it is more than one. ENOMEM. */
int adev_fast_create(struct adev_function *fn, uint32_t index, uint32_t pd,
		     uint32_t max_ranges) ARNICA_MUST_CHECK;

/*
 * Takes the region away from work requests, and makes its entry invalid. NULL:
 * there is none. Waits for a request that is filling it: the order of the two is
 * ours to choose, and he ends by himself. *tag is the key that was valid, or zero.
 * What follows is to wait for its users, and then adev_fast_destroy(), or
 * adev_fast_restore(), which undoes it.
 */
struct adev_fast *adev_fast_withdraw(struct adev_function *fn, uint32_t index,
				     uint32_t *tag);
void adev_fast_restore(struct adev_function *fn, struct adev_fast *fast,
		       uint32_t tag);
/* Returns the last key that it had. */
uint32_t adev_fast_destroy(struct adev_function *fn, struct adev_fast *fast);

/* Is entry `index` such a region? */
bool adev_fast_exists(struct adev_function *fn, uint32_t index);

/*
 * A request of protection domain `pd` is to register memory under `key`. DONE:
 * the region is his until he commits or aborts. REFUSED: *cause (enum
 * arnica_hw_refusal) says why.
 */
enum adev_window_result adev_fast_begin(struct adev_function *fn, uint32_t pd,
					uint32_t key, struct adev_fast **fast,
					uint32_t *cause) ARNICA_MUST_CHECK;
uint32_t adev_fast_max_ranges(const struct adev_fast *fast);
/* Its items, to be filled in before it commits; NULL: there is one range. */
struct adev_tpt_item *adev_fast_items(struct adev_function *fn,
				      const struct adev_fast *fast);
void adev_fast_commit(struct adev_function *fn, struct adev_fast *fast,
		      const struct adev_fast_memory *memory, uint32_t key);
void adev_fast_abort(struct adev_function *fn, struct adev_fast *fast);

/* LOCAL_INV of a key, by a queue pair of protection domain `pd`. */
enum adev_window_result adev_fast_invalidate(struct adev_function *fn,
					     uint32_t pd, uint32_t stag)
	ARNICA_MUST_CHECK;

#endif
