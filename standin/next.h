/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The definitions that this library stands in front of: libc's, or those of a
 * sanitizer, of fakeroot and the like that come between. What is not ours goes
 * there, so that it behaves exactly as without us: cancellation points, symbol
 * variants, a sanitizer's view of descriptors.
 *
 * They are looked up once, before main(): later calls take no lock and allocate
 * nothing, so that they are fit for signal handlers and vfork children. A call
 * that comes earlier still (a constructor of another library) looks them up
 * itself.
 */
#ifndef STANDIN_NEXT_H
#define STANDIN_NEXT_H

#include <dirent.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef int (*standin_filter)(const struct dirent *);
typedef int (*standin_compare)(const struct dirent **, const struct dirent **);
typedef int (*standin_filter64)(const struct dirent64 *);
typedef int (*standin_compare64)(const struct dirent64 **,
				 const struct dirent64 **);
typedef int (*standin_glob_error)(const char *, int);

/* F(result, name, (parameters), (arguments)) */
#define STANDIN_NEXT_LIST(F)                                                   \
	F(int, open, (const char *path, int flags, mode_t mode),               \
	  (path, flags, mode))                                                 \
	F(int, open64, (const char *path, int flags, mode_t mode),             \
	  (path, flags, mode))                                                 \
	F(int, openat, (int dir, const char *path, int flags, mode_t mode),    \
	  (dir, path, flags, mode))                                            \
	F(int, openat64, (int dir, const char *path, int flags, mode_t mode),  \
	  (dir, path, flags, mode))                                            \
	F(int, __open_2, (const char *path, int flags), (path, flags))         \
	F(int, __open64_2, (const char *path, int flags), (path, flags))       \
	F(int, __openat_2, (int dir, const char *path, int flags),             \
	  (dir, path, flags))                                                  \
	F(int, __openat64_2, (int dir, const char *path, int flags),           \
	  (dir, path, flags))                                                  \
	F(int, creat, (const char *path, mode_t mode), (path, mode))           \
	F(int, creat64, (const char *path, mode_t mode), (path, mode))         \
	F(int, stat, (const char *path, struct stat *status), (path, status))  \
	F(int, stat64, (const char *path, struct stat64 *status),              \
	  (path, status))                                                      \
	F(int, lstat, (const char *path, struct stat *status), (path, status)) \
	F(int, lstat64, (const char *path, struct stat64 *status),             \
	  (path, status))                                                      \
	F(int, fstat, (int fd, struct stat *status), (fd, status))             \
	F(int, fstat64, (int fd, struct stat64 *status), (fd, status))         \
	F(int, fstatat,                                                        \
	  (int dir, const char *path, struct stat *status, int flags),         \
	  (dir, path, status, flags))                                          \
	F(int, fstatat64,                                                      \
	  (int dir, const char *path, struct stat64 *status, int flags),       \
	  (dir, path, status, flags))                                          \
	F(int, __xstat, (int version, const char *path, struct stat *status),  \
	  (version, path, status))                                             \
	F(int, __xstat64,                                                      \
	  (int version, const char *path, struct stat64 *status),              \
	  (version, path, status))                                             \
	F(int, __lxstat, (int version, const char *path, struct stat *status), \
	  (version, path, status))                                             \
	F(int, __lxstat64,                                                     \
	  (int version, const char *path, struct stat64 *status),              \
	  (version, path, status))                                             \
	F(int, __fxstat, (int version, int fd, struct stat *status),           \
	  (version, fd, status))                                               \
	F(int, __fxstat64, (int version, int fd, struct stat64 *status),       \
	  (version, fd, status))                                               \
	F(int, __fxstatat,                                                     \
	  (int version, int dir, const char *path, struct stat *status,        \
	   int flags),                                                         \
	  (version, dir, path, status, flags))                                 \
	F(int, __fxstatat64,                                                   \
	  (int version, int dir, const char *path, struct stat64 *status,      \
	   int flags),                                                         \
	  (version, dir, path, status, flags))                                 \
	F(int, statx,                                                          \
	  (int dir, const char *path, int flags, unsigned int mask,            \
	   struct statx *status),                                              \
	  (dir, path, flags, mask, status))                                    \
	F(int, access, (const char *path, int mode), (path, mode))             \
	F(int, euidaccess, (const char *path, int mode), (path, mode))         \
	F(int, eaccess, (const char *path, int mode), (path, mode))            \
	F(int, faccessat, (int dir, const char *path, int mode, int flags),    \
	  (dir, path, mode, flags))                                            \
	F(int, chdir, (const char *path), (path))                              \
	F(ssize_t, readlink, (const char *path, char *target, size_t size),    \
	  (path, target, size))                                                \
	F(ssize_t, readlinkat,                                                 \
	  (int dir, const char *path, char *target, size_t size),              \
	  (dir, path, target, size))                                           \
	F(ssize_t, __readlink_chk,                                             \
	  (const char *path, char *target, size_t size, size_t room),          \
	  (path, target, size, room))                                          \
	F(ssize_t, __readlinkat_chk,                                           \
	  (int dir, const char *path, char *target, size_t size, size_t room), \
	  (dir, path, target, size, room))                                     \
	F(char *, realpath, (const char *path, char *resolved),                \
	  (path, resolved))                                                    \
	F(char *, __realpath_chk,                                              \
	  (const char *path, char *resolved, size_t room),                     \
	  (path, resolved, room))                                              \
	F(char *, canonicalize_file_name, (const char *path), (path))          \
	F(ssize_t, getxattr,                                                   \
	  (const char *path, const char *name, void *value, size_t size),      \
	  (path, name, value, size))                                           \
	F(ssize_t, lgetxattr,                                                  \
	  (const char *path, const char *name, void *value, size_t size),      \
	  (path, name, value, size))                                           \
	F(ssize_t, listxattr, (const char *path, char *list, size_t size),     \
	  (path, list, size))                                                  \
	F(ssize_t, llistxattr, (const char *path, char *list, size_t size),    \
	  (path, list, size))                                                  \
	F(DIR *, opendir, (const char *path), (path))                          \
	F(int, scandir,                                                        \
	  (const char *path, struct dirent ***list, standin_filter filter,     \
	   standin_compare compare),                                           \
	  (path, list, filter, compare))                                       \
	F(int, scandir64,                                                      \
	  (const char *path, struct dirent64 ***list, standin_filter64 filter, \
	   standin_compare64 compare),                                         \
	  (path, list, filter, compare))                                       \
	F(int, glob,                                                           \
	  (const char *pattern, int flags, standin_glob_error error,           \
	   glob_t *found),                                                     \
	  (pattern, flags, error, found))                                      \
	F(int, glob64,                                                         \
	  (const char *pattern, int flags, standin_glob_error error,           \
	   glob64_t *found),                                                   \
	  (pattern, flags, error, found))                                      \
	F(FILE *, fopen, (const char *path, const char *mode), (path, mode))   \
	F(FILE *, fopen64, (const char *path, const char *mode), (path, mode)) \
	F(FILE *, freopen, (const char *path, const char *mode, FILE *stream), \
	  (path, mode, stream))                                                \
	F(FILE *, freopen64,                                                   \
	  (const char *path, const char *mode, FILE *stream),                  \
	  (path, mode, stream))                                                \
	F(int, ioctl, (int fd, unsigned long request, void *argument),         \
	  (fd, request, argument))                                             \
	F(ssize_t, write, (int fd, const void *bytes, size_t length),          \
	  (fd, bytes, length))                                                 \
	F(int, socket, (int domain, int type, int protocol),                   \
	  (domain, type, protocol))

struct standin_next {
#define STANDIN_NEXT_MEMBER(result, name, parameters, arguments)               \
	result(*name) parameters;
	STANDIN_NEXT_LIST(STANDIN_NEXT_MEMBER)
#undef STANDIN_NEXT_MEMBER
};

extern struct standin_next standin_next;

/* The next definition of `name`, to be called. Relaxed: the pointers change
 * once, from one valid function to another that does the same. */
#define STANDIN_NEXT(name)                                                     \
	(__atomic_load_n(&standin_next.name, __ATOMIC_RELAXED))

/* What a function that returns `result` returns when it fails. */
#define STANDIN_FAILURE(result)                                                \
	((result)(intptr_t)(__builtin_types_compatible_p(result, int) ||       \
					    __builtin_types_compatible_p(      \
						    result, ssize_t) ?         \
				    -1 :                                       \
				    0))

#endif
