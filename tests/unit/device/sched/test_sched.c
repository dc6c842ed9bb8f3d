/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Scheduling queues: strict priority, turns within a class, leaving. */
#include "sched/sched.h"

#include <string.h>

#include "test.h"
#include "transport/qp.h"

#define QPS 8

static struct adev_scheduler scheduler;
static struct adev_qp qps[QPS];

static int setup(void **state)
{
	(void)state;
	memset(qps, 0, sizeof(qps));
	adev_sched_init(&scheduler);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	adev_sched_fini(&scheduler);
	return 0;
}

static void enqueue(unsigned int number, uint32_t class)
{
	qps[number].service_level = class;
	adev_sched_enqueue(&scheduler, &qps[number]);
}

static struct adev_grant take(unsigned int number)
{
	struct adev_grant grant;

	assert_true(adev_sched_take(&scheduler, &grant));
	assert_ptr_equal(grant.engine->qp, &qps[number]);
	return grant;
}

/* ... and it is done with its first turn. */
static void expect_next(unsigned int number)
{
	struct adev_grant grant = take(number);

	adev_sched_give(&scheduler, &grant, false, 1);
}

static void expect_none(void)
{
	struct adev_grant grant;

	assert_false(adev_sched_take(&scheduler, &grant));
}

static void expect_idle(void)
{
	assert_true(adev_sched_idle(&scheduler));
	assert_false(adev_sched_waits(&scheduler));
	expect_none();
}

static void an_empty_scheduler_is_idle(void **state)
{
	(void)state;
	expect_idle();
}

static void higher_classes_come_first_whatever_the_order(void **state)
{
	(void)state;
	enqueue(0, 3);
	enqueue(1, 15);
	enqueue(2, 0);
	enqueue(3, 7);
	assert_false(adev_sched_idle(&scheduler));
	expect_next(1);
	expect_next(3);
	expect_next(0);
	expect_next(2);
	expect_idle();
}

static void a_higher_class_overtakes_what_waits(void **state)
{
	(void)state;
	enqueue(0, 1);
	enqueue(1, 1);
	expect_next(0);
	enqueue(2, 2);
	expect_next(2);
	expect_next(1);
}

static void within_a_class_all_come_in_turn(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < QPS; i++)
		enqueue(i, 4);
	for (i = 0; i < QPS; i++)
		expect_next(i);
	expect_idle();
	enqueue(1, 4);
	enqueue(0, 4);
	expect_next(1);
	enqueue(1, 4);
	expect_next(0);
	expect_next(1);
}

static void one_that_stands_there_is_not_appended_again(void **state)
{
	(void)state;
	enqueue(0, 4);
	enqueue(1, 4);
	enqueue(0, 4);
	expect_next(0);
	expect_next(1);
	expect_idle();
}

static void removed_from_every_place(unsigned int removed)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		enqueue(i, 4);
	adev_sched_remove(&scheduler, &qps[removed]);
	enqueue(3, 4);
	for (i = 0; i < 4; i++)
		if (i != removed)
			expect_next(i);
	expect_idle();
}

static void first_middle_and_last_can_leave(void **state)
{
	(void)state;
	removed_from_every_place(0);
	removed_from_every_place(1);
	removed_from_every_place(2);
}

static void the_only_one_can_leave_and_come_back(void **state)
{
	(void)state;
	enqueue(0, 4);
	adev_sched_remove(&scheduler, &qps[0]);
	expect_idle();
	enqueue(0, 4);
	expect_next(0);
}

static void leaving_twice_or_without_being_there_does_nothing(void **state)
{
	(void)state;
	adev_sched_remove(&scheduler, &qps[0]);
	enqueue(0, 4);
	enqueue(1, 4);
	adev_sched_remove(&scheduler, &qps[0]);
	adev_sched_remove(&scheduler, &qps[0]);
	expect_next(1);
	expect_idle();
}

static void a_class_changed_meanwhile_does_not_lose_the_queue_pair(void **state)
{
	(void)state;
	enqueue(0, 4);
	enqueue(1, 4);
	qps[0].service_level = 9;
	adev_sched_remove(&scheduler, &qps[0]);
	expect_next(1);
	expect_idle();
}

static void classes_beyond_the_last_wrap(void **state)
{
	(void)state;
	enqueue(0, ADEV_CLASSES);
	enqueue(1, UINT32_MAX);
	expect_next(1);
	expect_next(0);
}

#define sched_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		sched_test(an_empty_scheduler_is_idle),
		sched_test(higher_classes_come_first_whatever_the_order),
		sched_test(a_higher_class_overtakes_what_waits),
		sched_test(within_a_class_all_come_in_turn),
		sched_test(one_that_stands_there_is_not_appended_again),
		sched_test(first_middle_and_last_can_leave),
		sched_test(the_only_one_can_leave_and_come_back),
		sched_test(leaving_twice_or_without_being_there_does_nothing),
		sched_test(
			a_class_changed_meanwhile_does_not_lose_the_queue_pair),
		sched_test(classes_beyond_the_last_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
