/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Indirect keys, as their owner's process keeps them: entries of the table that
 * are lists (tpt/list.h), with room for a number of items in the segment. What a
 * key is, is set by command or work request, any number of times:
 *
 *     empty --set--> set --set--> draining --> set
 *
 * Draining: the key is invalid, but an access through it may be under way. The
 * items change when that is over.
 *
 * Everything here takes lock role `mkeys`.
 */
#ifndef ADEV_TPT_MKEY_H
#define ADEV_TPT_MKEY_H

#include "tpt/list.h"
#include "tpt/window.h"

struct adev_function;
struct arnica_hw_mkey_entry;

/* What a key shall be, without its items. */
struct adev_mkey_layout {
	uint32_t key;
	uint32_t access; /* enum arnica_hw_access */
	uint32_t count;
	uint64_t rows;
};

int adev_mkeys_init(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_mkeys_fini(struct adev_function *fn);

/* Entry `index` becomes a key with room for `max_items`. EINVAL: there cannot be
 * so many; ENOMEM. */
int adev_mkey_create(struct adev_function *fn, uint32_t index, uint32_t key,
		     uint32_t pd, uint32_t max_items) ARNICA_MUST_CHECK;

/* Ends it; *pd is what it belonged to. ENOENT: no such key. EBUSY: an access
 * goes on for longer than timeout_ms; the key is invalid then. */
int adev_mkey_destroy(struct adev_function *fn, uint32_t index,
		      uint32_t timeout_ms, uint32_t *pd) ARNICA_MUST_CHECK;

/* The key of an index that is one, and its domain; zero: none is. */
uint32_t adev_mkey_key(struct adev_function *fn, uint32_t index, uint32_t *pd);

/*
 * Sets a key for somebody of domain `pd`. `items` are the caller's, and are
 * arranged. REFUSED: no such key, no room for so many, wrong rights or ranges;
 * as if never tried. BUSY: accesses are under way, call again.
 */
enum adev_window_result adev_mkey_set(struct adev_function *fn, uint32_t pd,
				      const struct adev_mkey_layout *layout,
				      struct adev_tpt_item *items)
	ARNICA_MUST_CHECK;

/* Items as the host writes them. */
void adev_mkey_read_items(const struct arnica_hw_mkey_entry *entries,
			  uint32_t count, struct adev_tpt_item *items);

#endif
