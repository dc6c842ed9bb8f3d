/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the files entry_*.c have in common. Each entry is the definition that a
 * program finds instead of libc's; it first asks standin_match_maybe() and
 * leaves at once when the path is not ours. What is ours goes on in a function
 * of its own, which needs a large stack frame; the program's calls do not.
 */
#ifndef STANDIN_ENTRY_H
#define STANDIN_ENTRY_H

#include <errno.h>
#include <fcntl.h>

#include "match.h"
#include "next.h"
#include "place.h"

#define STANDIN_ENTRY __attribute__((visibility("default")))
#define STANDIN_SLOW __attribute__((noinline, cold))

/*
 * An entry that only replaces the path. `arguments` are the parameters' names,
 * `replaced` the same with place.path instead of path.
 */
#define STANDIN_PATH_ENTRY(result, name, folder, parameters, arguments,        \
			   replaced)                                           \
	static STANDIN_SLOW result standin_slow_##name parameters              \
	{                                                                      \
		struct standin_place place;                                    \
		int error = standin_place_find(folder, path, &place);          \
                                                                               \
		if (error) {                                                   \
			errno = error;                                         \
			return STANDIN_FAILURE(result);                        \
		}                                                              \
		return STANDIN_NEXT(name) replaced;                            \
	}                                                                      \
                                                                               \
	STANDIN_ENTRY result name parameters                                   \
	{                                                                      \
		if (!standin_match_maybe(path))                                \
			return STANDIN_NEXT(name) arguments;                   \
		return standin_slow_##name arguments;                          \
	}

/* libc declares these only to programs that are built in certain ways. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
int __xstat(int version, const char *path, struct stat *status);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat(int version, const char *path, struct stat *status);
int __lxstat64(int version, const char *path, struct stat64 *status);
int __fxstat(int version, int fd, struct stat *status);
int __fxstat64(int version, int fd, struct stat64 *status);
int __fxstatat(int version, int dir, const char *path, struct stat *status,
	       int flags);
int __fxstatat64(int version, int dir, const char *path, struct stat64 *status,
		 int flags);
ssize_t __readlink_chk(const char *path, char *target, size_t size,
		       size_t room);
ssize_t __readlinkat_chk(int dir, const char *path, char *target, size_t size,
			 size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room);

#endif
