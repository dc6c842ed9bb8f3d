/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The account of the time that adopting may take. */
#include "adopt/budget.h"

#include "test.h"

#define MS 1000000ull
#define SECOND (1000 * MS)
#define MIB (1ull << 20)

static void a_grace_at_the_start_and_a_share_later(void **state)
{
	struct adev_adopt_budget budget = { 0 };
	uint64_t now = 5 * SECOND;

	(void)state;
	adev_adopt_budget_open(&budget, now);
	assert_true(adev_adopt_budget_allows(&budget, MIB, now));
	assert_false(adev_adopt_budget_allows(&budget, 1024 * MIB, now));
	assert_true(adev_adopt_budget_allows(&budget, 1024 * MIB,
					     now + 60 * SECOND));
	adev_adopt_budget_spend(&budget, 201 * MS);
	assert_false(adev_adopt_budget_allows(&budget, 0, now));
	assert_true(adev_adopt_budget_allows(&budget, 0, now + SECOND));
	/* A later function of the same process is no new start. */
	adev_adopt_budget_open(&budget, now + SECOND);
	assert_true(budget.opened_ns == now);
}

static void nonsense_of_a_clock_grants_nothing(void **state)
{
	struct adev_adopt_budget budget = { 0 };

	(void)state;
	adev_adopt_budget_open(&budget, 5 * SECOND);
	adev_adopt_budget_spend(&budget, SECOND);
	assert_false(adev_adopt_budget_allows(&budget, 0, 0));
	assert_false(adev_adopt_budget_allows(&budget, UINT64_MAX,
					      1000 * SECOND));
}

static void pauses_double_until_it_is_safe(void **state)
{
	struct adev_adopt_budget budget = { 0 };
	uint64_t now = SECOND, pause, before = 0;
	int i;

	(void)state;
	assert_false(adev_adopt_budget_is_quiet(&budget, now));
	for (i = 0; i < 20; i++) {
		adev_adopt_budget_note(&budget, false, now);
		pause = budget.quiet_until_ns - now;
		assert_true(pause >= before && pause <= SECOND);
		assert_true(adev_adopt_budget_is_quiet(&budget,
						       now + pause - 1));
		assert_false(adev_adopt_budget_is_quiet(&budget, now + pause));
		before = pause;
	}
	assert_true(before == SECOND);
	adev_adopt_budget_note(&budget, true, now);
	assert_false(adev_adopt_budget_is_quiet(&budget, now));
	adev_adopt_budget_note(&budget, false, now);
	assert_true(budget.quiet_until_ns == now + MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_grace_at_the_start_and_a_share_later),
		cmocka_unit_test(nonsense_of_a_clock_grants_nothing),
		cmocka_unit_test(pauses_double_until_it_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
