/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "domain/proc.h"

static void running_function_is_alive_until_it_leaves(void **state)
{
	struct fixture_function f;
	struct adev_directory *directory;
	pid_t pid;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	assert_true(fixture_enter(&f));
	assert_ptr_equal(f.directory, directory);
	assert_true(adev_directory_alive(directory, f.function, f.generation));
	assert_false(
		adev_directory_alive(directory, f.function, f.generation + 1));
	assert_int_equal(
		adev_directory_life(directory, f.function, f.generation + 1),
		ADEV_LIFE_UNKNOWN);
	assert_ok(
		adev_directory_pid(directory, f.function, f.generation, &pid));
	assert_int_equal(pid, getpid());
	fixture_leave(&f);
	assert_false(adev_directory_alive(directory, f.function, f.generation));
	assert_int_equal(
		adev_directory_life(directory, f.function, f.generation),
		ADEV_LIFE_CLOSED);
	assert_int_equal(
		adev_directory_pid(directory, f.function, f.generation, &pid),
		ENOENT);
	adev_directory_put(directory);
}

/* For peers, which decide by it how a connection goes. */
static void wire_that_is_forced_is_told(void **state)
{
	struct fixture_function plain, forced;

	(void)state;
	assert_ok(setenv("ARNICA_LOOPBACK", "off", 1));
	assert_true(fixture_enter(&forced));
	assert_ok(setenv("ARNICA_LOOPBACK", "on", 1));
	assert_true(fixture_enter(&plain));
	assert_ok(unsetenv("ARNICA_LOOPBACK"));
	assert_true(adev_directory_forces_wire(
		forced.directory, forced.function, forced.generation));
	assert_false(adev_directory_forces_wire(
		forced.directory, forced.function, forced.generation + 1));
	assert_false(adev_directory_forces_wire(plain.directory, plain.function,
						plain.generation));
	fixture_leave(&forced);
	assert_false(adev_directory_forces_wire(
		plain.directory, forced.function, forced.generation));
	fixture_leave(&plain);
}

/* An older build leaves the word as it finds it. */
static void a_former_owner_forces_nothing(void **state)
{
	struct fixture_function former, older;
	uint32_t word;

	(void)state;
	assert_ok(setenv("ARNICA_LOOPBACK", "off", 1));
	assert_true(fixture_enter(&former));
	assert_ok(unsetenv("ARNICA_LOOPBACK"));
	word = former.directory->table->slots[former.function].forces_wire;
	assert_int_not_equal(word, 0);
	fixture_leave(&former);
	assert_true(fixture_enter(&older));
	older.directory->table->slots[older.function].forces_wire = word;
	assert_false(adev_directory_forces_wire(older.directory, older.function,
						older.generation));
	fixture_leave(&older);
}

static void other_process_is_seen(void **state)
{
	struct fixture_function remote;
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	pid_t found;

	(void)state;
	assert_true(pid > 0);
	assert_true(adev_directory_alive(remote.directory, remote.function,
					 remote.generation));
	assert_ok(adev_directory_pid(remote.directory, remote.function,
				     remote.generation, &found));
	assert_int_equal(found, pid);
	fixture_kill(pid);
	adev_directory_put(remote.directory);
}

static void end_is_noticed(enum fixture_end end, enum adev_life life)
{
	struct fixture_function remote;
	struct adev_directory *directory;
	uint64_t generation;
	uint32_t function;
	uint32_t lease;
	pid_t pid;

	/* Before the end: the first open would tidy up. */
	assert_ok(adev_directory_open(&directory));
	pid = fixture_spawn(&remote, end);
	assert_true(pid > 0);
	if (end == FIXTURE_PAUSE)
		kill(pid, SIGKILL);
	/* Not waited for: a zombie is as dead. */
	assert_true(fixture_wait_life(&remote, life));
	assert_int_equal(adev_directory_find(remote.directory,
					     remote.block * ADEV_BLOCK_QPNS,
					     &function, &generation, &lease),
			 ENOENT);
	assert_int_equal(adev_directory_reap(remote.directory),
			 life == ADEV_LIFE_DEAD);
	assert_int_equal(adev_directory_reap(remote.directory), 0);
	assert_int_equal(remote.directory->table->blocks[remote.block], 0);
	assert_true(fixture_wait_life(&remote, life));
	fixture_kill(pid);
	adev_directory_put(remote.directory);
	adev_directory_put(directory);
}

static void sigkill_is_death(void **state)
{
	(void)state;
	end_is_noticed(FIXTURE_PAUSE, ADEV_LIFE_DEAD);
}

static void exit_without_leaving_is_death(void **state)
{
	(void)state;
	end_is_noticed(FIXTURE_EXIT, ADEV_LIFE_DEAD);
}

static void exec_is_death(void **state)
{
	(void)state;
	end_is_noticed(FIXTURE_EXEC, ADEV_LIFE_DEAD);
}

static void end_of_the_agent_alone_is_death(void **state)
{
	(void)state;
	end_is_noticed(FIXTURE_THREAD_END, ADEV_LIFE_DEAD);
}

static void leaving_is_orderly(void **state)
{
	(void)state;
	end_is_noticed(FIXTURE_LEAVE, ADEV_LIFE_CLOSED);
}

static void child_does_not_end_the_function_of_its_parent(void **state)
{
	struct fixture_function f;
	pid_t pid;

	(void)state;
	assert_true(fixture_enter(&f));
	pid = fork();
	if (pid == 0) {
		adev_directory_leave(f.directory, f.function);
		_exit(adev_directory_alive(f.directory, f.function,
					   f.generation) ?
			      0 :
			      1);
	}
	waitpid(pid, &(int){ 0 }, 0);
	assert_true(
		adev_directory_alive(f.directory, f.function, f.generation));
	assert_int_equal(adev_directory_reap(f.directory), 0);
	fixture_leave(&f);
}

static void child_can_enter_a_function_of_its_own(void **state)
{
	struct fixture_function mine;
	struct fixture_function remote;
	pid_t pid;

	(void)state;
	assert_true(fixture_enter(&mine));
	pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	assert_true(pid > 0);
	assert_int_not_equal(remote.function, mine.function);
	fixture_kill(pid);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	assert_true(adev_directory_alive(mine.directory, mine.function,
					 mine.generation));
	adev_directory_put(remote.directory);
	fixture_leave(&mine);
}

static void *leave_elsewhere(void *opaque)
{
	struct fixture_function *f = opaque;

	adev_directory_leave(f->directory, f->function);
	return NULL;
}

static void only_the_agent_can_leave(void **state)
{
	struct fixture_function f;
	pthread_t thread;

	(void)state;
	assert_true(fixture_enter(&f));
	pthread_create(&thread, NULL, leave_elsewhere, &f);
	pthread_join(thread, NULL);
	assert_true(
		adev_directory_alive(f.directory, f.function, f.generation));
	fixture_leave(&f);
}

static void one_thread_may_hold_several_functions(void **state)
{
	struct fixture_function f[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(fixture_enter(&f[i]));
	fixture_leave(&f[0]);
	assert_true(adev_directory_alive(f[1].directory, f[1].function,
					 f[1].generation));
	fixture_leave(&f[2]);
	assert_true(adev_directory_alive(f[1].directory, f[1].function,
					 f[1].generation));
	fixture_leave(&f[1]);
}

static void enter_wants_a_segment_and_a_pipe(void **state)
{
	struct adev_directory *directory;
	uint32_t function;
	int ends[2];

	(void)state;
	assert_ok(adev_directory_open(&directory));
	assert_ok(pipe(ends));
	assert_int_equal(
		adev_directory_enter(directory, ends[1], 1, ends[1], -1,
				     &function),
		EINVAL);
	assert_int_equal(
		adev_directory_enter(directory, -1, 1, ends[1], -1,
				     &function),
		EBADF);
	assert_int_equal(adev_directory_reap(directory), 0);
	close(ends[0]);
	close(ends[1]);
	adev_directory_put(directory);
}

/* As after a death that the kernel could not mark: a TID that is no thread. */
static void process_that_is_gone_is_found_by_its_start_time(void **state)
{
	struct fixture_function remote;
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	struct adev_slot *slot;
	uint32_t life;

	(void)state;
	assert_true(pid > 0);
	slot = &remote.directory->table->slots[remote.function];
	life = slot->life;
	fixture_kill(pid);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	slot->life = life;
	assert_true(adev_directory_alive(remote.directory, remote.function,
					 remote.generation));
	assert_int_equal(adev_directory_reap(remote.directory), 1);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	adev_directory_put(remote.directory);
}

static void churn(void)
{
	struct fixture_function f;
	uint32_t block;

	for (;;) {
		if (!fixture_enter(&f))
			_exit(1);
		for (int i = 0; i < 20; i++) {
			if (adev_directory_lease(f.directory, f.function, 3,
						 &block) != 0)
				_exit(2);
			if (i % 2)
				adev_directory_return(f.directory, f.function,
						      block);
		}
		fixture_leave(&f);
	}
}

static void check_empty(struct adev_directory *directory)
{
	uint32_t i;

	adev_directory_reap(directory);
	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		struct adev_slot *slot = &directory->table->slots[i];

		assert_int_not_equal(slot->status & ADEV_STATUS_STATE_MASK,
				     ADEV_SLOT_RUNNING);
		assert_true(!slot->life || (slot->life & ADEV_LIFE_OWNER_DIED));
	}
	for (i = 0; i < ADEV_BLOCKS; i++)
		assert_int_equal(directory->table->blocks[i], 0);
}

static void sigkill_at_any_moment_leaves_a_good_directory(void **state)
{
	struct adev_directory *directory;
	struct timespec pause = { 0 };
	pid_t pid[2];
	int status;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 2; i++) {
			pid[i] = fork();
			if (pid[i] == 0)
				churn();
		}
		for (int i = 0; i < 2; i++) {
			pause.tv_nsec = (long)(adev_proc_random() % 10000000);
			nanosleep(&pause, NULL);
			kill(pid[i], SIGKILL);
			waitpid(pid[i], &status, 0);
			assert_true(WIFSIGNALED(status));
		}
		check_empty(directory);
	}
	adev_directory_put(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(running_function_is_alive_until_it_leaves),
		domain_test(wire_that_is_forced_is_told),
		domain_test(a_former_owner_forces_nothing),
		domain_test(other_process_is_seen),
		domain_test(sigkill_is_death),
		domain_test(exit_without_leaving_is_death),
		domain_test(exec_is_death),
		domain_test(end_of_the_agent_alone_is_death),
		domain_test(leaving_is_orderly),
		domain_test(child_does_not_end_the_function_of_its_parent),
		domain_test(child_can_enter_a_function_of_its_own),
		domain_test(only_the_agent_can_leave),
		domain_test(one_thread_may_hold_several_functions),
		domain_test(enter_wants_a_segment_and_a_pipe),
		domain_test(process_that_is_gone_is_found_by_its_start_time),
		domain_test(sigkill_at_any_moment_leaves_a_good_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
