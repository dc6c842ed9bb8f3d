/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <errno.h>

#include "domain/wake.h"

static bool is_awake(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void knock_wakes_until_it_is_drained(void **state)
{
	int ends[2];

	(void)state;
	assert_ok(adev_wake_create(&ends[0], &ends[1]));
	assert_false(is_awake(ends[0]));
	adev_wake_signal(ends[1]);
	adev_wake_signal(ends[1]);
	assert_true(is_awake(ends[0]));
	adev_wake_drain(ends[0]);
	assert_false(is_awake(ends[0]));
	close(ends[0]);
	close(ends[1]);
}

static void a_knock_of_the_same_process_wakes_until_it_is_drained(void **state)
{
	int fd;

	(void)state;
	assert_ok(adev_wake_create_own(&fd));
	assert_false(is_awake(fd));
	for (int i = 0; i < 100000; i++)
		adev_wake_signal_own(fd);
	assert_true(is_awake(fd));
	adev_wake_drain(fd);
	assert_false(is_awake(fd));
	close(fd);
}

static void full_pipe_does_not_block(void **state)
{
	int ends[2];

	(void)state;
	assert_ok(adev_wake_create(&ends[0], &ends[1]));
	for (int i = 0; i < 100000; i++)
		adev_wake_signal(ends[1]);
	adev_wake_drain(ends[0]);
	assert_false(is_awake(ends[0]));
	close(ends[0]);
	close(ends[1]);
}

static void knock_without_a_listener_raises_no_signal(void **state)
{
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	assert_ok(adev_wake_create(&ends[0], &ends[1]));
	close(ends[0]);
	adev_wake_signal(ends[1]);
	close(ends[1]);
}

static void knock_at_the_dead_raises_no_signal(void **state)
{
	struct fixture_function remote;
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	char path[32];
	int dir_fd;
	int fd;

	(void)state;
	assert_true(pid > 0);
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir_fd = open(path, O_PATH | O_DIRECTORY);
	assert_ok(adev_wake_open(
		dir_fd, remote.wake_write_fd,
		remote.directory->table->slots[remote.function].wake_inode,
		&fd));
	adev_wake_signal(fd);
	fixture_kill(pid);
	signal(SIGPIPE, SIG_DFL);
	adev_wake_signal(fd);
	close(fd);
	close(dir_fd);
	adev_directory_put(remote.directory);
}

static void other_files_are_not_opened(void **state)
{
	int dir_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY);
	struct stat status;
	int ends[2];
	int fd;

	(void)state;
	assert_ok(adev_wake_create(&ends[0], &ends[1]));
	assert_ok(fstat(ends[1], &status));
	assert_int_equal(
		adev_wake_open(dir_fd, ends[1], status.st_ino + 1, &fd),
		ENOENT);
	assert_int_equal(adev_wake_open(dir_fd, 0, status.st_ino, &fd), ENOENT);
	assert_int_equal(adev_wake_open(dir_fd, 9999, status.st_ino, &fd),
			 ENOENT);
	close(ends[0]);
	close(ends[1]);
	close(dir_fd);
}

static void descriptors_are_high_and_close_on_exec(void **state)
{
	int fds[3];

	(void)state;
	assert_ok(adev_wake_create(&fds[0], &fds[1]));
	assert_ok(adev_wake_create_own(&fds[2]));
	for (int i = 0; i < 3; i++) {
		assert_true(fds[i] >= 512);
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		close(fds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(knock_wakes_until_it_is_drained),
		domain_test(
			a_knock_of_the_same_process_wakes_until_it_is_drained),
		domain_test(full_pipe_does_not_block),
		domain_test(knock_without_a_listener_raises_no_signal),
		domain_test(knock_at_the_dead_raises_no_signal),
		domain_test(other_files_are_not_opened),
		domain_test(descriptors_are_high_and_close_on_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
