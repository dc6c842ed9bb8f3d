/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The ready list of a CQ, and armed CQs: each request fires once. */
#include "two_functions.h"

static void send_one(struct two *two, uint32_t flags)
{
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 8, &two->b, 0);

	request.flags |= flags;
	(void)two_receive(&two->qp_b, 0, 8);
	(void)two_send(&two->qp_a, &request);
}

static uint32_t ready_of(struct two_function *function, enum two_which which)
{
	return arnica_load32(&function->cq_record[which]->ready,
			     memory_order_acquire);
}

static void arm(struct two_function *function, enum two_which which,
		uint32_t how)
{
	arnica_store32(&function->cq_record[which]->armed, how,
		       memory_order_seq_cst);
}

static uint32_t armed_of(struct two_function *function, enum two_which which)
{
	return arnica_load32(&function->cq_record[which]->armed,
			     memory_order_acquire);
}

static bool fired(struct two_function *function, enum two_which which)
{
	return armed_of(function, which) & ARNICA_HW_ARMED_FIRED_MASK;
}

/* Nobody delivers meanwhile, neither the agent nor who completes, so that what
 * was fired can be seen. */
static void hold_deliveries(struct two_function *function)
{
	struct adev_function *fn = two_function_of(function);

	while (atomic_flag_test_and_set(&fn->serving))
		;
	fn->view.own = NULL;
}

static void let_deliveries(struct two_function *function)
{
	struct adev_function *fn = two_function_of(function);

	fn->view.own = fn;
	atomic_flag_clear(&fn->serving);
}

static void a_completion_puts_its_ring_on_the_list(void **state)
{
	struct two *two = *state;

	assert_int_equal(ready_of(&two->a, TWO_SEND), 0);
	send_one(two, 0);
	assert_int_equal(ready_of(&two->a, TWO_SEND), 2 * two->qp_a.handle + 1);
	assert_int_equal(ready_of(&two->b, TWO_RECEIVE),
			 2 * two->qp_b.handle + 1 + 1);
	assert_int_equal(
		arnica_load32(&two->qp_a.queue[TWO_SEND].record->queued,
			      memory_order_relaxed),
		1);
}

static void a_ring_stands_on_the_list_once(void **state)
{
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < 5; i++)
		send_one(two, 0);
	assert_int_equal(arnica_load32(&two->qp_a.queue[TWO_SEND].record->next,
				       memory_order_relaxed),
			 0);
}

static void a_ring_that_was_let_go_comes_back(void **state)
{
	struct two *two = *state;
	struct arnica_hw_cq_record *cq = two->a.cq_record[TWO_SEND];

	send_one(two, 0);
	assert_int_not_equal(
		arnica_exchange32(&cq->ready, 0, memory_order_acq_rel), 0);
	send_one(two, 0); /* hot: still `queued` */
	assert_int_equal(ready_of(&two->a, TWO_SEND), 0);
	arnica_store32(&two->qp_a.queue[TWO_SEND].record->queued, 0,
		       memory_order_seq_cst);
	send_one(two, 0);
	assert_int_not_equal(ready_of(&two->a, TWO_SEND), 0);
}

static void rings_of_one_queue_set_are_all_on_the_list(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct two_qp a, b;
	uint32_t first, second;
	struct arnica_hw_queue_record *record;

	two_create(&a, &two->a, &wish);
	two_create(&b, &two->b, &wish);
	two_connect(&a, &b, &wish);
	send_one(two, 0);
	{
		struct two_request request = two_request(
			ARNICA_HW_OP_WRITE, &two->a, 0, 8, &two->b, 0);

		(void)two_send(&a, &request);
	}
	first = ready_of(&two->a, TWO_SEND);
	assert_int_equal(first, 2 * a.handle + 1);
	record = a.queue[TWO_SEND].record;
	second = arnica_load32(&record->next, memory_order_relaxed);
	assert_int_equal(second, 2 * two->qp_a.handle + 1);
}

static void an_armed_queue_fires_once(void **state)
{
	struct two *two = *state;

	hold_deliveries(&two->b);
	arm(&two->b, TWO_RECEIVE, ARNICA_HW_ARM_NEXT);
	send_one(two, 0);
	assert_int_equal(armed_of(&two->b, TWO_RECEIVE),
			 ARNICA_HW_ARMED_FIRED_ONE);
	send_one(two, 0);
	send_one(two, 0);
	assert_int_equal(armed_of(&two->b, TWO_RECEIVE),
			 ARNICA_HW_ARMED_FIRED_ONE);
	let_deliveries(&two->b);
}

static void each_arming_counts(void **state)
{
	struct two *two = *state;
	uint32_t i;

	hold_deliveries(&two->b);
	for (i = 1; i <= 5; i++) {
		arm(&two->b, TWO_RECEIVE,
		    armed_of(&two->b, TWO_RECEIVE) | ARNICA_HW_ARM_NEXT);
		send_one(two, 0);
		assert_int_equal(armed_of(&two->b, TWO_RECEIVE),
				 i * ARNICA_HW_ARMED_FIRED_ONE);
	}
	let_deliveries(&two->b);
}

static void a_queue_that_is_not_armed_does_not_fire(void **state)
{
	struct two *two = *state;

	hold_deliveries(&two->b);
	send_one(two, ARNICA_HW_WQE_SOLICITED);
	assert_false(fired(&two->b, TWO_RECEIVE));
	let_deliveries(&two->b);
}

static void armed_for_solicited_ones_others_do_not_fire(void **state)
{
	struct two *two = *state;

	hold_deliveries(&two->b);
	arm(&two->b, TWO_RECEIVE, ARNICA_HW_ARM_SOLICITED);
	send_one(two, 0);
	assert_int_equal(armed_of(&two->b, TWO_RECEIVE),
			 ARNICA_HW_ARM_SOLICITED);
	send_one(two, ARNICA_HW_WQE_SOLICITED);
	assert_int_equal(armed_of(&two->b, TWO_RECEIVE),
			 ARNICA_HW_ARMED_FIRED_ONE);
	let_deliveries(&two->b);
}

/* IBTA: an error fires whatever was asked for. */
static void armed_for_solicited_ones_an_error_fires(void **state)
{
	struct two *two = *state;

	hold_deliveries(&two->b);
	arm(&two->b, TWO_RECEIVE, ARNICA_HW_ARM_SOLICITED);
	(void)two_receive(&two->qp_b, 0, 8);
	assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_ERR));
	assert_true(fired(&two->b, TWO_RECEIVE));
	let_deliveries(&two->b);
}

static void the_requesters_queue_fires_too(void **state)
{
	struct two *two = *state;

	hold_deliveries(&two->a);
	arm(&two->a, TWO_SEND, ARNICA_HW_ARM_NEXT);
	send_one(two, 0);
	assert_true(fired(&two->a, TWO_SEND));
	let_deliveries(&two->a);
}

static void what_fired_is_marked_for_the_owners_agent(void **state)
{
	struct two *two = *state;
	struct adev_shared *shared = two_function_of(&two->b)->view.shared;
	uint32_t cq = two->b.cq[TWO_RECEIVE];

	hold_deliveries(&two->b);
	arm(&two->b, TWO_RECEIVE, ARNICA_HW_ARM_NEXT);
	send_one(two, 0);
	assert_true(atomic_load(&shared->cq_events[cq / 64]) >> cq % 64 & 1);
	assert_true(atomic_load(&shared->cq_events_summary[cq / 4096]) >>
			    cq / 64 % 64 &
		    1);
	assert_int_not_equal(
		arnica_load32(&two_function_of(&two->b)->view.header->attention,
			      memory_order_relaxed),
		0);
	let_deliveries(&two->b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(a_completion_puts_its_ring_on_the_list),
		two_connected_test(a_ring_stands_on_the_list_once),
		two_connected_test(a_ring_that_was_let_go_comes_back),
		two_connected_test(rings_of_one_queue_set_are_all_on_the_list),
		two_connected_test(an_armed_queue_fires_once),
		two_connected_test(each_arming_counts),
		two_connected_test(a_queue_that_is_not_armed_does_not_fire),
		two_connected_test(armed_for_solicited_ones_others_do_not_fire),
		two_connected_test(armed_for_solicited_ones_an_error_fires),
		two_connected_test(the_requesters_queue_fires_too),
		two_connected_test(what_fired_is_marked_for_the_owners_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
