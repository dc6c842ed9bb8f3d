/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which memory is adopted, and which stays as it is. Every rule is here; what
 * each is for is in docs/adopted-memory.md.
 *
 * ARNICA_ADOPT=off   none.
 * ARNICA_ADOPT=auto  what is worth it, and cannot make a difference that the
 *                    application could see: from the moment on when the function
 *                    may have peers in other processes of this host, and as far
 *                    as the time for it goes (budget.h). The default.
 * ARNICA_ADOPT=all   at once, whatever it costs, from one page on, up to as many
 *                    ranges as there is room for, and although files with
 *                    O_DIRECT or unknown devices are open: the user knows that
 *                    none of them transfers into registered memory while it is
 *                    adopted.
 */
#ifndef ADEV_ADOPT_POLICY_H
#define ADEV_ADOPT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/format.h>

enum adev_adopt_mode {
	ADEV_ADOPT_OFF,
	ADEV_ADOPT_AUTO,
	ADEV_ADOPT_ALL,
};

#define ADEV_ADOPT_DEFAULT ADEV_ADOPT_AUTO

/* What ARNICA_ADOPT says; nonsense writes a line and counts as the default. */
enum adev_adopt_mode adev_adopt_mode(void);

enum adev_adopt_verdict {
	ADEV_ADOPT_FIT,
	ADEV_ADOPT_SMALL,  /* not worth it */
	ADEV_ADOPT_COSTLY, /* it would take too much of the program's time */
	ADEV_ADOPT_UNFIT,  /* not plain private memory */
	ADEV_ADOPT_UNSAFE, /* others may touch any pages meanwhile */
	ADEV_ADOPT_IN_USE, /* other regions may let peers touch these */
};

/* What the caller knows. */
struct adev_adopt_question {
	enum adev_adopt_mode mode;
	uint64_t start, bytes;   /* whole pages */
	uint64_t file_end;       /* how large a file must be possible */
	uint64_t own_threads;    /* of the adapter; they leave the range alone */
};

/* May the range be adopted? With a trap if *trapped; else only if no other
 * region or function uses it, which the caller must find out. */
enum adev_adopt_verdict
adev_adopt_judge(const struct adev_adopt_question *question,
		 bool *trapped) ARNICA_MUST_CHECK;

/* May what was adopted be turned back now? The same. */
enum adev_adopt_verdict
adev_adopt_judge_return(const struct adev_adopt_question *question,
			bool *trapped) ARNICA_MUST_CHECK;

/* Is it worth it only for functions that may have peers, and only as far as the
 * time goes? */
bool adev_adopt_is_thrifty(enum adev_adopt_mode mode);

/* How many ranges at most. */
uint32_t adev_adopt_limit(enum adev_adopt_mode mode);

/* Fewer bytes are not adopted. */
uint64_t adev_adopt_smallest(enum adev_adopt_mode mode);

#endif
