/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Adopted memory: pages of the application that were made part of a function's
 * segment when they were registered, so that peers, who map that segment,
 * reach them by loads and stores. docs/adopted-memory.md has the whole story,
 * policy.h the rules, move.h the mechanism.
 *
 * A range is the pages that lie wholly inside one region. Every region of the
 * function that lies in it uses it too; when the last of them ends, the pages
 * are private again. What cannot be turned back at that time is kept as it is
 * and tried again whenever something else is adopted or turned back.
 *
 * Lock role `adopt`: the table of ranges, and the moves. It is held while pages
 * move, so nothing is allocated under it, and other locks are only tried.
 */
#ifndef ADEV_ADOPT_ADOPT_H
#define ADEV_ADOPT_ADOPT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/function.h"

/* A function more in this process. `own_threads` of the process are the
 * adapter's. */
void adev_adopt_open(uint32_t own_threads);

/* A thread of the adapter's begins, or (-1) is about to end. */
void adev_adopt_own_threads(int more);

/* In between no pages are on their way. */
void adev_adopt_hold(void);
void adev_adopt_let_go(void);

/* A function less: what it adopted is turned back. Its queue pairs are gone. */
void adev_adopt_close(struct adev_function *fn);

/* Cheap: may a new region of this length have to do with adopted memory? */
bool adev_adopt_wants(const struct adev_function *fn, uint64_t length);

/* Should regions that were made before the function had peers be adopted now
 * that it has? Asked again before each of them. */
bool adev_adopt_wants_more(const struct adev_function *fn);

/* Who may be at work on a region's pages, through any region of its function. */
enum adev_adopt_users {
	ADEV_ADOPT_NEW,          /* whom the table's other regions let in */
	ADEV_ADOPT_USED_BY_NONE, /* the function never had a peer */
	ADEV_ADOPT_USED_HERE,    /* nor that, but this process's queue pairs are */
	/* Nothing is to be moved: it may join what is adopted already. */
	ADEV_ADOPT_JOINS,
};

/* A region [address, address + length), which is or will be entry `index`. */
struct adev_adopt_region {
	uint32_t index;
	uint32_t access; /* enum arnica_hw_access */
	uint64_t address, length;
	enum adev_adopt_users users;
};

/*
 * For a region that no other process has anything to do with yet. Returns the
 * word for its entry (tpt/shared.h), zero when nothing of it is adopted. The
 * contents are the same before and after, whatever happens. Lock role `command`
 * is held.
 */
uint64_t adev_adopt_take(struct adev_function *fn,
			 const struct adev_adopt_region *region);

/* Does the range that these pages belong to touch [start, start + bytes)? */
bool adev_adopt_is_in(const struct adev_function *fn, uint64_t shared,
		      uint64_t start, uint64_t bytes);

/* The region of entry `index`, which had this word, has ended, and nobody uses
 * it. Lock role `command` is held. */
void adev_adopt_put(struct adev_function *fn, uint32_t index, uint64_t shared);

/* Is there room for the copies that a fork would need? Otherwise what can be
 * turned back should be. */
bool adev_adopt_fork_fits(void);

/* Around fork(), with the other locks of the adapter taken before. */
void adev_adopt_before_fork(void);
void adev_adopt_after_fork_parent(void);
void adev_adopt_after_fork_child(void);

#endif
