/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <string.h>
#include <sys/mman.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			function_is_found_once_however_often_it_is_open),
		cmocka_unit_test(device_file_without_function_does_not_run),
		cmocka_unit_test(other_memfds_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
