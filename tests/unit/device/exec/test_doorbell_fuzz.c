/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Hostile doorbells as a property: whatever is stored and rung (random pages,
 * offsets, values, lengths and contents, and right ones with something wrong in
 * them), each transaction is executed or refused and counted, a queue that was
 * used properly all the while executed each of its descriptors once and in
 * order, and nobody else's memory changed. Only the queue that was lied about
 * may suffer; then it is made anew.
 */
#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "two_area.h"

#define LENGTH 64u /* of a FETCH_ADD with one segment */
#define GUARD 4096u /* from here on the peer's buffer must not change */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 4000u
#else
#define ROUNDS 60000u
#endif

struct fuzz {
	struct two *two;
	struct two_qp victim, victim_peer;
	uint32_t sound; /* descriptors that qp_a executed */
};

static bool chance(uint32_t percent)
{
	return next_random() % 100 < percent;
}

static void open_victim(struct fuzz *fuzz)
{
	const struct two_wish wish = two_defaults();

	two_create(&fuzz->victim, &fuzz->two->a, &wish);
	two_create(&fuzz->victim_peer, &fuzz->two->b, &wish);
	two_connect(&fuzz->victim, &fuzz->victim_peer, &wish);
}

static void renew_victim(struct fuzz *fuzz)
{
	if (two_state(&fuzz->victim) == ARNICA_HW_QPS_RTS &&
	    fuzz->victim.queue[TWO_SEND].posted < 1000)
		return;
	assert_ok(two_destroy(&fuzz->victim));
	assert_ok(two_destroy(&fuzz->victim_peer));
	open_victim(fuzz);
}

static struct two_request add_one(struct fuzz *fuzz, uint32_t number)
{
	struct two_request request = two_request(
		ARNICA_HW_OP_FETCH_ADD, &fuzz->two->a, 64 * number, 8,
		&fuzz->two->b, 64 * number);

	request.swap_or_add = 1;
	return request;
}

static uint32_t any_page(void)
{
	return chance(90) ? (uint32_t)next_random() % ARNICA_HW_DOORBELL_PAGES :
			    (uint32_t)next_random();
}

static uint32_t any_offset(void)
{
	static const uint32_t known[] = { ARNICA_HW_DB_SQ,    ARNICA_HW_DB_RQ,
					  ARNICA_HW_DB_CQP,   ARNICA_HW_DB_SRQ,
					  ARNICA_HW_DB_AREA0, ARNICA_HW_DB_AREA1 };

	if (chance(70))
		return known[next_random() % 6];
	return chance(50) ? (uint32_t)next_random() % ARNICA_HW_PAGE_BYTES :
			    (uint32_t)next_random();
}

/* Never a right one of the sound queue. */
static uint64_t any_value(struct fuzz *fuzz)
{
	const struct two_qp *victim = &fuzz->victim, *sound = &fuzz->two->qp_a;
	uint32_t producer = victim->queue[TWO_SEND].posted;
	uint64_t value;

	switch (next_random() % 5) {
	case 0: /* the victim's, with some producer */
		return arnica_hw_doorbell_encode(
			victim->handle, victim->qpn,
			producer + (uint32_t)next_random() % 64 - 16);
	case 1: /* the sound queue's, with a bit wrong in queue or number */
		return two_doorbell_value(sound) ^
		       1ull << next_random() % 40;
	case 2: /* the peer's */
		return two_doorbell_value(&fuzz->two->qp_b);
	case 3: /* the sound queue's, beyond its depth or behind */
		return arnica_hw_doorbell_encode(
			sound->handle, sound->qpn,
			sound->queue[TWO_SEND].posted +
				(chance(50) ? 17 + (uint32_t)next_random() %
							   0x7fff00 :
					      0x800001 + (uint32_t)next_random() %
							 0x7ffff0));
	default:
		value = next_random();
		if ((value & ARNICA_HW_DOORBELL_QUEUE_MASK) == sound->handle)
			value ^= 0x8000;
		return value;
	}
}

static uint64_t answers(struct fuzz *fuzz)
{
	struct adev_counters *counters =
		&two_function_of(&fuzz->two->a)->counters;

	return counters->doorbells + counters->refused_offset +
	       counters->refused_queue + counters->refused_index;
}

/* Each transaction has one answer; a receive or command doorbell that is right
 * is not counted. */
static void expect_answer(struct fuzz *fuzz, uint32_t offset, uint64_t before)
{
	uint64_t after = answers(fuzz);

	if (offset == ARNICA_HW_DB_RQ || offset == ARNICA_HW_DB_SRQ ||
	    offset == ARNICA_HW_DB_CQP)
		assert_true(after - before <= 1);
	else
		assert_int_equal(after - before, 1);
}

static void ring_anything(struct fuzz *fuzz)
{
	uint32_t offset = any_offset();
	uint64_t before = answers(fuzz);

	arnica_bus_doorbell(fuzz->two->a.bus, any_page(), offset,
			    any_value(fuzz));
	expect_answer(fuzz, offset, before);
}

/* A descriptor of the victim: right, or right but for some bytes, which are
 * sealed with the rest. */
static struct two_image any_image(struct fuzz *fuzz)
{
	struct two_request request = add_one(fuzz, 1);
	struct two_image image = two_image(
		&fuzz->victim, two_post(&fuzz->victim, &request), LENGTH);
	uint32_t i;

	/* Not the words that name the peer's memory: those are its own
	 * affair. */
	for (i = (uint32_t)next_random() % 4; i > 0; i--) {
		static const uint32_t words[] = { 1, 2, 5, 6, 7, 8 };
		uint32_t word = words[next_random() % 6];

		image.word[word].raw ^= next_random() >> next_random() % 64;
	}
	if (chance(20))
		image.length = 16 * ((uint32_t)next_random() % 30);
	image.words = 2 + image.length / 8;
	image.word[1 + image.length / 8] = arnica_to_le64(arnica_hw_area_seal(
		image.value, &image.word[1], image.length));
	return image;
}

static void show_anything(struct fuzz *fuzz)
{
	uint32_t page = any_page(), length = (uint32_t)next_random();
	uint32_t offset = chance(50) ? ARNICA_HW_DB_AREA0 : ARNICA_HW_DB_AREA1;
	arnica_atomic_le64 *area = two_area(
		&fuzz->two->a, page % ARNICA_HW_DOORBELL_PAGES, offset);
	uint64_t value = any_value(fuzz), before;
	struct two_image image;
	uint32_t i;

	switch (next_random() % 3) {
	case 0: /* random contents */
		for (i = 0; i < TWO_AREA_WORDS; i++)
			arnica_store64(&area[i],
				       chance(20) ? value : next_random(),
				       memory_order_relaxed);
		if (chance(70))
			length %= 1024;
		break;
	case 1: /* sealed nonsense, for a queue that may be right */
		image = any_image(fuzz);
		two_area_store(area, &image, 0, image.words);
		length = image.length;
		value = chance(80) ? image.value : value;
		break;
	default: /* the same, torn */
		image = any_image(fuzz);
		two_area_store(area, &image, (uint32_t)next_random() % 10,
			       (uint32_t)next_random() % 10);
		length = chance(50) ? image.length : length;
		value = image.value;
	}
	if (chance(10))
		offset = any_offset();
	before = answers(fuzz);
	arnica_bus_area(fuzz->two->a.bus, page, offset, length, value);
	expect_answer(fuzz, ARNICA_HW_DB_AREA0, before);
}

/* The queue that is used as it should be. */
static void use_properly(struct fuzz *fuzz)
{
	struct two *two = fuzz->two;
	struct two_request request = add_one(fuzz, 0);
	uint32_t offset = chance(50) ? ARNICA_HW_DB_AREA0 : ARNICA_HW_DB_AREA1;
	uint32_t index = two_post(&two->qp_a, &request);
	struct two_image image = two_image(&two->qp_a, index, LENGTH);

	if (chance(30)) {
		two_ring(&two->qp_a);
	} else {
		two_area_store(two_area(&two->a, 2, offset), &image, 0,
			       chance(70) ? image.words :
					    (uint32_t)next_random() % 10);
		two_area_ring(&two->qp_a, 2, offset, &image);
	}
	assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
				    ARNICA_HW_STATUS_SUCCESS)
				 .wqe_index,
			 index);
	two_expect_none(&two->qp_a, TWO_SEND);
	fuzz->sound++;
	assert_int_equal(*(uint64_t *)(void *)two->b.buffer, fuzz->sound);
}

static void hostile_doorbells_harm_nobody_else(void **state)
{
	struct fuzz fuzz = { .two = *state };
	struct adev_counters *b = &two_function_of(&fuzz.two->b)->counters;
	const char *seed = getenv("TEST_SEED");
	uint32_t i;

	random_state = seed ? strtoull(seed, NULL, 0) | 1 : 0x5eed0bu;
	print_message("TEST_SEED=%llu\n", (unsigned long long)random_state);
	two_fill(fuzz.two->b.buffer + GUARD, TWO_BUFFER_BYTES - GUARD, 9);
	open_victim(&fuzz);
	for (i = 0; i < ROUNDS; i++) {
		switch (next_random() % 4) {
		case 0:
			use_properly(&fuzz);
			break;
		case 1:
			ring_anything(&fuzz);
			break;
		default:
			show_anything(&fuzz);
		}
		if (i % 16 == 0)
			renew_victim(&fuzz);
	}
	two_check(fuzz.two->b.buffer + GUARD, TWO_BUFFER_BYTES - GUARD, 9);
	assert_true(fuzz.sound > ROUNDS / 8);
	assert_int_equal(b->refused_queue + b->refused_offset +
				 b->refused_index,
			 0);
	assert_int_equal(two_state(&fuzz.two->qp_a), ARNICA_HW_QPS_RTS);
	assert_int_equal(two_state(&fuzz.two->qp_b), ARNICA_HW_QPS_RTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(hostile_doorbells_harm_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
