/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The program as a user sees it: exit statuses, messages, variables. It lies in
 * a tree of its own, whose libraries are empty files; the dynamic linker's
 * complaint about them goes to /dev/null, where it is not looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "pcapng.h"
#include "scratch.h"

static char output[8192];

/* Runs a shell command with the program as $A; its exit status. */
__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[2 * PATH_MAX];
	int length = snprintf(command, sizeof(command), "A='%s'; ",
			      scratch_path("bin/arnica"));
	va_list arguments;
	FILE *pipe;
	size_t count;
	int status;

	va_start(arguments, format);
	vsnprintf(command + length, sizeof(command) - (size_t)length, format,
		  arguments);
	va_end(arguments);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	count = fread(output, 1, sizeof(output) - 1, pipe);
	output[count] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static unsigned count_lines(void)
{
	unsigned lines = 0;

	for (const char *at = output; *at; at++)
		lines += *at == '\n';
	return lines;
}

static int setup(void **state)
{
	char command[2 * PATH_MAX];

	if (scratch_setup(state))
		return -1;
	scratch_mkdir("bin");
	scratch_mkdir("lib");
	scratch_text("lib/libarnica-standin.so", "", 0644);
	scratch_text("lib/libarnica-rdmav34.so", "", 0644);
	snprintf(command, sizeof(command), "cp '%s' '%s'", ARNICA_PROGRAM,
		 scratch_path("bin"));
	return system(command);
}

static void exit_status_is_that_of_the_program(void **state)
{
	(void)state;
	assert_int_equal(run("$A run sh -c 'exit %s' 2>/dev/null", "42"), 42);
	assert_int_equal(run("$A run -- sh -c 'exit %s' 2>/dev/null", "0"), 0);
}

static void program_gets_its_options(void **state)
{
	(void)state;
	assert_int_equal(run("$A run echo --part-id -- %s 2>/dev/null", "-f"),
			 0);
	assert_string_equal(output, "--part-id -- -f\n");
}

static void variables_are_set(void **state)
{
	char wanted[PATH_MAX];

	(void)state;
	assert_int_equal(run("LD_PRELOAD= RDMAV_DRIVERS=rxe $A run --part-id "
			     "%s sh -c 'echo $LD_PRELOAD $RDMAV_DRIVERS "
			     "$ARNICA_PART_ID' 2>/dev/null",
			     "0xefa0"),
			 0);
	snprintf(wanted, sizeof(wanted), "%s %s:rxe 61344\n",
		 scratch_path("lib/libarnica-standin.so"),
		 scratch_path("lib/libarnica"));
	assert_string_equal(output, wanted);
}

static void users_own_sanitizer_options_win(void **state)
{
	(void)state;
	assert_int_equal(run("ASAN_OPTIONS=verify_asan_link_order=1 $A run sh "
			     "-c 'echo $ASAN_OPTIONS' 2>/dev/null"),
			 0);
	assert_string_equal(
		output, "verify_asan_link_order=0:verify_asan_link_order=1\n");
}

static void printed_variables_are_those_that_run_sets(void **state)
{
	char *by_run;

	(void)state;
	assert_int_equal(run("unset LD_PRELOAD RDMAV_DRIVERS; $A run --part-id "
			     "7 sh -c '%s' 2>/dev/null",
			     "echo $LD_PRELOAD $RDMAV_DRIVERS $ARNICA_PART_ID"),
			 0);
	by_run = strdup(output);
	assert_int_equal(run("unset LD_PRELOAD RDMAV_DRIVERS; eval \"$($A env "
			     "--part-id 7)\"; %s",
			     "echo $LD_PRELOAD $RDMAV_DRIVERS $ARNICA_PART_ID"),
			 0);
	assert_string_equal(output, by_run);
	free(by_run);
	assert_int_equal(run("$A env --github | grep -c ^%s=/", "LD_PRELOAD"),
			 0);
	assert_int_equal(
		run("$A env --docker | grep -c '^ENV %s=\"/'", "LD_PRELOAD"),
		0);
}

static void missing_program_is_127(void **state)
{
	(void)state;
	assert_int_equal(run("$A run -- %s 2>&1", "no-such-program"), 127);
	assert_string_equal(
		output,
		"arnica run: 'no-such-program': No such file or directory\n");
}

static void file_that_is_no_program_is_126(void **state)
{
	(void)state;
	scratch_text("data", "data", 0644);
	assert_int_equal(run("$A run -- '%s' 2>&1", scratch_path("data")), 126);
	assert_int_equal(count_lines(), 1);
	assert_non_null(strstr(output, "Permission denied"));
}

static void static_program_is_refused_unless_forced(void **state)
{
	(void)state;
	if (run("echo 'int main(void){return 7;}' | cc -static -x c -o '%s' - "
		"2>/dev/null",
		scratch_path("static")))
		skip();
	assert_int_equal(run("$A run -- '%s' 2>&1", scratch_path("static")),
			 126);
	assert_int_equal(count_lines(), 1);
	assert_non_null(strstr(output, "statically linked"));
	assert_int_equal(run("$A run --force -- '%s'", scratch_path("static")),
			 7);
}

static void wrong_use_is_125_of_run_and_2_of_others(void **state)
{
	(void)state;
	assert_int_equal(run("$A run 2>&1"), 125);
	assert_int_equal(run("$A run %s true 2>&1", "--no-such-option"), 125);
	assert_int_equal(run("$A run --part-id %s true 2>&1", "-1"), 125);
	assert_int_equal(run("$A run --part-id %s true 2>&1", "0x100000000"),
			 125);
	assert_int_equal(run("$A env %s 2>&1", "stray"), 2);
	assert_int_equal(run("$A %s 2>&1", "no-such-command"), 2);
	assert_int_equal(count_lines(), 1);
	assert_int_equal(run("$A help %s 2>&1", "no-such-command"), 2);
	assert_int_equal(run("$A %s >/dev/null", "--help"), 0);
	assert_int_equal(run("$A help %s >/dev/null", "run"), 0);
	assert_int_equal(run("$A %s", "--version"), 0);
	assert_string_equal(output, "arnica " ARNICA_VERSION "\n");
}

static void script_without_interpreter_line_runs(void **state)
{
	(void)state;
	scratch_text("plain.sh", "echo plain $1\n", 0755);
	assert_int_equal(run("$A run -- '%s' word 2>/dev/null",
			     scratch_path("plain.sh")),
			 0);
	assert_string_equal(output, "plain word\n");
}

static void tree_that_cannot_be_preloaded_is_refused(void **state)
{
	(void)state;
	scratch_mkdir("a b");
	assert_int_equal(run("cd '%s' && cp -r bin lib 'a b'", scratch_dir), 0);
	assert_int_equal(
		run("'%s' run true 2>&1", scratch_path("a b/bin/arnica")), 125);
	assert_int_equal(count_lines(), 1);
	assert_non_null(strstr(output, "cannot be preloaded"));
}

static void faults_take_the_packets_to_the_wire(void **state)
{
	(void)state;
	assert_int_equal(run("ARNICA_LOOPBACK=on $A run --fault=%s sh -c "
			     "'echo $ARNICA_FAULT $ARNICA_LOOPBACK' "
			     "2>/dev/null",
			     "drop=1%,seed=7"),
			 0);
	assert_string_equal(output, "drop=1%,seed=7 off\n");
	assert_int_equal(run("$A env --fault drop=1%% --json | "
			     "grep -q '\"ARNICA_FAULT\": \"drop=1%%\"'"),
			 0);
}

static void wrong_faults_are_one_line_and_run_nothing(void **state)
{
	(void)state;
	assert_int_equal(run("$A run --fault drop=%s echo yes 2>&1", "101%"),
			 125);
	assert_string_equal(output,
			    "arnica run: --fault: 'drop=101%': drop must be a "
			    "percentage from 0% to 100%, as in drop=0.5%\n");
	assert_int_equal(run("$A env --fault lose=1%% 2>&1"), 2);
	assert_int_equal(count_lines(), 1);
	assert_non_null(strstr(output, "'lose=1%' is not a fault"));
}

static void capture_file_is_begun(void **state)
{
	char wanted[PATH_MAX];

	(void)state;
	scratch_text("old.pcapng", "what was there before", 0644);
	assert_int_equal(run("cd '%s'; $A run --pcap old.pcapng sh -c 'cd /; "
			     "echo $ARNICA_PCAP; wc -c <$ARNICA_PCAP' "
			     "2>/dev/null",
			     scratch_dir),
			 0);
	snprintf(wanted, sizeof(wanted), "%s\n%u\n", scratch_path("old.pcapng"),
		 ARNICA_PCAPNG_HEAD_BYTES);
	assert_string_equal(output, wanted);
}

static void capture_file_for_each_process_is_left_to_it(void **state)
{
	char wanted[PATH_MAX];

	(void)state;
	assert_int_equal(run("$A run --pcap '%s' sh -c 'echo $ARNICA_PCAP; "
			     "test -e $ARNICA_PCAP' 2>/dev/null",
			     scratch_path("x%p.pcapng")),
			 1);
	snprintf(wanted, sizeof(wanted), "%s\n", scratch_path("x%p.pcapng"));
	assert_string_equal(output, wanted);
}

static void capture_file_that_cannot_be_is_one_line(void **state)
{
	static const char *const wrong[][2] = {
		{ "/no/such/file", "No such file or directory" },
		{ "/no/such/%p", "No such file or directory" },
		{ "/dev/null", "not a name of a regular file" },
		{ "/tmp", "Is a directory" },
		{ "/tmp/%p/x", "not a name of a regular file" },
		{ "", "is no name of a file" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(
			run("$A run --pcap '%s' echo yes 2>&1", wrong[i][0]),
			125);
		assert_int_equal(count_lines(), 1);
		assert_non_null(strstr(output, "arnica run: --pcap: "));
		assert_non_null(strstr(output, wrong[i][0]));
		assert_non_null(strstr(output, wrong[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status_is_that_of_the_program),
		cmocka_unit_test(program_gets_its_options),
		cmocka_unit_test(variables_are_set),
		cmocka_unit_test(users_own_sanitizer_options_win),
		cmocka_unit_test(printed_variables_are_those_that_run_sets),
		cmocka_unit_test(missing_program_is_127),
		cmocka_unit_test(file_that_is_no_program_is_126),
		cmocka_unit_test(static_program_is_refused_unless_forced),
		cmocka_unit_test(wrong_use_is_125_of_run_and_2_of_others),
		cmocka_unit_test(script_without_interpreter_line_runs),
		cmocka_unit_test(tree_that_cannot_be_preloaded_is_refused),
		cmocka_unit_test(faults_take_the_packets_to_the_wire),
		cmocka_unit_test(wrong_faults_are_one_line_and_run_nothing),
		cmocka_unit_test(capture_file_is_begun),
		cmocka_unit_test(capture_file_for_each_process_is_left_to_it),
		cmocka_unit_test(capture_file_that_cannot_be_is_one_line),
	};

	return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
