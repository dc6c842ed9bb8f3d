/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>

#include "scratch.h"

#include "locate.h"

static void build_tree_is_found_beside_the_program(void **state)
{
	struct tool_layout layout;

	(void)state;
	scratch_mkdir("bin");
	scratch_mkdir("lib");
	scratch_text("lib/libarnica-standin.so", "", 0644);
	scratch_text("lib/libarnica-rdmav34.so", "", 0644);
	assert_int_equal(tool_locate_from(scratch_path("bin"), NULL, &layout),
			 0);
	assert_string_equal(layout.standin,
			    scratch_path("lib/libarnica-standin.so"));
	assert_string_equal(layout.device,
			    scratch_path("lib/libarnica-device.so"));
	assert_string_equal(layout.drivers, scratch_path("lib/libarnica"));
}

static void installed_provider_has_a_folder_of_its_own(void **state)
{
	struct tool_layout layout;

	(void)state;
	scratch_mkdir("system");
	scratch_mkdir("system/libibverbs");
	scratch_text("system/libarnica-standin.so", "", 0644);
	scratch_text("system/libibverbs/libarnica-rdmav34.so", "", 0644);
	assert_int_equal(tool_locate_from(scratch_path("nowhere"),
					  scratch_path("system"), &layout),
			 0);
	assert_string_equal(layout.drivers,
			    scratch_path("system/libibverbs/libarnica"));
}

static void relocated_package_is_found_beside_the_program(void **state)
{
	struct tool_layout layout;
	char command[PATH_MAX];
	char path[PATH_MAX];

	(void)state;
	scratch_mkdir("usr");
	scratch_mkdir("usr/bin");
	snprintf(command, sizeof(command),
		 "cd '%s' && mkdir -p '%s' && touch '%s/libarnica-standin.so'",
		 scratch_path("usr/bin"), ARNICA_BIN_TO_LIB, ARNICA_BIN_TO_LIB);
	assert_int_equal(system(command), 0);
	assert_int_equal(tool_locate_from(scratch_path("usr/bin"), NULL,
					  &layout),
			 0);
	assert_non_null(realpath(scratch_path("usr/bin/" ARNICA_BIN_TO_LIB
					      "/libarnica-standin.so"),
				 path));
	assert_string_equal(layout.standin, path);
}

static void nothing_there_is_an_error(void **state)
{
	struct tool_layout layout;

	(void)state;
	assert_int_equal(
		tool_locate_from(scratch_path("no/bin"), NULL, &layout),
		ENOENT);
	assert_int_equal(tool_locate_from(scratch_path("no/bin"),
					  scratch_path("no/lib"), &layout),
			 ENOENT);
}

static void too_long_paths_are_an_error(void **state)
{
	struct tool_layout layout;
	static char dir[PATH_MAX];

	(void)state;
	memset(dir, 'x', sizeof(dir) - 1);
	assert_int_equal(tool_locate_from(dir, NULL, &layout), ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_tree_is_found_beside_the_program),
		cmocka_unit_test(installed_provider_has_a_folder_of_its_own),
		cmocka_unit_test(relocated_package_is_found_beside_the_program),
		cmocka_unit_test(nothing_there_is_an_error),
		cmocka_unit_test(too_long_paths_are_an_error),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
