/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Lists: entries of the translation and protection table whose memory is in
 * many places. The items of a list stand in its owner's segment:
 *
 *        row 0            row 1                     row n - 1
 *  +------+----+--+ +------+----+--+           +------+----+--+
 *  |item 0| 1  | 2| |item 0| 1  | 2|    ...    |item 0| 1  | 2|   the key's bytes
 *  +------+----+--+ +------+----+--+           +------+----+--+
 *
 * From row to row an item moves on by its stride. A plain list has one row; a
 * pattern has many. An item names a range of a region or of another list, by
 * its key as local work requests do; or, without a key, the owner's memory.
 *
 * What stands behind a list may change or end at any time, so it is looked up
 * anew at each use: nothing of a list is remembered but its key. All of it may
 * be another process's: each word is copied once and checked, depth and number
 * of steps are bounded.
 */
#ifndef ADEV_TPT_LIST_H
#define ADEV_TPT_LIST_H

#include "tpt/tpt.h"

#define ADEV_TPT_MAX_ITEMS ARNICA_HW_MAX_MKEY_ENTRIES
#define ADEV_TPT_MAX_DEPTH ARNICA_HW_MAX_MKEY_DEPTH

struct adev_tpt_item {
	uint64_t offset; /* of its first byte in a row: sum of those before */
	uint64_t iova;   /* as its region names it; no region: the address */
	uint64_t length; /* bytes in each row, at least one */
	uint64_t stride; /* from row to row */
	uint32_t stag;   /* region or list; zero: none */
	uint32_t reserved0;
};
_Static_assert(sizeof(struct adev_tpt_item) == 40, "five words");

/* A piece of memory in one place. */
struct adev_tpt_place {
	uint64_t address; /* in the owner's address space */
	uint64_t bytes;
	uint32_t stag; /* region; zero: none */
};

/*
 * May `bytes` at `iova` of the list `stag` be used with `access`, which may be
 * a remote right? That needs the list's right, and those of everything behind it
 * that local work requests would need. The rest as adev_tpt_check(): a caller
 * comes here after it has answered ADEV_TPT_IS_LIST. Of a pattern whole rows are
 * looked at. No bytes are no access: refused.
 */
enum adev_tpt_verdict adev_tpt_list_check(const struct adev_view *view,
					  uint32_t stag, uint32_t pd,
					  uint64_t iova, uint64_t bytes,
					  uint32_t access) ARNICA_MUST_CHECK;

/* The first piece of that range, with the checks that concern it. */
enum adev_tpt_verdict adev_tpt_list_place(const struct adev_view *view,
					  uint32_t stag, uint32_t pd,
					  uint64_t iova, uint64_t bytes,
					  uint32_t access,
					  struct adev_tpt_place *place)
	ARNICA_MUST_CHECK;

/*
 * For the owner: sets the offsets of the items. EINVAL: no item, too many, an
 * empty one, or one that wraps around; *length is that of the whole list. */
int adev_tpt_list_arrange(struct adev_tpt_item *items, uint32_t count,
			  uint64_t rows, uint64_t *row_bytes, uint64_t *length)
	ARNICA_MUST_CHECK;

/* For the owner: is everything behind these items such that a list of them may
 * be used with `access`? */
enum adev_tpt_verdict
adev_tpt_list_check_items(const struct adev_view *view,
			  const struct adev_tpt_item *items, uint32_t count,
			  uint64_t rows, uint64_t row_bytes, uint32_t pd,
			  uint32_t access) ARNICA_MUST_CHECK;

/* For the owner: makes an entry that is not valid one of a list of that length,
 * whose items stand at items_offset of the segment. Its other fields (iova, pd,
 * access, address_space) are the caller's. */
void adev_tpt_list_store(struct adev_tpt_entry *entry, uint64_t items_offset,
			 uint32_t count, uint64_t row_bytes, uint64_t length);

/*
 * Threads of this process that use lists for its own messages. Who makes a list
 * other than it was clears its tag first and then waits for those who had entered
 * before; who uses one enters before it looks at the tag (H4: both sequentially
 * consistent).
 *
 * Users count themselves in one of two counters, by the turn that they find. A
 * turn ends when the counter of the one before it is zero; so nobody who comes
 * in a later turn is waited for, however many they are. What a thread waits for
 * is over when two turns have ended that it saw begin or go on: each counter has
 * been at zero once.
 *
 * Word `turns`: low 32 the turn, whose parity says which counter newcomers take;
 * high 32 how many have asked what to wait for: who is about to end a turn for
 * what he saw before that has to look again.
 */
struct adev_tpt_list_state {
	_Atomic uint64_t turns;
	_Atomic uint32_t users[2];
};
extern struct adev_tpt_list_state adev_tpt_list_state;

/* Returns what adev_tpt_list_leave() is to be given. A thread may enter again
 * while it is inside. */
static inline uint32_t adev_tpt_list_enter(void)
{
	uint32_t which = atomic_load_explicit(&adev_tpt_list_state.turns,
					      memory_order_relaxed) &
			 1;

	atomic_fetch_add(&adev_tpt_list_state.users[which], 1);
	arnica_fence_after_rmw();
	return which;
}

static inline void adev_tpt_list_leave(uint32_t which)
{
	atomic_fetch_sub(&adev_tpt_list_state.users[which], 1);
}

/* For who has cleared a tag: what to wait for; never zero. */
uint64_t adev_tpt_list_ask(void);
/* Has everybody left who had entered before that was asked? Does not wait. */
bool adev_tpt_list_is_over(uint64_t asked) ARNICA_MUST_CHECK;
/* In the child of a fork: the threads that were inside are not here. */
void adev_tpt_list_forget(void);

#endif
