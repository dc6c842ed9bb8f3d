/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Pipes of records: who blocks, who signals, and what a purge leaves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "fake_function.h"

#include "comp/pipe.h"

static int read_fd, write_fd;

static int open_pipe(void **state)
{
	(void)state;
	return adev_pipe_create(&read_fd, &write_fd);
}

static int close_pipe(void **state)
{
	(void)state;
	close(read_fd);
	close(write_fd);
	return 0;
}

static void put(uint64_t value)
{
	assert_ok(adev_pipe_write(write_fd, &value, sizeof(value)));
}

static void expect(uint64_t value)
{
	uint64_t got;

	assert_int_equal(read(read_fd, &got, sizeof(got)), sizeof(got));
	assert_true(got == value);
}

static bool is_empty(void)
{
	struct pollfd end = { .fd = read_fd, .events = POLLIN };

	return poll(&end, 1, 0) == 0;
}

static void only_the_reader_blocks(void **state)
{
	(void)state;
	assert_false(fcntl(read_fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(write_fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(read_fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(write_fd, F_GETFD) & FD_CLOEXEC);
}

static void a_full_pipe_takes_no_more(void **state)
{
	uint64_t value = 1;
	uint32_t count = 0;

	(void)state;
	while (!adev_pipe_write(write_fd, &value, sizeof(value)))
		count++;
	assert_int_equal(adev_pipe_write(write_fd, &value, sizeof(value)),
			 EAGAIN);
	assert_true(count >= 512);
	for (; count; count--)
		expect(1);
	assert_true(is_empty());
}

/* With the default action of SIGPIPE this test would not survive. */
static void nobody_reads_and_nobody_is_killed(void **state)
{
	uint64_t value = 1;
	sigset_t pending;

	(void)state;
	assert_false(adev_pipe_abandoned(write_fd));
	close(read_fd);
	assert_true(adev_pipe_abandoned(write_fd));
	assert_int_equal(adev_pipe_write(write_fd, &value, sizeof(value)),
			 EPIPE);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGPIPE));
}

static void purge_keeps_the_order_of_others(void **state)
{
	uint64_t i;

	(void)state;
	for (i = 0; i < 300; i++)
		put(i % 3 ? i : 0);
	assert_int_equal(adev_pipe_purge(write_fd, sizeof(uint64_t), 0), 100);
	for (i = 0; i < 300; i++) {
		if (i % 3)
			expect(i);
	}
	assert_true(is_empty());
}

static void purge_of_a_full_pipe_loses_nothing(void **state)
{
	uint64_t value = 7, last = 8, removed;
	uint32_t count = 0, i;

	(void)state;
	put(last);
	while (!adev_pipe_write(write_fd, &value, sizeof(value)))
		count++;
	expect(last); /* a page begun: the worst case for writing back */
	removed = adev_pipe_purge(write_fd, sizeof(uint64_t), last);
	assert_int_equal(removed, 0);
	for (i = 0; i < count; i++)
		expect(value);
	assert_true(is_empty());
}

static void purge_of_nothing(void **state)
{
	(void)state;
	assert_int_equal(adev_pipe_purge(write_fd, sizeof(uint64_t), 5), 0);
	put(5);
	close(read_fd);
	assert_int_equal(adev_pipe_purge(write_fd, sizeof(uint64_t), 5), 1);
	assert_true(adev_pipe_abandoned(write_fd));
}

#define pipe_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, open_pipe, close_pipe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pipe_test(only_the_reader_blocks),
		pipe_test(a_full_pipe_takes_no_more),
		pipe_test(nobody_reads_and_nobody_is_killed),
		pipe_test(purge_keeps_the_order_of_others),
		pipe_test(purge_of_a_full_pipe_loses_nothing),
		pipe_test(purge_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
