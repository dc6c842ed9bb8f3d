/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Posts that are held (exec/hold.h), with a peer that the test plays: what
 * leaves with which post, and that nothing stays behind.
 */
#include <infiniband/verbs.h>

#include "core/clock.h"
#include "link/wire_state.h"
#include "played_peer.h"

#define BYTES 8u
#define MOST 32u
#define WINDOW 16u /* packets, before the first acknowledgement */

static struct adev_function *function_of(struct played *played)
{
	return two_function_of(&played->two->a);
}

static struct adev_wire *wire_of(struct played *played)
{
	return adev_wire_of(function_of(played));
}

static uint64_t held(struct played *played)
{
	return atomic_load(&function_of(played)->counters.posts_held);
}

static void poll(struct played *played)
{
	(void)adev_function_serve(function_of(played));
}

/* This thread polls busily: in simulated time the agent does not judge that. */
static void start(struct played *played, void **state)
{
	struct two_wish wish = two_defaults();

	wish.sq_psn = 0;
	wish.send_depth = 64;
	played_start(played, *state, &wish, IBV_QPT_RC);
	assert_true(adev_watchdog_is_open(&wire_of(played)->watchdog));
	atomic_store(&wire_of(played)->polled_busily, true);
	atomic_store(&wire_of(played)->hold_after_ns, 0);
	poll(played);
}

static void stop(struct played *played)
{
	atomic_store(&wire_of(played)->polled_busily, false);
	played_stop(played);
}

static void post(struct played *played, uint32_t count, uint32_t bytes)
{
	struct two_request request = played_request(played, ARNICA_HW_OP_SEND,
						    0, bytes);

	while (count--)
		(void)two_send(played->qp, &request);
}

static void what_follows_a_post_waits_for_the_next_poll(void **state)
{
	struct played played;
	uint64_t before;
	uint32_t i;

	start(&played, state);
	before = held(&played);
	post(&played, 1, BYTES);
	assert_int_equal(played_left(&played), 1);
	post(&played, 4, BYTES);
	assert_int_equal(played_left(&played), 1);
	assert_int_equal(held(&played), before + 4);
	/* The next poll enters the adapter, whatever it finds. */
	assert_int_equal(
		arnica_load32(&function_of(&played)->view.header->attention,
			      memory_order_relaxed),
		ARNICA_HW_ATTENTION_HELD);
	poll(&played);
	assert_int_equal(played.transmits, 2);
	for (i = 0; i < 5; i++)
		(void)played_expect(&played, ROCE_SEND_ONLY, i);
	played_none(&played);
	/* That was a poll: the next post is a first one. */
	post(&played, 1, BYTES);
	(void)played_expect(&played, ROCE_SEND_ONLY, 5);
	stop(&played);
}

static void enough_of_them_leave_together(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 1 + MOST - 1, BYTES);
	assert_int_equal(played_left(&played), 1);
	post(&played, 1, BYTES);
	assert_int_equal(played_left(&played), WINDOW);
	assert_int_equal(played.transmits, 2);
	/* And begin again. */
	played_ack(&played, WINDOW - 1);
	assert_int_equal(played_left(&played), 1 + MOST);
	played_ack(&played, MOST);
	post(&played, 3, BYTES);
	assert_int_equal(played_left(&played), 1 + MOST);
	poll(&played);
	assert_int_equal(played_left(&played), 1 + MOST + 3);
	stop(&played);
}

/* Fifteen packets of 4 KiB fill a datagram. */
static void as_many_as_a_datagram_holds_leave_together(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 1 + 14, 4096);
	assert_int_equal(played_left(&played), 4);
	post(&played, 1, 4096);
	assert_int_equal(played_left(&played), WINDOW);
	stop(&played);
}

static void a_long_message_takes_along_what_is_held(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 3, BYTES);
	assert_int_equal(played_left(&played), 1);
	post(&played, 1, 40960);
	assert_int_equal(played_left(&played), WINDOW);
	stop(&played);
}

static void a_list_is_not_held(void **state)
{
	struct played played;
	struct two_request request;

	start(&played, state);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, BYTES);
	post(&played, 1, BYTES);
	(void)two_post(played.qp, &request);
	(void)two_post(played.qp, &request);
	two_ring(played.qp);
	assert_int_equal(played_left(&played), 3);
	stop(&played);
}

static void nothing_is_held_for_who_does_not_poll(void **state)
{
	struct played played;
	uint64_t before;

	start(&played, state);
	before = held(&played);
	atomic_store(&wire_of(&played)->polled_busily, false);
	post(&played, 5, BYTES);
	assert_int_equal(played_left(&played), 5);
	assert_int_equal(held(&played), before);
	stop(&played);
}

static void what_is_held_leaves_before_the_end(void **state)
{
	struct played played;
	uint32_t i;

	start(&played, state);
	post(&played, 4, BYTES);
	assert_int_equal(played_left(&played), 1);
	assert_ok(two_to_state(played.qp, ARNICA_HW_QPS_ERR));
	assert_int_equal(played_left(&played), 4);
	for (i = 0; i < 4; i++)
		played_completed(&played, i, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	played_uncompleted(&played);
	poll(&played);
	assert_int_equal(played_left(&played), 4);
	/* In this state a post is flushed at once. */
	post(&played, 2, BYTES);
	played_completed(&played, 4, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	played_completed(&played, 5, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	stop(&played);
}

static void it_leaves_before_the_queue_stops(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 4, BYTES);
	assert_int_equal(played_left(&played), 1);
	assert_ok(two_to_state(played.qp, ARNICA_HW_QPS_SQD));
	assert_int_equal(played_left(&played), 4);
	stop(&played);
}

static void posts_that_come_slowly_are_not_held(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 2, BYTES);
	assert_int_equal(played_left(&played), 1);
	atomic_fetch_add(&adev_clock_simulated_ns, 20 * PLAYED_US);
	post(&played, 1, BYTES);
	assert_int_equal(played_left(&played), 3);
	stop(&played);
}

static void who_polls_late_is_not_held_up_again_soon(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 3, BYTES);
	assert_int_equal(played_left(&played), 1);
	atomic_fetch_add(&adev_clock_simulated_ns, 300 * PLAYED_US);
	poll(&played);
	assert_int_equal(played_left(&played), 3);
	assert_false(adev_wire_may_hold(function_of(&played)));
	post(&played, 3, BYTES);
	assert_int_equal(played_left(&played), 6);
	stop(&played);
}

/* As for one that goes to RESET and comes back. */
static void one_that_is_taken_off_the_list_gets_there_again(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 4, BYTES);
	assert_int_equal(played_left(&played), 1);
	adev_function_unwait(function_of(&played), two_qp_of(played.qp));
	poll(&played);
	assert_int_equal(played_left(&played), 1);
	post(&played, 1, BYTES);
	assert_int_equal(played_left(&played), 5);
	post(&played, 3, BYTES);
	assert_int_equal(played_left(&played), 5);
	poll(&played);
	assert_int_equal(played_left(&played), 8);
	stop(&played);
}

static void a_queue_pair_may_be_destroyed_with_them(void **state)
{
	struct played played;

	start(&played, state);
	post(&played, 4, BYTES);
	stop(&played);
	poll(&played);
}

/* When the agent has to send it, posts go as they come for a while, which gets
 * longer when that happens again and again. */
static void who_stops_polling_is_not_held_up_again_soon(void **state)
{
	struct played played;
	struct adev_function *fn;
	uint64_t first, second;

	start(&played, state);
	fn = function_of(&played);
	/* The agent happened to be awake: that says nothing. */
	adev_wire_found_held(fn);
	assert_true(adev_wire_may_hold(fn));
	atomic_fetch_add(&adev_clock_simulated_ns, 3 * PLAYED_MS);
	adev_wire_found_held(fn);
	assert_false(adev_wire_may_hold(fn));
	first = wire_of(&played)->no_hold_ns;
	post(&played, 3, BYTES);
	assert_int_equal(played_left(&played), 3);
	atomic_fetch_add(&adev_clock_simulated_ns, first);
	/* Nobody polled yet. */
	assert_false(adev_wire_may_hold(fn));
	poll(&played);
	assert_true(adev_wire_may_hold(fn));
	atomic_fetch_add(&adev_clock_simulated_ns, 3 * PLAYED_MS);
	adev_wire_found_held(fn);
	second = wire_of(&played)->no_hold_ns;
	assert_int_equal(second, 2 * first);
	/* Long after that it is as the first time. */
	atomic_fetch_add(&adev_clock_simulated_ns, 10 * second);
	adev_wire_found_held(fn);
	assert_int_equal(wire_of(&played)->no_hold_ns, first);
	stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(what_follows_a_post_waits_for_the_next_poll),
		two_test(enough_of_them_leave_together),
		two_test(as_many_as_a_datagram_holds_leave_together),
		two_test(a_long_message_takes_along_what_is_held),
		two_test(a_list_is_not_held),
		two_test(nothing_is_held_for_who_does_not_poll),
		two_test(what_is_held_leaves_before_the_end),
		two_test(it_leaves_before_the_queue_stops),
		two_test(posts_that_come_slowly_are_not_held),
		two_test(who_polls_late_is_not_held_up_again_soon),
		two_test(one_that_is_taken_off_the_list_gets_there_again),
		two_test(a_queue_pair_may_be_destroyed_with_them),
		two_test(who_stops_polling_is_not_held_up_again_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
