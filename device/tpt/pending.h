/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions whose registration is under way: the key exists, and whoever uses it
 * waits. The entry has no valid tag; word `shared` (tpt/shared.h) says so.
 *
 *  63  61   60   59  58                  8 7         0
 *  +------+----+----+---------------------+-----------+
 *  | zero | P  | F  | zero                | instance  |   P: pending
 *  +------+----+----+---------------------+-----------+
 *  F: it has failed; the low byte says why, enum arnica_hw_command_status
 *
 * No other kind of entry has a word like that: `touched` has bit 63 set or is
 * zero. It names no page, so that who sees the tag before the word that follows
 * takes nothing for adopted.
 *
 * Q1: the tag is stored before the word changes; who finds neither the tag nor
 * the pending word looks at the tag once more.
 */
#ifndef ADEV_TPT_PENDING_H
#define ADEV_TPT_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#define ADEV_TPT_PENDING_MARK (1ull << 60)
#define ADEV_TPT_FAILED_MARK (1ull << 59)

static inline uint64_t adev_tpt_pending_word(uint32_t stag)
{
	return ADEV_TPT_PENDING_MARK | (stag & 0xff);
}

static inline uint64_t adev_tpt_failed_word(uint32_t status)
{
	return ADEV_TPT_FAILED_MARK | (status & 0xff);
}

/* Is the registration under way by this word of the entry that the key names? */
static inline bool adev_tpt_is_pending(uint64_t word, uint32_t stag)
{
	return word == adev_tpt_pending_word(stag);
}

/* Neither is there a region under the key: pending, or failed. */
static inline bool adev_tpt_is_unborn(uint64_t word)
{
	return !(word >> 61) &&
	       word & (ADEV_TPT_PENDING_MARK | ADEV_TPT_FAILED_MARK);
}

#endif
