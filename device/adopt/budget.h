/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How much of a program's time adopting may take (ARNICA_ADOPT=auto): what it
 * costs to look at the process and to move pages, there and back, stays below
 * a grace and a share of the time since the program opened its device. Programs
 * that register once gain by it; those that register all the time, or more than
 * they will ever use, do not notice.
 *
 * Where the answer was that it is not safe, the question is not asked again for a
 * while, which doubles each time. Times are ns; nothing here looks at a clock.
 */
#ifndef ADEV_ADOPT_BUDGET_H
#define ADEV_ADOPT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct adev_adopt_budget {
	uint64_t opened_ns; /* zero: not yet */
	uint64_t spent_ns;
	uint64_t quiet_ns; /* the last pause */
	uint64_t quiet_until_ns;
};

/* The first function of the process; later ones change nothing. */
void adev_adopt_budget_open(struct adev_adopt_budget *budget, uint64_t now_ns);

/* Is there time to adopt so many bytes now, and to turn them back? */
bool adev_adopt_budget_allows(const struct adev_adopt_budget *budget,
			      uint64_t bytes, uint64_t now_ns);

void adev_adopt_budget_spend(struct adev_adopt_budget *budget, uint64_t ns);

/* Was it found unsafe so lately that it is not worth a look? */
bool adev_adopt_budget_is_quiet(const struct adev_adopt_budget *budget,
				uint64_t now_ns);
void adev_adopt_budget_note(struct adev_adopt_budget *budget, bool safe,
			    uint64_t now_ns);

#endif
