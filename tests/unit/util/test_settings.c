/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The configuration file: which one it is, what it may say, and one line that
 * names file, line and remedy for everything else.
 */
#include "settings.h"

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADOPT ARNICA_SETTING(ADOPT)
#define PART_ID ARNICA_SETTING(PART_ID)
#define SEGMENT_MAX ARNICA_SETTING(SEGMENT_MAX)

static char folder[64], path[PATH_MAX];
static struct arnica_settings settings;
static char why[ARNICA_SETTINGS_WHY_BYTES];

static int set_up(void **state)
{
	static const char *const variables[] = { "ARNICA_CONFIG",
						 "XDG_CONFIG_HOME", "HOME" };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++)
		unsetenv(variables[i]);
	for (i = 0; i < ARNICA_NUM_SETTINGS; i++)
		unsetenv(arnica_setting_rows[i].variable);
	strcpy(folder, "/tmp/arnica-settings-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/arnica.conf", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void write_bytes(const char *name, const void *bytes, size_t count)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, count), count);
	close(fd);
}

static void write_file(const char *text)
{
	write_bytes(path, text, strlen(text));
}

/* How many settings the file has set. */
static unsigned int num_set(void)
{
	unsigned int count = 0, i;

	for (i = 0; i < ARNICA_NUM_SETTINGS; i++)
		count += settings.set[i].line != 0;
	return count;
}

static const char *text_of(enum arnica_setting setting,
			   enum arnica_setting_origin expected)
{
	enum arnica_setting_origin origin;
	const char *text = arnica_settings_text(&settings, setting, &origin);

	assert_int_equal(origin, expected);
	return text;
}

/* Refused, for a reason that names the file and has this in it; and no setting
 * of the file holds. */
static void expect_refused(int error, const char *reason)
{
	unsigned int i;

	assert_int_equal(arnica_settings_read_file(&settings, path, why),
			 error);
	if (strncmp(why, path, strlen(path)) || !strstr(why, reason))
		fail_msg("\"%s\" says nothing of \"%s\"", why, reason);
	assert_null(strchr(why, '\n'));
	assert_int_equal(num_set(), 0);
	for (i = 0; i < ARNICA_NUM_SETTINGS; i++)
		assert_null(text_of((enum arnica_setting)i,
				    ARNICA_SETTING_DEFAULT));
}

static void refuse_text(const char *text, const char *reason)
{
	write_file(text);
	expect_refused(EINVAL, reason);
}

static void a_file_sets_what_it_names(void **state)
{
	uint64_t number;

	(void)state;
	write_file("# what we want\n\n[device]\n  adopt = all ; why not\n"
		   "\tpart-id=0xefa0\r\nsegment-max : 2G\n; end");
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	assert_string_equal(settings.path, path);
	assert_int_equal(num_set(), 3);
	assert_string_equal(text_of(ADOPT, ARNICA_SETTING_FILE), "all");
	assert_int_equal(settings.set[ADOPT].line, 4);
	assert_string_equal(text_of(PART_ID, ARNICA_SETTING_FILE), "0xefa0");
	assert_string_equal(text_of(SEGMENT_MAX, ARNICA_SETTING_FILE), "2G");
	assert_true(arnica_setting_parse(SEGMENT_MAX, "2G", &number));
	assert_int_equal(number, 2ull << 30);
	assert_null(text_of(ARNICA_SETTING(ECN), ARNICA_SETTING_DEFAULT));
}

static void the_environment_wins(void **state)
{
	(void)state;
	write_file("[device]\nadopt = all\n");
	assert_int_equal(setenv("ARNICA_ADOPT", "off", 1), 0);
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	assert_string_equal(text_of(ADOPT, ARNICA_SETTING_ENVIRONMENT), "off");
	assert_int_equal(setenv("ARNICA_ADOPT", "", 1), 0);
	assert_string_equal(text_of(ADOPT, ARNICA_SETTING_FILE), "all");
}

static void an_empty_file_sets_nothing(void **state)
{
	(void)state;
	write_file("");
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	assert_int_equal(num_set(), 0);
	assert_string_equal(settings.path, path);
}

static void what_is_not_understood_is_refused_with_its_line(void **state)
{
	(void)state;
	refuse_text("[device]\nadopt = all\nadpot = all\n", " line 3: 'adpot'");
	refuse_text("[device]\nadpot = all\n", "part-id");
	refuse_text("[devise]\nadopt = all\n", "[devise]");
	refuse_text("[devise]\nadopt = all\n", "[device]");
	refuse_text("adopt = all\n", " line 1: 'adopt' of []");
	refuse_text("[device]\n\nadopt = maybe\n",
		    " line 3: adopt = maybe: it must be auto, off or all");
	refuse_text("[device]\nadopt = all\nadopt = all\n",
		    " line 3: adopt is set in line 2 already");
	refuse_text("[device]\nadopt\n", " line 2: is neither");
	refuse_text("[device\nadopt = all\n", " line 1: is neither");
	/* The first one is told. */
	refuse_text("[device]\nadopt\npart-id = x\n", " line 2: is neither");
	refuse_text("[device]\npart-id = x\nadopt\n", " line 2: part-id");
}

static void numbers_out_of_range_are_refused(void **state)
{
	static const char *const values[] = {
		"0",	      "-1",  "+1",  " ",   "0x1ffffffff", "1 2", "1.5",
		"1e3",	      "ten", "1K",  "0x", "99999999999999999999999",
		"0x1g",	      "1;2", "''",
	};
	char text[128];
	unsigned int i;
	uint64_t number;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (arnica_setting_parse(PART_ID, values[i], &number))
			fail_msg("'%s' is taken for a number", values[i]);
		snprintf(text, sizeof(text), "[device]\npart-id = %s\n",
			 values[i]);
		refuse_text(text, " line 2: part-id");
	}
	assert_true(arnica_setting_parse(PART_ID, "1", &number));
	assert_true(arnica_setting_parse(PART_ID, "0xffffffff", &number));
	assert_false(arnica_setting_parse(SEGMENT_MAX, "63M", &number));
	assert_false(arnica_setting_parse(SEGMENT_MAX, "1025G", &number));
	assert_false(arnica_setting_parse(SEGMENT_MAX, "64MB", &number));
	assert_false(arnica_setting_parse(
		SEGMENT_MAX, "18446744073709551615G", &number));
	assert_false(arnica_setting_parse(ADOPT, "", &number));
	assert_false(arnica_setting_parse(ADOPT, "auto, off", &number));
	assert_false(arnica_setting_parse(ADOPT, "or", &number));
	assert_false(arnica_setting_parse(ADOPT, "", &number));
	assert_false(arnica_setting_parse(ADOPT, "aut", &number));
}

static void programs_have_weights(void **state)
{
	char text[4096] = "[weights]\n";
	unsigned int i;

	(void)state;
	write_file("[weights]\nib_write_bw = 3\n[port]\nrate = 1G\n"
		   "[weights]\nucx_perftest=1000\n");
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	assert_int_equal(settings.num_weights, 2);
	assert_string_equal(settings.weights[0].program, "ib_write_bw");
	assert_int_equal(settings.weights[0].weight, 3);
	assert_int_equal(settings.weights[1].weight, 1000);
	assert_int_equal(settings.weights[1].line, 6);
	refuse_text("[weights]\na = 1\na = 2\n",
		    " line 3: a is set in line 2 already");
	refuse_text("[weights]\na = 0\n",
		    " line 2: a = 0: it must be a number from 1 to 1000");
	refuse_text("[weights]\na = 1001\n", " line 2: a = 1001");
	for (i = 0; i < 64; i++)
		sprintf(text + strlen(text), "p%u = 1\n", i);
	write_file(text);
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	assert_int_equal(settings.num_weights, 64);
	strcat(text, "one_more = 1\n");
	refuse_text(text, " line 66: is the weight of more than 64");
}

static void rates_are_none_or_bytes(void **state)
{
	uint64_t number;

	(void)state;
	assert_true(arnica_setting_parse(ARNICA_SETTING(RATE), "none",
					 &number));
	assert_int_equal(number, 0);
	assert_true(arnica_setting_parse(ARNICA_SETTING(RATE), "2G", &number));
	assert_int_equal(number, 2000000000);
	refuse_text("[port]\nrate = 999K\n", " line 2: rate = 999K: it must be");
	refuse_text("[port]\nrate = 0\n", " line 2: rate");
	refuse_text("[port]\nrate = 1001G\n", " line 2: rate");
}

static void lists_have_one_number_or_sixteen(void **state)
{
	const enum arnica_setting weights = ARNICA_SETTING(CLASS_WEIGHTS);
	static const char *const wrong[] = {
		"1,2", "0", "256", "1,", ",1", "1 2", "", "x",
		"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
		"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,0",
		"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
		"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,",
	};
	uint64_t numbers[16], number;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (arnica_setting_parse(weights, wrong[i], &number))
			fail_msg("'%s' is taken for a list", wrong[i]);
	assert_int_equal(setenv("ARNICA_CONFIG", "none", 1), 0);
	memset(numbers, 0, sizeof(numbers));
	assert_int_equal(arnica_setting_list(weights, numbers, why), 0);
	assert_int_equal(numbers[3], 0); /* not set */
	assert_int_equal(setenv("ARNICA_CLASS_WEIGHTS", "7", 1), 0);
	assert_int_equal(arnica_setting_list(weights, numbers, why), 0);
	for (i = 0; i < 16; i++)
		assert_int_equal(numbers[i], 7);
	assert_int_equal(
		setenv("ARNICA_CLASS_WEIGHTS",
		       "1, 2,3 ,4,5,6,7,8,9,10,11,12,13,14,15,0x10", 1),
		0);
	assert_int_equal(arnica_setting_list(weights, numbers, why), 0);
	for (i = 0; i < 16; i++)
		assert_int_equal(numbers[i], i + 1);
	assert_int_equal(setenv("ARNICA_CLASS_WEIGHTS", "1,2", 1), 0);
	assert_int_equal(arnica_setting_list(weights, numbers, why), EINVAL);
	assert_non_null(strstr(why, "ARNICA_CLASS_WEIGHTS=1,2 must be"));
}

static void a_line_too_long_is_refused(void **state)
{
	char text[600] = "[device]\n#";

	(void)state;
	memset(text + strlen(text), 'x', 500);
	strcat(text, "\nadopt = all\n");
	refuse_text(text, " line 2: is longer than");
	text[9 + 190] = '\n'; /* as long as it may be */
	text[9 + 191] = '#';
	text[9 + 380] = '\n';
	text[9 + 381] = '#';
	write_file(text);
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	assert_int_equal(num_set(), 1);
	assert_int_equal(settings.set[ADOPT].line, 5);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char zero[] = "[device]\nadopt = all\0\nx\n";

	(void)state;
	refuse_text("[device]\nadopt = \033[2Jall\n", " line 2: has a byte 0x1b");
	write_bytes(path, zero, sizeof(zero) - 1);
	expect_refused(EINVAL, " line 2: has a byte 0x00");
}

static void a_huge_file_is_refused(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, 65537), 0);
	expect_refused(EFBIG, "larger than 65536");
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	expect_refused(EFBIG, "larger than 65536");
	close(fd);
}

static void a_file_that_others_may_write_is_refused(void **state)
{
	(void)state;
	write_file("[device]\nadopt = all\n");
	assert_int_equal(chmod(path, 0646), 0);
	expect_refused(EPERM, "chmod o-w");
	assert_int_equal(chmod(path, 0664), 0);
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	if (geteuid() != 0)
		skip(); /* cannot give files away */
	assert_int_equal(chown(path, 65534, 65534), 0);
	expect_refused(EPERM, "belongs to user 65534");
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refused(EINVAL, "is not a file");
	assert_int_equal(rmdir(path), 0);
	/* Without waiting for somebody to write it. */
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(EINVAL, "is not a file");
	assert_int_equal(unlink(path), 0);
	expect_refused(ENOENT, "No such file");
	assert_int_equal(symlink("arnica.conf", path), 0);
	expect_refused(ELOOP, "symbolic links");
}

static void the_file_is_looked_for_in_order(void **state)
{
	char home[PATH_MAX], file[PATH_MAX];

	(void)state;
	snprintf(file, sizeof(file), "%s/.config", folder);
	assert_int_equal(mkdir(file, 0700), 0);
	strcat(file, "/arnica");
	assert_int_equal(mkdir(file, 0700), 0);
	strcpy(home, file);
	strcat(file, "/arnica.conf");
	write_bytes(file, "[device]\nadopt = off\n", 21);
	write_file("[device]\nadopt = all\n");

	assert_int_equal(setenv("HOME", folder, 1), 0);
	assert_int_equal(arnica_settings_read(&settings, why), 0);
	assert_string_equal(settings.path, file);
	/* Another folder, where there is none; /etc may have one. */
	assert_int_equal(setenv("XDG_CONFIG_HOME", folder, 1), 0);
	assert_int_equal(arnica_settings_read(&settings, why), 0);
	assert_string_not_equal(settings.path, file);
	assert_int_equal(setenv("XDG_CONFIG_HOME", "relative", 1), 0);
	assert_int_equal(arnica_settings_read(&settings, why), 0);
	assert_string_equal(settings.path, file);
	assert_int_equal(setenv("ARNICA_CONFIG", path, 1), 0);
	assert_int_equal(arnica_settings_read(&settings, why), 0);
	assert_string_equal(settings.path, path);
	assert_string_equal(text_of(ADOPT, ARNICA_SETTING_FILE), "all");
	assert_int_equal(setenv("ARNICA_CONFIG", "none", 1), 0);
	assert_int_equal(arnica_settings_read(&settings, why), 0);
	assert_string_equal(settings.path, "");
	/* Who asks for a file wants that one. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(setenv("ARNICA_CONFIG", path, 1), 0);
	assert_int_equal(arnica_settings_read(&settings, why), ENOENT);
}

/* Files that are almost right, and files that are nothing: taken or refused with
 * a line, and never anything else. */
static void no_contents_do_harm(void **state)
{
	static const char good[] =
		"# comment\n[device]\nadopt = all\npart-id = 0xefa0\n"
		"segment-max = 64M\nwindow-type = 2A\n[device]\necn = on\n";
	uint64_t random = 88172645463325252ull;
	char bytes[400];
	unsigned int i, j, refused = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		size_t length = sizeof(good) - 1;
		bool noise = i % 4 == 0;

		memcpy(bytes, good, length);
		if (noise)
			length = sizeof(bytes);
		for (j = 0; j < (noise ? length : 1 + i % 5); j++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			bytes[noise ? j : random % length] =
				(char)(random >> 32);
		}
		write_bytes(path, bytes, length);
		if (!arnica_settings_read_file(&settings, path, why))
			continue;
		refused++;
		assert_true(strlen(why) > strlen(path));
		assert_int_equal(num_set(), 0);
	}
	assert_true(refused > 300);
}

static void a_wrong_number_in_the_environment_is_told(void **state)
{
	uint64_t number;

	(void)state;
	assert_int_equal(setenv("ARNICA_CONFIG", "none", 1), 0);
	assert_int_equal(arnica_setting_number(PART_ID, 7, &number, why), 0);
	assert_int_equal(number, 7);
	assert_int_equal(setenv("ARNICA_PART_ID", "0xefa0", 1), 0);
	assert_int_equal(arnica_setting_number(PART_ID, 7, &number, why), 0);
	assert_int_equal(number, 0xefa0);
	assert_int_equal(setenv("ARNICA_PART_ID", "many", 1), 0);
	assert_int_equal(arnica_setting_number(PART_ID, 7, &number, why),
			 EINVAL);
	assert_non_null(strstr(why, "ARNICA_PART_ID=many must be a number"));
}

static void every_variable_is_looked_at(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(setenv("ARNICA_CONFIG", "none", 1), 0);
	assert_int_equal(arnica_settings_check(why), 0);
	for (i = 0; i < ARNICA_NUM_SETTINGS; i++) {
		const struct arnica_setting_row *row = &arnica_setting_rows[i];
		char expected[64];

		assert_int_equal(setenv(row->variable, "maybe", 1), 0);
		assert_int_equal(arnica_settings_check(why), EINVAL);
		snprintf(expected, sizeof(expected), "%s=maybe must be ",
			 row->variable);
		if (strncmp(why, expected, strlen(expected)) ||
		    !strstr(why, row->allowed) ||
		    !strstr(why, ": correct or unset it"))
			fail_msg("\"%s\"", why);
		assert_int_equal(setenv(row->variable, "", 1), 0);
		assert_int_equal(arnica_settings_check(why), 0);
		assert_int_equal(unsetenv(row->variable), 0);
	}
}

static void gather_engines_are_no_more_than_execution_engines(void **state)
{
	(void)state;
	refuse_text("[scheduler]\nexecution-engines = 2\ngather-engines = 3\n",
		    " line 3: gather-engines = 3 is more than "
		    "execution-engines = 2 of line 2: lower");
	refuse_text("[scheduler]\ngather-engines = 3\nexecution-engines = 2\n",
		    " line 2: gather-engines = 3 is more than "
		    "execution-engines = 2 of line 3: lower");
	write_file("[scheduler]\nexecution-engines = 3\ngather-engines = 3\n");
	assert_int_equal(arnica_settings_read_file(&settings, path, why), 0);
	assert_int_equal(arnica_settings_check_engines(&settings, why), 0);
	/* A variable against the file, and against another one. */
	assert_int_equal(setenv("ARNICA_EXECUTION_ENGINES", "2", 1), 0);
	assert_int_equal(arnica_settings_check_engines(&settings, why),
			 EINVAL);
	assert_int_equal(strncmp(why, path, strlen(path)), 0);
	assert_non_null(strstr(why, " line 3: gather-engines = 3 is more than "
				    "execution-engines = 2 of "
				    "ARNICA_EXECUTION_ENGINES: lower"));
	assert_int_equal(setenv("ARNICA_GATHER_ENGINES", "4", 1), 0);
	assert_int_equal(arnica_settings_check_engines(&settings, why),
			 EINVAL);
	assert_non_null(strstr(why, "ARNICA_GATHER_ENGINES: gather-engines = 4"
				    " is more than execution-engines = 2 of "
				    "ARNICA_EXECUTION_ENGINES"));
	assert_int_equal(setenv("ARNICA_GATHER_ENGINES", "1", 1), 0);
	assert_int_equal(arnica_settings_check_engines(&settings, why), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_sets_what_it_names),
		TEST(the_environment_wins),
		TEST(an_empty_file_sets_nothing),
		TEST(what_is_not_understood_is_refused_with_its_line),
		TEST(numbers_out_of_range_are_refused),
		TEST(programs_have_weights),
		TEST(rates_are_none_or_bytes),
		TEST(lists_have_one_number_or_sixteen),
		TEST(a_line_too_long_is_refused),
		TEST(bytes_that_are_no_text_are_refused),
		TEST(a_huge_file_is_refused),
		TEST(a_file_that_others_may_write_is_refused),
		TEST(what_is_no_file_is_refused),
		TEST(the_file_is_looked_for_in_order),
		TEST(no_contents_do_harm),
		TEST(a_wrong_number_in_the_environment_is_told),
		TEST(every_variable_is_looked_at),
		TEST(gather_engines_are_no_more_than_execution_engines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
