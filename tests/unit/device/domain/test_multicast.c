/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include "domain/multicast.h"

static void functions_with_attachments_are_found(void **state)
{
	struct fixture_function f[2];
	uint64_t generation;
	uint32_t low, high;

	(void)state;
	assert_true(fixture_enter(&f[0]) && fixture_enter(&f[1]));
	low = f[0].function < f[1].function ? 0 : 1;
	high = 1 - low;
	assert_int_equal(adev_directory_next_attached(f[0].directory, 0,
						      &generation),
			 ADEV_FUNCTIONS);
	adev_directory_attached(f[0].directory, f[high].function, true);
	adev_directory_attached(f[0].directory, f[low].function, true);
	assert_int_equal(adev_directory_next_attached(f[0].directory, 0,
						      &generation),
			 f[low].function);
	assert_true(generation == f[low].generation);
	assert_int_equal(adev_directory_next_attached(f[0].directory,
						      f[low].function + 1,
						      &generation),
			 f[high].function);
	assert_true(generation == f[high].generation);
	assert_int_equal(adev_directory_next_attached(f[0].directory,
						      f[high].function + 1,
						      &generation),
			 ADEV_FUNCTIONS);
	adev_directory_attached(f[0].directory, f[low].function, false);
	assert_int_equal(adev_directory_next_attached(f[0].directory, 0,
						      &generation),
			 f[high].function);
	fixture_leave(&f[0]);
	fixture_leave(&f[1]);
}

static void each_change_is_a_new_epoch(void **state)
{
	struct fixture_function f;
	uint32_t epoch;

	(void)state;
	assert_true(fixture_enter(&f));
	epoch = adev_mcast_epoch(f.directory->table);
	adev_directory_attached(f.directory, f.function, true);
	assert_int_equal(adev_mcast_epoch(f.directory->table), epoch + 1);
	adev_directory_attached(f.directory, f.function, true);
	assert_int_equal(adev_mcast_epoch(f.directory->table), epoch + 2);
	adev_directory_attached(f.directory, f.function, false);
	assert_int_equal(adev_mcast_epoch(f.directory->table), epoch + 3);
	/* There was nothing: nobody has to look again. */
	adev_directory_attached(f.directory, f.function, false);
	assert_int_equal(adev_mcast_epoch(f.directory->table), epoch + 3);
	fixture_leave(&f);
}

static void who_leaves_is_not_found(void **state)
{
	struct fixture_function f, watcher;
	uint64_t generation;

	(void)state;
	assert_true(fixture_enter(&watcher) && fixture_enter(&f));
	adev_directory_attached(f.directory, f.function, true);
	fixture_leave(&f);
	assert_int_equal(adev_directory_next_attached(watcher.directory, 0,
						      &generation),
			 ADEV_FUNCTIONS);
	fixture_leave(&watcher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(functions_with_attachments_are_found),
		domain_test(each_change_is_a_new_epoch),
		domain_test(who_leaves_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
