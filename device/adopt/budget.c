/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* An account of time. */
#include "adopt/budget.h"

/* What nobody notices at the start of a program, and one part in so many later
 * on. */
#define GRACE_NS (200ull * 1000 * 1000)
#define SHARE 16u

/* There and back, on a slow machine. */
#define RANGE_NS (100ull * 1000)
#define BYTE_NS 2u

#define SHORTEST_PAUSE_NS (1000ull * 1000)
#define LONGEST_PAUSE_NS (1000ull * 1000 * 1000)

void adev_adopt_budget_open(struct adev_adopt_budget *budget, uint64_t now_ns)
{
	if (!budget->opened_ns)
		budget->opened_ns = now_ns;
}

bool adev_adopt_budget_allows(const struct adev_adopt_budget *budget,
			      uint64_t bytes, uint64_t now_ns)
{
	uint64_t open_ns = now_ns > budget->opened_ns ?
				   now_ns - budget->opened_ns :
				   0;
	uint64_t limit_ns = GRACE_NS + open_ns / SHARE;

	return budget->spent_ns + RANGE_NS < limit_ns &&
	       bytes < (limit_ns - budget->spent_ns - RANGE_NS) / BYTE_NS;
}

void adev_adopt_budget_spend(struct adev_adopt_budget *budget, uint64_t ns)
{
	budget->spent_ns += ns;
}

bool adev_adopt_budget_is_quiet(const struct adev_adopt_budget *budget,
				uint64_t now_ns)
{
	return now_ns < budget->quiet_until_ns;
}

void adev_adopt_budget_note(struct adev_adopt_budget *budget, bool safe,
			    uint64_t now_ns)
{
	if (safe) {
		budget->quiet_ns = 0;
		budget->quiet_until_ns = 0;
		return;
	}
	budget->quiet_ns = budget->quiet_ns ? 2 * budget->quiet_ns :
					      SHORTEST_PAUSE_NS;
	if (budget->quiet_ns > LONGEST_PAUSE_NS)
		budget->quiet_ns = LONGEST_PAUSE_NS;
	budget->quiet_until_ns = now_ns + budget->quiet_ns;
}
