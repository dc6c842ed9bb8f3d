/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Calls that take a path and give no descriptor. */
#include "entry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

STANDIN_PATH_ENTRY(int, access, AT_FDCWD, (const char *path, int mode),
		   (path, mode), (place.path, mode))
STANDIN_PATH_ENTRY(int, euidaccess, AT_FDCWD, (const char *path, int mode),
		   (path, mode), (place.path, mode))
STANDIN_PATH_ENTRY(int, eaccess, AT_FDCWD, (const char *path, int mode),
		   (path, mode), (place.path, mode))
STANDIN_PATH_ENTRY(int, faccessat, dir,
		   (int dir, const char *path, int mode, int flags),
		   (dir, path, mode, flags), (dir, place.path, mode, flags))

/* `cd /sys/class/infiniband`: what follows happens in the tree. */
STANDIN_PATH_ENTRY(int, chdir, AT_FDCWD, (const char *path), (path),
		   (place.path))

STANDIN_PATH_ENTRY(ssize_t, readlink, AT_FDCWD,
		   (const char *path, char *target, size_t size),
		   (path, target, size), (place.path, target, size))
STANDIN_PATH_ENTRY(ssize_t, readlinkat, dir,
		   (int dir, const char *path, char *target, size_t size),
		   (dir, path, target, size), (dir, place.path, target, size))
STANDIN_PATH_ENTRY(ssize_t, __readlink_chk, AT_FDCWD,
		   (const char *path, char *target, size_t size, size_t room),
		   (path, target, size, room), (place.path, target, size, room))
STANDIN_PATH_ENTRY(ssize_t, __readlinkat_chk, dir,
		   (int dir, const char *path, char *target, size_t size,
		    size_t room),
		   (dir, path, target, size, room),
		   (dir, place.path, target, size, room))

/* `ls -l` asks for these, and complains about files that are not there. */
STANDIN_PATH_ENTRY(ssize_t, getxattr, AT_FDCWD,
		   (const char *path, const char *name, void *value,
		    size_t size),
		   (path, name, value, size), (place.path, name, value, size))
STANDIN_PATH_ENTRY(ssize_t, lgetxattr, AT_FDCWD,
		   (const char *path, const char *name, void *value,
		    size_t size),
		   (path, name, value, size), (place.path, name, value, size))
STANDIN_PATH_ENTRY(ssize_t, listxattr, AT_FDCWD,
		   (const char *path, char *list, size_t size),
		   (path, list, size), (place.path, list, size))
STANDIN_PATH_ENTRY(ssize_t, llistxattr, AT_FDCWD,
		   (const char *path, char *list, size_t size),
		   (path, list, size), (place.path, list, size))

/*
 * The real path of something in the tree is where the tree is: programs go on
 * from there ("/../..", to the slot). The device file has only its own name.
 */
static STANDIN_SLOW bool standin_realpath_ours(const char *path, char *resolved,
					       char **result)
{
	const char *device = "/dev/infiniband/uverbs0";
	struct standin_place place;
	int error = standin_place_find(AT_FDCWD, path, &place);

	if (!error && place.kind == STANDIN_PLACE_FOREIGN)
		return false;
	if (error) {
		errno = error;
		*result = NULL;
	} else if (place.kind == STANDIN_PLACE_TREE) {
		*result = STANDIN_NEXT(realpath)(place.path, resolved);
	} else {
		if (place.kind == STANDIN_PLACE_MANAGER)
			device = "/dev/infiniband/rdma_cm";
		*result = resolved ? strcpy(resolved, device) : strdup(device);
	}
	return true;
}

STANDIN_ENTRY char *realpath(const char *path, char *resolved)
{
	char *result;

	if (standin_match_maybe(path) &&
	    standin_realpath_ours(path, resolved, &result))
		return result;
	return STANDIN_NEXT(realpath)(path, resolved);
}

STANDIN_ENTRY char *__realpath_chk(const char *path, char *resolved,
				   size_t room)
{
	char *result;

	/* Too small a buffer is libc's to find. */
	if (room >= PATH_MAX && standin_match_maybe(path) &&
	    standin_realpath_ours(path, resolved, &result))
		return result;
	return STANDIN_NEXT(__realpath_chk)(path, resolved, room);
}

STANDIN_ENTRY char *canonicalize_file_name(const char *path)
{
	char *result;

	if (standin_match_maybe(path) &&
	    standin_realpath_ours(path, NULL, &result))
		return result;
	return STANDIN_NEXT(canonicalize_file_name)(path);
}
