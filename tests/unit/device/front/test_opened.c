/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who has a queue pair open, in one word: each order of an opening, a closing
 * and an end of two lives. */
#include <cmocka.h>

#include "front/opened.h"

static struct adev_qp_shared qp;

static uint64_t word(void)
{
	return atomic_load(&qp.openers);
}

static uint32_t life(void)
{
	return (uint32_t)(word() >> 32);
}

static int setup(void **state)
{
	(void)state;
	atomic_store(&qp.openers, 0);
	adev_openers_end(&qp); /* of some other type */
	return 0;
}

static void nobody_opens_what_is_none(void **state)
{
	(void)state;
	assert_false(adev_openers_get(&qp, word()));
	assert_true(adev_openers_try_end(&qp));
	assert_false(adev_openers_get(&qp, word()));
}

static void who_has_it_open_keeps_it(void **state)
{
	(void)state;
	adev_openers_begin(&qp);
	assert_true(adev_openers_get(&qp, word()));
	assert_true(adev_openers_get(&qp, word()));
	assert_false(adev_openers_try_end(&qp));
	adev_openers_put(&qp, life());
	assert_false(adev_openers_try_end(&qp));
	/* For others, too, though its maker has given it up. */
	assert_true(adev_openers_get(&qp, word()));
	adev_openers_put(&qp, life());
	adev_openers_put(&qp, life());
	assert_true(adev_openers_try_end(&qp));
	assert_false(adev_openers_get(&qp, word()));
	/* A second end is the same one. */
	assert_true(adev_openers_try_end(&qp));
}

static void who_looked_before_the_end_comes_too_late(void **state)
{
	uint64_t seen;

	(void)state;
	adev_openers_begin(&qp);
	seen = word();
	assert_true(adev_openers_try_end(&qp));
	assert_false(adev_openers_get(&qp, seen));
	/* Another queue pair is not the one that was looked at. */
	adev_openers_begin(&qp);
	assert_false(adev_openers_get(&qp, seen));
	assert_true(adev_openers_try_end(&qp));
}

static void who_closes_late_takes_nothing_from_the_next(void **state)
{
	uint32_t first;

	(void)state;
	adev_openers_begin(&qp);
	assert_true(adev_openers_get(&qp, word()));
	first = life();
	adev_openers_end(&qp); /* with its maker */
	adev_openers_put(&qp, first);
	assert_true(adev_openers_try_end(&qp));
	adev_openers_begin(&qp);
	assert_int_not_equal(life(), first);
	assert_true(adev_openers_get(&qp, word()));
	adev_openers_put(&qp, first);
	assert_false(adev_openers_try_end(&qp));
	adev_openers_put(&qp, life());
	/* Nobody closes more than was opened. */
	adev_openers_put(&qp, life());
	assert_true(adev_openers_try_end(&qp));
}

static void the_count_does_not_run_into_the_mark(void **state)
{
	(void)state;
	adev_openers_begin(&qp);
	atomic_store(&qp.openers, word() | (ADEV_OPENERS_CLOSED - 1));
	assert_false(adev_openers_get(&qp, word()));
	assert_false(adev_openers_try_end(&qp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_opens_what_is_none, setup),
		cmocka_unit_test_setup(who_has_it_open_keeps_it, setup),
		cmocka_unit_test_setup(who_looked_before_the_end_comes_too_late,
				       setup),
		cmocka_unit_test_setup(
			who_closes_late_takes_nothing_from_the_next, setup),
		cmocka_unit_test_setup(the_count_does_not_run_into_the_mark,
				       setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
