/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Calls that list folders. */
#include "entry.h"

#include <string.h>

STANDIN_PATH_ENTRY(DIR *, opendir, AT_FDCWD, (const char *path), (path),
		   (place.path))
STANDIN_PATH_ENTRY(int, scandir, AT_FDCWD,
		   (const char *path, struct dirent ***list,
		    standin_filter filter, standin_compare compare),
		   (path, list, filter, compare),
		   (place.path, list, filter, compare))
STANDIN_PATH_ENTRY(int, scandir64, AT_FDCWD,
		   (const char *path, struct dirent64 ***list,
		    standin_filter64 filter, standin_compare64 compare),
		   (path, list, filter, compare),
		   (place.path, list, filter, compare))

/*
 * glob() with our entries in place of libc's own opendir() and stat(), so that
 * what it finds has the names that the program knows.
 */
static void *standin_glob_opendir(const char *path)
{
	return opendir(path);
}

static struct dirent *standin_glob_readdir(void *folder)
{
	return readdir(folder);
}

static struct dirent64 *standin_glob_readdir64(void *folder)
{
	return readdir64(folder);
}

static void standin_glob_closedir(void *folder)
{
	closedir(folder);
}

static int standin_glob_stat(const char *path, struct stat *status)
{
	return stat(path, status);
}

static int standin_glob_lstat(const char *path, struct stat *status)
{
	return lstat(path, status);
}

static int standin_glob_stat64(const char *path, struct stat64 *status)
{
	return stat64(path, status);
}

static int standin_glob_lstat64(const char *path, struct stat64 *status)
{
	return lstat64(path, status);
}

STANDIN_ENTRY int glob(const char *pattern, int flags, standin_glob_error error,
		       glob_t *found)
{
	int result;

	/* A program with functions of its own calls us from there. */
	if (flags & GLOB_ALTDIRFUNC || !standin_match_maybe(pattern))
		return STANDIN_NEXT(glob)(pattern, flags, error, found);
	found->gl_opendir = standin_glob_opendir;
	found->gl_readdir = standin_glob_readdir;
	found->gl_closedir = standin_glob_closedir;
	found->gl_stat = standin_glob_stat;
	found->gl_lstat = standin_glob_lstat;
	result = STANDIN_NEXT(glob)(pattern, flags | GLOB_ALTDIRFUNC, error,
				    found);
	found->gl_flags &= ~GLOB_ALTDIRFUNC;
	return result;
}

STANDIN_ENTRY int glob64(const char *pattern, int flags,
			 standin_glob_error error, glob64_t *found)
{
	int result;

	if (flags & GLOB_ALTDIRFUNC || !standin_match_maybe(pattern))
		return STANDIN_NEXT(glob64)(pattern, flags, error, found);
	found->gl_opendir = standin_glob_opendir;
	found->gl_readdir = standin_glob_readdir64;
	found->gl_closedir = standin_glob_closedir;
	found->gl_stat = standin_glob_stat64;
	found->gl_lstat = standin_glob_lstat64;
	result = STANDIN_NEXT(glob64)(pattern, flags | GLOB_ALTDIRFUNC, error,
				      found);
	found->gl_flags &= ~GLOB_ALTDIRFUNC;
	return result;
}
