/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Doorbell values there and back, and the seal of the priority area. */
#include "golden.h"

#include "arnica/hw/doorbell.h"

static void value_has_these_bits(void **state)
{
	(void)state;
	assert_true(arnica_hw_doorbell_encode(0x1234, 0xabcdef, 0x567890) ==
		    0x567890abcdef1234ull);
	/* The producer index wraps, the others must fit. */
	assert_true(arnica_hw_doorbell_encode(0, 0, 0x01000001) ==
		    0x0000010000000000ull);
}

static void decoding_undoes_encoding(void **state)
{
	static const uint32_t samples[] = { 0,	  1,	  0x7f,	  0x80,
					    0xff, 0x1234, 0xfffe, 0xffff };
	uint32_t queue;
	uint32_t qpn;
	uint32_t producer;
	size_t i;
	size_t j;

	(void)state;
	for (i = 0; i < 8; i++) {
		for (j = 0; j < 8; j++) {
			uint32_t wanted_qpn = samples[j] * 0x101 & 0xffffff;
			uint32_t wanted = 0xffffff - samples[i];

			arnica_hw_doorbell_decode(
				arnica_hw_doorbell_encode(samples[i],
							  wanted_qpn, wanted),
				&queue, &qpn, &producer);
			assert_int_equal(queue, samples[i]);
			assert_int_equal(qpn, wanted_qpn);
			assert_int_equal(producer, wanted);
		}
	}
}

static void seal_is_a_fixed_function(void **state)
{
	unsigned char descriptor[32];

	(void)state;
	fill_with_counter(descriptor, sizeof(descriptor));
	assert_true(arnica_hw_area_seal(0, descriptor, 0) == 0);
	assert_true(arnica_hw_area_seal(1, descriptor, 0) ==
		    0x9e3779b97f4a7c15ull);
	assert_true(arnica_hw_area_seal(0x567890abcdef1234, descriptor, 32) ==
		    0x68f81013e5b7cf0eull);
}

/* Every single wrong byte, a wrong length, and a wrong value are seen. */
static void seal_tells_a_torn_descriptor(void **state)
{
	unsigned char descriptor[64];
	uint64_t seal;
	size_t i;

	(void)state;
	fill_with_counter(descriptor, sizeof(descriptor));
	seal = arnica_hw_area_seal(7, descriptor, sizeof(descriptor));
	for (i = 0; i < sizeof(descriptor); i++) {
		descriptor[i] ^= 0x10;
		assert_false(arnica_hw_area_seal(7, descriptor,
						 sizeof(descriptor)) == seal);
		descriptor[i] ^= 0x10;
	}
	assert_false(arnica_hw_area_seal(7, descriptor, 48) == seal);
	assert_false(arnica_hw_area_seal(8, descriptor, 64) == seal);
}

/* Words that differ alike in their uppermost bits, as numbers do that change
 * their sign, do not make up for each other. */
static void seal_tells_which_words_are_old(void **state)
{
	unsigned char descriptor[64];
	uint64_t seal;
	size_t i, j;

	(void)state;
	memset(descriptor, 0, sizeof(descriptor));
	seal = arnica_hw_area_seal(7, descriptor, sizeof(descriptor));
	for (i = 7; i < sizeof(descriptor); i += 8) {
		for (j = i + 8; j < sizeof(descriptor); j += 8) {
			descriptor[i] = descriptor[j] = 0x80;
			assert_false(arnica_hw_area_seal(7, descriptor,
							 sizeof(descriptor)) ==
				     seal);
			descriptor[i] = descriptor[j] = 0;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_has_these_bits),
		cmocka_unit_test(decoding_undoes_encoding),
		cmocka_unit_test(seal_is_a_fixed_function),
		cmocka_unit_test(seal_tells_a_torn_descriptor),
		cmocka_unit_test(seal_tells_which_words_are_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
