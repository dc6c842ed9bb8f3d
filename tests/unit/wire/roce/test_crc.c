/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CRC-32: right for each length and place, in one piece and in several, by
 * words and by what was chosen; and the faster of two is chosen. The vector
 * registers are left as programs expect them.
 */
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "roce/crc.h"

#define MOST 300u
#define PLACES 9u

/* Bit by bit, as the polynomial says. */
static uint32_t plainly(uint32_t crc, const uint8_t *bytes, uint64_t length)
{
	uint64_t i, bit;

	crc = ~crc;
	for (i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	return ~crc;
}

static void fill(uint8_t *bytes, uint32_t length)
{
	uint32_t word = 12345, i;

	for (i = 0; i < length; i++) {
		word = word * 1103515245u + 12345u;
		bytes[i] = (uint8_t)(word >> 16);
	}
}

static void check_value(void **state)
{
	static const uint8_t digits[] = "123456789";

	(void)state;
	assert_int_equal(plainly(0, digits, 9), 0xcbf43926u);
	assert_int_equal(roce_crc32(0, digits, 9), 0xcbf43926u);
	assert_int_equal(roce_crc32_by_words(0, digits, 9), 0xcbf43926u);
}

static void each_length_and_place(void **state)
{
	uint8_t bytes[MOST + PLACES];
	uint32_t length, place;

	(void)state;
	fill(bytes, sizeof(bytes));
	for (length = 0; length <= MOST; length++) {
		for (place = 0; place < PLACES; place++) {
			uint32_t right = plainly(7, bytes + place, length);

			assert_int_equal(roce_crc32(7, bytes + place, length),
					 right);
			assert_int_equal(
				roce_crc32_by_isal(7, bytes + place, length),
				plainly(7, bytes + place, length));
			assert_int_equal(
				roce_crc32_by_words(7, bytes + place, length),
				right);
		}
	}
}

static void pieces_continue_each_other(void **state)
{
	uint8_t bytes[MOST];
	uint32_t first;

	(void)state;
	fill(bytes, sizeof(bytes));
	for (first = 0; first <= MOST; first++) {
		uint32_t whole = plainly(0, bytes, MOST);
		uint32_t begun = roce_crc32_by_words(0, bytes, first);

		assert_int_equal(
			roce_crc32_by_words(begun, bytes + first, MOST - first),
			whole);
		assert_int_equal(roce_crc32(begun, bytes + first, MOST - first),
				 whole);
	}
}

static void a_whole_message(void **state)
{
	static uint8_t bytes[65536 + 3];

	(void)state;
	fill(bytes, sizeof(bytes));
	assert_int_equal(roce_crc32_by_words(9, bytes, sizeof(bytes)),
			 plainly(9, bytes, sizeof(bytes)));
}

/* A clock that only they move; each call of the interrupted one but every third
 * loses the processor. */
static uint64_t time_ns;
static uint32_t calls;

static uint64_t now_ns(void)
{
	return time_ns;
}

static uint32_t slow(uint32_t crc, const uint8_t *bytes, uint64_t length)
{
	(void)bytes;
	(void)length;
	time_ns += 100;
	return crc;
}

static uint32_t as_slow(uint32_t crc, const uint8_t *bytes, uint64_t length)
{
	return slow(crc, bytes, length);
}

static uint32_t interrupted(uint32_t crc, const uint8_t *bytes, uint64_t length)
{
	(void)bytes;
	(void)length;
	time_ns += calls++ % 3 == 2 ? 99 : 1000000;
	return crc;
}

static void the_faster_one_is_chosen(void **state)
{
	(void)state;
	assert_ptr_equal(roce_crc_faster(slow, interrupted, now_ns),
			 interrupted);
	assert_ptr_equal(roce_crc_faster(interrupted, slow, now_ns),
			 interrupted);
	assert_ptr_equal(roce_crc_faster(slow, as_slow, now_ns), slow);
	assert_ptr_equal(roce_crc_faster(as_slow, slow, now_ns), as_slow);
}

#if defined(__x86_64__)
#define UPPER_HALVES 4u /* the component of XSAVE */

/* Does the processor tell what of its state is in use? */
static bool tells_use(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __builtin_cpu_supports("avx") &&
	       __get_cpuid_count(0xd, 1, &eax, &ebx, &ecx, &edx) && eax & 4;
}

static bool upper_halves_in_use(void)
{
	uint32_t low, high;

	/* XGETBV of XINUSE */
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
	return low & UPPER_HALVES;
}

static __attribute__((target("avx"))) bool follows_use(void)
{
	bool used;

	__asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0\n\t"
			 "vinsertf128 $1, %%xmm0, %%ymm0, %%ymm0"
			 :
			 :
			 : "xmm0");
	used = upper_halves_in_use();
	__asm__ volatile("vzeroupper" : : : "xmm0");
	return used && !upper_halves_in_use();
}

/* What the CRC left in them would make the instructions behind it wait. */
static void upper_halves_are_left_unused(void **state)
{
	static const uint8_t bytes[4096];
	uint32_t crc;

	(void)state;
	if (!tells_use() || !follows_use())
		skip();
	crc = roce_crc32_by_isal(0, bytes, sizeof(bytes));
	assert_false(upper_halves_in_use());
	assert_int_equal(crc, plainly(0, bytes, sizeof(bytes)));
}
#else
static void upper_halves_are_left_unused(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_value),
		cmocka_unit_test(each_length_and_place),
		cmocka_unit_test(pieces_continue_each_other),
		cmocka_unit_test(a_whole_message),
		cmocka_unit_test(the_faster_one_is_chosen),
		cmocka_unit_test(upper_halves_are_left_unused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
