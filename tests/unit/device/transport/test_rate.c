/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/rate.h"

#define GIGABYTE 1000000000ull
#define SECOND 1000000000ull
#define BEGIN (10 * SECOND)

/* Bytes that go in a time when packets of 1000 bytes always wait. */
static uint64_t bytes_in(struct adev_rate *rate, uint64_t *now, uint64_t ns)
{
	uint64_t end = *now + ns, bytes = 0;

	while (*now < end) {
		uint64_t ready = adev_rate_ready(rate, *now);

		if (ready > *now) {
			*now = ready;
			continue;
		}
		adev_rate_sent(rate, 1000, *now);
		bytes += 1000;
		if (!rate->limits)
			*now += 80; /* 100 Gb/s */
	}
	return bytes;
}

static void nothing_is_limited_without_a_notification(void **state)
{
	struct adev_rate rate;

	(void)state;
	adev_rate_init(&rate);
	adev_rate_sent(&rate, 1u << 30, BEGIN);
	assert_int_equal(adev_rate_ready(&rate, BEGIN), BEGIN);
}

static void the_first_notification_halves(void **state)
{
	struct adev_rate rate;

	(void)state;
	adev_rate_init(&rate);
	adev_rate_cut(&rate, 2 * GIGABYTE, BEGIN);
	assert_true(rate.limits);
	assert_int_equal(rate.current, GIGABYTE);
	adev_rate_sent(&rate, 1000, BEGIN);
	assert_int_equal(adev_rate_ready(&rate, BEGIN), BEGIN + 1000);
}

static void those_that_follow_at_once_count_as_one(void **state)
{
	struct adev_rate rate;

	(void)state;
	adev_rate_init(&rate);
	adev_rate_cut(&rate, 2 * GIGABYTE, BEGIN);
	adev_rate_cut(&rate, 2 * GIGABYTE, BEGIN + 49999);
	assert_int_equal(rate.current, GIGABYTE);
	adev_rate_cut(&rate, 2 * GIGABYTE, BEGIN + 50000);
	assert_int_equal(rate.current, GIGABYTE / 2);
}

static void there_is_a_least_rate(void **state)
{
	struct adev_rate rate;
	uint32_t i;

	(void)state;
	adev_rate_init(&rate);
	for (i = 0; i < 1000; i++)
		adev_rate_cut(&rate, GIGABYTE, BEGIN + i * 50000ull);
	assert_int_equal(rate.current, 1250000);
}

static void what_goes_is_what_the_rate_says(void **state)
{
	struct adev_rate rate;
	uint64_t now = BEGIN;

	(void)state;
	adev_rate_init(&rate);
	adev_rate_cut(&rate, 2 * GIGABYTE, now);
	/* The first 300 us: 1 GB/s. */
	assert_in_range(bytes_in(&rate, &now, 299000), 295000, 305000);
	/* Then half way back to 2 GB/s, and half way again. */
	assert_in_range(bytes_in(&rate, &now, 300000), 440000, 460000);
	assert_in_range(bytes_in(&rate, &now, 300000), 515000, 535000);
}

static void it_is_free_again_in_the_end(void **state)
{
	struct adev_rate rate;
	uint64_t now = BEGIN;
	uint32_t i;

	(void)state;
	adev_rate_init(&rate);
	adev_rate_cut(&rate, GIGABYTE, now);
	for (i = 0; i < 1000 && rate.limits; i++) {
		now += 300000;
		(void)adev_rate_ready(&rate, now);
	}
	assert_false(rate.limits);
	/* A later one is a first one. */
	adev_rate_cut(&rate, 4 * GIGABYTE, now);
	assert_int_equal(rate.current, 2 * GIGABYTE);
}

static void a_rest_saves_up_no_burst(void **state)
{
	struct adev_rate rate;
	uint64_t now = BEGIN + 200000;
	uint32_t packets = 0;

	(void)state;
	adev_rate_init(&rate);
	adev_rate_cut(&rate, 2 * GIGABYTE, BEGIN);
	while (adev_rate_ready(&rate, now) <= now) {
		adev_rate_sent(&rate, 1000, now);
		packets++;
	}
	assert_in_range(packets, 1, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_limited_without_a_notification),
		cmocka_unit_test(the_first_notification_halves),
		cmocka_unit_test(those_that_follow_at_once_count_as_one),
		cmocka_unit_test(there_is_a_least_rate),
		cmocka_unit_test(what_goes_is_what_the_rate_says),
		cmocka_unit_test(it_is_free_again_in_the_end),
		cmocka_unit_test(a_rest_saves_up_no_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
