/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Faults that a user asks for, of `arnica run --fault` and ARNICA_FAULT:
 *
 *   drop=1%,reorder=0.5%,dup=0.5%,corrupt=0.1%,delay=50us,seed=7
 *
 * Each word at most once, in any order. Shares are percentages from 0 to 100
 * with up to four decimals; the delay is a whole number of ns, us, ms or s, up
 * to ten seconds; the seed is a number of 64 bits.
 */
#ifndef ARNICA_UTIL_FAULT_SPEC_H
#define ARNICA_UTIL_FAULT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARNICA_FAULT_SCALE 1000000u /* shares are counted in millionths */
#define ARNICA_FAULT_MAX_DELAY_NS 10000000000ull

struct arnica_fault_spec {
	uint32_t drop; /* shares of the packets, in ARNICA_FAULT_SCALE */
	uint32_t reorder;
	uint32_t duplicate;
	uint32_t corrupt;
	uint64_t delay_ns;
	bool seeded; /* a seed was given */
	uint64_t seed;
};

/*
 * 0, or EINVAL with a text in `why` that names the word and what is allowed,
 * without a newline, to be printed behind the name of the option or variable.
 */
int arnica_fault_spec_parse(const char *text, struct arnica_fault_spec *spec,
			    char *why, size_t why_bytes)
	__attribute__((warn_unused_result));

#endif
