/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the application asks of the kernel about memory that is adopted. Shared
 * pages of a file would answer some of it differently than the private pages
 * that they stand for: throwing contents away must give zeros, and what is asked
 * of the mapping (a child's copy, merging) must hold when it is private again.
 */
#ifndef ADEV_ADOPT_ADVICE_H
#define ADEV_ADOPT_ADVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/format.h>

/* Is any of [start, start + bytes) adopted? Without a system call or, when
 * nothing is, a lock. */
bool adev_adopt_concerns(uint64_t start, uint64_t bytes);

/* madvise() as it is with private pages; zero or errno. */
int adev_adopt_advise(uint64_t start, uint64_t bytes, int advice)
	ARNICA_MUST_CHECK;

#endif
