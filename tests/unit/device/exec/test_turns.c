/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Turns: a long queue lets others in between, and everything gets done. */
#include "two_functions.h"

#define HALF (TWO_BUFFER_BYTES / 2)

static void work_that_takes_several_turns_is_done_in_order(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 HALF, &two->b, 0);
	uint32_t i;

	two_fill(two->a.buffer, HALF, 1);
	for (i = 0; i < 16; i++)
		(void)two_post(&two->qp_a, &request);
	two_ring(&two->qp_a);
	for (i = 0; i < 16; i++)
		assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
					    ARNICA_HW_STATUS_SUCCESS)
					 .wqe_index,
				 i);
	two_check(two->b.buffer, HALF, 1);
	two_expect_none(&two->qp_a, TWO_SEND);
}

/* All gather engines are taken, so that nobody goes on with a backlog; or free.
 */
static void occupy_engines(struct adev_function *fn, bool taken)
{
	uint32_t i;

	pthread_mutex_lock(&fn->scheduler.lock);
	for (i = 0; i < ARNICA_HW_MAX_GATHERS; i++)
		fn->scheduler.gathers[i] = taken;
	pthread_mutex_unlock(&fn->scheduler.lock);
}

/* The doorbell returns after a turn; the rest is on the scheduler. */
static void one_doorbell_does_no_more_than_a_turn(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 HALF, &two->b, 0);
	uint32_t i;

	/* The agent clears the attention while it takes a look. */
	while (atomic_flag_test_and_set(&fn->serving))
		;
	occupy_engines(fn, true);
	for (i = 0; i < 16; i++)
		(void)two_post(&two->qp_a, &request);
	two_ring(&two->qp_a);
	assert_false(adev_sched_idle(&fn->scheduler));
	assert_int_equal(fn->counters.messages, 0);
	assert_int_not_equal(arnica_load32(&fn->view.header->attention,
					   memory_order_relaxed),
			     0);
	atomic_flag_clear(&fn->serving);
	occupy_engines(fn, false);
	for (i = 0; i < 16; i++)
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
	assert_true(adev_sched_idle(&fn->scheduler));
}

/* A long write, which nobody carries out before the engines are free. */
static void post_long_message(struct two *two)
{
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 HALF, &two->b, 0);

	two_fill(two->a.buffer, HALF, 1);
	memset(two->b.buffer, 0, HALF);
	occupy_engines(two_function_of(&two->a), true);
	(void)two_send(&two->qp_a, &request);
}

static void a_doorbell_leaves_a_long_message_to_others(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);

	post_long_message(two);
	assert_false(adev_sched_idle(&fn->scheduler));
	assert_int_equal(two->b.buffer[0], 0);
	two_expect_none(&two->qp_a, TWO_SEND);
	occupy_engines(fn, false);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_check(two->b.buffer, HALF, 1);
}

/* Between the post and the thread that carries the message out. */
static void a_region_that_goes_before_its_long_message_is_not_read(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);

	post_long_message(two);
	assert_ok(two_object(&two->a, ARNICA_HW_CMD_DEREG_MR, two->a.mr));
	occupy_engines(fn, false);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_int_equal(two->b.buffer[0], 0);
}

static struct two_qp other(struct two *two, uint32_t sl, struct two_qp *to)
{
	struct two_wish wish = two_defaults();
	struct two_qp qp;

	wish.send_depth = 64;
	wish.sl = sl;
	two_create(&qp, &two->a, &wish);
	two_create(to, &two->b, &wish);
	two_connect(&qp, to, &wish);
	return qp;
}

static void engines_fetch_many_descriptors_at_a_time(void **state)
{
	enum { SMALL = 40 };
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct two_request bulk = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					      HALF, &two->b, 0);
	struct two_request small = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					       8, &two->b, HALF);
	struct two_qp peer, qp = other(two, 0, &peer);
	uint64_t until = 0;
	uint32_t i;

	occupy_engines(fn, true);
	(void)two_post(&qp, &bulk);
	for (i = 0; i < SMALL; i++)
		(void)two_post(&qp, &small);
	two_ring(&qp);
	assert_int_equal(fn->counters.wqe_fetched, 1);
	assert_int_equal(fn->counters.wqe_fetches, 1);
	occupy_engines(fn, false);
	for (i = 0; i < SMALL + 1; i++)
		(void)two_expect(&qp, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	/* Whose turn it was, which may be the agent, counts at its end. */
	while (fn->counters.wqe_fetched < SMALL + 1 ||
	       !adev_sched_idle(&fn->scheduler))
		(void)two_patience(&until);
	/* Each once, and a buffer holds 16. */
	assert_int_equal(fn->counters.wqe_fetched, SMALL + 1);
	assert_in_range(fn->counters.wqe_fetches, 1 + SMALL / 16 + 1, 8);
}

/* Not so through the priority area, for which there is another test. */
static void behind_a_backlog_a_class_as_high_waits_and_a_higher_one_does_not(
	void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct two_request bulk = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					      HALF, &two->b, 0);
	struct two_request small = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					       8, &two->b, HALF);
	struct two_qp peers[2];
	struct two_qp same = other(two, 0, &peers[0]);
	struct two_qp higher = other(two, 1, &peers[1]);

	occupy_engines(fn, true);
	(void)two_send(&two->qp_a, &bulk);
	(void)two_send(&same, &small);
	(void)two_send(&higher, &small);
	two_expect_none(&two->qp_a, TWO_SEND);
	two_expect_none(&same, TWO_SEND);
	(void)two_expect(&higher, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	occupy_engines(fn, false);
	(void)two_expect(&same, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

static void a_waiting_queue_does_not_hold_up_another(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct two_request send = two_request(ARNICA_HW_OP_SEND, &two->a, 0, 8,
					      &two->b, 0);
	struct two_request write = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					       8, &two->b, 0);
	struct two_qp other_a, other_b;

	two_create(&other_a, &two->a, &wish);
	two_create(&other_b, &two->b, &wish);
	two_connect(&other_a, &other_b, &wish);
	(void)two_send(&two->qp_a, &send); /* no receive is posted */
	(void)two_send(&other_a, &write);
	(void)two_expect(&other_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&two->qp_a, TWO_SEND);
	(void)two_receive(&two->qp_b, 0, 8);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

static void more_messages_than_a_turn_allows_are_all_done(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_request request = two_request(ARNICA_HW_OP_FETCH_ADD,
						 &two->a, 0, 8, &two->b, 0);
	struct two_qp a, b;
	uint32_t i;

	wish.send_depth = 4096;
	two_create(&a, &two->a, &wish);
	two_create(&b, &two->b, &wish);
	two_connect(&a, &b, &wish);
	request.swap_or_add = 1;
	request.flags = 0;
	for (i = 0; i < 4095; i++)
		(void)two_post(&a, &request);
	request.flags = ARNICA_HW_WQE_SIGNALED;
	(void)two_send(&a, &request);
	assert_int_equal(
		two_expect(&a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS).wqe_index,
		4095);
	assert_int_equal(*(uint64_t *)(void *)two->b.buffer, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(
			work_that_takes_several_turns_is_done_in_order),
		two_connected_test(one_doorbell_does_no_more_than_a_turn),
		two_connected_test(a_doorbell_leaves_a_long_message_to_others),
		two_connected_test(
			a_region_that_goes_before_its_long_message_is_not_read),
		two_connected_test(engines_fetch_many_descriptors_at_a_time),
		two_connected_test(
			behind_a_backlog_a_class_as_high_waits_and_a_higher_one_does_not),
		two_connected_test(a_waiting_queue_does_not_hold_up_another),
		two_connected_test(
			more_messages_than_a_turn_allows_are_all_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
