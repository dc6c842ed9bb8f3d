/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A folder of its own for a test that works with files.
 */
#ifndef TESTS_UNIT_TOOLS_SCRATCH_H
#define TESTS_UNIT_TOOLS_SCRATCH_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch_dir[64];

static inline int scratch_setup(void **state)
{
	(void)state;
	strcpy(scratch_dir, "/tmp/arnica-test-XXXXXX");
	return mkdtemp(scratch_dir) ? 0 : -1;
}

static inline int scratch_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", scratch_dir);
	return system(command);
}

/* The path of a name in the folder; a few may be in use at a time. */
static inline const char *scratch_path(const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_MAX, "%s/%s", scratch_dir, name);
	return path;
}

static inline void scratch_write(const char *name, const void *bytes,
				 size_t length, unsigned mode)
{
	FILE *file = fopen(scratch_path(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(scratch_path(name), mode), 0);
}

static inline void scratch_text(const char *name, const char *text,
				unsigned mode)
{
	scratch_write(name, text, strlen(text), mode);
}

static inline void scratch_mkdir(const char *name)
{
	assert_int_equal(mkdir(scratch_path(name), 0755), 0);
}

#endif
