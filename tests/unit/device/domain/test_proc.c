/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/interfaces.h"
#include "domain/proc.h"

static void start_time_tells_threads_from_their_successors(void **state)
{
	uint64_t parent;
	uint64_t again;
	pid_t pid;

	(void)state;
	assert_ok(adev_proc_start_time(getpid(), gettid(), &parent));
	assert_ok(adev_proc_start_time(getpid(), gettid(), &again));
	assert_true(parent == again && parent > 0);
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(adev_proc_start_time(pid, pid, &again), ESRCH);
}

static _Atomic pid_t sleeper;

static void *sleep_on(void *pipe_end)
{
	char byte;

	atomic_store(&sleeper, gettid());
	return read(*(int *)pipe_end, &byte, 1) == 1 ? NULL : pipe_end;
}

static void who_wants_a_processor_is_told_from_who_sleeps(void **state)
{
	uint64_t had_ns = adev_proc_thread_ns(gettid());
	pthread_t thread;
	void *failed;
	int fds[2];
	pid_t tid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, sleep_on, &fds[0]), 0);
	while (!(tid = atomic_load(&sleeper)) || adev_proc_is_runnable(tid))
		usleep(1000);
	assert_true(adev_proc_thread_ns(tid) > 0);
	assert_true(adev_proc_thread_ns(tid) == adev_proc_thread_ns(tid));
	assert_true(adev_proc_is_runnable(gettid()));
	assert_true(adev_proc_thread_ns(gettid()) > had_ns);
	assert_int_equal(write(fds[1], "", 1), 1);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	while (adev_proc_thread_ns(tid))
		usleep(1000);
	assert_false(adev_proc_is_runnable(tid));
	assert_true(adev_proc_thread_ns(0) == 0);
	close(fds[0]);
	close(fds[1]);
}

static void machine_has_its_names(void **state)
{
	(void)state;
	assert_true(adev_proc_boot() == adev_proc_boot());
	assert_true(adev_proc_namespace("net") != 0);
	assert_true(adev_proc_namespace("nothing") == 0);
	assert_true(adev_proc_is_ours());
	assert_true(adev_proc_random() != adev_proc_random());
}

static void hash_depends_on_all_it_is_given(void **state)
{
	(void)state;
	assert_true(adev_proc_hash(0, "ab", 2) != adev_proc_hash(0, "ba", 2));
	assert_true(adev_proc_hash(0, "ab", 2) != adev_proc_hash(1, "ab", 2));
	assert_true(adev_proc_hash(0, "ab", 2) == adev_proc_hash(0, "abc", 2));
}

/* No socket can be had, so neither way works; the last one needs none. */
static int read_without_sockets(void)
{
	const struct rlimit none = { 3, 3 };
	struct adev_interfaces *found = malloc(sizeof(*found));
	uint32_t num;

	if (!found || setrlimit(RLIMIT_NOFILE, &none) != 0)
		return 1;
	adev_interfaces_read(found);
	num = found->num_interfaces + found->num_addresses;
	free(found);
	return num ? 2 : 0;
}

static void interfaces_that_cannot_be_read_are_none(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(read_without_sockets());
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			start_time_tells_threads_from_their_successors),
		cmocka_unit_test(who_wants_a_processor_is_told_from_who_sleeps),
		cmocka_unit_test(machine_has_its_names),
		cmocka_unit_test(hash_depends_on_all_it_is_given),
		cmocka_unit_test(interfaces_that_cannot_be_read_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
