/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Numbers that go around: packet sequence numbers, queue indexes, eager ring.
 */
#include "transport/responder.h"
#include "two_functions.h"

static void make(struct two *two, const struct two_wish *wish)
{
	two_create(&two->qp_a, &two->a, wish);
	two_create(&two->qp_b, &two->b, wish);
	two_connect(&two->qp_a, &two->qp_b, wish);
}

static void a_message_takes_a_number_for_each_packet(void **state)
{
	(void)state;
	assert_int_equal(adev_psn_count(0, 1024), 1);
	assert_int_equal(adev_psn_count(1, 1024), 1);
	assert_int_equal(adev_psn_count(1024, 1024), 1);
	assert_int_equal(adev_psn_count(1025, 1024), 2);
	assert_int_equal(adev_psn_count(4096, 256), 16);
	assert_int_equal(adev_psn_count(1u << 31, 256), 1u << 23);
}

static void both_sides_count_packets_of_the_path_mtu(void **state)
{
	static const uint32_t lengths[] = { 0, 256, 257, 1000, 4096 };
	static const uint32_t packets[] = { 1, 1, 2, 4, 16 };
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	uint32_t expected = 100, i;

	wish.mtu = 1;
	wish.sq_psn = wish.rq_psn = expected;
	make(two, &wish);
	for (i = 0; i < 5; i++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_WRITE, &two->a, 0, lengths[i], &two->b, 0);

		(void)two_send(&two->qp_a, &request);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		expected += packets[i];
		assert_int_equal(two_qp_of(&two->qp_a)->send_psn, expected);
		assert_int_equal(two_shared_of(&two->qp_b)->expected_psn,
				 expected);
		assert_int_equal(two_shared_of(&two->qp_b)->msn, i + 1);
	}
}

static void sequence_numbers_wrap_at_24_bits(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	uint32_t i;

	wish.mtu = 1;
	wish.sq_psn = wish.rq_psn = 0xfffffe;
	make(two, &wish);
	for (i = 0; i < 4; i++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_SEND, &two->a, 0, 512, &two->b, 0);

		two_fill(two->a.buffer, 512, i);
		(void)two_receive(&two->qp_b, 0, 512);
		(void)two_send(&two->qp_a, &request);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		(void)two_expect(&two->qp_b, TWO_RECEIVE,
				 ARNICA_HW_STATUS_SUCCESS);
		two_check(two->b.buffer, 512, i);
	}
	assert_int_equal(two_qp_of(&two->qp_a)->send_psn, 6);
	assert_int_equal(two_shared_of(&two->qp_b)->expected_psn, 6);
}

static void the_message_number_wraps_at_24_bits(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 1, &two->b, 0);

	two_shared_of(&two->qp_b)->msn = 0xffffff;
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(two_shared_of(&two->qp_b)->msn, 0);
}

/* Depths that are no powers of two, lengths that use all three ways. */
static void queues_and_eager_ring_go_around_many_times(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	uint32_t i, depth = 5;

	wish.send_depth = wish.recv_depth = depth;
	make(two, &wish);
	for (i = 0; i < depth; i++)
		(void)two_receive(&two->qp_b, 16384 * i, 16384);
	for (i = 0; i < 2000; i++) {
		uint32_t length = 1 + i * 7919 % 9000, slot = i % depth;
		struct two_request request = two_request(
			ARNICA_HW_OP_SEND, &two->a, 0, length, &two->b, 0);
		struct two_completion completion;

		two_fill(two->a.buffer, length, i);
		(void)two_send(&two->qp_a, &request);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		completion = two_expect(&two->qp_b, TWO_RECEIVE,
					ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(completion.wqe_index, i);
		assert_int_equal(completion.byte_len, length);
		two_check(two->b.buffer + 16384 * slot, length, i);
		(void)two_receive(&two->qp_b, 16384 * slot, 16384);
	}
}

/* Nothing is scattered: the ring fills, and messages go another way. */
static void an_eager_ring_that_is_full_is_not_overwritten(void **state)
{
	struct two *two = *state;
	uint32_t i;

	for (i = 0; i < 16; i++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_SEND, &two->a, 0, 4000, &two->b, 0);

		two_fill(two->a.buffer, 4000, i);
		(void)two_receive(&two->qp_b, 8192 * i, 4000);
		(void)two_send(&two->qp_a, &request);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
	}
	for (i = 0; i < 16; i++) {
		(void)two_expect(&two->qp_b, TWO_RECEIVE,
				 ARNICA_HW_STATUS_SUCCESS);
		two_check(two->b.buffer + 8192 * i, 4000, i);
	}
}

/* The doorbell carries 24 bits of an index of 32. */
static void the_producer_goes_around_the_doorbell(void **state)
{
	struct two *two = *state;
	struct adev_qp *qp = two_qp_of(&two->qp_a);
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);
	uint32_t start = 0xfffff8, i;

	adev_qp_lock_send(qp);
	qp->head = start;
	atomic_store(&qp->producer, start);
	adev_qp_unlock_send(qp);
	two->qp_a.queue[TWO_SEND].posted = start;
	for (i = 0; i < 16; i++) {
		(void)two_send(&two->qp_a, &request);
		assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
					    ARNICA_HW_STATUS_SUCCESS)
					 .wqe_index,
				 start + i);
	}
	assert_int_equal(atomic_load(&qp->producer), start + 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_takes_a_number_for_each_packet),
		two_test(both_sides_count_packets_of_the_path_mtu),
		two_test(sequence_numbers_wrap_at_24_bits),
		two_connected_test(the_message_number_wraps_at_24_bits),
		two_test(queues_and_eager_ring_go_around_many_times),
		two_connected_test(
			an_eager_ring_that_is_full_is_not_overwritten),
		two_connected_test(the_producer_goes_around_the_doorbell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
