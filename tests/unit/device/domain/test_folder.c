/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/folder.h"

static int open_folder(void)
{
	char path[ADEV_FOLDER_PATH_BYTES];
	int fd;
	int error = adev_folder_open(path, &fd);

	if (!error)
		close(fd);
	return error;
}

static void set_folder(char *path, const char *name)
{
	snprintf(path, ADEV_FOLDER_PATH_BYTES, "%s/%s",
		 getenv("ARNICA_RUNTIME_DIR"), name);
	setenv("ARNICA_RUNTIME_DIR", path, 1);
}

static void folder_is_made_for_its_owner_alone(void **state)
{
	char path[ADEV_FOLDER_PATH_BYTES];
	struct stat status;

	(void)state;
	set_folder(path, "new");
	assert_ok(open_folder());
	assert_ok(stat(path, &status));
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_ok(open_folder());
}

static void folder_open_to_others_is_refused(void **state)
{
	char path[ADEV_FOLDER_PATH_BYTES];

	(void)state;
	set_folder(path, "open");
	assert_ok(mkdir(path, 0700));
	assert_ok(chmod(path, 0710));
	assert_int_equal(open_folder(), EPERM);
}

static void folder_of_another_user_is_refused(void **state)
{
	char path[ADEV_FOLDER_PATH_BYTES];

	(void)state;
	if (geteuid() != 0)
		skip();
	set_folder(path, "foreign");
	assert_ok(mkdir(path, 0700));
	assert_ok(chown(path, 12345, 12345));
	assert_int_equal(open_folder(), EPERM);
}

static void symbolic_link_is_refused(void **state)
{
	char path[ADEV_FOLDER_PATH_BYTES];

	(void)state;
	set_folder(path, "link");
	assert_ok(symlink("/tmp", path));
	assert_int_equal(open_folder(), EPERM);
}

static void file_is_refused(void **state)
{
	char path[ADEV_FOLDER_PATH_BYTES];
	FILE *file;

	(void)state;
	set_folder(path, "file");
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(open_folder(), EPERM);
}

static void path_must_be_absolute_and_short(void **state)
{
	char path[ADEV_FOLDER_PATH_BYTES];
	char longest[200];

	(void)state;
	setenv("ARNICA_RUNTIME_DIR", "relative", 1);
	assert_int_equal(adev_folder_path(path), EINVAL);
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	setenv("ARNICA_RUNTIME_DIR", longest, 1);
	assert_int_equal(adev_folder_path(path), ENAMETOOLONG);
}

static void place_depends_on_nothing_else_in_the_environment(void **state)
{
	char first[ADEV_FOLDER_PATH_BYTES];
	char second[ADEV_FOLDER_PATH_BYTES];

	(void)state;
	unsetenv("ARNICA_RUNTIME_DIR");
	assert_ok(adev_folder_path(first));
	setenv("XDG_RUNTIME_DIR", "/somewhere", 1);
	assert_ok(adev_folder_path(second));
	unsetenv("XDG_RUNTIME_DIR");
	assert_string_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(folder_is_made_for_its_owner_alone),
		domain_test(folder_open_to_others_is_refused),
		domain_test(folder_of_another_user_is_refused),
		domain_test(symbolic_link_is_refused),
		domain_test(file_is_refused),
		domain_test(path_must_be_absolute_and_short),
		domain_test(place_depends_on_nothing_else_in_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
