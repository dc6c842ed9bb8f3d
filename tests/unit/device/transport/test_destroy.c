/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Destruction with work outstanding, on either side and in any state. */
#include "core/qp_lock.h"
#include "two_functions.h"

static struct two_request send_of(struct two *two)
{
	return two_request(ARNICA_HW_OP_SEND, &two->a, 0, 64, &two->b, 0);
}

static void a_requester_that_waits_can_be_destroyed(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);
	uint64_t until = 0;
	uint32_t i;

	for (i = 0; i < 8; i++)
		(void)two_send(&two->qp_a, &request);
	/* The agent's thread may have it in hand, for another try. */
	while (atomic_load(&two_function_of(&two->a)->num_waiting) != 1)
		(void)two_patience(&until);
	assert_ok(two_destroy(&two->qp_a));
	assert_int_equal(atomic_load(&two_function_of(&two->a)->num_waiting),
			 0);
	/* A receive that comes now wakes nobody and is used by nobody. */
	(void)two_receive(&two->qp_b, 0, 64);
	two_work(&two->a);
	two_expect_none(&two->qp_b, TWO_RECEIVE);
}

static void a_requester_on_the_scheduler_can_be_destroyed(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 TWO_BUFFER_BYTES / 2, &two->b,
						 0);
	uint32_t i;

	for (i = 0; i < 16; i++)
		(void)two_post(&two->qp_a, &request);
	two_ring(&two->qp_a);
	assert_ok(two_destroy(&two->qp_a));
	assert_true(adev_sched_idle(&two_function_of(&two->a)->scheduler));
}

static void a_responder_with_receives_can_be_destroyed(void **state)
{
	struct two *two = *state;
	struct two_request request = send_of(two);

	(void)two_receive(&two->qp_b, 0, 64);
	(void)two_receive(&two->qp_b, 64, 64);
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_ok(two_destroy(&two->qp_b));
	assert_ok(two_destroy(&two->qp_a));
}

static void the_memory_of_a_queue_pair_comes_back(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	struct adev_heap *heap = &two_function_of(&two->a)->heap;
	uint64_t before = heap->used_bytes;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		struct two_qp qp;

		two_create(&qp, &two->a, &wish);
		assert_true(heap->used_bytes > before);
		assert_ok(two_destroy(&qp));
		assert_int_equal(heap->used_bytes, before);
	}
	assert_int_equal(two_function_of(&two->a)->num_qps, 1);
}

static void a_destroyed_number_is_not_answered_by_its_successor(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_request request = send_of(two);
	struct two_qp next;

	wish.timeout = 8;
	wish.retry_cnt = 0;
	two_create(&two->qp_a, &two->a, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	assert_ok(two_destroy(&two->qp_b));
	two_create(&next, &two->b, &wish);
	assert_int_not_equal(next.qpn, two->qp_b.qpn);
	two_connect_one(&next, two->qp_a.qpn, &wish);
	(void)two_receive(&next, 0, 64);
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	two_expect_none(&next, TWO_RECEIVE);
}

static void a_handle_is_destroyed_once(void **state)
{
	struct two *two = *state;

	assert_ok(two_destroy(&two->qp_a));
	assert_int_equal(two_destroy(&two->qp_a), ARNICA_HW_COMMAND_NO_OBJECT);
	two->qp_a.handle = UINT32_MAX;
	assert_int_equal(two_destroy(&two->qp_a), ARNICA_HW_COMMAND_NO_OBJECT);
}

/* A live peer that stopped in the middle still has the rings in its hands:
 * they are not used again, and the command does not wait for it for long. */
static void what_a_stopped_peer_holds_is_not_used_again(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->b);
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	uint64_t used = fn->heap.used_bytes;

	while (!adev_qp_try_lock(shared,
				 two_function_of(&two->a)->view.function))
		;
	assert_ok(two_destroy(&two->qp_b));
	assert_int_equal(fn->qps_quarantined, 1);
	assert_int_equal(fn->heap.used_bytes, used);
	assert_int_equal(shared->qpn, 0);
	adev_qp_unlock(shared);
}

static void a_function_with_everything_outstanding_can_be_closed(void **state)
{
	struct two *two = *state;
	struct two_request send = send_of(two);
	struct two_function third;
	struct two_qp here, there;
	struct two_wish wish = two_defaults();
	uint32_t i;

	assert_ok(two_function_open(&third));
	two_create(&here, &third, &wish);
	two_create(&there, &two->b, &wish);
	two_connect(&here, &there, &wish);
	send.sge[0] = two_segment(&third, 0, 64);
	for (i = 0; i < 8; i++) {
		(void)two_send(&here, &send);
		(void)two_receive(&here, 0, 64);
	}
	two_function_close(&third);
	/* The others go on. */
	(void)two_receive(&two->qp_b, 0, 64);
	send = send_of(two);
	(void)two_send(&two->qp_a, &send);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(a_requester_that_waits_can_be_destroyed),
		two_connected_test(
			a_requester_on_the_scheduler_can_be_destroyed),
		two_connected_test(a_responder_with_receives_can_be_destroyed),
		two_connected_test(the_memory_of_a_queue_pair_comes_back),
		two_connected_test(
			a_destroyed_number_is_not_answered_by_its_successor),
		two_connected_test(a_handle_is_destroyed_once),
		two_connected_test(what_a_stopped_peer_holds_is_not_used_again),
		two_connected_test(
			a_function_with_everything_outstanding_can_be_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
