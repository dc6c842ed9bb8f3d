/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where in the owner's segment the adopted pages of a region lie: one word of
 * its entry, so that peers read it in one piece.
 *
 *  63     57 56   55                   28 27                    0
 *  +--------+----+-----------------------+-----------------------+
 *  | zero   | S  | number of pages (28)  | first page (28)       |
 *  +--------+----+-----------------------+-----------------------+
 *
 * First page: of the segment, in units of ARNICA_HW_PAGE_BYTES. S: the region's
 * first page is not among them (it holds somebody else's bytes, too). The last
 * may be missing as well; the number tells. Zero: nothing is adopted.
 *
 * Of a region that is being registered the word says that (tpt/pending.h).
 *
 * The word changes as the rest of the entry does, while the entry is invalid
 * and nobody uses it; but for once, when the function is about to have its first
 * peer and the regions that it has already are adopted.
 */
#ifndef ADEV_TPT_SHARED_H
#define ADEV_TPT_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/limits.h>

#include "core/view.h"

#define ADEV_TPT_SHARED_FIRST_MASK 0xfffffffull
#define ADEV_TPT_SHARED_COUNT_MASK 0xfffffff0000000ull
#define ADEV_TPT_SHARED_COUNT_SHIFT 28
#define ADEV_TPT_SHARED_SKIP (1ull << 56)

static inline uint64_t adev_tpt_shared_encode(uint64_t offset, uint64_t bytes,
					  bool skip_first)
{
	return offset >> ARNICA_HW_PAGE_SHIFT |
	       bytes >> ARNICA_HW_PAGE_SHIFT << ADEV_TPT_SHARED_COUNT_SHIFT |
	       (skip_first ? ADEV_TPT_SHARED_SKIP : 0);
}

static inline uint64_t adev_tpt_shared_offset(uint64_t shared)
{
	return (shared & ADEV_TPT_SHARED_FIRST_MASK) << ARNICA_HW_PAGE_SHIFT;
}

static inline uint64_t adev_tpt_shared_bytes(uint64_t shared)
{
	return (shared & ADEV_TPT_SHARED_COUNT_MASK) >> ADEV_TPT_SHARED_COUNT_SHIFT
					   << ARNICA_HW_PAGE_SHIFT;
}

/* The address, in the region's own address space, where they begin. */
static inline uint64_t adev_tpt_shared_start(uint64_t shared, uint64_t address)
{
	const uint64_t page = ARNICA_HW_PAGE_BYTES;

	return (address & ~(page - 1)) + (shared & ADEV_TPT_SHARED_SKIP ? page : 0);
}

/*
 * Our own mapping of [address, address + bytes) of a region with a valid key, as
 * adev_tpt_check() allowed it; NULL when not all of it is adopted. Whatever the
 * owner wrote into the entry, the place is in its segment.
 */
static inline char *adev_tpt_shared_place(const struct adev_view *view,
				      uint32_t stag, uint64_t address,
				      uint64_t bytes)
{
	uint32_t index = stag >> 8;
	const struct adev_tpt_entry *entry;
	uint64_t shared, inside;

	if (index >= view->layout.max_mr)
		return NULL;
	entry = &view->tpt[index];
	if (entry->type != ADEV_TPT_REGION)
		return NULL;
	/* C9: pairs with P9 in command_mr.c; what is in the pages is there. */
	shared = atomic_load_explicit(&entry->shared, memory_order_acquire);
	if (!shared)
		return NULL;
	inside = address - adev_tpt_shared_start(shared, entry->address);
	if (inside > adev_tpt_shared_bytes(shared) ||
	    bytes > adev_tpt_shared_bytes(shared) - inside)
		return NULL;
	return adev_view_at(view, adev_tpt_shared_offset(shared) + inside, bytes);
}

#endif
