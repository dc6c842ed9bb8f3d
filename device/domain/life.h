/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Life words: robust futexes in the directory's slots.
 *
 * At the end of a thread the kernel walks the thread's list of robust futexes
 * and marks each word that still carries its TID. The C library keeps that list
 * inside the mutexes, that is, here, as pointers in a file that others write;
 * so the list is our own. Its nodes lie in private memory, at the same distance
 * from each other as the slots, because the kernel finds a word by adding one
 * constant to the address of its node.
 *
 * The list replaces the C library's while the thread owns a life word, so that
 * thread's pthread robust mutexes are not recovered then. Agents use none.
 */
#ifndef ADEV_DOMAIN_LIFE_H
#define ADEV_DOMAIN_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "domain/table.h"

struct adev_life_shadow;

int adev_life_shadow_create(struct adev_table *table,
			    struct adev_life_shadow **shadow) ARNICA_MUST_CHECK;
void adev_life_shadow_destroy(struct adev_life_shadow *shadow);

/* Some thread of this process, or of its parent at the fork, owns a word. */
bool adev_life_shadow_in_use(struct adev_life_shadow *shadow);

/* True: no thread owns the word. */
static inline bool adev_life_is_free(uint32_t life)
{
	return (life & ADEV_LIFE_OWNER_DIED) || !(life & ADEV_LIFE_TID_MASK);
}

/*
 * The calling thread takes the life word of a slot, which had the free value
 * `expected`. EBUSY: somebody else was faster; others: the kernel refuses.
 */
int adev_life_take(struct adev_life_shadow *shadow, uint32_t function,
		   uint32_t expected) ARNICA_MUST_CHECK;

/* Whether the calling thread owns it, from private memory alone. */
bool adev_life_is_mine(struct adev_life_shadow *shadow, uint32_t function);

/* Frees the word. The caller owns it. */
void adev_life_drop(struct adev_life_shadow *shadow, uint32_t function);

#endif
