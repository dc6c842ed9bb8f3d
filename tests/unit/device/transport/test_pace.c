/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gather/gather.h"
#include "transport/pace.h"

#define MS 1000000ull
#define SECOND (1000 * MS)
#define BEGIN (10 * SECOND)
#define MBPS 1000u /* kbps */

/* Bytes that go in a time when steps of `bytes` always wait, and time goes on in
 * ticks. */
static uint64_t bytes_in(struct adev_pace *pace, uint32_t bytes,
			 uint64_t begin_ns, uint64_t ns, uint64_t tick_ns)
{
	uint64_t now_ns, sum = 0;

	for (now_ns = begin_ns; now_ns < begin_ns + ns; now_ns += tick_ns)
		while (adev_pace_ready(pace) <= now_ns) {
			adev_pace_sent(pace, bytes, now_ns);
			sum += bytes;
		}
	return sum;
}

static void the_rate_is_kept_and_reached(void **state)
{
	static const uint32_t rates[] = { 1, 8, 100, 1000, 100000 };
	struct adev_pace pace;
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t second = rates[i] * 125000ull, sum;

		adev_pace_set(&pace, rates[i] * MBPS, 0, BEGIN);
		/* Who looks every millisecond gets it all. */
		sum = bytes_in(&pace, pace.step_bytes, BEGIN, 10 * SECOND, MS);
		assert_true(sum <= 10 * second + second / 250 +
					   2 * pace.step_bytes);
		assert_true(sum >= 10 * second - second / 10);
	}
}

static void a_burst_is_no_longer_than_asked_for(void **state)
{
	struct adev_pace pace;

	(void)state;
	adev_pace_set(&pace, 8 * MBPS, 40960, BEGIN);
	assert_true(pace.step_bytes >= 4096 && pace.step_bytes <= 40960);
	/* After a pause of any length. */
	assert_in_range(bytes_in(&pace, 4096, BEGIN + SECOND, 1, 1), 30720,
			40960);
	assert_in_range(bytes_in(&pace, 4096, BEGIN + 9 * SECOND, 1, 1), 30720,
			40960);
}

static void a_burst_of_less_than_a_packet_is_a_packet(void **state)
{
	struct adev_pace pace;

	(void)state;
	adev_pace_set(&pace, 8 * MBPS, 1, BEGIN);
	assert_int_equal(bytes_in(&pace, 4096, BEGIN, 1, 1), 4096);
	/* 4096 us later. */
	assert_int_equal(adev_pace_ready(&pace), BEGIN + 4096000);
}

static void steps_are_gather_entries_at_most(void **state)
{
	struct adev_pace pace;

	(void)state;
	adev_pace_set(&pace, 400000 * MBPS, 0, BEGIN);
	assert_int_equal(pace.step_bytes, ADEV_GATHER_ENTRY_BYTES);
	adev_pace_set(&pace, 400000 * MBPS, UINT32_MAX, BEGIN);
	assert_int_equal(pace.step_bytes, ADEV_GATHER_ENTRY_BYTES);
	/* The longest message. */
	adev_pace_set(&pace, MBPS, 0, BEGIN);
	adev_pace_sent(&pace, 1ull << 31, BEGIN);
	assert_int_equal(adev_pace_ready(&pace) - BEGIN,
			 (1ull << 31) / 125000 * SECOND +
				 (1ull << 31) % 125000 * SECOND / 125000);
}

static void a_new_rate_begins_anew(void **state)
{
	struct adev_pace pace;

	(void)state;
	adev_pace_set(&pace, MBPS, 0, BEGIN);
	adev_pace_sent(&pace, 125000, BEGIN);
	assert_int_equal(adev_pace_ready(&pace), BEGIN + SECOND);
	adev_pace_set(&pace, 2 * MBPS, 0, BEGIN + MS);
	assert_int_equal(adev_pace_ready(&pace), BEGIN + MS);
	assert_int_equal(adev_pace_after(&pace, 250000, BEGIN + MS),
			 BEGIN + MS + SECOND);
	/* That was a question only. */
	assert_int_equal(adev_pace_ready(&pace), BEGIN + MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_is_kept_and_reached),
		cmocka_unit_test(a_burst_is_no_longer_than_asked_for),
		cmocka_unit_test(a_burst_of_less_than_a_packet_is_a_packet),
		cmocka_unit_test(steps_are_gather_entries_at_most),
		cmocka_unit_test(a_new_rate_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
