/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who goes on with a backlog: the agent, at once when it was left behind; unless
 * somebody polls busily, and only as long as that is so. The agent itself does
 * nothing here, for time is simulated: the test is the agent.
 */
#include <sched.h>

#include "two_functions.h"

#include "core/clock.h"

#define HALF (TWO_BUFFER_BYTES / 2)
#define MESSAGES 16u

/* The agent may be at work yet that it began before; when it sleeps again it
 * has seen that time is simulated. */
static void wait_for_agent(struct adev_function *fn)
{
	adev_view_kick(&fn->view);
	while (atomic_load(&fn->view.shared->agent_state) != ADEV_AGENT_SLEEPING)
		sched_yield();
}

static int setup(void **state)
{
	struct two *two;

	if (two_connected_setup(state))
		return -1;
	two = *state;
	atomic_store(&adev_clock_simulated_ns, adev_now_ns());
	wait_for_agent(two_function_of(&two->a));
	return 0;
}

static int teardown(void **state)
{
	atomic_store(&adev_clock_simulated_ns, 0);
	return two_teardown(state);
}

/* More than one doorbell carries out, and than a turn of the agent. */
static struct adev_function *leave_backlog(struct two *two)
{
	struct adev_function *fn = two_function_of(&two->a);
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 HALF, &two->b, 0);
	uint32_t i;

	two_fill(two->a.buffer, HALF, 1);
	for (i = 0; i < MESSAGES; i++)
		(void)two_post(&two->qp_a, &request);
	two_ring(&two->qp_a);
	assert_false(adev_sched_idle(&fn->scheduler));
	return fn;
}

static void poll_times(struct adev_function *fn, uint32_t times)
{
	atomic_fetch_add(&fn->polls, times);
}

static uint64_t turns(struct adev_function *fn)
{
	return atomic_load(&fn->counters.turns_by_agent);
}

static void all_of_it_is_carried_out(struct two *two, struct adev_function *fn)
{
	uint32_t i;

	while (adev_function_run(fn) == ADEV_BACKLOG_MORE)
		;
	assert_true(adev_sched_idle(&fn->scheduler));
	for (i = 0; i < MESSAGES; i++)
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
	two_check(two->b.buffer, HALF, 1);
}

static void without_a_backlog_there_is_nothing_to_do(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);

	assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_NONE);
	poll_times(fn, 100);
	assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_NONE);
	assert_int_equal(turns(fn), 0);
}

static void what_was_left_is_taken_whoever_polled_before(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);

	poll_times(fn, 1000);
	(void)leave_backlog(two);
	assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_MORE);
	assert_int_equal(turns(fn), 1);
	all_of_it_is_carried_out(two, fn);
}

static void busy_polls_keep_it_for_themselves(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = leave_backlog(two);

	assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_MORE);
	poll_times(fn, 50);
	assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_OTHERS);
	poll_times(fn, 50);
	assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_OTHERS);
	assert_int_equal(turns(fn), 1);
	/* They have ended. */
	assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_MORE);
	all_of_it_is_carried_out(two, fn);
}

static void looks_now_and_then_are_no_busy_polls(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = leave_backlog(two);
	uint32_t i;

	for (i = 1; i < 4; i++) {
		poll_times(fn, 2);
		assert_int_equal(adev_function_run(fn), ADEV_BACKLOG_MORE);
		assert_int_equal(turns(fn), i);
	}
	all_of_it_is_carried_out(two, fn);
}

#define left_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		left_test(without_a_backlog_there_is_nothing_to_do),
		left_test(what_was_left_is_taken_whoever_polled_before),
		left_test(busy_polls_keep_it_for_themselves),
		left_test(looks_now_and_then_are_no_busy_polls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
