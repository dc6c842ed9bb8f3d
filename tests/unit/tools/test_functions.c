/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arnica/hw/segment.h"

#include "functions.h"

#define GENERATION 0x6765ull

struct seen {
	unsigned count;
	struct tool_function last;
};

/* Other processes of this machine may have the device open. */
static void note(const struct tool_function *function, void *argument)
{
	struct seen *seen = argument;

	if (function->pid != getpid() || function->generation != GENERATION)
		return;
	seen->count++;
	seen->last = *function;
}

static int make_segment(enum arnica_hw_segment_state state, uint64_t magic)
{
	struct arnica_hw_segment_header header;
	int fd = memfd_create("test", MFD_CLOEXEC);

	memset(&header, 0, sizeof(header));
	header.magic = arnica_to_le64(magic);
	header.generation = arnica_to_le64(GENERATION);
	arnica_store32(&header.state, (uint32_t)state, memory_order_relaxed);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, &header, sizeof(header)), sizeof(header));
	return fd;
}

static void function_is_found_once_however_often_it_is_open(void **state)
{
	int fd = make_segment(ARNICA_HW_SEGMENT_RUNNING,
			      ARNICA_HW_SEGMENT_MAGIC);
	int other = dup(fd);
	struct seen seen = { 0 };

	(void)state;
	tool_functions_scan(note, &seen);
	assert_int_equal(seen.count, 1);
	assert_true(seen.last.running);
	assert_true(seen.last.used_bytes >= 4096);
	assert_true(strlen(seen.last.command) > 0);
	close(other);
	close(fd);
}

static void device_file_without_function_does_not_run(void **state)
{
	int fd = make_segment(ARNICA_HW_SEGMENT_OPENED,
			      ARNICA_HW_SEGMENT_MAGIC);
	struct seen seen = { 0 };

	(void)state;
	tool_functions_scan(note, &seen);
	assert_int_equal(seen.count, 1);
	assert_false(seen.last.running);
	close(fd);
}

static void other_memfds_are_passed_over(void **state)
{
	int fd = make_segment(ARNICA_HW_SEGMENT_RUNNING, 42);
	struct seen seen = { 0 };

	(void)state;
	tool_functions_scan(note, &seen);
	assert_int_equal(seen.count, 0);
	close(fd);
}

/* Holds the segment in a network namespace of its own until it is killed. */
static pid_t start_elsewhere(void)
{
	int ends[2];
	char ready;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER |
						     CLONE_NEWNET))
			_exit(1);
		if (write(ends[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	close(ends[1]);
	if (read(ends[0], &ready, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = 0;
	}
	close(ends[0]);
	return pid;
}

static pid_t other_pid;

static void note_other(const struct tool_function *function, void *argument)
{
	struct seen *seen = argument;

	if (function->pid != other_pid || function->generation != GENERATION)
		return;
	seen->count++;
	seen->last = *function;
}

static void function_of_another_network_is_elsewhere(void **state)
{
	int fd = make_segment(ARNICA_HW_SEGMENT_RUNNING,
			      ARNICA_HW_SEGMENT_MAGIC);
	struct seen mine = { 0 }, other = { 0 };

	(void)state;
	other_pid = start_elsewhere();
	if (other_pid) {
		tool_functions_scan(note, &mine);
		tool_functions_scan(note_other, &other);
		kill(other_pid, SIGKILL);
		waitpid(other_pid, NULL, 0);
	}
	close(fd);
	if (!other_pid)
		skip(); /* no namespaces for this user */
	assert_int_equal(mine.count, 1);
	assert_false(tool_function_is_elsewhere(&mine.last));
	assert_int_equal(other.count, 1);
	assert_true(other.last.other_network);
	assert_true(tool_function_is_elsewhere(&other.last));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			function_is_found_once_however_often_it_is_open),
		cmocka_unit_test(device_file_without_function_does_not_run),
		cmocka_unit_test(other_memfds_are_passed_over),
		cmocka_unit_test(function_of_another_network_is_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
