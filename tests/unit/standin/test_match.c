/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* standin/match.c: which paths are ours. */
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "match.h"

static void assert_match(const char *path, const char *base, const char *rest)
{
	struct standin_match match;

	assert_true(standin_match_path(path, &match));
	assert_string_equal(match.base, base);
	assert_string_equal(match.rest, rest);
	assert_true(standin_match_maybe(path));
}

static void paths_of_rdma_are_ours(void **state)
{
	(void)state;
	assert_match("/sys/class/infiniband", "/class/infiniband", "");
	assert_match("/sys/class/infiniband/", "/class/infiniband", "/");
	assert_match("/sys/class/infiniband_verbs/uverbs0", "/class/infiniband",
		     "_verbs/uverbs0");
	assert_match("/sys/class/infiniband/arnica0/ports", "/class/infiniband",
		     "/arnica0/ports");
	assert_match("/sys/class/misc/rdma_cm/abi_version",
		     "/class/misc/rdma_cm", "/abi_version");
	assert_match("/dev/infiniband", "/dev/infiniband", "");
	assert_match("/dev/infiniband/rdma_cm", "/dev/infiniband", "/rdma_cm");
}

static void doubled_slashes_and_dots_are_looked_through(void **state)
{
	(void)state;
	assert_match("//sys///class/./infiniband/x", "/class/infiniband", "/x");
	assert_match("/./dev//infiniband", "/dev/infiniband", "");
}

static void other_paths_go_through(void **state)
{
	static const char *const paths[] = {
		"",
		"/",
		"/sys",
		"/sys/class",
		"/sys/class/net/lo",
		"/sys/class/infiniban",
		"/sys/class/misc/rdma_cmx",
		"/sys/class/misc",
		"/dev/null",
		"/dev/infinibandx",
		"/dev/../sys/class/infiniband",
		"/home/sys/class/infiniband",
		"/system",
		"./sys",
		"file",
		"include/infiniband/verbs.h",
	};
	struct standin_match match;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		assert_false(standin_match_path(paths[i], &match));
		assert_false(standin_match_maybe(paths[i]));
	}
}

static void addresses_that_are_no_string_are_left_to_the_kernel(void **state)
{
	(void)state;
	assert_false(standin_match_maybe(NULL));
	assert_false(standin_match_maybe((const char *)1));
	assert_false(standin_match_maybe((const char *)-1));
}

static void nothing_is_read_past_the_end_of_a_string(void **state)
{
	const long page = sysconf(_SC_PAGESIZE);
	static const char *const paths[] = {
		"/", "/s", "/sys/class/infiniba", "/dev/inf", "/.", "//",
		"u", "."
	};
	struct standin_match match;
	char *map;
	size_t i;

	(void)state;
	map = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + page, (size_t)page, PROT_NONE), 0);
	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		size_t bytes = strlen(paths[i]) + 1;
		char *path = map + page - bytes;

		memcpy(path, paths[i], bytes);
		assert_false(standin_match_path(path, &match));
		assert_false(standin_match_climbs(path));
		standin_match_maybe(path);
	}
	munmap(map, 2 * (size_t)page);
}

static void the_device_file_is_uverbs0_and_nothing_below(void **state)
{
	struct standin_match match;

	(void)state;
	assert_true(standin_match_path("/dev/infiniband//uverbs0", &match));
	assert_true(standin_match_device(&match));
	assert_true(standin_match_path("/dev/infiniband/uverbs0/", &match));
	assert_false(standin_match_device(&match));
	assert_true(standin_match_path("/dev/infiniband/uverbs00", &match));
	assert_false(standin_match_device(&match));
	assert_true(standin_match_path("/dev/infiniband", &match));
	assert_false(standin_match_device(&match));
	assert_true(
		standin_match_path("/sys/class/infiniband/uverbs0", &match));
	assert_false(standin_match_device(&match));
}

static void names_of_device_files_have_a_number(void **state)
{
	(void)state;
	assert_true(standin_match_device_name("uverbs0"));
	assert_true(standin_match_device_name("uverbs12"));
	assert_false(standin_match_device_name("uverbs"));
	assert_false(standin_match_device_name("uverbs0x"));
	assert_false(standin_match_device_name("umad0"));
}

static void relative_paths_that_may_be_ours(void **state)
{
	(void)state;
	assert_true(standin_match_relative("infiniband"));
	assert_true(standin_match_relative("./infiniband/x"));
	assert_true(standin_match_relative("class/infiniband_verbs"));
	assert_true(standin_match_relative("sys/class/misc/rdma_cm"));
	assert_true(standin_match_relative("dev/infiniband"));
	assert_true(standin_match_relative("uverbs0"));
	assert_false(standin_match_relative("class/net"));
	assert_false(standin_match_relative("inf"));
	assert_false(standin_match_relative("src/infiniband"));
}

static void dot_dot_is_a_component(void **state)
{
	(void)state;
	assert_true(standin_match_climbs(".."));
	assert_true(standin_match_climbs("/a/../b"));
	assert_true(standin_match_climbs("/a/.."));
	assert_false(standin_match_climbs("/a..b/..c"));
	assert_false(standin_match_climbs("/a../b"));
	assert_false(standin_match_climbs("/..."));
	assert_false(standin_match_climbs(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_of_rdma_are_ours),
		cmocka_unit_test(doubled_slashes_and_dots_are_looked_through),
		cmocka_unit_test(other_paths_go_through),
		cmocka_unit_test(
			addresses_that_are_no_string_are_left_to_the_kernel),
		cmocka_unit_test(nothing_is_read_past_the_end_of_a_string),
		cmocka_unit_test(the_device_file_is_uverbs0_and_nothing_below),
		cmocka_unit_test(names_of_device_files_have_a_number),
		cmocka_unit_test(relative_paths_that_may_be_ours),
		cmocka_unit_test(dot_dot_is_a_component),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
