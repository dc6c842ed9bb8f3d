/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * stat() and its variants: the device file and that of the connection manager,
 * by path or by descriptor, are the character devices that sysfs files `dev` name.
 */
#include "entry.h"

#include "device_file.h"
#include "manager/files.h"

/* One disguise serves both types of structure. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64) &&
		       offsetof(struct stat, st_blocks) ==
			       offsetof(struct stat64, st_blocks),
	       "struct stat64 differs from struct stat: 64-bit systems only");

static void standin_stat_disguise_place(const struct standin_place *place,
					void *status)
{
	if (place->kind == STANDIN_PLACE_DEVICE)
		standin_device_file_disguise(status, 0);
	else if (place->kind == STANDIN_PLACE_MANAGER)
		standin_cm_disguise(status);
}

static inline void standin_stat_disguise_fd(int fd, void *buffer)
{
	struct stat *status = buffer;
	uint32_t index;

	if (standin_device_file_check_status(fd, status->st_mode,
					     status->st_nlink, &index))
		standin_device_file_disguise(status, index);
	else if (standin_cm_is_used() &&
		 standin_cm_is_file(status->st_mode, status->st_ino))
		standin_cm_disguise(status);
}

/* By path; `replaced` as in STANDIN_PATH_ENTRY. */
#define STANDIN_STAT_ENTRY(name, folder, parameters, arguments, replaced,      \
			   after)                                              \
	static STANDIN_SLOW int standin_slow_##name parameters                 \
	{                                                                      \
		struct standin_place place;                                    \
		int result = standin_place_find(folder, path, &place);         \
                                                                               \
		if (result) {                                                  \
			errno = result;                                        \
			return -1;                                             \
		}                                                              \
		result = STANDIN_NEXT(name) replaced;                          \
		if (!result)                                                   \
			standin_stat_disguise_place(&place, status);           \
		return result;                                                 \
	}                                                                      \
                                                                               \
	STANDIN_ENTRY int name parameters                                      \
	{                                                                      \
		int result;                                                    \
                                                                               \
		if (standin_match_maybe(path))                                 \
			return standin_slow_##name arguments;                  \
		result = STANDIN_NEXT(name) arguments;                         \
		after;                                                         \
		return result;                                                 \
	}

/* fstatat(fd, "", AT_EMPTY_PATH) is an fstat(). */
#define STANDIN_STAT_EMPTY_PATH                                                \
	if (!result && flags & AT_EMPTY_PATH)                                  \
	standin_stat_disguise_fd(dir, status)

#define STANDIN_FSTAT_ENTRY(name, parameters, arguments)                       \
	STANDIN_ENTRY int name parameters                                      \
	{                                                                      \
		int result = STANDIN_NEXT(name) arguments;                     \
                                                                               \
		if (!result)                                                   \
			standin_stat_disguise_fd(fd, status);                  \
		return result;                                                 \
	}

STANDIN_STAT_ENTRY(stat, AT_FDCWD, (const char *path, struct stat *status),
		   (path, status), (place.path, status), )
STANDIN_STAT_ENTRY(stat64, AT_FDCWD, (const char *path, struct stat64 *status),
		   (path, status), (place.path, status), )
STANDIN_STAT_ENTRY(lstat, AT_FDCWD, (const char *path, struct stat *status),
		   (path, status), (place.path, status), )
STANDIN_STAT_ENTRY(lstat64, AT_FDCWD, (const char *path, struct stat64 *status),
		   (path, status), (place.path, status), )
STANDIN_STAT_ENTRY(fstatat, dir,
		   (int dir, const char *path, struct stat *status, int flags),
		   (dir, path, status, flags), (dir, place.path, status, flags),
		   STANDIN_STAT_EMPTY_PATH)
STANDIN_STAT_ENTRY(fstatat64, dir,
		   (int dir, const char *path, struct stat64 *status,
		    int flags),
		   (dir, path, status, flags), (dir, place.path, status, flags),
		   STANDIN_STAT_EMPTY_PATH)

/* What programs call that were built before glibc 2.33. */
STANDIN_STAT_ENTRY(__xstat, AT_FDCWD,
		   (int version, const char *path, struct stat *status),
		   (version, path, status), (version, place.path, status), )
STANDIN_STAT_ENTRY(__xstat64, AT_FDCWD,
		   (int version, const char *path, struct stat64 *status),
		   (version, path, status), (version, place.path, status), )
STANDIN_STAT_ENTRY(__lxstat, AT_FDCWD,
		   (int version, const char *path, struct stat *status),
		   (version, path, status), (version, place.path, status), )
STANDIN_STAT_ENTRY(__lxstat64, AT_FDCWD,
		   (int version, const char *path, struct stat64 *status),
		   (version, path, status), (version, place.path, status), )
STANDIN_STAT_ENTRY(__fxstatat, dir,
		   (int version, int dir, const char *path, struct stat *status,
		    int flags),
		   (version, dir, path, status, flags),
		   (version, dir, place.path, status, flags),
		   STANDIN_STAT_EMPTY_PATH)
STANDIN_STAT_ENTRY(__fxstatat64, dir,
		   (int version, int dir, const char *path,
		    struct stat64 *status, int flags),
		   (version, dir, path, status, flags),
		   (version, dir, place.path, status, flags),
		   STANDIN_STAT_EMPTY_PATH)

STANDIN_FSTAT_ENTRY(fstat, (int fd, struct stat *status), (fd, status))
STANDIN_FSTAT_ENTRY(fstat64, (int fd, struct stat64 *status), (fd, status))
STANDIN_FSTAT_ENTRY(__fxstat, (int version, int fd, struct stat *status),
		    (version, fd, status))
STANDIN_FSTAT_ENTRY(__fxstat64, (int version, int fd, struct stat64 *status),
		    (version, fd, status))

static STANDIN_SLOW int standin_slow_statx(int dir, const char *path, int flags,
					   unsigned int mask,
					   struct statx *status)
{
	struct standin_place place;
	int result = standin_place_find(dir, path, &place);

	if (result) {
		errno = result;
		return -1;
	}
	result = STANDIN_NEXT(statx)(dir, place.path, flags, mask, status);
	if (!result && place.kind == STANDIN_PLACE_DEVICE)
		standin_device_file_disguise_x(status, 0);
	else if (!result && place.kind == STANDIN_PLACE_MANAGER)
		standin_cm_disguise_x(status);
	return result;
}

STANDIN_ENTRY int statx(int dir, const char *path, int flags, unsigned int mask,
			struct statx *status)
{
	uint32_t index;
	int result;

	if (standin_match_maybe(path))
		return standin_slow_statx(dir, path, flags, mask, status);
	result = STANDIN_NEXT(statx)(dir, path, flags, mask, status);
	if (result || !(flags & AT_EMPTY_PATH))
		return result;
	if (standin_device_file_check_status(dir, status->stx_mode,
					     status->stx_nlink, &index))
		standin_device_file_disguise_x(status, index);
	else if (standin_cm_is_used() &&
		 standin_cm_is_file(status->stx_mode, status->stx_ino))
		standin_cm_disguise_x(status);
	return result;
}
