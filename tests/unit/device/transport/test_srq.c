/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Taking entries of a shared receive queue: order, competition, the dead. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "fake_function.h"

#include "transport/srq.h"

#define DEPTH 4u /* and slots */

struct queue {
	struct adev_function *fn;
	uint32_t handle;
	uint32_t posted;
};

static struct queue queue;

static int setup(void **state)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_SRQ),
		.create_srq = { .depth = arnica_to_le32(DEPTH),
				.sge = arnica_to_le32(1) },
	};
	struct arnica_hw_completion answer;

	if (fake_function_setup(state))
		return -1;
	memset(&queue, 0, sizeof(queue));
	queue.fn = *state;
	command.create_srq.pd = arnica_to_le32(fake_alloc_pd(queue.fn));
	assert_ok(fake_command(queue.fn, &command, &answer));
	queue.handle = arnica_from_le32(answer.srq.handle);
	fake_nudged = 0;
	return 0;
}

/* The SRQ as the QP with this handle takes from it. */
static struct adev_srq as(uint32_t qp)
{
	struct adev_srq srq;

	assert_true(adev_srq_open(&queue.fn->view, queue.handle, qp, &srq));
	return srq;
}

/* As the host does; the entry is one that is free. */
static void post(uint32_t slot)
{
	struct adev_srq srq = as(0);

	arnica_store64(&srq.words[slot], arnica_hw_srq_word(queue.posted, 0),
		       memory_order_release);
	arnica_store32(&srq.ring[queue.posted & srq.mask], slot,
		       memory_order_relaxed);
	arnica_store32(&srq.shared->record.producer, ++queue.posted,
		       memory_order_seq_cst);
}

static uint32_t head(void)
{
	return arnica_load32(&queue.fn->view.srqs[queue.handle].record.head,
			     memory_order_relaxed);
}

/* The QP takes its next entry, which must be this one, and completes. */
static void use(uint32_t qp, struct adev_qp_shared *shared, uint32_t expected)
{
	struct adev_srq srq = as(qp);
	uint32_t slot;

	assert_true(adev_srq_take(&srq, shared));
	assert_true(adev_srq_taken(&srq, shared, &slot));
	assert_int_equal(slot, expected);
	shared->rq_head++;
	assert_false(adev_srq_taken(&srq, shared, &slot));
}

static void entries_are_taken_in_the_order_of_posts(void **state)
{
	struct adev_qp_shared a = { 0 }, b = { 0 };
	struct adev_srq srq = as(1);

	(void)state;
	assert_false(adev_srq_take(&srq, &a));
	post(2);
	post(0);
	post(3);
	use(1, &a, 2);
	use(2, &b, 0);
	post(1);
	post(2);
	use(1, &a, 3);
	use(1, &a, 1);
	use(2, &b, 2);
	assert_false(adev_srq_take(&srq, &a));
	assert_int_equal(head(), 5);
}

static uint32_t grow(uint32_t slots)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_GROW_SRQ),
		.grow = { .handle = arnica_to_le32(queue.handle),
			  .slots = arnica_to_le32(slots) },
	};
	struct arnica_hw_completion answer;
	uint32_t status = fake_command(queue.fn, &command, &answer);

	if (!status)
		assert_int_equal(arnica_from_le64(answer.grown.ring_offset),
				 (const char *)as(0).ring -
					 queue.fn->view.base);
	return status;
}

/* Who looked at the queue before it grew finds what was posted before, and what
 * is posted now, wherever in the ring that is. */
static void one_who_is_late_follows_a_ring_that_grew(void **state)
{
	uint32_t start, i, slot;

	(void)state;
	for (start = 0; start < 2 * DEPTH; start++) {
		struct adev_qp_shared late = { .rq_head = 1000 };
		struct adev_qp_shared other = { .rq_head = 1000 };
		struct adev_srq srq = as(1);
		uint32_t slots = srq.mask + 1;

		for (i = 0; i < start; i++) {
			post(2);
			use(2, &other, 2);
		}
		for (i = 0; i < DEPTH; i++)
			post(i);
		assert_ok(grow(2 * slots));
		for (i = DEPTH; i < 2 * DEPTH; i++)
			post(i);
		for (i = 0; i < 2 * DEPTH; i++) {
			assert_true(adev_srq_take(&srq, &late));
			assert_true(adev_srq_taken(&srq, &late, &slot));
			assert_int_equal(slot, i);
			late.rq_head++;
		}
		assert_false(adev_srq_take(&srq, &late));
		assert_int_equal(srq.mask + 1, 2 * slots);
	}
}

/* The words of entries that nobody posted look like the first post. */
static void one_who_is_late_takes_what_was_posted(void **state)
{
	struct adev_qp_shared late = { .rq_head = 1000 };
	struct adev_srq srq = as(1);
	uint32_t slot;

	(void)state;
	assert_ok(grow(2 * DEPTH));
	post(DEPTH + 1);
	assert_true(adev_srq_take(&srq, &late));
	assert_true(adev_srq_taken(&srq, &late, &slot));
	assert_int_equal(slot, DEPTH + 1);
}

static void it_grows_within_its_capacity_only(void **state)
{
	struct adev_srq_shared *shared =
		&queue.fn->view.srqs[queue.handle];
	uint32_t capacity = shared->capacity;

	(void)state;
	assert_true(capacity > DEPTH);
	assert_int_equal(grow(3 * DEPTH / 2), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(grow(0), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(grow(2 * ARNICA_HW_MAX_QUEUE_DEPTH),
			 ARNICA_HW_COMMAND_INVALID);
	if (capacity < ARNICA_HW_MAX_QUEUE_DEPTH)
		assert_int_equal(grow(2 * capacity),
				 ARNICA_HW_COMMAND_NO_MEMORY);
	assert_ok(grow(2 * DEPTH));
	assert_ok(grow(DEPTH)); /* which it has */
	assert_int_equal(shared->slots, 2 * DEPTH);
	queue.handle++;
	assert_int_equal(grow(DEPTH), ARNICA_HW_COMMAND_NO_OBJECT);
}

static void who_has_one_gets_no_other(void **state)
{
	struct adev_qp_shared a = { 0 }, b = { 0 };
	struct adev_srq srq = as(1);
	uint32_t slot;

	(void)state;
	post(0);
	post(1);
	assert_true(adev_srq_take(&srq, &a));
	assert_true(adev_srq_take(&srq, &a));
	assert_true(adev_srq_taken(&srq, &a, &slot));
	assert_int_equal(slot, 0);
	use(2, &b, 1);
	assert_int_equal(head(), 2);
}

/* While one keeps an entry, the others go round many times. */
static void the_ring_goes_round_past_one_who_is_slow(void **state)
{
	struct adev_qp_shared slow = { 0 }, fast = { 0 };
	struct adev_srq srq = as(1);
	uint32_t i, slot;

	(void)state;
	post(3);
	assert_true(adev_srq_take(&srq, &slow));
	for (i = 0; i < 50; i++) {
		post(i % 3);
		use(2, &fast, i % 3);
	}
	assert_true(adev_srq_taken(&srq, &slow, &slot));
	assert_int_equal(slot, 3);
}

/* Killed after the note and before the entry was taken. */
static void a_note_alone_takes_nothing(void **state)
{
	struct adev_qp_shared dead = { 0 }, other = { 0 };
	struct adev_srq srq = as(1);
	uint32_t slot;

	(void)state;
	post(2);
	dead.rq_head = 7;
	atomic_store(&dead.srq_taken, 7ull << 32 | 3);
	assert_false(adev_srq_taken(&srq, &dead, &slot));
	use(2, &other, 2);
	assert_false(adev_srq_taken(&srq, &dead, &slot));
}

/* Killed, or stopped, after the entry was taken and before `head` moved on. */
static void the_next_one_moves_on_past_what_was_taken(void **state)
{
	struct adev_qp_shared dead = { 0 }, other = { 0 };
	struct adev_srq srq = as(1);
	uint32_t slot;

	(void)state;
	post(2);
	post(1);
	atomic_store(&dead.srq_taken, 3);
	arnica_store64(&srq.words[2], arnica_hw_srq_word(0, 2),
		       memory_order_relaxed);
	use(5, &other, 1);
	assert_int_equal(head(), 2);
	assert_true(adev_srq_taken(&srq, &dead, &slot));
	assert_int_equal(slot, 2);
	assert_true(adev_srq_take(&srq, &dead));
	assert_int_equal(head(), 2);
}

static void a_lost_entry_is_nobodys(void **state)
{
	struct adev_qp_shared qp = { 0 };
	struct adev_srq srq = as(1);
	uint32_t slot;

	(void)state;
	post(2);
	assert_true(adev_srq_take(&srq, &qp));
	adev_srq_lose(&srq, &qp);
	assert_false(adev_srq_taken(&srq, &qp, &slot));
	assert_int_equal((uint32_t)arnica_load64(&srq.words[2],
						 memory_order_relaxed),
			 ARNICA_HW_SRQ_LOST);
}

static void nonsense_is_not_believed(void **state)
{
	struct adev_srq_shared *shared = &queue.fn->view.srqs[queue.handle];
	struct adev_qp_shared qp = { 0 };
	struct adev_srq srq = as(1);
	uint32_t slot;

	(void)state;
	post(0);
	post(1);
	arnica_store32(&srq.ring[0], DEPTH, memory_order_relaxed);
	assert_false(adev_srq_take(&srq, &qp)); /* no such entry */
	arnica_store32(&srq.ring[0], 1, memory_order_relaxed);
	assert_false(adev_srq_take(&srq, &qp)); /* which was posted later */
	arnica_store32(&shared->record.producer, 1000, memory_order_relaxed);
	arnica_store32(&shared->record.head, 5, memory_order_relaxed);
	assert_false(adev_srq_take(&srq, &qp)); /* more than fit */
	atomic_store(&qp.srq_taken, (uint64_t)qp.rq_head << 32 | 0xffffffff);
	assert_false(adev_srq_taken(&srq, &qp, &slot));
	shared->slots = 3;
	assert_false(adev_srq_open(&queue.fn->view, queue.handle, 1, &srq));
	shared->slots = 2 * ARNICA_HW_MAX_QUEUE_DEPTH;
	assert_false(adev_srq_open(&queue.fn->view, queue.handle, 1, &srq));
	shared->slots = DEPTH;
	shared->capacity = DEPTH / 2;
	assert_false(adev_srq_open(&queue.fn->view, queue.handle, 1, &srq));
	shared->capacity = 3 * DEPTH;
	assert_false(adev_srq_open(&queue.fn->view, queue.handle, 1, &srq));
	shared->capacity = DEPTH;
	shared->words_offset = queue.fn->view.size - 8;
	assert_false(adev_srq_open(&queue.fn->view, queue.handle, 1, &srq));
	assert_false(adev_srq_open(&queue.fn->view,
				   queue.fn->view.layout.max_srq, 1, &srq));
}

static void a_post_wakes_all_who_wait(void **state)
{
	struct adev_srq_shared *shared = &queue.fn->view.srqs[queue.handle];
	struct adev_srq srq = as(1);

	(void)state;
	adev_srq_wait(&srq, 3);
	adev_srq_wait(&srq, 41);
	adev_srq_wait(&srq, 3);
	assert_int_equal(arnica_load32(&shared->record.waiting,
				       memory_order_relaxed), 1);
	adev_srq_wake(queue.fn, queue.handle);
	assert_int_equal(fake_nudged, 1ull << 3 | 1ull << 41);
	assert_int_equal(arnica_load32(&shared->record.waiting,
				       memory_order_relaxed), 0);
	fake_nudged = 0;
	adev_srq_wake(queue.fn, queue.handle);
	assert_int_equal(fake_nudged, 0);
}

#define ROUNDS 4000u
#define TAKERS 3u

static _Atomic uint32_t given_back[DEPTH];
static atomic_bool over;
static _Atomic uint32_t used;

static void *taker(void *argument)
{
	uint32_t me = *(uint32_t *)argument, slot;
	struct adev_qp_shared qp = { 0 };
	struct adev_srq srq = as(me);

	while (!atomic_load(&over)) {
		if (!adev_srq_take(&srq, &qp)) {
			sched_yield();
			continue;
		}
		assert_true(adev_srq_taken(&srq, &qp, &slot));
		qp.rq_head++;
		atomic_fetch_add(&used, 1);
		/* Nobody else has it. */
		assert_int_equal(atomic_exchange(&given_back[slot], 1), 0);
	}
	return NULL;
}

static void each_entry_goes_to_one_of_many(void **state)
{
	pthread_t threads[TAKERS];
	uint32_t numbers[TAKERS], i, posts = 0;

	(void)state;
	atomic_store(&over, false);
	atomic_store(&used, 0);
	for (i = 0; i < DEPTH; i++)
		atomic_store(&given_back[i], 1);
	for (i = 0; i < TAKERS; i++) {
		numbers[i] = i + 1;
		assert_ok(pthread_create(&threads[i], NULL, taker,
					 &numbers[i]));
	}
	for (; posts < ROUNDS; sched_yield())
		for (i = 0; i < DEPTH && posts < ROUNDS; i++)
			if (atomic_load(&given_back[i])) {
				atomic_store(&given_back[i], 0);
				post(i);
				posts++;
			}
	while (atomic_load(&used) < ROUNDS)
		sched_yield();
	atomic_store(&over, true);
	for (i = 0; i < TAKERS; i++)
		assert_ok(pthread_join(threads[i], NULL));
	assert_int_equal(atomic_load(&used), ROUNDS);
	assert_int_equal(head(), ROUNDS);
}

#define srq_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, setup, fake_function_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		srq_test(entries_are_taken_in_the_order_of_posts),
		srq_test(one_who_is_late_follows_a_ring_that_grew),
		srq_test(one_who_is_late_takes_what_was_posted),
		srq_test(it_grows_within_its_capacity_only),
		srq_test(who_has_one_gets_no_other),
		srq_test(the_ring_goes_round_past_one_who_is_slow),
		srq_test(a_note_alone_takes_nothing),
		srq_test(the_next_one_moves_on_past_what_was_taken),
		srq_test(a_lost_entry_is_nobodys),
		srq_test(nonsense_is_not_believed),
		srq_test(a_post_wakes_all_who_wait),
		srq_test(each_entry_goes_to_one_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
