/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/window.h"

static void it_doubles_with_each_round_trip_at_first(void **state)
{
	struct adev_window window;

	(void)state;
	adev_window_init(&window);
	assert_int_equal(window.packets, 16);
	adev_window_progress(&window, 16, 16);
	assert_int_equal(window.packets, 32);
	adev_window_progress(&window, 32, 32);
	assert_int_equal(window.packets, 64);
}

static void it_has_an_end(void **state)
{
	struct adev_window window;
	uint32_t i;

	(void)state;
	adev_window_init(&window);
	for (i = 0; i < 1000; i++)
		adev_window_progress(&window, window.packets, window.packets);
	assert_int_equal(window.packets, ADEV_WINDOW_MAX);
}

static void what_is_not_used_does_not_grow(void **state)
{
	struct adev_window window;
	uint32_t i;

	(void)state;
	adev_window_init(&window);
	for (i = 0; i < 1000; i++)
		adev_window_progress(&window, 7, 7);
	assert_int_equal(window.packets, 16);
}

static void a_loss_halves_it_and_growth_is_slow_from_there(void **state)
{
	struct adev_window window;

	(void)state;
	adev_window_init(&window);
	adev_window_progress(&window, 16, 16);
	adev_window_loss(&window);
	assert_int_equal(window.packets, 16);
	adev_window_progress(&window, 16, 16);
	assert_int_equal(window.packets, 17);
	adev_window_progress(&window, 8, 17);
	assert_int_equal(window.packets, 17);
	adev_window_progress(&window, 9, 17);
	assert_int_equal(window.packets, 18);
}

static void losses_leave_something(void **state)
{
	struct adev_window window;
	uint32_t i;

	(void)state;
	adev_window_init(&window);
	for (i = 0; i < 100; i++)
		adev_window_loss(&window);
	assert_int_equal(window.packets, ADEV_WINDOW_MIN);
}

static void silence_leaves_a_probe(void **state)
{
	struct adev_window window;
	uint32_t i;

	(void)state;
	adev_window_init(&window);
	for (i = 0; i < 10; i++)
		adev_window_silence(&window);
	assert_int_equal(window.packets, ADEV_WINDOW_PROBE);
	/* Back to the half at once. */
	adev_window_progress(&window, 2, 2);
	adev_window_progress(&window, 4, 4);
	assert_int_equal(window.packets, ADEV_WINDOW_MIN);
	adev_window_progress(&window, 8, 8);
	assert_int_equal(window.packets, ADEV_WINDOW_MIN + 1);
}

static void a_receiver_that_is_not_ready_costs_no_window(void **state)
{
	struct adev_window window;

	(void)state;
	adev_window_init(&window);
	adev_window_hold(&window);
	adev_window_hold(&window);
	assert_int_equal(window.packets, ADEV_WINDOW_PROBE);
	adev_window_progress(&window, 2, 2);
	adev_window_progress(&window, 4, 4);
	adev_window_progress(&window, 8, 8);
	assert_int_equal(window.packets, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_doubles_with_each_round_trip_at_first),
		cmocka_unit_test(it_has_an_end),
		cmocka_unit_test(what_is_not_used_does_not_grow),
		cmocka_unit_test(a_loss_halves_it_and_growth_is_slow_from_there),
		cmocka_unit_test(losses_leave_something),
		cmocka_unit_test(silence_leaves_a_probe),
		cmocka_unit_test(a_receiver_that_is_not_ready_costs_no_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
