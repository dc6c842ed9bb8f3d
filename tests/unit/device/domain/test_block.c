/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void leased_block_leads_to_its_function(void **state)
{
	struct fixture_function f;
	uint64_t generation;
	uint32_t function;
	uint32_t lease;

	(void)state;
	assert_true(fixture_enter(&f));
	assert_ok(adev_directory_find(f.directory,
				      f.block * ADEV_BLOCK_QPNS + 200,
				      &function, &generation, &lease));
	assert_int_equal(function, f.function);
	assert_true(generation == f.generation);
	assert_int_equal(lease, 7);
	assert_int_equal(adev_directory_find(f.directory,
					     (f.block ^ 1) * ADEV_BLOCK_QPNS,
					     &function, &generation, &lease),
			 ENOENT);
	adev_directory_return(f.directory, f.function, f.block);
	assert_int_equal(adev_directory_find(f.directory,
					     f.block * ADEV_BLOCK_QPNS,
					     &function, &generation, &lease),
			 ENOENT);
	fixture_leave(&f);
}

static void foreign_block_is_not_returned(void **state)
{
	struct fixture_function f[2];
	uint64_t generation;
	uint32_t function;
	uint32_t lease;

	(void)state;
	assert_true(fixture_enter(&f[0]) && fixture_enter(&f[1]));
	adev_directory_return(f[0].directory, f[0].function, f[1].block);
	assert_ok(adev_directory_find(f[0].directory,
				      f[1].block * ADEV_BLOCK_QPNS, &function,
				      &generation, &lease));
	assert_int_equal(function, f[1].function);
	fixture_leave(&f[0]);
	fixture_leave(&f[1]);
}

static void leases_end_with_enomem_and_never_repeat(void **state)
{
	struct fixture_function f;
	unsigned char *seen = calloc(ADEV_BLOCKS, 1);
	unsigned int taken = 0;
	unsigned int refused = 0;
	uint32_t block;

	(void)state;
	assert_true(fixture_enter(&f));
	adev_directory_return(f.directory, f.function, f.block);
	for (unsigned int i = 0; i < 70000 && refused < 10; i++) {
		int error = adev_directory_lease(f.directory, f.function,
						 i % ADEV_LEASES, &block);

		if (error) {
			assert_int_equal(error, ENOMEM);
			refused++;
			continue;
		}
		/* Not those of QP 0 and 1, and of multicast. */
		assert_in_range(block, 1, ADEV_BLOCKS - 2);
		assert_false(seen[block]);
		seen[block] = 1;
		taken++;
	}
	assert_int_equal(taken, ADEV_BLOCKS - 2);
	assert_int_equal(refused, 10);
	adev_directory_return(f.directory, f.function, 4711);
	assert_ok(adev_directory_lease(f.directory, f.function, 0, &block));
	assert_int_equal(block, 4711);
	fixture_leave(&f);
	free(seen);
}

static void block_of_the_dead_can_be_leased_at_once(void **state)
{
	struct fixture_function f;
	struct fixture_function remote;
	pid_t pid;
	uint32_t block = 0;

	(void)state;
	assert_true(fixture_enter(&f));
	pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	assert_true(pid > 0);
	while (adev_directory_lease(f.directory, f.function, 0, &block) == 0)
		assert_int_not_equal(block, remote.block);
	fixture_kill(pid);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	assert_ok(adev_directory_lease(f.directory, f.function, 0, &block));
	assert_int_equal(block, remote.block);
	adev_directory_put(remote.directory);
	fixture_leave(&f);
}

static void wrong_arguments_are_refused(void **state)
{
	struct fixture_function f;
	uint32_t block;

	(void)state;
	assert_true(fixture_enter(&f));
	assert_int_equal(
		adev_directory_lease(f.directory, ADEV_FUNCTIONS, 0, &block),
		EINVAL);
	assert_int_equal(adev_directory_lease(f.directory, f.function,
					      ADEV_LEASES, &block),
			 EINVAL);
	assert_int_equal(adev_directory_lease(f.directory,
					      (f.function + 1) % ADEV_FUNCTIONS,
					      0, &block),
			 ESRCH);
	fixture_leave(&f);
}

static void numbers_cannot_be_foretold(void **state)
{
	uint32_t first[8];
	uint32_t second[8];
	struct fixture_function f;

	(void)state;
	for (int i = 0; i < 8; i++) {
		assert_true(fixture_enter(&f));
		first[i] = f.block;
		fixture_leave(&f);
		assert_true(fixture_enter(&f));
		second[i] = f.block;
		fixture_leave(&f);
	}
	assert_memory_not_equal(first, second, sizeof(first));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(leased_block_leads_to_its_function),
		domain_test(foreign_block_is_not_returned),
		domain_test(leases_end_with_enomem_and_never_repeat),
		domain_test(block_of_the_dead_can_be_leased_at_once),
		domain_test(wrong_arguments_are_refused),
		domain_test(numbers_cannot_be_foretold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
