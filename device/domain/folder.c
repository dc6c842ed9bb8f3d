/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/log.h"
#include "domain/proc.h"

static bool usable(const char *folder)
{
	struct stat status;

	return stat(folder, &status) == 0 && S_ISDIR(status.st_mode) &&
	       access(folder, W_OK | X_OK) == 0;
}

/* /run/user by number and not XDG_RUNTIME_DIR: a process started by cron or
 * through ssh lacks the variable and must still find the others. */
static const char *choose_parent(char *buffer, size_t bytes)
{
	if (usable("/dev/shm"))
		return "/dev/shm";
	snprintf(buffer, bytes, "/run/user/%u", (unsigned int)geteuid());
	return usable(buffer) ? buffer : "/tmp";
}

int adev_folder_path(char path[ADEV_FOLDER_PATH_BYTES])
{
	const char *set = secure_getenv("ARNICA_RUNTIME_DIR");
	char buffer[32];
	int length;

	if (set && *set) {
		if (*set != '/')
			return EINVAL;
		length = snprintf(path, ADEV_FOLDER_PATH_BYTES, "%s", set);
	} else {
		length = snprintf(
			path, ADEV_FOLDER_PATH_BYTES, "%s/arnica-%u-%08x-%llu",
			choose_parent(buffer, sizeof(buffer)),
			(unsigned int)geteuid(), adev_proc_boot_prefix(),
			(unsigned long long)adev_proc_namespace("net"));
	}
	return length < 0 || length >= (int)ADEV_FOLDER_PATH_BYTES ?
		       ENAMETOOLONG :
		       0;
}

static int check_owner(int fd, const char *path)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return errno;
	if (status.st_uid != geteuid()) {
		adev_log_error("folder %s belongs to uid %u: remove it, or set "
			       "ARNICA_RUNTIME_DIR to a folder of your own",
			       path, (unsigned int)status.st_uid);
		return EPERM;
	}
	if (status.st_mode & 077) {
		adev_log_error(
			"folder %s is open to other users: chmod 700 it, "
			"or set ARNICA_RUNTIME_DIR to another",
			path);
		return EPERM;
	}
	return 0;
}

/* No permission: in a user namespace, where root is not the host's root. */
static const char *advice(int error)
{
	switch (error) {
	case EPERM:
		return "; remove it, or set ARNICA_RUNTIME_DIR to another";
	case EACCES:
		return "; set ARNICA_RUNTIME_DIR to a folder of your own";
	default:
		return "";
	}
}

static int open_checked(const char *path, int *fd)
{
	int opened = open(path,
			  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error;

	if (opened < 0) {
		/* ELOOP and ENOTDIR: somebody put something else there. */
		error = errno;
		if (error == ELOOP || error == ENOTDIR)
			error = EPERM;
		/* Whoever wants the folder says that; it is not at fault. */
		if (adev_proc_is_exhausted(error))
			return error;
		adev_log_error("cannot use folder %s: %s%s", path,
			       error == EPERM ? "it is not a folder" :
						strerror(error),
			       advice(error));
		return error;
	}
	error = check_owner(opened, path);
	if (error) {
		close(opened);
		return error;
	}
	*fd = opened;
	return 0;
}

int adev_folder_open(char path[ADEV_FOLDER_PATH_BYTES], int *fd)
{
	/* Without it this would be another folder. */
	int error = adev_proc_learn_boot();

	if (error)
		return error;
	error = adev_folder_path(path);
	if (error) {
		adev_log_error("ARNICA_RUNTIME_DIR must be an absolute path of "
			       "less than %u characters",
			       ADEV_FOLDER_PATH_BYTES);
		return error;
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		error = errno;
		adev_log_error("cannot make folder %s: %s; set "
			       "ARNICA_RUNTIME_DIR to a folder of your own",
			       path, strerror(error));
		return error;
	}
	return open_checked(path, fd);
}
