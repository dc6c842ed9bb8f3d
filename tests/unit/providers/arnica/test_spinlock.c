/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Locks of the data path: with an owner, taken away from it at any moment, and
 * plain.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spinlock.h"

#define ROUNDS 100u
#define TURNS 2000u
#define THREADS 3u

struct shared {
	struct arnica_spinlock lock;
	pthread_barrier_t start;
	atomic_bool entered;
	unsigned int count; /* under the lock */
};

static void *count_up(void *context)
{
	struct shared *shared = context;
	unsigned int i;

	pthread_barrier_wait(&shared->start);
	for (i = 0; i < TURNS; i++) {
		arnica_spinlock_lock(&shared->lock);
		shared->count++;
		arnica_spinlock_unlock(&shared->lock);
	}
	return NULL;
}

/* The owner goes on while others come: nothing is lost where it is taken away. */
static void nobody_is_inside_with_somebody_else(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		pthread_t threads[THREADS];
		struct shared shared = { .count = 0 };

		arnica_spinlock_init(&shared.lock);
		arnica_spinlock_lock(&shared.lock);
		arnica_spinlock_unlock(&shared.lock);
		pthread_barrier_init(&shared.start, NULL, THREADS + 1);
		for (i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
							count_up, &shared),
					 0);
		count_up(&shared);
		for (i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&shared.start);
		assert_int_equal(shared.count, (THREADS + 1) * TURNS);
	}
}

static void *enter(void *context)
{
	struct shared *shared = context;

	arnica_spinlock_lock(&shared->lock);
	atomic_store(&shared->entered, true);
	arnica_spinlock_unlock(&shared->lock);
	return NULL;
}

static void others_wait_until_the_owner_is_out(void **state)
{
	struct shared shared = { .count = 0 };
	pthread_t thread;
	unsigned int i;

	(void)state;
	arnica_spinlock_init(&shared.lock);
	arnica_spinlock_lock(&shared.lock);
	assert_int_equal(pthread_create(&thread, NULL, enter, &shared), 0);
	for (i = 0; i < 1000; i++) {
		sched_yield();
		assert_false(atomic_load(&shared.entered));
	}
	arnica_spinlock_unlock(&shared.lock);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&shared.entered));
	/* A plain one from now on. */
	assert_true(arnica_spinlock_try_lock(&shared.lock));
	assert_false(arnica_spinlock_try_lock(&shared.lock));
	arnica_spinlock_unlock(&shared.lock);
	assert_true(arnica_spinlock_try_lock(&shared.lock));
}

static void an_interruption_does_not_get_in(void **state)
{
	struct arnica_spinlock lock;

	(void)state;
	arnica_spinlock_init(&lock);
	assert_true(arnica_spinlock_try_lock(&lock));
	assert_false(arnica_spinlock_try_lock(&lock));
	arnica_spinlock_unlock(&lock);
	assert_true(arnica_spinlock_try_lock(&lock));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_inside_with_somebody_else),
		cmocka_unit_test(others_wait_until_the_owner_is_out),
		cmocka_unit_test(an_interruption_does_not_get_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
