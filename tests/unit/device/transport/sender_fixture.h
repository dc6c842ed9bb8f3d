/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the tests of the sender begin with: a reliable connection to a peer that
 * the test plays, with PSNs that wrap soon.
 */
#ifndef TESTS_SENDER_FIXTURE_H
#define TESTS_SENDER_FIXTURE_H

#include "played_peer.h"

#define MTU 1024u /* of two_defaults() */
#define PSN 0xfffffeu

static inline uint32_t at(uint32_t count)
{
	return roce_psn_add(PSN, count);
}

static inline void start_with(struct played *played, void **state,
			      struct two_wish wish)
{
	wish.sq_psn = PSN;
	played_start(played, *state, &wish, IBV_QPT_RC);
}

static inline void start(struct played *played, void **state)
{
	start_with(played, state, two_defaults());
}

static inline struct adev_counters *counters(struct played *played)
{
	return &two_function_of(&played->two->a)->counters;
}

static inline uint32_t send_bytes(struct played *played, uint32_t bytes)
{
	return played_send(played, ARNICA_HW_OP_SEND, 0, bytes);
}

#endif
