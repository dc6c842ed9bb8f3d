/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One touch: a window, or a region of a work request, that is for one message
 * of a peer. The first message that passes the check claims the entry; others
 * are refused from then on; when it is over, the key is invalid.
 *
 * Word `touched` of the entry: zero, or the message: its queue pair, the
 * incarnation of that, and its first PSN, which every packet and every
 * repetition of it leads to.
 *
 *  63  62    61          48 47       24 23        0
 *  +---+----+--------------+-----------+-----------+
 *  | 1 |over| incarnation  | QPN (24)  | PSN (24)  |
 *  +---+----+--------------+-----------+-----------+
 *
 * Over: the key is invalid, but the answer to that message may still be asked for
 * again (a read over the wire); until the owner uses the entry anew, and stores
 * zero. With the responder lock of that queue pair.
 *
 * A long read may come over the wire as several requests, each going on where
 * the one before it ended (IBTA has no other way to say so): they are one
 * message.
 */
#ifndef ADEV_TPT_TOUCH_H
#define ADEV_TPT_TOUCH_H

#include "tpt/tpt.h"

#define ADEV_TOUCH_USED (1ull << 63)
#define ADEV_TOUCH_OVER (1ull << 62)

static inline uint64_t adev_touch_message(const struct adev_qp_shared *responder,
					  uint32_t psn)
{
	return ADEV_TOUCH_USED |
	       (uint64_t)(responder->incarnation & 0x3fff) << 48 |
	       (uint64_t)(responder->qpn & ARNICA_HW_QPN_MASK) << 24 |
	       (psn & 0xffffff);
}

/* Of a key that a check has found valid, which no other can be in its place. */
static inline struct adev_tpt_entry *
adev_touch_entry(const struct adev_view *view, uint32_t stag)
{
	struct adev_tpt_entry *entry = &view->tpt[adev_tpt_index(stag)];

	return __builtin_expect(entry->access & ARNICA_HW_ACCESS_ONE_TOUCH, 0) ?
		       entry :
		       NULL;
}

/* After the check of a valid key: may this message use it? */
static inline bool adev_touch_begin(const struct adev_view *view, uint32_t stag,
				    uint64_t message)
{
	struct adev_tpt_entry *entry = adev_touch_entry(view, stag);
	uint64_t before = 0;

	return !entry ||
	       atomic_compare_exchange_strong(&entry->touched, &before,
					      message) ||
	       (before & ~ADEV_TOUCH_OVER) == message;
}

/* All of it was moved. */
static inline void adev_touch_end(const struct adev_view *view, uint32_t stag,
				  uint64_t message)
{
	struct adev_tpt_entry *entry = adev_touch_entry(view, stag);
	uint32_t tag = stag;

	if (!entry ||
	    !atomic_compare_exchange_strong(&entry->touched, &message,
					    message | ADEV_TOUCH_OVER))
		return;
	/* The owner may be at it as well: one of the two does it. */
	(void)atomic_compare_exchange_strong(&entry->tag, &tag, 0);
}

#endif
