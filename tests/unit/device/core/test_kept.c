/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/kept.h"

static int mine[2], other[2];

static void pass_ms(uint64_t ms)
{
	atomic_fetch_add(&adev_clock_simulated_ns, ms * ADEV_MS_NS);
}

static int setup(void **state)
{
	(void)state;
	if (pipe2(mine, O_CLOEXEC) || pipe2(other, O_CLOEXEC))
		return -1;
	atomic_store(&adev_clock_simulated_ns, 1000 * ADEV_MS_NS);
	return adev_kept_begin((int[]){ mine[0], mine[1], -1 });
}

static int teardown(void **state)
{
	(void)state;
	adev_kept_end();
	close(mine[0]);
	close(mine[1]);
	close(other[0]);
	close(other[1]);
	atomic_store(&adev_clock_simulated_ns, 0);
	return 0;
}

static void what_is_open_is_kept(void **state)
{
	(void)state;
	assert_true(adev_kept());
	assert_true(adev_kept_look());
	pass_ms(1);
	assert_true(adev_kept());
}

static void what_others_have_now_is_lost(void **state)
{
	(void)state;
	assert_true(adev_kept());
	assert_int_equal(dup2(other[1], mine[1]), mine[1]);
	/* Who knocks looks once a millisecond. */
	assert_true(adev_kept());
	pass_ms(1);
	assert_false(adev_kept());
	assert_false(adev_kept_look());
}

static void what_is_lost_stays_lost(void **state)
{
	int again = dup(mine[0]);

	(void)state;
	close(mine[0]);
	assert_false(adev_kept_look());
	assert_false(adev_kept());
	assert_int_equal(dup2(again, mine[0]), mine[0]);
	pass_ms(1);
	assert_false(adev_kept());
	assert_false(adev_kept_look());
	/* Until there are new ones. */
	assert_int_equal(adev_kept_begin((int[]){ mine[0], -1, -1 }), 0);
	assert_true(adev_kept());
	close(again);
}

static void who_has_none_has_lost_none(void **state)
{
	(void)state;
	adev_kept_end();
	assert_true(adev_kept_look());
	assert_true(adev_kept());
}

#define kept_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		kept_test(what_is_open_is_kept),
		kept_test(what_others_have_now_is_lost),
		kept_test(what_is_lost_stays_lost),
		kept_test(who_has_none_has_lost_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
