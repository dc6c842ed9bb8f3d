/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The end of a connection: both queues are flushed, in order, all of them. */
#include "core/qp_lock.h"
#include "two_functions.h"

static struct two_request send_of(struct two *two)
{
	return two_request(ARNICA_HW_OP_SEND, &two->a, 0, 64, &two->b, 0);
}

static void expect_flushed(struct two_qp *qp, enum two_which which,
			   uint32_t first, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		assert_int_equal(
			two_expect(qp, which, ARNICA_HW_STATUS_WR_FLUSH_ERR)
				.wqe_index,
			first + i);
	two_expect_none(qp, which);
}

static void what_was_posted_is_flushed_in_order(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	uint32_t i;

	for (i = 0; i < 5; i++) {
		(void)two_post(&two->qp_a, &request);
		(void)two_receive(&two->qp_a, 64 * i, 64);
	}
	two_ring(&two->qp_a); /* the first waits for a receive */
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	expect_flushed(&two->qp_a, TWO_SEND, 0, 5);
	expect_flushed(&two->qp_a, TWO_RECEIVE, 0, 5);
}

static void a_failure_comes_before_what_is_flushed_behind_it(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	uint32_t i;

	request.flags = 0;
	(void)two_receive(&two->qp_b, 0, 8); /* too short */
	(void)two_receive(&two->qp_b, 0, 64);
	(void)two_receive(&two->qp_b, 0, 64);
	for (i = 0; i < 4; i++)
		(void)two_post(&two->qp_a, &request);
	two_ring(&two->qp_a);
	assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
				    ARNICA_HW_STATUS_REM_INV_REQ_ERR)
				 .wqe_index,
			 0);
	expect_flushed(&two->qp_a, TWO_SEND, 1, 3);
	assert_int_equal(two_expect(&two->qp_b, TWO_RECEIVE,
				    ARNICA_HW_STATUS_LOC_LEN_ERR)
				 .wqe_index,
			 0);
	(void)two_expect(&two->qp_b, TWO_RECEIVE,
			 ARNICA_HW_STATUS_WR_FLUSH_ERR);
	expect_flushed(&two->qp_b, TWO_RECEIVE, 2, 1);
}

static void what_succeeded_before_stays_a_success(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);

	(void)two_receive(&two->qp_b, 0, 64);
	(void)two_receive(&two->qp_b, 64, 64);
	(void)two_send(&two->qp_a, &request);
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_ERR));
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_a, TWO_SEND);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	expect_flushed(&two->qp_b, TWO_RECEIVE, 1, 1);
}

static void what_is_posted_in_error_is_flushed_at_once(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	uint32_t i;

	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	for (i = 0; i < 3; i++) {
		(void)two_send(&two->qp_a, &request);
		(void)two_receive(&two->qp_a, 0, 64);
		expect_flushed(&two->qp_a, TWO_SEND, i, 1);
		expect_flushed(&two->qp_a, TWO_RECEIVE, i, 1);
	}
}

static void error_again_flushes_nothing_twice(void **state)
{
	struct two *two = *state;

	(void)two_receive(&two->qp_a, 0, 64);
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	expect_flushed(&two->qp_a, TWO_RECEIVE, 0, 1);
}

static void full_queues_that_have_gone_around_are_flushed(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	uint32_t depth = two->qp_a.queue[TWO_SEND].depth, i;

	for (i = 0; i < depth / 2; i++) {
		(void)two_receive(&two->qp_b, 0, 64);
		(void)two_send(&two->qp_a, &request);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		(void)two_expect(&two->qp_b, TWO_RECEIVE,
				 ARNICA_HW_STATUS_SUCCESS);
	}
	for (i = 0; i < depth; i++)
		(void)two_receive(&two->qp_b, 0, 64);
	assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_ERR));
	expect_flushed(&two->qp_b, TWO_RECEIVE, depth / 2, depth);
	for (i = 0; i < depth; i++)
		(void)two_post(&two->qp_a, &request);
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	two_ring(&two->qp_a);
	expect_flushed(&two->qp_a, TWO_SEND, depth / 2, depth);
}

static void reset_drops_without_a_completion(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct two_request request = send_of(two);

	(void)two_send(&two->qp_a, &request);
	(void)two_receive(&two->qp_a, 0, 64);
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_RESET));
	two_expect_none(&two->qp_a, TWO_SEND);
	/* The host goes on with the receive ring at `producer`. */
	two->qp_a.queue[TWO_RECEIVE].polled =
		two->qp_a.queue[TWO_RECEIVE].posted;
	assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_RESET));
	two_connect(&two->qp_a, &two->qp_b, &wish);
	(void)two_receive(&two->qp_b, 0, 64);
	assert_int_equal(two_send(&two->qp_a, &request), 1);
	assert_int_equal(
		two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS)
			.wqe_index,
		1);
	two_expect_none(&two->qp_a, TWO_SEND);
}

/* A live peer that keeps the lock delays the receive queue's flush only. */
static void a_locked_receive_queue_is_flushed_later(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	struct adev_qp_shared *shared = two_shared_of(&two->qp_a);
	uint32_t peer = two_function_of(&two->b)->view.function;

	(void)two_receive(&two->qp_a, 0, 64);
	(void)two_send(&two->qp_a, &request);
	while (!adev_qp_try_lock(shared, peer))
		;
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	expect_flushed(&two->qp_a, TWO_SEND, 0, 1);
	two_expect_none(&two->qp_a, TWO_RECEIVE);
	adev_qp_unlock(shared);
	expect_flushed(&two->qp_a, TWO_RECEIVE, 0, 1);
}

/* As a peer leaves it that was killed between publishing the completion of a
 * receive and counting it: the entry is used, not flushed a second time. */
static void an_entry_that_a_dead_peer_completed_is_not_flushed(void **state)
{
	struct two *two = *state;
	struct adev_completion completion = {
		.opcode = ARNICA_HW_RECV,
		.byte_len = 7,
	};

	(void)two_receive(&two->qp_a, 0, 64);
	(void)two_receive(&two->qp_a, 64, 64);
	adev_completion_publish(&two_qp_of(&two->qp_a)->recv_ring, 0,
				&completion);
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_ERR));
	assert_int_equal(
		two_expect(&two->qp_a, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS)
			.byte_len,
		7);
	expect_flushed(&two->qp_a, TWO_RECEIVE, 1, 1);
	assert_int_not_equal(
		arnica_load32(&two->a.cq_record[TWO_RECEIVE]->rescan,
			      memory_order_relaxed),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(what_was_posted_is_flushed_in_order),
		two_connected_test(
			a_failure_comes_before_what_is_flushed_behind_it),
		two_connected_test(what_succeeded_before_stays_a_success),
		two_connected_test(what_is_posted_in_error_is_flushed_at_once),
		two_connected_test(error_again_flushes_nothing_twice),
		two_connected_test(
			full_queues_that_have_gone_around_are_flushed),
		two_connected_test(reset_drops_without_a_completion),
		two_connected_test(a_locked_receive_queue_is_flushed_later),
		two_connected_test(
			an_entry_that_a_dead_peer_completed_is_not_flushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
