/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Endian words, masks and fields: the tools that the formats are made of. */
#include "golden.h"

#include "arnica/hw/endian.h"
#include "arnica/hw/format.h"

static void words_have_their_byte_order(void **state)
{
	arnica_le16 le16 = arnica_to_le16(0x0102);
	arnica_le32 le32 = arnica_to_le32(0x01020304);
	arnica_le64 le64 = arnica_to_le64(0x0102030405060708);
	arnica_be16 be16 = arnica_to_be16(0x0102);
	arnica_be32 be32 = arnica_to_be32(0x01020304);
	arnica_be64 be64 = arnica_to_be64(0x0102030405060708);

	(void)state;
	assert_golden(le16, 2, 1);
	assert_golden(le32, 4, 3, 2, 1);
	assert_golden(le64, 8, 7, 6, 5, 4, 3, 2, 1);
	assert_golden(be16, 1, 2);
	assert_golden(be32, 1, 2, 3, 4);
	assert_golden(be64, 1, 2, 3, 4, 5, 6, 7, 8);
	assert_int_equal(arnica_from_le16(le16), 0x0102);
	assert_int_equal(arnica_from_le32(le32), 0x01020304);
	assert_true(arnica_from_le64(le64) == 0x0102030405060708);
	assert_int_equal(arnica_from_be16(be16), 0x0102);
	assert_int_equal(arnica_from_be32(be32), 0x01020304);
	assert_true(arnica_from_be64(be64) == 0x0102030405060708);
}

static void masks_cover_their_bits(void **state)
{
	(void)state;
	assert_int_equal(ARNICA_GENMASK32(0, 0), 0x1);
	assert_int_equal(ARNICA_GENMASK32(31, 0), 0xffffffff);
	assert_int_equal(ARNICA_GENMASK32(23, 16), 0x00ff0000);
	assert_true(ARNICA_GENMASK64(63, 40) == 0xffffff0000000000ull);
	assert_int_equal(arnica_field_put(ARNICA_GENMASK32(23, 16), 0xab),
			 0x00ab0000);
	assert_int_equal(arnica_field_get(0x12ab3456, ARNICA_GENMASK32(23, 16)),
			 0xab);
}

static void atomic_words_are_little_endian_as_well(void **state)
{
	arnica_atomic_le32 word;
	uint32_t expected = 1;

	(void)state;
	arnica_store32(&word, 0x01020304, memory_order_relaxed);
	assert_golden(word, 4, 3, 2, 1);
	assert_int_equal(arnica_exchange32(&word, 9, memory_order_relaxed),
			 0x01020304);
	assert_false(arnica_compare_exchange32(&word, &expected, 2,
					       memory_order_relaxed));
	assert_int_equal(expected, 9);
	assert_true(arnica_compare_exchange32(&word, &expected, 2,
					      memory_order_relaxed));
	assert_int_equal(arnica_load32(&word, memory_order_relaxed), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_have_their_byte_order),
		cmocka_unit_test(masks_cover_their_bits),
		cmocka_unit_test(atomic_words_are_little_endian_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
