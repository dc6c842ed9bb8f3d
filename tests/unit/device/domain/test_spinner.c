/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Threads that poll in vain on one processor let each other go ahead. */
#include "test.h"

#include <pthread.h>
#include <sched.h>

#include "domain/spinner.h"

/* This thread, and those that it makes, stay on the processor that it has. */
static void stay(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static bool steps_aside(const struct fixture_function *of)
{
	return adev_spinner_step_aside(of->directory, of->function);
}

static void who_spins_alone_goes_on(void **state)
{
	struct fixture_function f;

	(void)state;
	assert_true(fixture_enter(&f));
	assert_false(steps_aside(&f));
	assert_false(steps_aside(&f));
	fixture_leave(&f);
}

static void a_thread_of_two_functions_is_alone(void **state)
{
	struct fixture_function one, two;
	uint32_t round;

	(void)state;
	assert_true(fixture_enter(&one));
	assert_true(fixture_enter(&two));
	for (round = 0; round < 3; round++) {
		assert_false(steps_aside(&one));
		assert_false(steps_aside(&two));
	}
	fixture_leave(&one);
	fixture_leave(&two);
}

static void *spin_once(void *of)
{
	(void)steps_aside(of);
	return NULL;
}

/* On the processor of its maker. */
static void another_thread_spins(struct fixture_function *of)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, spin_once, of), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* A processor whose number modulo ADEV_SPINNERS is the same. */
static void another_processor_is_no_hindrance(void **state)
{
	struct fixture_function f;
	_Atomic uint64_t *word;
	uint64_t name;

	(void)state;
	assert_true(fixture_enter(&f));
	word = &f.directory->table->header
			.spinners[(uint32_t)sched_getcpu() % ADEV_SPINNERS];
	another_thread_spins(&f);
	name = *word;
	*word = name ^ (uint64_t)ADEV_SPINNERS << 32;
	assert_false(steps_aside(&f));
	*word = name;
	assert_true(steps_aside(&f));
	fixture_leave(&f);
}

/* More than anybody tries. */
#define PATIENCE 100000u

/* One that spun here, and does not any more. */
static void who_is_gone_is_not_waited_for(void **state)
{
	struct fixture_function gone, f;
	uint32_t tries = 0;

	(void)state;
	assert_true(fixture_enter(&gone));
	assert_true(fixture_enter(&f));
	another_thread_spins(&gone);
	while (tries < PATIENCE && steps_aside(&f))
		tries++;
	assert_in_range(tries, 1, PATIENCE - 1);
	assert_false(steps_aside(&f));
	fixture_leave(&gone);
	fixture_leave(&f);
}

#define ROUNDS 200u
#define FIRST_TURNS 20u
/* Looks for each turn, at most: without stepping aside there are as many as fit
 * into a slice of the scheduler, which is tens of thousands. */
#define LOOKS 20000u

struct player {
	const struct fixture_function *of;
	_Atomic uint32_t *turn;
	uint32_t number; /* its turns: 0, 2, 4... or 1, 3, 5... */
	uint32_t looks;
};

static void *play(void *argument)
{
	struct player *player = argument;
	uint32_t turn;

	for (turn = player->number; turn < 2 * ROUNDS; turn += 2) {
		while (atomic_load(player->turn) != turn) {
			/* Of the first turns the scheduler decides: the other
			 * one has not been here before. */
			player->looks += turn >= FIRST_TURNS;
			(void)steps_aside(player->of);
		}
		atomic_store(player->turn, turn + 1);
	}
	return NULL;
}

/* Two threads of one function, or of two as of two processes: the thread-local
 * memory of those may be at the same place. */
static void take_turns(const struct fixture_function *one,
		       const struct fixture_function *two)
{
	_Atomic uint32_t turn = 0;
	struct player players[2] = { { one, &turn, 0, 0 },
				     { two, &turn, 1, 0 } };
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, play,
						&players[i]),
				 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(players[0].looks + players[1].looks <
		    2 * ROUNDS * LOOKS);
}

static void two_threads_take_turns(void **state)
{
	struct fixture_function f;

	(void)state;
	assert_true(fixture_enter(&f));
	take_turns(&f, &f);
	fixture_leave(&f);
}

static void two_functions_take_turns(void **state)
{
	struct fixture_function one, two;

	(void)state;
	assert_true(fixture_enter(&one));
	assert_true(fixture_enter(&two));
	take_turns(&one, &two);
	fixture_leave(&one);
	fixture_leave(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(who_spins_alone_goes_on),
		domain_test(a_thread_of_two_functions_is_alone),
		domain_test(another_processor_is_no_hindrance),
		domain_test(who_is_gone_is_not_waited_for),
		domain_test(two_threads_take_turns),
		domain_test(two_functions_take_turns),
	};

	stay();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
