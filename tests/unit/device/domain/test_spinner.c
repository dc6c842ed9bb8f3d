/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Threads that poll in vain on one processor let each other go ahead. */
#include "test.h"

#include <pthread.h>
#include <sched.h>

#include "domain/spinner.h"

/* This thread stays on the processor that it has. */
static void stay(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

struct spin {
	const struct fixture_function *of;
	bool aside;
};

static bool steps_aside(const struct fixture_function *of)
{
	return adev_spinner_step_aside(of->directory, of->function);
}

/* On the processor of its maker. */
static void *spin(void *argument)
{
	struct spin *spin = argument;

	spin->aside = steps_aside(spin->of);
	return NULL;
}

static bool another_thread_steps_aside(const struct fixture_function *of)
{
	struct spin other = { .of = of };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, spin, &other), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return other.aside;
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

static void two_take_turns(void **state)
{
	struct fixture_function f;
	uint32_t round;

	(void)state;
	assert_true(fixture_enter(&f));
	assert_false(steps_aside(&f));
	for (round = 0; round < 3; round++) {
		assert_true(another_thread_steps_aside(&f));
		assert_true(steps_aside(&f));
		/* The other one has not been there since. */
		assert_false(steps_aside(&f));
	}
	fixture_leave(&f);
}

/* As those of two processes: thread-local memory may be at the same place. */
static void two_functions_take_turns(void **state)
{
	struct fixture_function one, two;

	(void)state;
	assert_true(fixture_enter(&one));
	assert_true(fixture_enter(&two));
	assert_false(steps_aside(&one));
	assert_true(steps_aside(&two));
	assert_true(steps_aside(&one));
	fixture_leave(&one);
	fixture_leave(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(who_spins_alone_goes_on),
		domain_test(two_take_turns),
		domain_test(two_functions_take_turns),
	};

	stay();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
