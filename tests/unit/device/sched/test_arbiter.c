/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Arbiters: shares by weight, priorities, engines, watermarks. */
#include "sched/arbiter.h"

#include <errno.h>
#include <string.h>

#include "test.h"
#include "transport/qp.h"

#define QPS 12
#define ENTRY 65536u

static struct adev_scheduler scheduler;
static struct adev_sched_config config;
static struct adev_qp qps[QPS];
static uint64_t moved[QPS];

static int setup(void **state)
{
	uint32_t i;

	(void)state;
	memset(qps, 0, sizeof(qps));
	memset(moved, 0, sizeof(moved));
	for (i = 0; i < QPS; i++)
		qps[i].qpn = i + 1;
	adev_sched_init(&scheduler);
	adev_sched_query(&scheduler, &config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	adev_sched_fini(&scheduler);
	return 0;
}

static void configure(void)
{
	assert_int_equal(adev_sched_configure(&scheduler, &config), 0);
}

static void enqueue(unsigned int number, uint32_t class)
{
	qps[number].service_level = class;
	(void)adev_sched_enqueue(&scheduler, &qps[number]);
}

static bool take(struct adev_grant *grant)
{
	return adev_sched_take(&scheduler, grant);
}

static void give(const struct adev_grant *grant, bool left, uint64_t bytes)
{
	moved[grant->engine->qp - qps] += bytes;
	adev_sched_give(&scheduler, grant, left, bytes);
}

/* Entries of one thread, all of QPs that always have more. */
static void run(uint32_t entries)
{
	struct adev_grant grant;

	while (entries--) {
		assert_true(take(&grant));
		give(&grant, true, ENTRY);
	}
}

static void weighted(uint8_t a, uint8_t b)
{
	config.policy = ARNICA_HW_POLICY_WEIGHTED;
	config.class_weight[0] = a;
	config.class_weight[1] = b;
	configure();
}

/* `a` to `b`, in tenths of a percent. */
static void assert_shares(uint64_t first, uint64_t second, uint64_t a,
			  uint64_t b)
{
	assert_in_range(first * b * 1000 / (second * a), 980, 1020);
}

static void shares_of(uint8_t a, uint8_t b)
{
	weighted(a, b);
	enqueue(0, 0);
	enqueue(1, 1);
	run(1100);
	assert_shares(moved[0], moved[1], a, b);
}

static void classes_share_as_their_weights_say(void **state)
{
	shares_of(1, 1);
	teardown(state);
	setup(state);
	shares_of(3, 1);
	teardown(state);
	setup(state);
	shares_of(10, 1);
}

static void shares_are_of_bytes_and_not_of_turns(void **state)
{
	struct adev_grant grant;
	uint32_t i;

	(void)state;
	weighted(1, 1);
	enqueue(0, 0);
	enqueue(1, 1);
	for (i = 0; i < 2000; i++) {
		assert_true(take(&grant));
		give(&grant, true, grant.engine->qp == &qps[0] ? 512 : ENTRY);
	}
	assert_in_range(moved[0] + ENTRY, moved[1], moved[1] + 2 * ENTRY);
}

/* More QPs do not make a class larger. */
static void a_class_has_its_share_however_many_are_in_it(void **state)
{
	(void)state;
	weighted(1, 1);
	enqueue(0, 0);
	enqueue(1, 1);
	enqueue(2, 1);
	enqueue(3, 1);
	run(1200);
	assert_shares(moved[0], moved[1] + moved[2] + moved[3], 1, 1);
	assert_shares(moved[1], moved[2], 1, 1);
	assert_shares(moved[2], moved[3], 1, 1);
}

static void fewer_engines_than_classes_change_no_shares(void **state)
{
	(void)state;
	config.num_engines = config.num_gathers = 1;
	weighted(3, 1);
	enqueue(0, 0);
	enqueue(1, 1);
	run(1200);
	assert_shares(moved[0], moved[1], 3, 1);
}

static void engines_of_a_class_share_as_their_weights_say(void **state)
{
	(void)state;
	config.engine_weight[0] = 3;
	configure();
	enqueue(0, 5);
	enqueue(1, 5);
	run(1200);
	assert_shares(moved[0], moved[1], 3, 1);
}

static void all_of_a_class_have_their_turn_with_one_engine(void **state)
{
	uint32_t i;

	(void)state;
	config.num_engines = config.num_gathers = 1;
	configure();
	for (i = 0; i < QPS; i++)
		enqueue(i, 3);
	run(QPS * 40);
	for (i = 1; i < QPS; i++)
		assert_int_equal(moved[i], moved[0]);
}

/* It gets no more for having been away. */
static void who_comes_later_gets_its_share_from_then_on(void **state)
{
	uint64_t before;

	(void)state;
	weighted(1, 1);
	enqueue(0, 0);
	run(500);
	before = moved[0];
	enqueue(1, 1);
	run(500);
	assert_shares(moved[0] - before, moved[1], 1, 1);
}

/* What a class does while it is alone is not held against it. */
static void who_was_alone_gets_its_share_as_before(void **state)
{
	uint64_t before;

	(void)state;
	weighted(1, 1);
	enqueue(1, 1);
	run(500);
	adev_sched_remove(&scheduler, &qps[1]);
	before = moved[1];
	enqueue(0, 0);
	enqueue(1, 1);
	run(500);
	assert_shares(moved[0], moved[1] - before, 1, 1);
}

static void with_strict_priority_the_lower_class_waits(void **state)
{
	(void)state;
	enqueue(0, 0);
	enqueue(1, 1);
	run(50);
	assert_int_equal(moved[0], 0);
}

/* All engines have QPs of lower classes. */
static void a_higher_class_gets_an_engine_of_a_lower_one(void **state)
{
	struct adev_grant grant;
	uint32_t i;

	(void)state;
	for (i = 0; i < QPS - 1; i++)
		enqueue(i, 2);
	run(3);
	enqueue(QPS - 1, 9);
	assert_true(take(&grant));
	assert_ptr_equal(grant.engine->qp, &qps[QPS - 1]);
	give(&grant, false, 8);
	run(QPS * 40);
	for (i = 1; i < QPS - 1; i++)
		assert_in_range(moved[i], moved[0] - 4 * ENTRY,
				moved[0] + 4 * ENTRY);
}

static void a_class_keeps_to_its_engines(void **state)
{
	struct adev_grant first, second;

	(void)state;
	config.class_engines[1] = 1 << 3;
	configure();
	enqueue(0, 1);
	enqueue(1, 1);
	assert_true(take(&first));
	assert_ptr_equal(first.engine, &scheduler.engines[3]);
	/* The other one waits for that engine. */
	assert_false(take(&second));
	give(&first, true, ADEV_SERVICE_BYTES);
	assert_true(take(&second));
	assert_ptr_equal(second.engine, &scheduler.engines[3]);
	assert_ptr_equal(second.engine->qp, &qps[1]);
	give(&second, false, 1);
}

static void as_many_threads_as_gather_engines_move_at_once(void **state)
{
	struct adev_grant grants[4], none;
	uint32_t i, k;

	(void)state;
	assert_int_equal(config.num_gathers, 4);
	for (i = 0; i < 6; i++)
		enqueue(i, 0);
	for (i = 0; i < 4; i++) {
		assert_true(take(&grants[i]));
		for (k = 0; k < i; k++) {
			assert_ptr_not_equal(grants[k].engine,
					     grants[i].engine);
			assert_int_not_equal(grants[k].gather,
					     grants[i].gather);
		}
	}
	assert_false(take(&none));
	give(&grants[2], false, 1);
	assert_true(take(&grants[2]));
	for (i = 0; i < 4; i++)
		give(&grants[i], false, 1);
}

/* Otherwise a second thread would make the shares equal. */
static void a_class_that_had_its_share_waits_for_one_in_other_hands(void **state)
{
	struct adev_grant other, grant;
	uint32_t turns = 0;

	(void)state;
	weighted(1, 1);
	enqueue(0, 0);
	enqueue(1, 1);
	assert_true(take(&other));
	while (take(&grant)) {
		assert_ptr_not_equal(grant.engine, other.engine);
		give(&grant, true, ENTRY);
		assert_true(++turns <= 1 + ADEV_SERVICE_BYTES / ENTRY);
	}
	give(&other, true, ENTRY);
	assert_true(take(&grant));
	give(&grant, true, ENTRY);
}

/* With strict priority nobody waits for a thread. */
static void a_lower_class_goes_on_beside_a_higher_one(void **state)
{
	struct adev_grant high, low;
	uint32_t i;

	(void)state;
	enqueue(0, 9);
	enqueue(1, 0);
	assert_true(take(&high));
	for (i = 0; i < 100; i++) {
		assert_true(take(&low));
		give(&low, true, ENTRY);
	}
	give(&high, false, ENTRY);
}

static void who_must_wait_depends_on_the_policy(void **state)
{
	struct adev_grant grant;

	(void)state;
	enqueue(0, 5);
	qps[1].service_level = 5;
	qps[2].service_level = 4;
	qps[3].service_level = 6;
	assert_true(adev_sched_must_wait(&scheduler, &qps[0]));
	assert_true(adev_sched_must_wait(&scheduler, &qps[1]));
	assert_true(adev_sched_must_wait(&scheduler, &qps[2]));
	assert_false(adev_sched_must_wait(&scheduler, &qps[3]));
	config.policy = ARNICA_HW_POLICY_WEIGHTED;
	configure();
	assert_true(adev_sched_must_wait(&scheduler, &qps[1]));
	assert_false(adev_sched_must_wait(&scheduler, &qps[2]));
	/* What it does without an engine is of its share. */
	adev_sched_charge(&scheduler, &qps[2], ENTRY);
	assert_true(adev_sched_must_wait(&scheduler, &qps[2]));
	assert_true(take(&grant));
	give(&grant, true, ENTRY);
	assert_false(adev_sched_must_wait(&scheduler, &qps[2]));
}

static void classes_get_in_between_by_the_policy(void **state)
{
	(void)state;
	enqueue(0, 5);
	assert_true(adev_sched_interrupts(&scheduler, 4));
	assert_true(adev_sched_interrupts(&scheduler, 5));
	assert_false(adev_sched_interrupts(&scheduler, 6));
	config.policy = ARNICA_HW_POLICY_WEIGHTED;
	configure();
	assert_true(adev_sched_interrupts(&scheduler, 6));
}

static void polls_are_short_where_there_are_higher_classes(void **state)
{
	(void)state;
	adev_sched_note(&scheduler, 0);
	adev_sched_note(&scheduler, 5);
	assert_false(adev_sched_has_higher(&scheduler));
	enqueue(0, 4);
	assert_true(adev_sched_has_higher(&scheduler));
	enqueue(1, 5);
	assert_false(adev_sched_has_higher(&scheduler));
	adev_sched_note(&scheduler, 15);
	assert_true(adev_sched_has_higher(&scheduler));
	enqueue(2, 15);
	assert_false(adev_sched_has_higher(&scheduler));
}

static void with_shares_a_turn_is_an_entry_while_others_have_work(void **state)
{
	struct adev_grant a, b;

	(void)state;
	enqueue(0, 0);
	assert_true(take(&a));
	assert_true(adev_sched_may_go_on(&scheduler, 0));
	enqueue(1, 1);
	assert_false(adev_sched_may_go_on(&scheduler, 0));
	assert_true(take(&b));
	assert_true(adev_sched_may_go_on(&scheduler, 0));
	config.policy = ARNICA_HW_POLICY_WEIGHTED;
	configure();
	assert_false(adev_sched_may_go_on(&scheduler, 0));
	give(&b, false, 1);
	assert_true(adev_sched_may_go_on(&scheduler, 0));
	give(&a, false, 1);
}

/* Entries that engine has, of those that its QP announced. */
static void has_descriptors(uint32_t qp, uint32_t count, uint32_t announced)
{
	uint32_t i;

	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++)
		if (scheduler.engines[i].qp == &qps[qp]) {
			scheduler.engines[i].descriptors.first = 0;
			scheduler.engines[i].descriptors.count = count;
		}
	atomic_store(&qps[qp].producer, announced);
}

static void descriptors_are_fetched_by_class_below_the_watermark(void **state)
{
	struct adev_grant grant;
	uint32_t i;

	(void)state;
	for (i = 0; i < ADEV_CLASSES; i++)
		config.watermark[i] = 4;
	config.watermark[2] = 8;
	configure();
	for (i = 0; i < 4; i++)
		enqueue(i, 4 - i);
	run(1); /* of class 4; they have engines now */
	has_descriptors(1, 4, 10); /* class 3: has enough */
	has_descriptors(2, 7, 7);  /* class 2: there are no more */
	has_descriptors(3, 3, 10); /* class 1 */
	assert_true(take(&grant));
	assert_non_null(grant.fetcher);
	assert_ptr_equal(grant.fetcher->qp, &qps[3]);
	give(&grant, true, ENTRY);
	has_descriptors(2, 7, 8); /* its watermark is higher */
	assert_true(take(&grant));
	assert_ptr_equal(grant.fetcher->qp, &qps[2]);
	give(&grant, true, ENTRY);
}

static void numbers_can_change_while_engines_work(void **state)
{
	struct adev_grant grant;
	uint32_t i;

	(void)state;
	for (i = 0; i < QPS; i++)
		enqueue(i, 0);
	run(QPS);
	assert_true(take(&grant));
	config.num_engines = 2;
	config.num_gathers = 2;
	configure();
	give(&grant, true, ENTRY);
	run(QPS * 40);
	for (i = 2; i < ARNICA_HW_MAX_ENGINES; i++)
		assert_null(scheduler.engines[i].qp);
	for (i = 0; i < QPS; i++)
		assert_true(moved[i] > ADEV_SERVICE_BYTES);
}

static void refuse(const struct adev_sched_config *wrong)
{
	struct adev_sched_config now;

	assert_int_equal(adev_sched_configure(&scheduler, wrong), EINVAL);
	adev_sched_query(&scheduler, &now);
	assert_memory_equal(&now, &config, sizeof(now));
}

#define REFUSE(field, value)                                                   \
	do {                                                                   \
		struct adev_sched_config wrong = config;                       \
                                                                               \
		wrong.field = (value);                                         \
		refuse(&wrong);                                                \
	} while (0)

static void wrong_numbers_are_refused(void **state)
{
	(void)state;
	REFUSE(policy, 2);
	REFUSE(num_engines, 0);
	REFUSE(num_engines, ARNICA_HW_MAX_ENGINES + 1);
	REFUSE(num_engines, config.num_gathers - 1);
	REFUSE(num_gathers, 0);
	REFUSE(num_gathers, ARNICA_HW_MAX_GATHERS + 1);
	REFUSE(class_weight[3], 0);
	REFUSE(watermark[4], 0);
	REFUSE(watermark[4], ARNICA_HW_ENGINE_DESCRIPTORS + 1);
	REFUSE(engine_weight[2], 0);
	REFUSE(class_engines[0], 0);
	/* An engine that there is not. */
	REFUSE(class_engines[15], 1 << 9);
}

#define arbiter_test(function)                                                 \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		arbiter_test(classes_share_as_their_weights_say),
		arbiter_test(shares_are_of_bytes_and_not_of_turns),
		arbiter_test(a_class_has_its_share_however_many_are_in_it),
		arbiter_test(fewer_engines_than_classes_change_no_shares),
		arbiter_test(engines_of_a_class_share_as_their_weights_say),
		arbiter_test(all_of_a_class_have_their_turn_with_one_engine),
		arbiter_test(who_comes_later_gets_its_share_from_then_on),
		arbiter_test(who_was_alone_gets_its_share_as_before),
		arbiter_test(with_strict_priority_the_lower_class_waits),
		arbiter_test(a_higher_class_gets_an_engine_of_a_lower_one),
		arbiter_test(a_class_keeps_to_its_engines),
		arbiter_test(as_many_threads_as_gather_engines_move_at_once),
		arbiter_test(
			a_class_that_had_its_share_waits_for_one_in_other_hands),
		arbiter_test(a_lower_class_goes_on_beside_a_higher_one),
		arbiter_test(who_must_wait_depends_on_the_policy),
		arbiter_test(classes_get_in_between_by_the_policy),
		arbiter_test(polls_are_short_where_there_are_higher_classes),
		arbiter_test(
			with_shares_a_turn_is_an_entry_while_others_have_work),
		arbiter_test(
			descriptors_are_fetched_by_class_below_the_watermark),
		arbiter_test(numbers_can_change_while_engines_work),
		arbiter_test(wrong_numbers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
