/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Threads against each other: two play ping-pong between two functions, a
 * third changes what they use. Made for ThreadSanitizer, which sees both sides
 * of the contract in one process; useful without it.
 */
#include <pthread.h>
#include <sched.h>

#include "two_functions.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MESSAGES 2000u
#else
#define MESSAGES 20000u
#endif
#define ROOM 16384u

struct player {
	struct two_qp *qp;
	struct two_function *peer;
	bool serves;
	uint32_t errors;
};

static atomic_bool playing;

/* No assertions in threads: they would jump out of the wrong one. */
static bool next(struct two_qp *qp, enum two_which which, uint32_t *byte_len)
{
	struct two_completion completion;

	while (!two_poll(qp, which, &completion))
		sched_yield();
	*byte_len = completion.byte_len;
	return completion.status == ARNICA_HW_STATUS_SUCCESS;
}

static uint32_t length_of(uint32_t number)
{
	return 1 + number * 7919 % 12000;
}

static bool send_next(struct player *player, uint32_t number)
{
	struct two_request request = two_request(
		ARNICA_HW_OP_SEND, player->qp->function, 65536,
		length_of(number), player->peer, 0);
	uint32_t unused;

	player->qp->function->buffer[65536] = (char)number;
	(void)two_send(player->qp, &request);
	return next(player->qp, TWO_SEND, &unused);
}

static bool receive_next(struct player *player, uint32_t number)
{
	struct two_function *own = player->qp->function;
	uint32_t slot = number % 4 * ROOM, byte_len;

	if (!next(player->qp, TWO_RECEIVE, &byte_len) ||
	    byte_len != length_of(number) || own->buffer[slot] != (char)number)
		return false;
	(void)two_receive(player->qp, slot, ROOM);
	return true;
}

static void *play(void *argument)
{
	struct player *player = argument;
	uint32_t number;

	for (number = 0; number < MESSAGES; number++) {
		bool right;

		if (player->serves)
			right = send_next(player, number) &&
				receive_next(player, number);
		else
			right = receive_next(player, number) &&
				send_next(player, number);
		if (!right)
			player->errors++;
	}
	return NULL;
}

/* Four receives are there before anybody sends; the slots go around. */
static void ping_pong(struct two *two, void (*meanwhile)(struct two *))
{
	struct player a = { &two->qp_a, &two->b, true, 0 };
	struct player b = { &two->qp_b, &two->a, false, 0 };
	pthread_t thread_a, thread_b;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		(void)two_receive(&two->qp_a, i * ROOM, ROOM);
		(void)two_receive(&two->qp_b, i * ROOM, ROOM);
	}
	assert_ok(pthread_create(&thread_a, NULL, play, &a));
	assert_ok(pthread_create(&thread_b, NULL, play, &b));
	for (i = 0; meanwhile && i < MESSAGES / 20; i++)
		meanwhile(two);
	assert_ok(pthread_join(thread_a, NULL));
	assert_ok(pthread_join(thread_b, NULL));
	assert_int_equal(a.errors + b.errors, 0);
}

static void two_threads_play_ping_pong(void **state)
{
	ping_pong(*state, NULL);
}

/* Commands of function a come from this thread only. */
static void register_once(struct two *two)
{
	uint32_t handle, stag;

	assert_ok(two_register(&two->b, two->b.buffer + (1u << 20), 4096,
			       TWO_ALL_RIGHTS, &handle, &stag));
	assert_ok(two_object(&two->b, ARNICA_HW_CMD_DEREG_MR, handle));
}

static void regions_come_and_go_meanwhile(void **state)
{
	ping_pong(*state, register_once);
}

/* RTS to RTS, as the host may at any time. */
static void modify_once(struct two *two)
{
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_RTS));
	assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_RTS));
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_RTS);
}

static void queue_pairs_are_modified_meanwhile(void **state)
{
	ping_pong(*state, modify_once);
}

/* Another pair of the same functions and CQs is made, used, and destroyed. */
static void come_and_go_once(struct two *two)
{
	const struct two_wish wish = two_defaults();
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a,
						 1u << 20, 64, &two->b, 0);
	struct two_qp a, b;

	two_create(&a, &two->a, &wish);
	two_create(&b, &two->b, &wish);
	two_connect(&a, &b, &wish);
	(void)two_send(&a, &request); /* waits */
	(void)two_receive(&b, 1u << 20, 64);
	(void)two_expect(&a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_send(&a, &request); /* outstanding when it is destroyed */
	assert_ok(two_to_state(&b, ARNICA_HW_QPS_ERR));
	assert_ok(two_destroy(&a));
	assert_ok(two_destroy(&b));
}

static void queue_pairs_come_and_go_meanwhile(void **state)
{
	ping_pong(*state, come_and_go_once);
}

/* The region that one thread writes to is deregistered by another: each write
 * succeeds or is refused, and after the command none succeeds. */
struct writer {
	struct two_qp *qp;
	struct two_request request;
	bool refused;
};

static void *write_until_refused(void *argument)
{
	struct writer *writer = argument;
	uint32_t unused;

	do {
		(void)two_send(writer->qp, &writer->request);
		atomic_store(&playing, true);
		writer->refused = !next(writer->qp, TWO_SEND, &unused);
	} while (!writer->refused);
	return NULL;
}

static void nothing_is_written_after_a_deregistration(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = two_defaults();
	unsigned int round;

	for (round = 0; round < 50; round++) {
		struct writer writer = {
			.request = two_request(ARNICA_HW_OP_WRITE, &two->a,
					       65536, 9000, &two->b, 1u << 20),
		};
		struct two_qp a, b;
		pthread_t thread;
		uint32_t handle;

		two_create(&a, &two->a, &wish);
		two_create(&b, &two->b, &wish);
		two_connect(&a, &b, &wish);
		writer.qp = &a;
		atomic_store(&playing, false);
		assert_ok(two_register(&two->b, two->b.buffer + (1u << 20),
				       9000, TWO_ALL_RIGHTS, &handle,
				       &writer.request.rkey));
		assert_ok(pthread_create(&thread, NULL, write_until_refused,
					 &writer));
		while (!atomic_load(&playing))
			sched_yield();
		assert_ok(two_object(&two->b, ARNICA_HW_CMD_DEREG_MR, handle));
		/* Plain stores: a write that is under way is a race. */
		two_fill(two->b.buffer + (1u << 20), 9000, round);
		assert_ok(pthread_join(thread, NULL));
		two_check(two->b.buffer + (1u << 20), 9000, round);
		assert_ok(two_destroy(&a));
		assert_ok(two_destroy(&b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(two_threads_play_ping_pong),
		two_connected_test(regions_come_and_go_meanwhile),
		two_connected_test(queue_pairs_are_modified_meanwhile),
		two_connected_test(queue_pairs_come_and_go_meanwhile),
		two_connected_test(nothing_is_written_after_a_deregistration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
