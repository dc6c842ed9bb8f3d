/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Waiting: for a receive, for a peer that does not answer; and its end. */
#include <infiniband/verbs.h>

#include "core/qp_lock.h"
#include "transport/complete.h"
#include "two_functions.h"

static struct two_request send_of(struct two *two)
{
	return two_request(ARNICA_HW_OP_SEND, &two->a, 0, 64, &two->b, 0);
}

static void make(struct two *two, const struct two_wish *wish)
{
	two_create(&two->qp_a, &two->a, wish);
	two_create(&two->qp_b, &two->b, wish);
}

/* Short enough to wait for, and it ends. */
static struct two_wish impatient(void)
{
	struct two_wish wish = two_defaults();

	wish.timeout = 8; /* 1 ms */
	wish.retry_cnt = 1;
	return wish;
}

static void no_receive_and_no_retries_fail_at_once(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_request request = send_of(two);
	struct two_completion completion;

	wish.rnr_retry = 0;
	make(two, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	(void)two_send(&two->qp_a, &request);
	assert_true(two_poll(&two->qp_a, TWO_SEND, &completion));
	assert_int_equal(completion.status, ARNICA_HW_STATUS_RNR_RETRY_EXC_ERR);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_ERR);
	assert_int_equal(two_state(&two->qp_b), ARNICA_HW_QPS_RTS);
}

static void no_receive_fails_when_the_retries_are_used_up(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_request request = send_of(two);

	wish.rnr_retry = 3;
	make(two, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND,
			 ARNICA_HW_STATUS_RNR_RETRY_EXC_ERR);
	assert_int_equal(two_function_of(&two->a)->counters.rnr, 1);
	assert_int_equal(two_state(&two->qp_b), ARNICA_HW_QPS_RTS);
}

static void a_receive_in_time_ends_the_wait(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_request request = send_of(two);

	wish.rnr_retry = 6;
	wish.min_rnr_timer = 0; /* the longest: 655 ms each */
	make(two, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	(void)two_send(&two->qp_a, &request);
	two_expect_none(&two->qp_a, TWO_SEND);
	(void)two_receive(&two->qp_b, 0, 64);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
}

/* Far beyond what three retries of the same timer would allow. */
static void seven_retries_are_for_ever(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	struct adev_qp *qp = two_qp_of(&two->qp_a);

	(void)two_send(&two->qp_a, &request);
	two_expect_none(&two->qp_a, TWO_SEND);
	assert_int_equal(qp->wait, ADEV_WAIT_RNR);
	assert_true(qp->deadline_ns == UINT64_MAX);
	(void)two_receive(&two->qp_b, 0, 64);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

static void a_write_with_immediate_waits_for_a_receive_too(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE_IMM,
						 &two->a, 0, 64, &two->b, 128);

	two_fill(two->a.buffer, 64, 1);
	(void)two_send(&two->qp_a, &request);
	two_expect_none(&two->qp_a, TWO_SEND);
	assert_int_equal(two->b.buffer[128], 0);
	(void)two_receive(&two->qp_b, 0, 0);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_check(two->b.buffer + 128, 64, 1);
}

static void those_behind_a_waiting_request_keep_their_order(void **state)
{
	struct two *two = *state;
	struct two_request send = send_of(two);
	struct two_request write = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					       64, &two->b, 0);

	(void)two_send(&two->qp_a, &send);
	(void)two_send(&two->qp_a, &write);
	(void)two_send(&two->qp_a, &send);
	two_expect_none(&two->qp_a, TWO_SEND);
	(void)two_receive(&two->qp_b, 0, 64);
	assert_int_equal(
		two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS)
			.wqe_index,
		0);
	assert_int_equal(
		two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS)
			.wqe_index,
		1);
	two_expect_none(&two->qp_a, TWO_SEND);
	(void)two_receive(&two->qp_b, 0, 64);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

/* IBTA table 45 */
static void receiver_not_ready_timers_are_those_of_the_table(void **state)
{
	uint32_t code;

	(void)state;
	assert_int_equal(adev_rnr_timer_ns(0), 655360000u);
	assert_int_equal(adev_rnr_timer_ns(1), 10000u);
	assert_int_equal(adev_rnr_timer_ns(14), 1280000u);
	assert_int_equal(adev_rnr_timer_ns(31), 491520000u);
	for (code = 2; code < 32; code++)
		assert_true(adev_rnr_timer_ns(code) >
			    adev_rnr_timer_ns(code - 1));
}

static void expect_retry_exceeded(struct two *two)
{
	struct two_request request = send_of(two);

	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_ERR);
	assert_int_equal(two_function_of(&two->a)->counters.retries, 1);
}

static void a_peer_that_is_not_there_does_not_answer(void **state)
{
	const struct two_wish wish = impatient();
	struct two *two = *state;

	make(two, &wish);
	two_connect_one(&two->qp_a, 0xffffff, &wish);
	expect_retry_exceeded(two);
}

static void a_peer_that_was_destroyed_does_not_answer(void **state)
{
	const struct two_wish wish = impatient();
	struct two *two = *state;

	make(two, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	assert_ok(two_destroy(&two->qp_b));
	expect_retry_exceeded(two);
}

static void a_peer_in_init_does_not_answer(void **state)
{
	const struct two_wish wish = impatient();
	struct two *two = *state;

	make(two, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	assert_ok(two_to_init(&two->qp_b, &wish));
	(void)two_receive(&two->qp_b, 0, 64);
	expect_retry_exceeded(two);
	assert_int_equal(two_state(&two->qp_b), ARNICA_HW_QPS_INIT);
}

static void a_peer_in_error_does_not_answer(void **state)
{
	const struct two_wish wish = impatient();
	struct two *two = *state;

	make(two, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_ERR));
	expect_retry_exceeded(two);
}

static void a_sequence_number_that_is_not_due_is_not_answered(void **state)
{
	struct two_wish wish = impatient();
	struct two *two = *state;

	make(two, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	wish.rq_psn = 1;
	two_connect_one(&two->qp_b, two->qp_a.qpn, &wish);
	(void)two_receive(&two->qp_b, 0, 64);
	expect_retry_exceeded(two);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
}

static void a_peer_connected_to_somebody_else_does_not_answer(void **state)
{
	const struct two_wish wish = impatient();
	struct two *two = *state;

	make(two, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	two_connect_one(&two->qp_b, two->qp_a.qpn ^ 1, &wish);
	(void)two_receive(&two->qp_b, 0, 64);
	expect_retry_exceeded(two);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
}

static void a_peer_that_gets_ready_in_time_is_reached(void **state)
{
	const struct two_wish wish = two_defaults();
	struct two *two = *state;
	struct two_request request = send_of(two);

	make(two, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	(void)two_send(&two->qp_a, &request);
	two_expect_none(&two->qp_a, TWO_SEND);
	assert_ok(two_to_init(&two->qp_b, &wish));
	(void)two_receive(&two->qp_b, 0, 64);
	assert_ok(two_to_rtr(&two->qp_b, &wish, two->qp_a.qpn));
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(two_async(&two->b, true), IBV_EVENT_COMM_EST);
	assert_int_equal(two_async(&two->b, false), -1);
}

static void without_a_timeout_it_waits_for_ever(void **state)
{
	struct two_wish wish = impatient();
	struct two *two = *state;
	struct two_request request = send_of(two);

	wish.timeout = 0;
	make(two, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	(void)two_send(&two->qp_a, &request);
	two_expect_none(&two->qp_a, TWO_SEND);
	assert_int_equal(two_qp_of(&two->qp_a)->wait, ADEV_WAIT_RETRY);
	assert_true(two_qp_of(&two->qp_a)->deadline_ns == UINT64_MAX);
	(void)two_receive(&two->qp_b, 0, 64);
	two_connect_one(&two->qp_b, two->qp_a.qpn, &wish);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

/* A responder lock that somebody keeps is a peer that is slow, not absent. */
static void a_locked_responder_is_waited_for(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	uint32_t self = two_function_of(&two->b)->view.function;

	(void)two_receive(&two->qp_b, 0, 64);
	while (!adev_qp_try_lock(shared, self))
		;
	(void)two_send(&two->qp_a, &request);
	two_expect_none(&two->qp_a, TWO_SEND);
	adev_qp_unlock(shared);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(no_receive_and_no_retries_fail_at_once),
		two_test(no_receive_fails_when_the_retries_are_used_up),
		two_test(a_receive_in_time_ends_the_wait),
		two_connected_test(seven_retries_are_for_ever),
		two_connected_test(
			a_write_with_immediate_waits_for_a_receive_too),
		two_connected_test(
			those_behind_a_waiting_request_keep_their_order),
		cmocka_unit_test(
			receiver_not_ready_timers_are_those_of_the_table),
		two_test(a_peer_that_is_not_there_does_not_answer),
		two_test(a_peer_that_was_destroyed_does_not_answer),
		two_test(a_peer_in_init_does_not_answer),
		two_test(a_peer_in_error_does_not_answer),
		two_test(a_sequence_number_that_is_not_due_is_not_answered),
		two_test(a_peer_connected_to_somebody_else_does_not_answer),
		two_test(a_peer_that_gets_ready_in_time_is_reached),
		two_test(without_a_timeout_it_waits_for_ever),
		two_connected_test(a_locked_responder_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
