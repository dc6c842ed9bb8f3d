/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which identifications are believed of whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "link/trust.h"

static const uint8_t ours[16] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 };
static const uint8_t rxe[16] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 2 };

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct adev_trust));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void prove(struct adev_trust *trust, const uint8_t source[16])
{
	uint16_t i;

	for (i = 0; i < ADEV_TRUST_PROOF; i++)
		assert_true(adev_trust_accepts(trust, source, 0, 0));
}

static void who_numbers_otherwise_is_believed_with_any(void **state)
{
	uint32_t i;

	for (i = 0; i < 1000; i++)
		assert_true(adev_trust_accepts(*state, rxe, 0,
					       (uint16_t)(0x4321 + i * 7)));
}

static void who_proved_predictable_must_match(void **state)
{
	prove(*state, ours);
	assert_true(adev_trust_accepts(*state, ours, 0, 0));
	assert_true(adev_trust_accepts(*state, ours, 13, 13));
	assert_false(adev_trust_accepts(*state, ours, 0, 0x1234));
	assert_false(adev_trust_accepts(*state, ours, 3, 0xffff));
	assert_true(adev_trust_accepts(*state, ours, 1, 1));
}

/* The network took a datagram apart, and part of it was put together here: the
 * numbers go on where they were, or with a gap where packets were lost. */
static void numbers_go_on_within_a_datagram(void **state)
{
	prove(*state, ours);
	assert_true(adev_trust_accepts(*state, ours, 0, 0));
	assert_true(adev_trust_accepts(*state, ours, 0, 8));
	assert_true(adev_trust_accepts(*state, ours, 1, 9));
	assert_true(adev_trust_accepts(*state, ours, 0, 30));
	assert_false(adev_trust_accepts(*state, ours, 0, 8));
	assert_false(adev_trust_accepts(*state, ours, 0, ADEV_TRUST_SEGMENTS));
}

static void one_source_says_nothing_of_another(void **state)
{
	prove(*state, ours);
	assert_true(adev_trust_accepts(*state, rxe, 0, 0x7777));
	assert_false(adev_trust_accepts(*state, ours, 0, 0x7777));
}

/* Another implementation has the address by now. */
static void several_in_a_row_end_the_proof(void **state)
{
	uint16_t i;

	prove(*state, ours);
	for (i = 1; i < ADEV_TRUST_DOUBT; i++)
		assert_false(adev_trust_accepts(*state, ours, 0,
						(uint16_t)(0x5000 + i)));
	for (i = 0; i < 100; i++)
		assert_true(adev_trust_accepts(*state, ours, 0,
					       (uint16_t)(0x6000 + i)));
}

static void a_good_one_takes_doubts_away(void **state)
{
	uint32_t i;

	prove(*state, ours);
	for (i = 0; i < 50; i++) {
		assert_false(adev_trust_accepts(*state, ours, 0, 0x5000));
		assert_true(adev_trust_accepts(*state, ours, 0, 0));
	}
}

static void chance_proves_nothing(void **state)
{
	uint32_t i;

	/* Now and then a number is small. */
	for (i = 0; i < 1000; i++)
		assert_true(
			adev_trust_accepts(*state, rxe, 0, i % 5 ? 0x5000 : 3));
}

/* Who counts its packets comes by all small numbers in turn, as rdma_rxe does
 * after each 65536 packets or so. */
static void who_counts_on_is_believed_with_any(void **state)
{
	uint32_t step, i;

	for (step = 1; step < 4; step++)
		for (i = 0; i < 3 * 65536; i += step)
			assert_true(adev_trust_accepts(*state, rxe, 0,
						       (uint16_t)i));
}

/* Those within a datagram neither prove nor disprove. */
static void numbers_of_segments_prove_nothing(void **state)
{
	uint16_t i, k;

	for (k = 0; k < ADEV_TRUST_PROOF - 1; k++)
		for (i = 0; i < 20; i++)
			assert_true(adev_trust_accepts(*state, ours, i, i));
	assert_true(adev_trust_accepts(*state, ours, 0, 0x5000));
	for (k = 0; k < ADEV_TRUST_PROOF; k++)
		for (i = 0; i < 20; i++)
			assert_true(adev_trust_accepts(*state, ours, i, i));
	assert_false(adev_trust_accepts(*state, ours, 0, 0x5000));
}

/* More sources than there is room for: some begin anew, none is mixed up. */
static void the_table_is_bounded(void **state)
{
	uint8_t source[16] = { 0 };
	uint32_t i, believed = 0;

	for (i = 0; i < 4 * ADEV_TRUST_SOURCES; i++) {
		memcpy(source, &i, sizeof(i));
		prove(*state, source);
		assert_false(adev_trust_accepts(*state, source, 0, 0x5000));
	}
	for (i = 0; i < 4 * ADEV_TRUST_SOURCES; i++) {
		memcpy(source, &i, sizeof(i));
		believed += adev_trust_accepts(*state, source, 0, 0x5000);
	}
	assert_true(believed >= 3 * ADEV_TRUST_SOURCES);
}

#define trust_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		trust_test(who_numbers_otherwise_is_believed_with_any),
		trust_test(who_proved_predictable_must_match),
		trust_test(numbers_go_on_within_a_datagram),
		trust_test(one_source_says_nothing_of_another),
		trust_test(several_in_a_row_end_the_proof),
		trust_test(a_good_one_takes_doubts_away),
		trust_test(chance_proves_nothing),
		trust_test(who_counts_on_is_believed_with_any),
		trust_test(numbers_of_segments_prove_nothing),
		trust_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
