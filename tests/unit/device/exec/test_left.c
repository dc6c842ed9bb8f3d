/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who goes on with a backlog: the agent, at once when it was left behind; unless
 * somebody polls busily, and only as long as that is so. The agent itself does
 * nothing here, for time is simulated: the test is the agent.
 */
#include <time.h>

#include "two_functions.h"

#include "core/clock.h"
#include "core/qp_lock.h"
#include "exec/exec.h"
#include "front/doorbell.h"

#define HALF (TWO_BUFFER_BYTES / 2)
#define MESSAGES 16u
#define ROUNDS 1000u
#define PATIENCE_S 20

static int setup(void **state)
{
	struct two_function third;

	if (two_connected_setup(state))
		return -1;
	atomic_store(&adev_clock_simulated_ns, adev_now_ns());
	/* The agent may be at work yet that it began before. When it has
	 * answered somebody who asked, it has done with that. */
	if (two_function_open(&third))
		return -1;
	two_function_close(&third);
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

static void post_many(struct two_qp *from, const struct two_function *to)
{
	struct two_request request = two_request(ARNICA_HW_OP_WRITE,
						 from->function, 0, HALF, to,
						 HALF);
	uint32_t i;

	for (i = 0; i < MESSAGES; i++)
		(void)two_post(from, &request);
	two_ring(from);
}

/* Somebody has the send queue, as a command may for long: who gives it back
 * carries out what was wanted meanwhile. */
static void a_queue_that_somebody_has_keeps_no_engine(void **state)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_completion completion;
	struct adev_function *fn;
	struct two_qp urgent, peer;
	uint32_t others = 0, i;

	wish.sl = 7;
	two_create(&urgent, &two->a, &wish);
	two_create(&peer, &two->b, &wish);
	two_connect(&urgent, &peer, &wish);
	fn = leave_backlog(two);
	post_many(&urgent, &two->b);
	assert_true(atomic_load(&two_qp_of(&urgent)->scheduled));
	adev_qp_lock_send(two_qp_of(&urgent));
	for (i = 0; i < 10 * MESSAGES; i++)
		(void)adev_function_run(fn);
	while (two_poll(&two->qp_a, TWO_SEND, &completion))
		others++;
	adev_exec_release(two_qp_of(&urgent));
	assert_int_equal(others, MESSAGES);
	for (i = 0; i < 10 * MESSAGES; i++)
		(void)adev_function_run(fn);
	for (i = 0; i < MESSAGES; i++)
		assert_true(two_poll(&urgent, TWO_SEND, &completion));
	assert_true(adev_sched_idle(&fn->scheduler));
}

struct engine {
	struct adev_function *fn;
	atomic_bool stop;
};

static void *run_engine(void *context)
{
	struct engine *engine = context;

	while (!atomic_load(&engine->stop))
		(void)adev_exec_turn(engine->fn, ADEV_TURN_MOST);
	return NULL;
}

/* Looks at the ring alone, which brings nothing forward; false: it never came. */
static bool has_completed(struct two_qp *qp)
{
	struct two_queue *queue = &qp->queue[TWO_SEND];
	const struct arnica_hw_cqe *cqe =
		&queue->ring[queue->polled & (queue->slots - 1)];
	time_t until = time(NULL) + PATIENCE_S;

	while (arnica_load32(&cqe->sequence, memory_order_acquire) !=
	       queue->polled + 1) {
		if (time(NULL) > until)
			return false;
		adev_pause();
	}
	queue->polled++;
	return true;
}

/* The doorbell comes while the engine finds that nothing is left: one of the two
 * carries it out. */
static void what_comes_as_a_turn_ends_is_carried_out(void **state)
{
	struct two *two = *state;
	struct engine engine = { .fn = two_function_of(&two->a) };
	struct two_request bulk = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					      3 * ADEV_GATHER_ENTRY_BYTES,
					      &two->b, 0);
	struct two_request small = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					       8, &two->b, 0);
	pthread_t thread;
	bool all = true;
	uint32_t i, pause;

	assert_ok(pthread_create(&thread, NULL, run_engine, &engine));
	for (i = 0; i < ROUNDS && all; i++) {
		(void)two_send(&two->qp_a, &bulk);
		all = has_completed(&two->qp_a);
		for (pause = i % 64; pause; pause--)
			adev_pause();
		(void)two_send(&two->qp_a, &small);
		all = all && has_completed(&two->qp_a);
	}
	atomic_store(&engine.stop, true);
	pthread_join(thread, NULL);
	assert_true(all);
}

#define left_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

/* A peer's message that failed here has moved the queue pair to ERR, and the
 * owner has not been told yet, when a receive is posted: the message under way is
 * flushed with the others, and nobody carries it out any more. */
static void a_receive_in_error_ends_the_message_under_way(void **state)
{
	struct two *two = *state;
	struct adev_qp *qp = two_qp_of(&two->qp_a);
	struct adev_function *fn = two_function_of(&two->a);
	struct two_request bulk = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
					      3 * ADEV_GATHER_ENTRY_BYTES,
					      &two->b, 0);

	(void)two_send(&two->qp_a, &bulk); /* left whole */
	assert_true(qp->active);
	atomic_store(&qp->shared->state, ARNICA_HW_QPS_ERR);
	adev_doorbell_write(fn, 0, ARNICA_HW_DB_RQ,
			    arnica_hw_doorbell_encode(qp->index, qp->qpn, 1));
	assert_false(qp->active);
	assert_int_equal(qp->head, 1);
	(void)adev_exec_turn(fn, ADEV_TURN_MOST);
	assert_int_equal(qp->head, 1);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	two_expect_none(&two->qp_a, TWO_SEND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		left_test(without_a_backlog_there_is_nothing_to_do),
		left_test(what_was_left_is_taken_whoever_polled_before),
		left_test(busy_polls_keep_it_for_themselves),
		left_test(looks_now_and_then_are_no_busy_polls),
		left_test(a_queue_that_somebody_has_keeps_no_engine),
		left_test(what_comes_as_a_turn_ends_is_carried_out),
		left_test(a_receive_in_error_ends_the_message_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
