/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Numbers that look like anything (xorshift), the same after the same seed. */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h>

static uint64_t random_state; /* the seed; not zero */

static inline uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

#endif
