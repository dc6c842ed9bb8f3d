/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Torn writes to the priority area: at every 8-byte boundary, in both
 * directions, with old contents and with another queue's descriptor on the
 * other side of the tear, and by threads that store at the same time. Every
 * descriptor adds one to a counter of its queue, so that the counter says how
 * often it was executed.
 */
#include <pthread.h>
#include <sched.h>

#include "two_area.h"

#define LENGTH 64u /* of a FETCH_ADD with one segment */
#define WORDS (2 + LENGTH / 8)
#define NUM_THREADS 4u

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MESSAGES 300u
#else
#define MESSAGES 3000u
#endif

static uint64_t *counter(struct two *two, uint32_t number)
{
	return (uint64_t *)(void *)(two->b.buffer + 64 * (size_t)number);
}

/* Adds one to counter `number`; the index of its entry. */
static uint32_t post_add(struct two *two, struct two_qp *qp, uint32_t number)
{
	struct two_request request = two_request(ARNICA_HW_OP_FETCH_ADD,
						 &two->a, 64 * number, 8,
						 &two->b, 64 * number);

	request.swap_or_add = 1;
	return two_post(qp, &request);
}

/* So many were executed, and the last one is entry `index`. */
static void expect_executed(struct two *two, struct two_qp *qp, uint32_t number,
			    uint32_t index)
{
	assert_int_equal(
		two_expect(qp, TWO_SEND, ARNICA_HW_STATUS_SUCCESS).wqe_index,
		index);
	two_expect_none(qp, TWO_SEND);
	assert_int_equal(*counter(two, number), index + 1);
}

static uint64_t fetched(struct two *two)
{
	return two_function_of(&two->a)->counters.wqe_fetched;
}

static uint64_t hits(struct two *two)
{
	return two_function_of(&two->a)->counters.bf_hit;
}

static uint64_t fallbacks(struct two *two)
{
	return two_function_of(&two->a)->counters.bf_fallback;
}

/* Stores the words of the new descriptor that `stored` has a bit for; behind
 * the others stands what stood there. */
static void store_some(struct two *two, uint32_t stored)
{
	arnica_atomic_le64 *area = two_area(&two->a, 3, ARNICA_HW_DB_AREA0);
	uint32_t index = post_add(two, &two->qp_a, 0), i;
	struct two_image image = two_image(&two->qp_a, index, LENGTH);
	uint64_t was_hits = hits(two), was_fallbacks = fallbacks(two);
	uint64_t was_fetched = fetched(two);
	bool whole = true;

	for (i = 0; i < image.words; i++) {
		/* What is the same in both cannot be told apart. */
		whole &= stored >> i & 1 ||
			 arnica_load64(&area[i], memory_order_relaxed) ==
				 arnica_from_le64(image.word[i]);
		if (stored >> i & 1)
			two_area_store(area, &image, i, i + 1);
	}
	two_area_ring(&two->qp_a, 3, ARNICA_HW_DB_AREA0, &image);
	expect_executed(two, &two->qp_a, 0, index);
	assert_int_equal(hits(two), was_hits + whole);
	assert_int_equal(fallbacks(two), was_fallbacks + !whole);
	assert_int_equal(fetched(two), was_fetched + !whole);
}

static void a_write_torn_at_any_word_is_executed_once(void **state)
{
	struct two *two = *state;
	const uint32_t all = (1u << WORDS) - 1;
	uint32_t word;

	for (word = 0; word <= WORDS; word++) {
		store_some(two, (1u << word) - 1); /* the end is missing */
		store_some(two, all);
		store_some(two, all & ~((1u << word) - 1)); /* the beginning */
		store_some(two, all);
	}
	assert_true(fallbacks(two) > 0);
}

static void a_write_with_a_hole_of_any_size_is_executed_once(void **state)
{
	struct two *two = *state;
	const uint32_t all = (1u << WORDS) - 1;
	uint32_t first, end;

	for (first = 0; first < WORDS; first++)
		for (end = first + 1; end <= WORDS; end++) {
			store_some(two, all & ~((1u << end) - (1u << first)));
			store_some(two, all);
		}
	assert_true(fallbacks(two) > 0);
}

/* Two queues' descriptors in one buffer: the first `word` words of one, then
 * those of the other. Both ring. */
static void mix(struct two *two, struct two_qp *other, uint32_t word)
{
	arnica_atomic_le64 *area = two_area(&two->a, 0, ARNICA_HW_DB_AREA1);
	uint32_t index = post_add(two, &two->qp_a, 0);
	uint32_t other_index = post_add(two, other, 1);
	struct two_image image = two_image(&two->qp_a, index, LENGTH);
	struct two_image other_image = two_image(other, other_index, LENGTH);
	uint64_t was_hits = hits(two), was_fallbacks = fallbacks(two);

	two_area_store(area, &image, 0, word);
	two_area_store(area, &other_image, word, WORDS);
	two_area_ring(&two->qp_a, 0, ARNICA_HW_DB_AREA1, &image);
	two_area_ring(other, 0, ARNICA_HW_DB_AREA1, &other_image);
	expect_executed(two, &two->qp_a, 0, index);
	expect_executed(two, other, 1, other_index);
	/* One of the two may stand there whole. */
	assert_int_equal(hits(two) - was_hits,
			 (word == 0) + (word == WORDS));
	assert_int_equal(fallbacks(two) - was_fallbacks,
			 2 - (word == 0) - (word == WORDS));
}

static void open_pair(struct two *two, struct two_qp *a, struct two_qp *b)
{
	const struct two_wish wish = two_defaults();

	two_create(a, &two->a, &wish);
	two_create(b, &two->b, &wish);
	two_connect(a, b, &wish);
}

static void a_mix_of_two_descriptors_is_each_executed_once(void **state)
{
	struct two *two = *state;
	struct two_qp other, other_peer;
	uint32_t word;

	open_pair(two, &other, &other_peer);
	for (word = 0; word <= WORDS; word++)
		mix(two, &other, word);
}

/* Two descriptors of one queue: the first was not rung yet. */
static void a_mix_of_one_queues_descriptors_is_each_executed_once(void **state)
{
	struct two *two = *state;
	arnica_atomic_le64 *area = two_area(&two->a, 0, ARNICA_HW_DB_AREA0);
	uint32_t word;

	for (word = 0; word <= WORDS; word++) {
		uint32_t index = post_add(two, &two->qp_a, 0);
		struct two_image first = two_image(&two->qp_a, index, LENGTH);
		struct two_image second;

		assert_int_equal(post_add(two, &two->qp_a, 0), index + 1);
		second = two_image(&two->qp_a, index + 1, LENGTH);
		two_area_store(area, &first, 0, word);
		two_area_store(area, &second, word, WORDS);
		/* The doorbells arrive in either order. */
		two_area_ring(&two->qp_a, 0, ARNICA_HW_DB_AREA0,
			      word & 1 ? &first : &second);
		two_area_ring(&two->qp_a, 0, ARNICA_HW_DB_AREA0,
			      word & 1 ? &second : &first);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
		expect_executed(two, &two->qp_a, 0, index + 1);
	}
}

/* The host fills one buffer while the other one's descriptor is on its way. */
static void both_buffers_hold_a_descriptor_at_once(void **state)
{
	static const uint32_t offsets[] = { ARNICA_HW_DB_AREA0,
					    ARNICA_HW_DB_AREA1 };
	struct two *two = *state;
	struct two_qp other, other_peer;
	struct two_qp *qps[] = { &two->qp_a, &other };
	uint32_t round, i;

	open_pair(two, &other, &other_peer);
	for (round = 0; round < 8; round++) {
		struct two_image images[2];
		uint32_t index[2];

		for (i = 0; i < 2; i++) {
			index[i] = post_add(two, qps[i], i);
			images[i] = two_image(qps[i], index[i], LENGTH);
			two_area_store(two_area(&two->a, 5, offsets[i]),
				       &images[i], 0, WORDS);
		}
		for (i = 0; i < 2; i++)
			two_area_ring(qps[(i + round) % 2], 5,
				      offsets[(i + round) % 2],
				      &images[(i + round) % 2]);
		for (i = 0; i < 2; i++)
			expect_executed(two, qps[i], i, index[i]);
	}
	assert_int_equal(hits(two), 16);
	assert_int_equal(fallbacks(two), 0);
	assert_int_equal(fetched(two), 0);
}

struct writer {
	struct two *two;
	struct two_qp qp, peer;
	uint32_t number;
	uint32_t errors;
};

/* Like a host whose threads do not agree who has the area. */
static void *write_area(void *argument)
{
	struct writer *writer = argument;
	struct two *two = writer->two;
	uint32_t n;

	for (n = 0; n < MESSAGES; n++) {
		uint32_t offset = n & 1 ? ARNICA_HW_DB_AREA1 :
					  ARNICA_HW_DB_AREA0;
		arnica_atomic_le64 *area = two_area(&two->a, 0, offset);
		uint32_t index = post_add(two, &writer->qp, writer->number);
		struct two_image image = two_image(&writer->qp, index, LENGTH);
		struct two_completion completion;
		uint32_t tear = (n + writer->number) % (WORDS + 1);

		two_area_store(area, &image, 0, tear);
		if (n % 8 == writer->number)
			sched_yield();
		two_area_store(area, &image, tear, WORDS);
		two_area_ring(&writer->qp, 0, offset, &image);
		while (!two_poll(&writer->qp, TWO_SEND, &completion))
			sched_yield();
		if (completion.status != ARNICA_HW_STATUS_SUCCESS ||
		    completion.wqe_index != index)
			writer->errors++;
	}
	return NULL;
}

static void threads_at_one_area_execute_each_descriptor_once(void **state)
{
	struct two *two = *state;
	struct writer writers[NUM_THREADS] = { 0 };
	pthread_t threads[NUM_THREADS];
	uint32_t i;

	for (i = 0; i < NUM_THREADS; i++) {
		writers[i].two = two;
		writers[i].number = i;
		open_pair(two, &writers[i].qp, &writers[i].peer);
	}
	for (i = 0; i < NUM_THREADS; i++)
		assert_ok(pthread_create(&threads[i], NULL, write_area,
					 &writers[i]));
	for (i = 0; i < NUM_THREADS; i++)
		assert_ok(pthread_join(threads[i], NULL));
	for (i = 0; i < NUM_THREADS; i++) {
		assert_int_equal(writers[i].errors, 0);
		assert_int_equal(*counter(two, i), MESSAGES);
		two_expect_none(&writers[i].qp, TWO_SEND);
	}
	assert_true(hits(two) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(a_write_torn_at_any_word_is_executed_once),
		two_connected_test(
			a_write_with_a_hole_of_any_size_is_executed_once),
		two_connected_test(
			a_mix_of_two_descriptors_is_each_executed_once),
		two_connected_test(
			a_mix_of_one_queues_descriptors_is_each_executed_once),
		two_connected_test(both_buffers_hold_a_descriptor_at_once),
		two_connected_test(
			threads_at_one_area_execute_each_descriptor_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
