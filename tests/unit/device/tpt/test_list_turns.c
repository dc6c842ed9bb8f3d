/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Waiting for those who are in a list: for all who had entered before, and for
 * nobody who comes later, so that it ends although somebody always is inside.
 */
#include "tpt/list.h"

#include <pthread.h>
#include <sched.h>

#include "test.h"

#define READERS 3u
#define ROUNDS 20u

static void nobody_inside_is_over_at_once(void **state)
{
	(void)state;
	assert_true(adev_tpt_list_is_over(adev_tpt_list_ask()));
}

static void who_was_inside_is_waited_for(void **state)
{
	uint32_t first, second, later;
	uint64_t asked;

	(void)state;
	first = adev_tpt_list_enter();
	second = adev_tpt_list_enter();
	asked = adev_tpt_list_ask();
	assert_false(adev_tpt_list_is_over(asked));
	later = adev_tpt_list_enter();
	adev_tpt_list_leave(first);
	assert_false(adev_tpt_list_is_over(asked));
	adev_tpt_list_leave(second);
	assert_true(adev_tpt_list_is_over(asked));
	assert_false(adev_tpt_list_is_over(adev_tpt_list_ask()));
	adev_tpt_list_leave(later);
	assert_true(adev_tpt_list_is_over(adev_tpt_list_ask()));
}

/* A chain of users, each of whom enters before the one before him leaves. */
static void a_chain_of_users_holds_up_nobody(void **state)
{
	uint32_t inside = adev_tpt_list_enter(), round, next;

	(void)state;
	for (round = 0; round < 10; round++) {
		uint64_t asked = adev_tpt_list_ask();
		uint32_t links = 0;

		while (!adev_tpt_list_is_over(asked)) {
			next = adev_tpt_list_enter();
			adev_tpt_list_leave(inside);
			inside = next;
			assert_true(++links < 4);
		}
		assert_true(links > 0);
	}
	adev_tpt_list_leave(inside);
}

static void the_child_of_a_fork_waits_for_nobody(void **state)
{
	(void)state;
	(void)adev_tpt_list_enter();
	assert_false(adev_tpt_list_is_over(adev_tpt_list_ask()));
	adev_tpt_list_forget();
	assert_true(adev_tpt_list_is_over(adev_tpt_list_ask()));
}

static struct {
	_Atomic uint32_t tag;
	uint32_t first, second; /* equal while the tag is set */
	atomic_bool over;
	_Atomic uint32_t torn;
} list = { .tag = 1 };

static void *read_on_and_on(void *argument)
{
	uint32_t inside = adev_tpt_list_enter(), next;

	(void)argument;
	while (!atomic_load(&list.over)) {
		if (atomic_load_explicit(&list.tag, memory_order_acquire) &&
		    list.first != list.second)
			atomic_fetch_add(&list.torn, 1);
		sched_yield();
		/* So that there always is somebody. */
		next = adev_tpt_list_enter();
		adev_tpt_list_leave(inside);
		inside = next;
	}
	adev_tpt_list_leave(inside);
	return NULL;
}

static void a_list_changes_while_it_is_used(void **state)
{
	pthread_t readers[READERS];
	uint32_t i;

	(void)state;
	for (i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL,
						read_on_and_on, NULL),
				 0);
	for (i = 0; i < ROUNDS; i++) {
		uint64_t asked;

		atomic_store(&list.tag, 0);
		asked = adev_tpt_list_ask();
		while (!adev_tpt_list_is_over(asked))
			sched_yield();
		list.first++;
		list.second++;
		atomic_store_explicit(&list.tag, 1, memory_order_release);
	}
	atomic_store(&list.over, true);
	for (i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	assert_int_equal(atomic_load(&list.torn), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_inside_is_over_at_once),
		cmocka_unit_test(who_was_inside_is_waited_for),
		cmocka_unit_test(a_chain_of_users_holds_up_nobody),
		cmocka_unit_test(the_child_of_a_fork_waits_for_nobody),
		cmocka_unit_test(a_list_changes_while_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
