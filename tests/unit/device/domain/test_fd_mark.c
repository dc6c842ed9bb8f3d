/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "domain/fd_mark.h"

static int mine[2], other[2];
static struct adev_fd_mark mark;

static int setup(void **state)
{
	(void)state;
	if (pipe2(mine, O_CLOEXEC) || pipe2(other, O_CLOEXEC))
		return -1;
	return adev_fd_mark(mine[1], &mark);
}

static int teardown(void **state)
{
	(void)state;
	close(mine[0]);
	close(other[0]);
	close(other[1]);
	return 0;
}

static void a_duplicate_is_the_same_file(void **state)
{
	int again = dup(mine[1]);

	(void)state;
	assert_true(adev_fd_is(mine[1], &mark));
	assert_true(adev_fd_is(again, &mark));
	close(mine[1]);
	adev_fd_close(&again, &mark);
	assert_int_equal(again, -1);
	/* Nobody can write to it any more. */
	assert_int_equal(read(mine[0], &again, 1), 0);
}

static void a_closed_descriptor_is_nobodys(void **state)
{
	(void)state;
	close(mine[1]);
	errno = ENOSPC;
	assert_false(adev_fd_is(mine[1], &mark));
	assert_false(adev_fd_is(-1, &mark));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(adev_fd_mark(mine[1], &mark), EBADF);
}

static void what_has_its_number_now_is_left_open(void **state)
{
	int number = mine[1];

	(void)state;
	assert_int_equal(dup2(other[1], number), number);
	assert_false(adev_fd_is(number, &mark));
	adev_fd_close(&number, &mark);
	assert_int_equal(number, -1);
	assert_int_equal(fcntl(mine[1], F_GETFD), 0);
	close(mine[1]);
}

static void an_eventfd_is_no_pipe(void **state)
{
	struct adev_fd_mark event;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_ok(adev_fd_mark(fd, &event));
	assert_true(adev_fd_is(fd, &event));
	assert_false(adev_fd_is(mine[1], &event));
	assert_false(adev_fd_is(fd, &mark));
	close(fd);
	close(mine[1]);
}

#define fd_mark_test(function)                                                 \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fd_mark_test(a_duplicate_is_the_same_file),
		fd_mark_test(a_closed_descriptor_is_nobodys),
		fd_mark_test(what_has_its_number_now_is_left_open),
		fd_mark_test(an_eventfd_is_no_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
