/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The priority area: a descriptor that is whole is executed from it, one that
 * is not is executed from the queue; in every case exactly once.
 */
#include <string.h>

#include "two_functions.h"

#define TARGET 65536u

/* An RDMA WRITE of 16 bytes, inline, that differs from one to the next. */
static struct two_request inline_write(struct two *two, const void *data)
{
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 0, &two->b, TARGET);

	request.flags |= ARNICA_HW_WQE_INLINE;
	request.num_sge = 0;
	request.data = data;
	request.inline_bytes = 16;
	return request;
}

#define LENGTH 48u /* of its descriptor */

static char *area_of(struct two *two, uint32_t page, uint32_t offset)
{
	return arnica_bus_map(two->a.bus,
			      ARNICA_HW_BAR_DOORBELLS +
				      page * ARNICA_HW_PAGE_BYTES + offset,
			      ARNICA_HW_AREA_BYTES);
}

/* What the host stores for the descriptor written last. */
static uint64_t store(struct two *two, uint32_t page, uint32_t offset,
		      uint32_t length)
{
	struct two_qp *qp = &two->qp_a;
	char *area = area_of(two, page, offset);
	const void *descriptor = two_entry(qp, TWO_SEND,
					   qp->queue[TWO_SEND].posted - 1);
	uint64_t value = two_doorbell_value(qp);
	arnica_le64 first = arnica_to_le64(value), seal;

	seal = arnica_to_le64(arnica_hw_area_seal(value, descriptor, length));
	memcpy(area, &first, 8);
	memcpy(area + 8, descriptor, length);
	memcpy(area + 8 + length, &seal, 8);
	return value;
}

static uint64_t hits(struct two *two)
{
	return two_function_of(&two->a)->counters.bf_hit;
}

static uint64_t fallbacks(struct two *two)
{
	return two_function_of(&two->a)->counters.bf_fallback;
}

/* Exactly one completion came, and the target holds the data. */
static void expect_once(struct two *two, const void *data)
{
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_a, TWO_SEND);
	assert_memory_equal(two->b.buffer + TARGET, data, 16);
}

static void a_whole_descriptor_is_taken_from_every_buffer(void **state)
{
	struct two *two = *state;
	char data[16] = { 0 };
	uint32_t page, buffer, count = 0;

	for (page = 0; page < ARNICA_HW_DOORBELL_PAGES; page++) {
		for (buffer = 0; buffer < 2; buffer++) {
			uint32_t offset = buffer ? ARNICA_HW_DB_AREA1 :
						   ARNICA_HW_DB_AREA0;
			struct two_request request = inline_write(two, data);
			uint64_t value;
			uint32_t index;

			two_fill(data, sizeof(data), count++);
			index = two_post(&two->qp_a, &request);
			value = store(two, page, offset, LENGTH);
			/* Only the area still holds the data. */
			memset((char *)two_entry(&two->qp_a, TWO_SEND, index) +
				       ARNICA_HW_WQE_HEADER_BYTES,
			       0, 16);
			arnica_bus_area(two->a.bus, page, offset, LENGTH,
					value);
			expect_once(two, data);
		}
	}
	assert_int_equal(hits(two), count);
	assert_int_equal(fallbacks(two), 0);
}

/* The first `words` words are of this descriptor, the rest of the one before:
 * as a store that was interrupted leaves them. */
static void a_descriptor_torn_at_any_word_is_executed_once(void **state)
{
	struct two *two = *state;
	uint32_t words, total = (8 + LENGTH + 8) / 8;

	for (words = 0; words < total; words++) {
		char data[16] = { 0 }, old[8 + LENGTH + 8];
		struct two_request request = inline_write(two, data);
		char *area = area_of(two, 0, ARNICA_HW_DB_AREA0);
		uint64_t value, before = fallbacks(two);

		two_fill(data, sizeof(data), words);
		memcpy(old, area, sizeof(old));
		(void)two_post(&two->qp_a, &request);
		value = store(two, 0, ARNICA_HW_DB_AREA0, LENGTH);
		memcpy(area + words * 8, old + words * 8,
		       sizeof(old) - words * 8);
		arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA0, LENGTH,
				value);
		expect_once(two, data);
		assert_int_equal(fallbacks(two), before + 1);
	}
	assert_int_equal(hits(two), 0);
}

static void every_wrong_bit_is_noticed(void **state)
{
	struct two *two = *state;
	uint32_t bit;

	for (bit = 0; bit < (8 + LENGTH + 8) * 8; bit += 5) {
		char data[16] = { 0 };
		struct two_request request = inline_write(two, data);
		uint64_t value;

		two_fill(data, sizeof(data), bit);
		(void)two_post(&two->qp_a, &request);
		value = store(two, 0, ARNICA_HW_DB_AREA1, LENGTH);
		area_of(two, 0,
			ARNICA_HW_DB_AREA1)[bit / 8] ^= (char)(1 << bit % 8);
		arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA1, LENGTH,
				value);
		expect_once(two, data);
	}
	assert_int_equal(hits(two), 0);
}

static void a_length_that_is_not_the_descriptors_is_a_doorbell(void **state)
{
	static const uint32_t lengths[] = { 0,	 1,    16,	  32,  40,
					    56,	 64,   449,	  464, 512,
					    513, 4096, UINT32_MAX };
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char data[16] = { 0 };
		struct two_request request = inline_write(two, data);
		uint64_t value;

		two_fill(data, sizeof(data), i);
		(void)two_post(&two->qp_a, &request);
		value = store(two, 0, ARNICA_HW_DB_AREA0, LENGTH);
		arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA0, lengths[i],
				value);
		expect_once(two, data);
	}
	assert_int_equal(hits(two), 0);
}

/* Sealed, but the descriptor says that it is longer than what was written. */
static void a_descriptor_longer_than_its_length_is_read_from_the_queue(
	void **state)
{
	struct two *two = *state;
	char data[16] = { 0 };
	struct two_request request = inline_write(two, data);
	uint64_t value;

	two_fill(data, sizeof(data), 1);
	(void)two_post(&two->qp_a, &request);
	value = store(two, 0, ARNICA_HW_DB_AREA0, 32);
	arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA0, 32, value);
	expect_once(two, data);
	assert_int_equal(hits(two), 0);
}

static void a_wrong_page_or_place_is_refused(void **state)
{
	static const uint32_t wrong[][2] = {
		{ ARNICA_HW_DOORBELL_PAGES, ARNICA_HW_DB_AREA0 },
		{ UINT32_MAX, ARNICA_HW_DB_AREA1 },
		{ 0, ARNICA_HW_DB_SQ },
		{ 0, ARNICA_HW_DB_AREA0 + 8 },
		{ 0, 0x800 },
		{ 0, UINT32_MAX },
	};
	struct two *two = *state;
	char data[16] = { 0 };
	struct two_request request = inline_write(two, data);
	unsigned int i;
	uint64_t value;

	two_fill(data, sizeof(data), 2);
	(void)two_post(&two->qp_a, &request);
	value = store(two, 0, ARNICA_HW_DB_AREA0, LENGTH);
	for (i = 0; i < 6; i++)
		arnica_bus_area(two->a.bus, wrong[i][0], wrong[i][1], LENGTH,
				value);
	assert_int_equal(two_function_of(&two->a)->counters.refused_offset, 6);
	two_expect_none(&two->qp_a, TWO_SEND);
	two_ring(&two->qp_a);
	expect_once(two, data);
}

static void a_descriptor_shown_twice_is_executed_once(void **state)
{
	struct two *two = *state;
	char data[16] = { 0 };
	struct two_request request = inline_write(two, data);
	uint64_t value;

	two_fill(data, sizeof(data), 3);
	(void)two_post(&two->qp_a, &request);
	value = store(two, 0, ARNICA_HW_DB_AREA0, LENGTH);
	arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA0, LENGTH, value);
	arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA0, LENGTH, value);
	two_ring(&two->qp_a);
	expect_once(two, data);
}

static void a_descriptor_with_others_before_it_waits_for_its_turn(void **state)
{
	struct two *two = *state;
	char first[16] = { 0 }, second[16];
	struct two_request request = inline_write(two, first);
	uint64_t value;

	two_fill(first, sizeof(first), 4);
	two_fill(second, sizeof(second), 5);
	(void)two_post(&two->qp_a, &request); /* not announced yet */
	request.data = second;
	(void)two_post(&two->qp_a, &request);
	value = store(two, 0, ARNICA_HW_DB_AREA0, LENGTH);
	arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA0, LENGTH, value);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	expect_once(two, second);
	assert_int_equal(hits(two), 0);
}

static void a_descriptor_for_another_queue_is_refused(void **state)
{
	struct two *two = *state;
	char data[16] = { 0 };
	struct two_request request = inline_write(two, data);
	uint64_t value;

	two_fill(data, sizeof(data), 6);
	(void)two_post(&two->qp_a, &request);
	value = store(two, 0, ARNICA_HW_DB_AREA0, LENGTH);
	arnica_bus_area(two->a.bus, 0, ARNICA_HW_DB_AREA0, LENGTH,
			value ^ 1u << 20);
	assert_int_equal(two_function_of(&two->a)->counters.refused_queue, 1);
	two_expect_none(&two->qp_a, TWO_SEND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(
			a_whole_descriptor_is_taken_from_every_buffer),
		two_connected_test(
			a_descriptor_torn_at_any_word_is_executed_once),
		two_connected_test(every_wrong_bit_is_noticed),
		two_connected_test(
			a_length_that_is_not_the_descriptors_is_a_doorbell),
		two_connected_test(
			a_descriptor_longer_than_its_length_is_read_from_the_queue),
		two_connected_test(a_wrong_page_or_place_is_refused),
		two_connected_test(a_descriptor_shown_twice_is_executed_once),
		two_connected_test(
			a_descriptor_with_others_before_it_waits_for_its_turn),
		two_connected_test(a_descriptor_for_another_queue_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
