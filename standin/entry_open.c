/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* open() and its variants. */
#include "entry.h"

#include <stdarg.h>

#include "device_file.h"
#include "manager/files.h"

static int standin_open_device(const struct standin_place *place, int flags,
			       int *fd)
{
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return EEXIST;
	if (flags & O_DIRECTORY)
		return ENOTDIR;
	if (place->kind == STANDIN_PLACE_MANAGER)
		return standin_cm_open(flags, fd);
	return standin_device_file_create(flags, fd);
}

/* Files of a sysfs that can only be read refuse everybody else, root too; and
 * nobody creates files there. */
static int standin_open_tree(const char *path, int flags, int *fd)
{
	const int writing = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);

	if (!(flags & O_PATH) &&
	    ((flags & O_ACCMODE) != O_RDONLY || flags & writing)) {
		if (!(flags & O_CREAT) && STANDIN_NEXT(access)(path, F_OK))
			return errno;
		return EACCES;
	}
	*fd = STANDIN_NEXT(openat)(AT_FDCWD, path, flags, 0);
	return *fd < 0 ? errno : 0;
}

/* False: the path is not ours after all. Otherwise *fd is open()'s result. */
static STANDIN_SLOW bool standin_open_ours(int folder, const char *path,
					   int flags, int *fd)
{
	struct standin_place place;
	int saved = errno;
	int error = standin_place_find(folder, path, &place);

	if (!error && place.kind == STANDIN_PLACE_FOREIGN)
		return false;
	if (!error && place.kind != STANDIN_PLACE_TREE)
		error = standin_open_device(&place, flags, fd);
	else if (!error)
		error = standin_open_tree(place.path, flags, fd);
	errno = error ? error : saved;
	if (error)
		*fd = -1;
	return true;
}

static inline bool standin_open(int folder, const char *path, int flags,
				int *fd)
{
	return standin_match_maybe(path) &&
	       standin_open_ours(folder, path, flags, fd);
}

/* The mode is there only if the flags say so; a caller without it may have
 * anything in its place. */
#define STANDIN_OPEN_MODE(mode, flags)                                         \
	do {                                                                   \
		va_list args;                                                  \
                                                                               \
		va_start(args, flags);                                         \
		mode = (flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE ?   \
			       va_arg(args, mode_t) :                          \
			       0;                                              \
		va_end(args);                                                  \
	} while (0)

#define STANDIN_OPEN_ENTRY(name)                                               \
	STANDIN_ENTRY int name(const char *path, int flags, ...)               \
	{                                                                      \
		mode_t mode;                                                   \
		int fd;                                                        \
                                                                               \
		STANDIN_OPEN_MODE(mode, flags);                                \
		if (standin_open(AT_FDCWD, path, flags, &fd))                  \
			return fd;                                             \
		return STANDIN_NEXT(name)(path, flags, mode);                  \
	}

#define STANDIN_OPENAT_ENTRY(name)                                             \
	STANDIN_ENTRY int name(int dir, const char *path, int flags, ...)      \
	{                                                                      \
		mode_t mode;                                                   \
		int fd;                                                        \
                                                                               \
		STANDIN_OPEN_MODE(mode, flags);                                \
		if (standin_open(dir, path, flags, &fd))                       \
			return fd;                                             \
		return STANDIN_NEXT(name)(dir, path, flags, mode);             \
	}

/* Of programs built with _FORTIFY_SOURCE. libc ends the program when flags ask
 * for a mode that is not passed; so such calls go there first. */
#define STANDIN_OPEN_2_ENTRY(name)                                             \
	STANDIN_ENTRY int name(const char *path, int flags)                    \
	{                                                                      \
		int fd;                                                        \
                                                                               \
		if (!(flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY) &&         \
		    standin_open(AT_FDCWD, path, flags, &fd))                  \
			return fd;                                             \
		return STANDIN_NEXT(name)(path, flags);                        \
	}

#define STANDIN_OPENAT_2_ENTRY(name)                                           \
	STANDIN_ENTRY int name(int dir, const char *path, int flags)           \
	{                                                                      \
		int fd;                                                        \
                                                                               \
		if (!(flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY) &&         \
		    standin_open(dir, path, flags, &fd))                       \
			return fd;                                             \
		return STANDIN_NEXT(name)(dir, path, flags);                   \
	}

#define STANDIN_CREAT_ENTRY(name)                                              \
	STANDIN_ENTRY int name(const char *path, mode_t mode)                  \
	{                                                                      \
		const int flags = O_CREAT | O_WRONLY | O_TRUNC;                \
		int fd;                                                        \
                                                                               \
		if (standin_open(AT_FDCWD, path, flags, &fd))                  \
			return fd;                                             \
		return STANDIN_NEXT(name)(path, mode);                         \
	}

STANDIN_OPEN_ENTRY(open)
STANDIN_OPEN_ENTRY(open64)
STANDIN_OPENAT_ENTRY(openat)
STANDIN_OPENAT_ENTRY(openat64)
STANDIN_OPEN_2_ENTRY(__open_2)
STANDIN_OPEN_2_ENTRY(__open64_2)
STANDIN_OPENAT_2_ENTRY(__openat_2)
STANDIN_OPENAT_2_ENTRY(__openat64_2)
STANDIN_CREAT_ENTRY(creat)
STANDIN_CREAT_ENTRY(creat64)
