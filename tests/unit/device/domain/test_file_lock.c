/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "domain/file_lock.h"

#define FOREVER_MS (1000u * 1000)

struct files {
	int one, other; /* two open files of one */
};

static int open_files(void **state)
{
	static struct files files;
	char path[32];

	files.one = memfd_create("lock", MFD_CLOEXEC);
	assert_true(files.one >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", files.one);
	files.other = open(path, O_RDWR | O_CLOEXEC);
	assert_true(files.other >= 0);
	*state = &files;
	return 0;
}

static int close_files(void **state)
{
	const struct files *files = *state;

	close(files->one);
	close(files->other);
	return 0;
}

static void one_has_it_at_a_time(void **state)
{
	const struct files *files = *state;

	assert_ok(adev_file_lock(files->one, 0));
	assert_int_equal(adev_file_lock(files->other, 2), EBUSY);
	adev_file_unlock(files->one);
	assert_ok(adev_file_lock(files->other, 0));
}

static void closing_gives_it_back(void **state)
{
	struct files *files = *state;

	assert_ok(adev_file_lock(files->one, 0));
	close(files->one);
	files->one = -1;
	assert_ok(adev_file_lock(files->other, 0));
}

static void *give_back_later(void *opaque)
{
	const int *fd = opaque;
	int i;

	for (i = 0; i < 20; i++)
		sched_yield();
	adev_file_unlock(*fd);
	return NULL;
}

static void it_is_waited_for(void **state)
{
	struct files *files = *state;
	pthread_t thread;

	assert_ok(adev_file_lock(files->one, 0));
	assert_ok(pthread_create(&thread, NULL, give_back_later, &files->one));
	assert_ok(adev_file_lock(files->other, FOREVER_MS));
	assert_ok(pthread_join(thread, NULL));
}

static void what_is_no_file_is_told_at_once(void **state)
{
	(void)state;
	assert_int_equal(adev_file_lock(-1, FOREVER_MS), EBADF);
}

#define WITH_FILES(test)                                                       \
	cmocka_unit_test_setup_teardown(test, open_files, close_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILES(one_has_it_at_a_time),
		WITH_FILES(closing_gives_it_back),
		WITH_FILES(it_is_waited_for),
		cmocka_unit_test(what_is_no_file_is_told_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
