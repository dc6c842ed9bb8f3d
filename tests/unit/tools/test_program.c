/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>

#include "scratch.h"

#include "program.h"

/* Copies of a program that certainly is dynamically linked: this one. */
static void copy_self(const char *name, unsigned mode)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "cp /proc/%d/exe '%s'", getpid(),
		 scratch_path(name));
	assert_int_equal(system(command), 0);
	assert_int_equal(chmod(scratch_path(name), mode), 0);
}

static void name_is_looked_up_in_the_search_path(void **state)
{
	char search[PATH_MAX];
	char path[PATH_MAX];

	(void)state;
	scratch_mkdir("one");
	scratch_mkdir("two");
	scratch_text("one/tool", "", 0644);
	scratch_text("two/tool", "", 0755);
	snprintf(search, sizeof(search), "%s:%s", scratch_path("one"),
		 scratch_path("two"));
	assert_int_equal(tool_program_find("tool", search, path), 0);
	assert_string_equal(path, scratch_path("two/tool"));
	assert_int_equal(tool_program_find("tool", scratch_path("one"), path),
			 EACCES);
	assert_int_equal(tool_program_find("none", search, path), ENOENT);
	assert_int_equal(tool_program_find("", search, path), ENOENT);
}

static void name_with_slash_is_taken_as_it_is(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(
		tool_program_find(scratch_path("two/tool"), "/none", path), 0);
	assert_int_equal(tool_program_find(scratch_path("two"), "/none", path),
			 EACCES);
	assert_int_equal(tool_program_find("/none/tool", "/none", path),
			 ENOENT);
}

static void missing_search_path_has_the_usual_folders(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(tool_program_find("sh", NULL, path), 0);
}

static void plain_program_is_served(void **state)
{
	struct tool_program program;

	(void)state;
	copy_self("plain", 0755);
	assert_int_equal(
		tool_program_inspect(scratch_path("plain"), "/none", &program),
		0);
	assert_int_equal(program.verdict, TOOL_VERDICT_OK);
}

static void setuid_of_another_user_is_refused(void **state)
{
	struct tool_program program;
	const char *path = scratch_path("secure");

	(void)state;
	copy_self("secure", 0755);
	if (chown(path, 4242, (gid_t)-1))
		skip(); /* takes root */
	assert_int_equal(chmod(path, 04755), 0);
	assert_int_equal(tool_program_inspect(path, "/none", &program), 0);
	assert_int_equal(program.verdict, TOOL_VERDICT_SECURE);
	/* One's own bits change nothing. */
	assert_int_equal(chown(path, getuid(), (gid_t)-1), 0);
	assert_int_equal(chmod(path, 04755), 0);
	assert_int_equal(tool_program_inspect(path, "/none", &program), 0);
	assert_int_equal(program.verdict, TOOL_VERDICT_OK);
}

static void script_is_judged_by_its_interpreter(void **state)
{
	struct tool_program program;
	char text[PATH_MAX + 16];

	(void)state;
	copy_self("interpreter", 0755);
	snprintf(text, sizeof(text), "#! %s -x y\n",
		 scratch_path("interpreter"));
	scratch_text("script", text, 0755);
	assert_int_equal(
		tool_program_inspect(scratch_path("script"), "/none", &program),
		0);
	assert_string_equal(program.path, scratch_path("script"));
	assert_string_equal(program.subject, scratch_path("interpreter"));
	assert_int_equal(program.verdict, TOOL_VERDICT_OK);
}

static void env_script_is_judged_by_what_env_starts(void **state)
{
	static const char *const lines[] = {
		"#!/usr/bin/env interpreter\n",
		"#!/usr/bin/env -S A=1 interpreter -x\n",
	};
	struct tool_program program;
	char search[PATH_MAX];

	(void)state;
	snprintf(search, sizeof(search), "%s:/usr/bin:/bin", scratch_dir);
	for (size_t i = 0; i < 2; i++) {
		scratch_text("script", lines[i], 0755);
		assert_int_equal(
			tool_program_inspect("script", search, &program), 0);
		assert_string_equal(program.subject,
				    scratch_path("interpreter"));
	}
}

static void script_that_is_its_own_interpreter_ends(void **state)
{
	struct tool_program program;
	char text[PATH_MAX + 16];

	(void)state;
	snprintf(text, sizeof(text), "#!%s\n", scratch_path("loop"));
	scratch_text("loop", text, 0755);
	assert_int_equal(
		tool_program_inspect(scratch_path("loop"), "/none", &program),
		0);
	assert_int_equal(program.verdict, TOOL_VERDICT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_looked_up_in_the_search_path),
		cmocka_unit_test(name_with_slash_is_taken_as_it_is),
		cmocka_unit_test(missing_search_path_has_the_usual_folders),
		cmocka_unit_test(plain_program_is_served),
		cmocka_unit_test(setuid_of_another_user_is_refused),
		cmocka_unit_test(script_is_judged_by_its_interpreter),
		cmocka_unit_test(env_script_is_judged_by_what_env_starts),
		cmocka_unit_test(script_that_is_its_own_interpreter_ends),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
