/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every operation between two connected queue pairs that does what it should.
 */
#include <string.h>

#include "two_functions.h"

#define MEGABYTE (1u << 20)

/* In the completion entry, in the eager ring, by DMA; at the borders. */
static const uint32_t lengths[] = {
	0,    1,    31,	  32,	33,   63,   64,	   100,	  1024,
	1025, 4095, 4096, 8191, 8192, 8193, 65536, 65537, MEGABYTE + 3
};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void a_send_of_every_length_arrives(void **state)
{
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < LENGTHS; i++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_SEND, &two->a, 64, lengths[i], &two->b, 0);
		struct two_completion completion;
		uint32_t received, sent;

		two_fill(two->a.buffer + 64, lengths[i], i);
		memset(two->b.buffer, 0, lengths[i] + 1);
		received = two_receive(&two->qp_b, 0, lengths[i] + 1);
		sent = two_send(&two->qp_a, &request);
		completion = two_expect(&two->qp_a, TWO_SEND,
					ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(completion.wqe_index, sent);
		assert_int_equal(completion.opcode, ARNICA_HW_OP_SEND);
		completion = two_expect(&two->qp_b, TWO_RECEIVE,
					ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(completion.wqe_index, received);
		assert_int_equal(completion.opcode, ARNICA_HW_RECV);
		assert_int_equal(completion.byte_len, lengths[i]);
		assert_int_equal(completion.flags & ARNICA_HW_CQE_IMM, 0);
		two_check(two->b.buffer, lengths[i], i);
		assert_int_equal(two->b.buffer[lengths[i]], 0);
	}
}

static void a_send_gathers_and_scatters_unlike_pieces(void **state)
{
	struct two *two = *state;
	unsigned int round;

	for (round = 1; round <= 3; round++) {
		uint32_t unit = round == 1 ? 1 : round == 2 ? 100 : 10000;
		struct two_request request = {
			.opcode = ARNICA_HW_OP_SEND,
			.flags = ARNICA_HW_WQE_SIGNALED,
			.num_sge = 3,
			.sge = { two_segment(&two->a, 0, 5 * unit),
				 two_segment(&two->a, 5 * unit, 0),
				 two_segment(&two->a, 5 * unit, 7 * unit) },
		};
		const struct arnica_hw_data_segment into[] = {
			two_segment(&two->b, 0, 3 * unit),
			two_segment(&two->b, 3 * unit, 2 * unit),
			two_segment(&two->b, 5 * unit, 0),
			two_segment(&two->b, 5 * unit, 9 * unit),
		};

		two_fill(two->a.buffer, 12 * unit, round);
		(void)two_receive_list(&two->qp_b, into, 4);
		(void)two_send(&two->qp_a, &request);
		assert_int_equal(two_expect(&two->qp_b, TWO_RECEIVE,
					    ARNICA_HW_STATUS_SUCCESS)
					 .byte_len,
				 12 * unit);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		two_check(two->b.buffer, 12 * unit, round);
	}
}

static void immediate_data_comes_with_a_send(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND_IMM, &two->a,
						 0, 4, &two->b, 0);
	struct two_completion completion;

	request.immediate = 0x12345678;
	(void)two_receive(&two->qp_b, 0, 4);
	(void)two_send(&two->qp_a, &request);
	completion = two_expect(&two->qp_b, TWO_RECEIVE,
				ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.opcode, ARNICA_HW_RECV);
	assert_int_equal(completion.flags & ARNICA_HW_CQE_IMM,
			 ARNICA_HW_CQE_IMM);
	assert_int_equal(completion.immediate, 0x12345678);
}

static void a_write_of_every_length_arrives_unnoticed(void **state)
{
	struct two *two = *state;
	unsigned int i;

	(void)two_receive(&two->qp_b, 0, 64);
	for (i = 0; i < LENGTHS; i++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_WRITE, &two->a, 64, lengths[i], &two->b,
			128);

		two_fill(two->a.buffer + 64, lengths[i], i);
		memset(two->b.buffer, 0, lengths[i] + 256);
		(void)two_send(&two->qp_a, &request);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		two_check(two->b.buffer + 128, lengths[i], i);
		assert_int_equal(two->b.buffer[127], 0);
		assert_int_equal(two->b.buffer[128 + lengths[i]], 0);
	}
	two_expect_none(&two->qp_b, TWO_RECEIVE);
}

static void a_write_with_immediate_uses_a_receive(void **state)
{
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < LENGTHS; i++) {
		struct two_request request = two_request(ARNICA_HW_OP_WRITE_IMM,
							 &two->a, 0, lengths[i],
							 &two->b, 128);
		struct two_completion completion;
		uint32_t received = two_receive(&two->qp_b, 0, 0);

		request.immediate = i;
		two_fill(two->a.buffer, lengths[i], i);
		(void)two_send(&two->qp_a, &request);
		completion = two_expect(&two->qp_b, TWO_RECEIVE,
					ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(completion.opcode,
				 ARNICA_HW_RECV_RDMA_WITH_IMM);
		assert_int_equal(completion.immediate, i);
		assert_int_equal(completion.byte_len, lengths[i]);
		assert_int_equal(completion.wqe_index, received);
		two_check(two->b.buffer + 128, lengths[i], i);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
	}
}

static void a_read_of_every_length_brings_it_back(void **state)
{
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < LENGTHS; i++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_READ, &two->a, 64, lengths[i], &two->b,
			128);

		two_fill(two->b.buffer + 128, lengths[i], i);
		memset(two->a.buffer, 0, lengths[i] + 128);
		(void)two_send(&two->qp_a, &request);
		assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
					    ARNICA_HW_STATUS_SUCCESS)
					 .byte_len,
				 lengths[i]);
		two_check(two->a.buffer + 64, lengths[i], i);
		assert_int_equal(two->a.buffer[63], 0);
		assert_int_equal(two->a.buffer[64 + lengths[i]], 0);
	}
}

static uint64_t *word_at(struct two_function *function, uint32_t offset)
{
	return (uint64_t *)(void *)(function->buffer + offset);
}

static void compare_and_swap_swaps_only_what_is_equal(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_CAS, &two->a, 0,
						 8, &two->b, 64);

	*word_at(&two->b, 64) = 10;
	request.compare = 11;
	request.swap_or_add = 99;
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(*word_at(&two->a, 0), 10);
	assert_int_equal(*word_at(&two->b, 64), 10);
	request.compare = 10;
	(void)two_send(&two->qp_a, &request);
	assert_int_equal(
		two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS)
			.byte_len,
		8);
	assert_int_equal(*word_at(&two->a, 0), 10);
	assert_int_equal(*word_at(&two->b, 64), 99);
}

static void fetch_and_add_wraps(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_FETCH_ADD,
						 &two->a, 0, 8, &two->b, 64);

	*word_at(&two->b, 64) = UINT64_MAX;
	request.swap_or_add = 3;
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(*word_at(&two->a, 0), UINT64_MAX);
	assert_int_equal(*word_at(&two->b, 64), 2);
}

static void an_atomic_result_may_lie_in_pieces_and_unaligned(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_FETCH_ADD,
						 &two->a, 0, 8, &two->b, 64);
	uint64_t result;

	*word_at(&two->b, 64) = 0x0102030405060708;
	request.num_sge = 2;
	request.sge[0] = two_segment(&two->a, 1, 3);
	request.sge[1] = two_segment(&two->a, 4, 5);
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	memcpy(&result, two->a.buffer + 1, sizeof(result));
	assert_int_equal(result, 0x0102030405060708);
}

static void only_signaled_requests_complete(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);
	uint32_t i, index = 0;

	for (i = 0; i < 100; i++) {
		request.flags = i % 10 == 9 ? ARNICA_HW_WQE_SIGNALED : 0;
		index = two_send(&two->qp_a, &request);
		if (i % 10 != 9)
			two_expect_none(&two->qp_a, TWO_SEND);
		else
			assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
						    ARNICA_HW_STATUS_SUCCESS)
						 .wqe_index,
					 index);
	}
}

static void requests_are_executed_in_order(void **state)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_WRITE,	ARNICA_HW_OP_READ,
		ARNICA_HW_OP_SEND,	ARNICA_HW_OP_FETCH_ADD,
		ARNICA_HW_OP_WRITE_IMM,
	};
	struct two *two = *state;
	uint32_t i;

	(void)two_receive(&two->qp_b, 0, 64);
	(void)two_receive(&two->qp_b, 0, 64);
	for (i = 0; i < 5; i++) {
		struct two_request request = two_request(
			opcodes[i], &two->a, 64 * i, 8, &two->b, 64 * i);

		(void)two_post(&two->qp_a, &request);
	}
	two_ring(&two->qp_a);
	for (i = 0; i < 5; i++) {
		struct two_completion completion = two_expect(
			&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);

		assert_int_equal(completion.wqe_index, i);
		assert_int_equal(completion.opcode, opcodes[i]);
	}
}

static void both_directions_and_a_loop_to_oneself_work(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->b, 0,
						 40, &two->a, 0);
	struct two_qp self;

	(void)two_receive(&two->qp_a, 0, 40);
	(void)two_send(&two->qp_b, &request);
	(void)two_expect(&two->qp_a, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_create(&self, &two->a, &wish);
	two_connect_one(&self, self.qpn, &wish);
	request = two_request(ARNICA_HW_OP_SEND, &two->a, 0, 10000, &two->a, 0);
	two_fill(two->a.buffer, 10000, 1);
	(void)two_receive(&self, 65536, 10000);
	(void)two_send(&self, &request);
	(void)two_expect(&self, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&self, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_check(two->a.buffer + 65536, 10000, 1);
}

static void a_queue_pair_can_be_reset_and_connected_again(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	unsigned int round;

	for (round = 0; round < 5; round++) {
		struct two_request request = two_request(
			ARNICA_HW_OP_SEND, &two->a, 0, 64, &two->b, 0);

		(void)two_receive(&two->qp_b, 128, 64);
		(void)two_send(&two->qp_a, &request);
		(void)two_expect(&two->qp_b, TWO_RECEIVE,
				 ARNICA_HW_STATUS_SUCCESS);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_RESET));
		assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_RESET));
		wish.sq_psn = wish.rq_psn = 1000 * round;
		two_connect(&two->qp_a, &two->qp_b, &wish);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(a_send_of_every_length_arrives),
		two_connected_test(a_send_gathers_and_scatters_unlike_pieces),
		two_connected_test(immediate_data_comes_with_a_send),
		two_connected_test(a_write_of_every_length_arrives_unnoticed),
		two_connected_test(a_write_with_immediate_uses_a_receive),
		two_connected_test(a_read_of_every_length_brings_it_back),
		two_connected_test(compare_and_swap_swaps_only_what_is_equal),
		two_connected_test(fetch_and_add_wraps),
		two_connected_test(
			an_atomic_result_may_lie_in_pieces_and_unaligned),
		two_connected_test(only_signaled_requests_complete),
		two_connected_test(requests_are_executed_in_order),
		two_connected_test(both_directions_and_a_loop_to_oneself_work),
		two_connected_test(
			a_queue_pair_can_be_reset_and_connected_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
