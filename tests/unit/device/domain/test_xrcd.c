/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* XRC domains by file: who finds one, and when it ends. */
#include "test.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/xrcd.h"

static int open_it(uint64_t inode, bool create, bool exclusive, uint64_t *id)
{
	return adev_xrcd_open(5, inode, create, exclusive, id);
}

static void one_is_made_when_it_is_asked_for(void **state)
{
	uint64_t first, again, other;

	(void)state;
	assert_int_equal(open_it(1, false, false, &first), EAGAIN);
	assert_int_equal(open_it(1, false, true, &first), EAGAIN);
	assert_ok(open_it(1, true, true, &first));
	assert_int_equal(open_it(1, true, true, &again), EINVAL);
	assert_ok(open_it(1, false, false, &again));
	assert_true(first && first == again);
	assert_ok(open_it(2, true, true, &other));
	assert_true(first != other);
	adev_xrcd_close(first);
	assert_ok(open_it(1, false, false, &again));
	adev_xrcd_close(again);
	adev_xrcd_close(again);
	assert_int_equal(open_it(1, false, false, &again), EAGAIN);
	adev_xrcd_close(other);
}

static void private_ones_are_nobody_else_s(void **state)
{
	uint64_t first = adev_xrcd_private(), second = adev_xrcd_private();

	(void)state;
	assert_true(first && second && first != second);
	adev_xrcd_close(first);
	adev_xrcd_close(second);
}

/* Another process: what it says about the domain of a file. */
static int ask(bool create, bool exclusive, bool keep)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		uint64_t id;
		int error = open_it(3, create, exclusive, &id);

		if (!error && !keep)
			adev_xrcd_close(id);
		_exit(error);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void processes_share_them_as_long_as_they_live(void **state)
{
	uint64_t id;

	(void)state;
	assert_int_equal(ask(false, false, false), EAGAIN);
	assert_ok(ask(true, true, true));
	/* It ended without closing. */
	assert_int_equal(open_it(3, false, false, &id), EAGAIN);
	assert_ok(open_it(3, true, false, &id));
	/* A child has not what its parent has open, but finds it. */
	assert_int_equal(ask(true, true, false), EINVAL);
	assert_ok(ask(false, false, false));
	assert_ok(ask(false, false, true));
	assert_int_equal(ask(true, true, false), EINVAL);
	adev_xrcd_close(id);
	assert_int_equal(ask(false, false, false), EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(one_is_made_when_it_is_asked_for),
		domain_test(private_ones_are_nobody_else_s),
		domain_test(processes_share_them_as_long_as_they_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
