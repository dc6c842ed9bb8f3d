/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Queue pairs that receive from a shared queue: what they take, what they leave
 * behind when they end, and what a peer leaves that died or was stopped. */
#include <infiniband/verbs.h>
#include <string.h>

#include "two_functions.h"

#include "comp/completion.h"
#include "core/qp_lock.h"
#include "domain/table.h"
#include "front/srq_table.h"

#define DEPTH 4u

/* Connections from a to b; those of b share the SRQ. */
static struct two_srq srq;
static struct two_qp from[2], to[2];

static int setup_type(void **state, enum arnica_hw_qp_type type)
{
	struct two_wish wish = two_defaults();
	struct two *two;
	int i;

	if (two_setup(state))
		return -1;
	two = *state;
	wish.type = type;
	two_srq_create(&srq, &two->b, DEPTH);
	for (i = 0; i < 2; i++) {
		wish.srq = NULL;
		two_create(&from[i], &two->a, &wish);
		wish.srq = &srq;
		two_create(&to[i], &two->b, &wish);
		two_connect(&from[i], &to[i], &wish);
	}
	return 0;
}

static int setup(void **state)
{
	return setup_type(state, ARNICA_HW_QP_RC);
}

static int setup_uc(void **state)
{
	return setup_type(state, ARNICA_HW_QP_UC);
}

static void send(struct two *two, int i, uint32_t length)
{
	const struct two_request request = two_request(
		ARNICA_HW_OP_SEND, &two->a, 0, length, &two->b, 0);

	two_send(&from[i], &request);
}

static void post(uint32_t slot)
{
	two_srq_receive(&srq, slot, slot * 100000, 100000);
}

/* A message from end i lands in that entry. */
static void pass(struct two *two, int i, uint32_t slot)
{
	static const uint32_t lengths[] = { 20, 3000, 90000 };
	uint32_t length = lengths[slot % 3];
	struct two_completion completion;

	two_fill(two->a.buffer, length, slot);
	send(two, i, length);
	(void)two_expect(&from[i], TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	completion = two_expect(&to[i], TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.wqe_index, slot);
	two_check(two->b.buffer + slot * 100000, length, slot);
}

static uint32_t taker_of(uint32_t slot)
{
	return (uint32_t)arnica_load64(&srq.words[slot], memory_order_acquire);
}

/* As a peer has it that is in the middle of a message to end i. */
static void take(int i)
{
	assert_true(adev_srq_take(&two_qp_of(&to[i])->srq,
				  two_shared_of(&to[i])));
}

/* As a peer leaves it that was killed at once: the queue's head has not moved,
 * and is this entry. */
static void take_and_die(int i, uint32_t slot)
{
	struct adev_qp_shared *shared = two_shared_of(&to[i]);
	uint64_t word = arnica_load64(&srq.words[slot], memory_order_relaxed);

	atomic_store(&shared->srq_taken,
		     (uint64_t)shared->rq_head << 32 | (slot + 1));
	arnica_store64(&srq.words[slot],
		       arnica_hw_srq_word((uint32_t)(word >> 32),
					  to[i].handle + 1),
		       memory_order_release);
}

static void messages_take_entries_whoever_they_are_for(void **state)
{
	struct two *two = *state;

	post(3);
	post(1);
	pass(two, 1, 3);
	pass(two, 0, 1);
	post(0);
	post(2);
	post(1);
	pass(two, 0, 0);
	pass(two, 0, 2);
	pass(two, 1, 1);
}

static void messages_wait_for_an_entry(void **state)
{
	struct two *two = *state;

	send(two, 0, 8);
	send(two, 1, 8);
	two_expect_none(&from[0], TWO_SEND);
	post(2);
	post(1);
	(void)two_expect(&from[0], TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&from[1], TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&to[0], TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&to[1], TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
}

static void the_end_flushes_what_was_taken_and_no_more(void **state)
{
	struct two *two = *state;
	struct two_completion completion;

	post(2);
	post(1);
	take(0);
	assert_ok(two_to_state(&to[0], ARNICA_HW_QPS_ERR));
	completion = two_expect(&to[0], TWO_RECEIVE,
				ARNICA_HW_STATUS_WR_FLUSH_ERR);
	assert_int_equal(completion.wqe_index, 2);
	two_expect_none(&to[0], TWO_RECEIVE);
	assert_int_equal(two_async(&two->b, true),
			 IBV_EVENT_QP_LAST_WQE_REACHED);
	assert_ok(two_to_state(&to[0], ARNICA_HW_QPS_ERR));
	assert_int_equal(two_async(&two->b, false), -1);
	pass(two, 1, 1);
}

/* A peer that died had published its completion, and not counted it. */
static void what_the_dead_completed_is_not_flushed(void **state)
{
	struct adev_completion completion = { .opcode = ARNICA_HW_RECV };
	struct adev_qp *qp = two_qp_of(&to[0]);
	struct two *two = *state;

	post(2);
	take(0);
	completion.wqe_index = 2;
	adev_completion_publish(&qp->recv_ring, qp->shared->rq_head,
				&completion);
	assert_ok(two_to_state(&to[0], ARNICA_HW_QPS_ERR));
	(void)two_expect(&to[0], TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&to[0], TWO_RECEIVE);
	assert_int_equal(two_async(&two->b, true),
			 IBV_EVENT_QP_LAST_WQE_REACHED);
}

/* The host finds it by its word; the queue pair takes another one next. */
static void reset_lets_go_of_what_was_taken(void **state)
{
	struct two_wish wish = two_defaults();
	struct two *two = *state;

	post(2);
	take(0);
	assert_ok(two_to_state(&to[0], ARNICA_HW_QPS_RESET));
	assert_int_equal(taker_of(2), to[0].handle + 1);
	assert_ok(two_to_state(&from[0], ARNICA_HW_QPS_RESET));
	two_connect(&from[0], &to[0], &wish);
	post(3);
	pass(two, 0, 3);
	assert_int_equal(two_async(&two->b, false), -1);
}

/* An entry that comes back is posted anew, before anybody else has looked: the
 * others get it all the same. */
static void what_the_dead_took_is_posted_anew_after_a_flush(void **state)
{
	struct two *two = *state;

	post(2);
	take_and_die(0, 2);
	assert_ok(two_to_state(&to[0], ARNICA_HW_QPS_ERR));
	assert_int_equal(two_expect(&to[0], TWO_RECEIVE,
				    ARNICA_HW_STATUS_WR_FLUSH_ERR).wqe_index,
			 2);
	post(2);
	pass(two, 1, 2);
}

static void what_the_dead_took_is_posted_anew_after_a_reset(void **state)
{
	struct two *two = *state;

	post(2);
	take_and_die(0, 2);
	assert_ok(two_to_state(&to[0], ARNICA_HW_QPS_RESET));
	assert_int_equal(taker_of(2), to[0].handle + 1);
	post(2);
	pass(two, 1, 2);
}

static void what_the_dead_took_is_posted_anew_after_the_end(void **state)
{
	struct two *two = *state;

	post(2);
	take_and_die(0, 2);
	assert_ok(two_destroy(&to[0]));
	post(2);
	pass(two, 1, 2);
}

/* ... or after the next message to the same end. */
static void what_the_dead_took_is_used(void **state)
{
	struct two *two = *state;

	post(2);
	take_and_die(0, 2);
	pass(two, 0, 2);
	post(2);
	pass(two, 1, 2);
}

/* A live peer is stopped in the middle: it may still write to the entry's
 * memory, and look at the queue. */
static void what_a_stopped_peer_took_is_lost(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->b);
	struct adev_qp_shared *shared = two_shared_of(&to[0]);
	uint64_t used;

	post(2);
	post(1);
	take(0);
	while (!adev_qp_try_lock(shared,
				 two_function_of(&two->a)->view.function))
		;
	assert_ok(two_destroy(&to[0]));
	assert_int_equal(taker_of(2), ARNICA_HW_SRQ_LOST);
	pass(two, 1, 1);
	assert_ok(two_destroy(&to[1]));
	used = fn->heap.used_bytes;
	assert_ok(two_object(&two->b, ARNICA_HW_CMD_DESTROY_SRQ, srq.handle));
	assert_int_equal(fn->heap.used_bytes, used);
	adev_qp_unlock(shared);
}

static uint32_t grow(enum arnica_hw_command_opcode opcode, uint32_t handle,
		     struct arnica_hw_res_grown *grown)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.grow = { .handle = arnica_to_le32(handle),
			  .slots = arnica_to_le32(2 * srq.slots) },
	};
	struct arnica_hw_completion completion;
	uint32_t status = two_command(srq.function, &command, &completion);

	if (!status) {
		*grown = completion.grown;
		assert_int_equal(arnica_from_le32(grown->slots),
				 2 * srq.slots);
	}
	return status;
}

static uint32_t grow_ring(int i)
{
	struct two_queue *queue = &to[i].queue[TWO_RECEIVE];
	struct arnica_hw_res_grown grown;
	uint32_t status = grow(ARNICA_HW_CMD_GROW_RING, to[i].handle, &grown);

	if (status)
		return status;
	queue->slots = 2 * srq.slots;
	queue->ring = arnica_bus_map(srq.function->bus,
				     arnica_from_le64(grown.ring_offset),
				     queue->slots * sizeof(*queue->ring));
	return 0;
}

/* The SRQ, and then the rings of its queue pairs. */
static void grow_all(void)
{
	struct arnica_hw_res_grown grown;
	int i;

	assert_ok(grow(ARNICA_HW_CMD_GROW_SRQ, srq.handle, &grown));
	srq.ring = arnica_bus_map(srq.function->bus,
				  arnica_from_le64(grown.ring_offset),
				  2 * srq.slots * sizeof(*srq.ring));
	for (i = 0; i < 2; i++)
		assert_ok(grow_ring(i));
	srq.slots *= 2;
}

static void receive_one(struct two *two, uint32_t slot)
{
	two_srq_receive(&srq, slot, slot * 1000, 1000);
	two_fill(two->a.buffer, 20, slot);
	send(two, 0, 20);
	(void)two_expect(&from[0], TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

static void completions_and_messages_follow_rings_that_grow(void **state)
{
	struct two *two = *state;
	uint64_t before = two_function_of(&two->b)->heap.used_bytes;
	uint32_t slot, round;

	for (round = 0; round < 5; round++) {
		/* Somewhere in the ring. */
		for (slot = 0; slot < round; slot++) {
			receive_one(two, slot);
			(void)two_expect(&to[0], TWO_RECEIVE,
					 ARNICA_HW_STATUS_SUCCESS);
		}
		/* As many as the ring holds, and nobody polls. */
		for (slot = 0; slot < srq.slots; slot++)
			receive_one(two, slot);
		grow_all();
		for (; slot < srq.slots; slot++)
			receive_one(two, slot);
		for (slot = 0; slot < srq.slots; slot++)
			assert_int_equal(two_expect(&to[0], TWO_RECEIVE,
						    ARNICA_HW_STATUS_SUCCESS)
						 .wqe_index,
					 slot);
		two_expect_none(&to[0], TWO_RECEIVE);
	}
	for (slot = 0; slot < 2; slot++)
		assert_ok(two_destroy(&to[slot]));
	assert_true(two_function_of(&two->b)->heap.used_bytes < before);
}

/* Somebody who is stopped keeps a ring as it is; one who died does not. */
static void a_ring_in_somebodys_hands_stays(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&to[0]);
	struct adev_function *fn = two_function_of(&two->b);
	uint64_t used = fn->heap.used_bytes;
	uint32_t nobody = 1;

	while (!adev_qp_try_lock(shared,
				 two_function_of(&two->a)->view.function))
		;
	assert_int_equal(grow_ring(0), ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(fn->heap.used_bytes, used);
	assert_ok(grow_ring(1));
	adev_qp_unlock(shared);
	post(1);
	pass(two, 0, 1);
	post(1);
	pass(two, 1, 1);
	while (!adev_qp_try_lock(shared, two_nobody(&two->a)))
		;
	assert_ok(grow_ring(0));
	post(2);
	pass(two, 0, 2);
	/* Handles are in no order. */
	while (fn->qps[nobody])
		nobody++;
	assert_int_equal(grow(ARNICA_HW_CMD_GROW_RING, nobody, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

/* UC: what does not fit is dropped, and its entry is for the next message. */
static void a_dropped_message_leaves_its_entry(void **state)
{
	struct two *two = *state;

	two_srq_receive(&srq, 2, 200000, 3000);
	post(3);
	two_fill(two->a.buffer, 3001, 9);
	send(two, 0, 3001);
	(void)two_expect(&from[0], TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&to[0], TWO_RECEIVE);
	assert_int_equal(taker_of(2), to[0].handle + 1);
	pass(two, 1, 3);
	two_fill(two->a.buffer, 20, 1);
	send(two, 0, 20);
	assert_int_equal(two_expect(&to[0], TWO_RECEIVE,
				    ARNICA_HW_STATUS_SUCCESS).wqe_index, 2);
	two_check(two->b.buffer + 200000, 20, 1);
}

#define srq_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		srq_test(messages_take_entries_whoever_they_are_for),
		srq_test(messages_wait_for_an_entry),
		srq_test(the_end_flushes_what_was_taken_and_no_more),
		srq_test(what_the_dead_completed_is_not_flushed),
		srq_test(reset_lets_go_of_what_was_taken),
		srq_test(what_the_dead_took_is_posted_anew_after_a_flush),
		srq_test(what_the_dead_took_is_posted_anew_after_a_reset),
		srq_test(what_the_dead_took_is_posted_anew_after_the_end),
		srq_test(what_the_dead_took_is_used),
		srq_test(what_a_stopped_peer_took_is_lost),
		srq_test(completions_and_messages_follow_rings_that_grow),
		srq_test(a_ring_in_somebodys_hands_stays),
		cmocka_unit_test_setup_teardown(
			a_dropped_message_leaves_its_entry, setup_uc,
			two_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
