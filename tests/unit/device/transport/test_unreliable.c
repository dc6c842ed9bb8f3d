/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Unreliable connections: what arrives, what is lost without a word, and errors
 * of the sending side. */
#include <string.h>

#include "core/qp_lock.h"
#include "two_functions.h"

static int setup(void **state)
{
	struct two_wish wish = two_defaults();
	struct two *two;

	if (two_setup(state))
		return -1;
	two = *state;
	wish.type = ARNICA_HW_QP_UC;
	wish.sq_psn = wish.rq_psn = 0xfffffe;
	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	return 0;
}

static struct adev_counters *counters(struct two *two)
{
	return &two_function_of(&two->a)->counters;
}

static struct two_request request(struct two *two, enum arnica_hw_opcode opcode,
				  uint32_t length)
{
	return two_request(opcode, &two->a, 0, length, &two->b, 0);
}

static void carry_out(struct two *two, const struct two_request *what)
{
	(void)two_send(&two->qp_a, what);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

/* The connection is as good as ever: the next message arrives. */
static void expect_connected(struct two *two, uint32_t seed)
{
	const struct two_request send = request(two, ARNICA_HW_OP_SEND, 5000);

	two_fill(two->a.buffer, 5000, seed);
	(void)two_receive(&two->qp_b, 65536, 5000);
	carry_out(two, &send);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_check(two->b.buffer + 65536, 5000, seed);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_RTS);
	assert_int_equal(two_state(&two->qp_b), ARNICA_HW_QPS_RTS);
	assert_int_equal(two_async(&two->b, false), -1);
}

static void messages_of_all_lengths_arrive(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 32, 33, 8192, 8193, 1 << 20 };
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < 7; i++) {
		struct two_request what =
			request(two, ARNICA_HW_OP_SEND_IMM, lengths[i]);
		struct two_completion completion;

		what.immediate = i;
		two_fill(two->a.buffer, lengths[i], i);
		(void)two_receive(&two->qp_b, 0, 1 << 20);
		carry_out(two, &what);
		completion = two_expect(&two->qp_b, TWO_RECEIVE,
					ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(completion.byte_len, lengths[i]);
		assert_int_equal(completion.immediate, i);
		assert_int_equal(completion.source, 0);
		two_check(two->b.buffer, lengths[i], i);
	}
}

static void writes_arrive(void **state)
{
	struct two *two = *state;
	struct two_request what = request(two, ARNICA_HW_OP_WRITE, 3000000);

	two_fill(two->a.buffer, 3000000, 1);
	carry_out(two, &what);
	two_check(two->b.buffer, 3000000, 1);
	what = request(two, ARNICA_HW_OP_WRITE_IMM, 100);
	two_fill(two->a.buffer, 100, 2);
	(void)two_receive(&two->qp_b, 0, 0);
	carry_out(two, &what);
	assert_int_equal(two_expect(&two->qp_b, TWO_RECEIVE,
				    ARNICA_HW_STATUS_SUCCESS)
				 .opcode,
			 ARNICA_HW_RECV_RDMA_WITH_IMM);
	two_check(two->b.buffer, 100, 2);
}

static void reads_and_atomics_are_no_operations_of_it(void **state)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_READ, ARNICA_HW_OP_CAS, ARNICA_HW_OP_FETCH_ADD
	};
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		const struct two_request what = request(two, opcodes[i], 8);

		(void)two_send(&two->qp_a, &what);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_LOC_QP_OP_ERR);
		assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_SQE);
		assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_RTS));
		expect_connected(two, i);
	}
}

static void without_a_receive_a_message_is_lost(void **state)
{
	struct two *two = *state;
	struct two_request what = request(two, ARNICA_HW_OP_SEND, 8);

	carry_out(two, &what);
	what = request(two, ARNICA_HW_OP_WRITE_IMM, 8);
	carry_out(two, &what);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	assert_int_equal(counters(two)->lost_no_receive, 2);
	assert_int_equal(counters(two)->rnr, 0);
	expect_connected(two, 7);
}

static void a_message_that_is_too_long_leaves_the_receive(void **state)
{
	struct two *two = *state;
	struct two_request what = request(two, ARNICA_HW_OP_SEND, 101);
	struct two_completion completion;

	(void)two_receive(&two->qp_b, 0, 100);
	carry_out(two, &what);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
	assert_int_equal(counters(two)->lost_refused, 1);
	what = request(two, ARNICA_HW_OP_SEND, 100);
	carry_out(two, &what);
	completion = two_expect(&two->qp_b, TWO_RECEIVE,
				ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.wqe_index, 0);
	assert_int_equal(two_state(&two->qp_b), ARNICA_HW_QPS_RTS);
}

static void a_write_that_is_not_permitted_is_lost(void **state)
{
	struct two *two = *state;
	struct two_request what = request(two, ARNICA_HW_OP_WRITE, 8);

	memset(two->b.buffer, 0, 16);
	two_fill(two->a.buffer, 8, 1);
	what.rkey++;
	carry_out(two, &what);
	assert_int_equal(counters(two)->lost_refused, 1);
	assert_int_equal(counters(two)->remote_access, 1);
	assert_int_equal(two->b.buffer[0], 0);
	expect_connected(two, 1);
}

static void a_receive_with_a_bad_key_ends_its_queue_pair(void **state)
{
	struct two *two = *state;
	struct arnica_hw_data_segment segment = two_segment(&two->b, 0, 4096);
	const struct two_request what = request(two, ARNICA_HW_OP_SEND, 8);

	segment.lkey = arnica_to_le32(two->b.stag + 1);
	(void)two_receive_list(&two->qp_b, &segment, 1);
	carry_out(two, &what);
	(void)two_expect(&two->qp_b, TWO_RECEIVE,
			 ARNICA_HW_STATUS_LOC_PROT_ERR);
	two_expect_state(&two->qp_b, ARNICA_HW_QPS_ERR);
	/* The sender does not learn of it. */
	carry_out(two, &what);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_RTS);
	assert_int_equal(counters(two)->lost_not_ready, 1);
}

/* Messages are lost while the other side is away, and are not missed. */
static void numbers_that_are_missing_do_not_matter(void **state)
{
	struct two *two = *state;
	struct adev_qp *sender = two_qp_of(&two->qp_a);

	adev_qp_lock_send(sender);
	sender->send_psn = 1000;
	adev_qp_unlock_send(sender);
	expect_connected(two, 3);
	assert_int_equal(two_shared_of(&two->qp_b)->expected_psn, 1005);
}

static void a_peer_that_is_gone_is_no_error(void **state)
{
	struct two *two = *state;
	struct two_request what = request(two, ARNICA_HW_OP_SEND, 8);

	assert_ok(two_destroy(&two->qp_b));
	carry_out(two, &what);
	carry_out(two, &what);
	assert_int_equal(counters(two)->lost_no_qp, 2);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_RTS);
}

static void a_reliable_peer_does_not_listen(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct two_wish unreliable = two_defaults();
	struct two_qp reliable, other;
	struct two_request what = request(two, ARNICA_HW_OP_SEND, 8);

	unreliable.type = ARNICA_HW_QP_UC;
	two_create(&reliable, &two->b, &wish);
	two_create(&other, &two->a, &unreliable);
	two_connect_one(&reliable, other.qpn, &wish);
	two_connect_one(&other, reliable.qpn, &unreliable);
	(void)two_receive(&reliable, 0, 4096);
	(void)two_send(&other, &what);
	(void)two_expect(&other, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&reliable, TWO_RECEIVE);
	assert_int_equal(counters(two)->lost_not_ready, 1);
}

static void an_error_of_its_own_stops_the_send_queue_only(void **state)
{
	struct two *two = *state;
	struct two_request bad = request(two, ARNICA_HW_OP_SEND, 8);
	const struct two_request good = request(two, ARNICA_HW_OP_SEND, 8);
	const struct two_request back = two_request(
		ARNICA_HW_OP_SEND, &two->b, 0, 8, &two->a, 0);

	bad.sge[0].lkey = arnica_to_le32(two->a.stag + 1);
	(void)two_receive(&two->qp_a, 4096, 4096);
	(void)two_post(&two->qp_a, &bad);
	(void)two_post(&two->qp_a, &good);
	two_ring(&two->qp_a);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_LOC_PROT_ERR);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_SQE);
	(void)two_send(&two->qp_b, &back);
	(void)two_expect(&two->qp_a, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_RTS));
	expect_connected(two, 2);
}

/* What the peer left undone when it died is done by the owner. */
static void a_peer_that_died_with_the_lock_is_cleaned_up_after(void **state)
{
	const struct adev_completion completion = {
		.byte_len = 8,
		.opcode = ARNICA_HW_RECV,
	};
	struct two *two = *state;
	struct adev_qp *qp = two_qp_of(&two->qp_a);
	const struct two_request back = two_request(
		ARNICA_HW_OP_SEND, &two->b, 0, 8, &two->a, 0);

	(void)two_receive(&two->qp_a, 4096, 4096);
	(void)two_receive(&two->qp_a, 4096, 4096);
	assert_true(adev_qp_try_lock(qp->shared, two_nobody(&two->a)));
	adev_completion_publish(&qp->recv_ring, 0, &completion);
	adev_qp_recover(qp);
	assert_int_equal(ADEV_LOCK_HOLDER(atomic_load(&qp->shared->lock)), 0);
	(void)two_expect(&two->qp_a, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	(void)two_send(&two->qp_b, &back);
	(void)two_expect(&two->qp_b, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(two_expect(&two->qp_a, TWO_RECEIVE,
				    ARNICA_HW_STATUS_SUCCESS)
				 .wqe_index,
			 1);
}

#define unreliable_test(function)                                              \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unreliable_test(messages_of_all_lengths_arrive),
		unreliable_test(writes_arrive),
		unreliable_test(reads_and_atomics_are_no_operations_of_it),
		unreliable_test(without_a_receive_a_message_is_lost),
		unreliable_test(a_message_that_is_too_long_leaves_the_receive),
		unreliable_test(a_write_that_is_not_permitted_is_lost),
		unreliable_test(a_receive_with_a_bad_key_ends_its_queue_pair),
		unreliable_test(numbers_that_are_missing_do_not_matter),
		unreliable_test(a_peer_that_is_gone_is_no_error),
		unreliable_test(a_reliable_peer_does_not_listen),
		unreliable_test(an_error_of_its_own_stops_the_send_queue_only),
		unreliable_test(
			a_peer_that_died_with_the_lock_is_cleaned_up_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
