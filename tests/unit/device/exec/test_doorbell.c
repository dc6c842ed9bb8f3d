/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Hostile doorbells: whatever value arrives wherever, it is refused and
 * counted, and what was posted is executed once.
 */
#include <string.h>

#include "random.h"
#include "two_functions.h"

#define ROUNDS 20000u

static struct adev_counters *counters_of(struct two *two)
{
	return &two_function_of(&two->a)->counters;
}

/* The adapter still does what it should, and did nothing else before. */
static void expect_sound(struct two *two)
{
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 64, &two->b, 4096);
	uint64_t messages = counters_of(two)->messages;

	two_expect_none(&two->qp_a, TWO_SEND);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	two_fill(two->a.buffer, 64, (uint32_t)messages);
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_a, TWO_SEND);
	two_check(two->b.buffer + 4096, 64, (uint32_t)messages);
	assert_int_equal(counters_of(two)->messages, messages + 1);
}

static void random_values_at_the_send_register_are_refused(void **state)
{
	struct two *two = *state;
	unsigned int i;

	random_state = 1;
	for (i = 0; i < ROUNDS; i++)
		arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SQ,
				    next_random());
	assert_int_equal(counters_of(two)->refused_queue, ROUNDS);
	assert_int_equal(counters_of(two)->messages, 0);
	expect_sound(two);
}

static void random_values_at_the_receive_register_are_refused(void **state)
{
	struct two *two = *state;
	unsigned int i;

	random_state = 2;
	for (i = 0; i < ROUNDS; i++)
		arnica_bus_doorbell(two->a.bus, 7, ARNICA_HW_DB_RQ,
				    next_random());
	assert_int_equal(counters_of(two)->refused_queue, ROUNDS);
	expect_sound(two);
}

static void registers_that_are_not_there_are_refused(void **state)
{
	struct two *two = *state;
	uint32_t offset, refused = 0;

	for (offset = 0; offset < ARNICA_HW_PAGE_BYTES; offset++) {
		if (offset == ARNICA_HW_DB_SQ || offset == ARNICA_HW_DB_RQ ||
		    offset == ARNICA_HW_DB_CQP || offset == ARNICA_HW_DB_SRQ)
			continue;
		arnica_bus_doorbell(two->a.bus, 0, offset,
				    two_doorbell_value(&two->qp_a));
		refused++;
	}
	arnica_bus_doorbell(two->a.bus, ARNICA_HW_DOORBELL_PAGES,
			    ARNICA_HW_DB_SQ, 0);
	arnica_bus_doorbell(two->a.bus, UINT32_MAX, ARNICA_HW_DB_SQ, 0);
	assert_int_equal(counters_of(two)->refused_offset, refused + 2);
	expect_sound(two);
}

static void a_number_that_is_not_the_queues_is_refused(void **state)
{
	struct two *two = *state;
	unsigned int bit;

	for (bit = 0; bit < 24; bit++)
		arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SQ,
				    arnica_hw_doorbell_encode(
					    two->qp_a.handle,
					    two->qp_a.qpn ^ 1u << bit, 1));
	assert_int_equal(counters_of(two)->refused_queue, 24);
	/* Nor is the peer's queue reached through the own page. */
	arnica_bus_doorbell(
		two->a.bus, 0, ARNICA_HW_DB_SQ,
		arnica_hw_doorbell_encode(two->qp_b.handle, two->qp_b.qpn, 1));
	assert_int_equal(counters_of(two)->refused_queue, 25);
	expect_sound(two);
}

static void a_producer_beyond_the_queue_is_refused(void **state)
{
	struct two *two = *state;
	uint32_t depth = two->qp_a.queue[TWO_SEND].depth, ahead, refused = 0;

	for (ahead = depth + 1; ahead <= 0x7fffff; ahead = ahead * 2 + 1) {
		arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SQ,
				    arnica_hw_doorbell_encode(two->qp_a.handle,
							      two->qp_a.qpn,
							      ahead));
		refused++;
	}
	assert_int_equal(counters_of(two)->refused_index, refused);
	assert_int_equal(counters_of(two)->messages, 0);
	expect_sound(two);
}

static void a_producer_that_is_behind_does_nothing(void **state)
{
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < 5; i++)
		expect_sound(two);
	for (i = 0; i < 1000; i++)
		arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SQ,
				    arnica_hw_doorbell_encode(two->qp_a.handle,
							      two->qp_a.qpn,
							      5 - i));
	assert_int_equal(counters_of(two)->messages, 5);
	expect_sound(two);
}

/* Right queue and number, any producer: entries that were never written are
 * refused by their index, and none that was executed is executed again. */
static void random_producers_execute_nothing_twice(void **state)
{
	struct two *two = *state;
	struct two_completion completion;
	unsigned int i, successes = 0;

	for (i = 0; i < 16; i++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_FETCH_ADD, &two->a, 0, 8, &two->b, 0);

		request.swap_or_add = 1;
		(void)two_post(&two->qp_a, &request);
	}
	random_state = 3;
	for (i = 0; i < ROUNDS; i++)
		arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SQ,
				    arnica_hw_doorbell_encode(
					    two->qp_a.handle, two->qp_a.qpn,
					    next_random() & 0xffffff));
	two_ring(&two->qp_a);
	while (two_poll(&two->qp_a, TWO_SEND, &completion))
		if (completion.status == ARNICA_HW_STATUS_SUCCESS)
			successes++;
	assert_int_equal(*(uint64_t *)(void *)two->b.buffer, successes);
	assert_true(successes <= 16);
}

static void a_queue_of_no_entries_takes_no_doorbell(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_qp qp;

	wish.send_depth = 0;
	two_create(&qp, &two->a, &wish);
	two_connect_one(&qp, two->qp_b.qpn, &wish);
	arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SQ,
			    arnica_hw_doorbell_encode(qp.handle, qp.qpn, 1));
	assert_int_equal(counters_of(two)->refused_index, 1);
	arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_RQ,
			    arnica_hw_doorbell_encode(qp.handle, qp.qpn, 1));
	expect_sound(two);
}

static void a_destroyed_queue_takes_no_doorbell(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_qp qp;

	two_create(&qp, &two->a, &wish);
	assert_ok(two_destroy(&qp));
	arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SQ,
			    arnica_hw_doorbell_encode(qp.handle, qp.qpn, 1));
	arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_RQ,
			    arnica_hw_doorbell_encode(qp.handle, qp.qpn, 1));
	assert_int_equal(counters_of(two)->refused_queue, 2);
	expect_sound(two);
}

static void doorbells_of_no_shared_queue_are_refused(void **state)
{
	struct two *two = *state;
	uint64_t before = counters_of(two)->refused_queue;

	arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SRQ, 0);
	arnica_bus_doorbell(two->a.bus, 0, ARNICA_HW_DB_SRQ,
			    arnica_hw_doorbell_encode(0xffff, 1, 1));
	assert_int_equal(counters_of(two)->refused_queue, before + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(doorbells_of_no_shared_queue_are_refused),
		two_connected_test(
			random_values_at_the_send_register_are_refused),
		two_connected_test(
			random_values_at_the_receive_register_are_refused),
		two_connected_test(registers_that_are_not_there_are_refused),
		two_connected_test(a_number_that_is_not_the_queues_is_refused),
		two_connected_test(a_producer_beyond_the_queue_is_refused),
		two_connected_test(a_producer_that_is_behind_does_nothing),
		two_connected_test(random_producers_execute_nothing_twice),
		two_connected_test(a_queue_of_no_entries_takes_no_doorbell),
		two_connected_test(a_destroyed_queue_takes_no_doorbell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
