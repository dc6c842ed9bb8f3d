/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tree_build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STANDIN_BUILD_NEW ".new" /* a file on its way to its place */

static int standin_build_open(struct standin_build *build, const char *root,
			      bool replaces)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	build->error = 0;
	build->replaces = replaces;
	build->parent[0] = '\0';
	build->folder = open(root, flags);
	/* The umask is the program's, and may hide it from who made it. */
	if (build->folder < 0 && errno == EACCES && !chmod(root, 0700))
		build->folder = open(root, flags);
	return build->folder < 0 ? errno : 0;
}

int standin_build_resume(struct standin_build *build, const char *root)
{
	return standin_build_open(build, root, true);
}

int standin_build_start(struct standin_build *build, const char *root)
{
	int error = standin_build_open(build, root, false);

	if (error)
		return error;
	/* The caller's folder may be for the owner only. */
	if (fchmod(build->folder, 0755))
		build->error = errno;
	return 0;
}

static void standin_build_fail(struct standin_build *build)
{
	if (!build->error)
		build->error = errno;
}

void standin_build_folder(struct standin_build *build, const char *path)
{
	if (build->error)
		return;
	if (mkdirat(build->folder, path, 0755)) {
		if (errno != EEXIST)
			standin_build_fail(build);
		return;
	}
	/* The umask is the program's and may hide the folder from itself. */
	if (fchmodat(build->folder, path, 0755, 0))
		standin_build_fail(build);
}

static void standin_build_parents(struct standin_build *build, const char *path)
{
	const char *end = strrchr(path, '/');
	char folder[sizeof(build->parent)];
	const char *slash;
	size_t length = end ? (size_t)(end - path) : 0;

	if (length >= sizeof(folder)) {
		errno = ENAMETOOLONG;
		standin_build_fail(build);
	}
	if (build->error || !length ||
	    (!strncmp(build->parent, path, length) && !build->parent[length]))
		return;
	for (slash = path; slash && slash <= end;
	     slash = strchr(slash + 1, '/')) {
		memcpy(folder, path, (size_t)(slash - path));
		folder[slash - path] = '\0';
		if (*folder)
			standin_build_folder(build, folder);
	}
	memcpy(build->parent, path, length);
	build->parent[length] = '\0';
}

static void standin_build_put(struct standin_build *build, const char *path,
			      const char *content, size_t length)
{
	struct rlimit limit;
	ssize_t written;
	int fd;

	/* Beyond the limit, write() would raise SIGXFSZ. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur < length) {
		build->error = EFBIG;
		return;
	}
	fd = openat(build->folder, path,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		standin_build_fail(build);
		return;
	}
	written = write(fd, content, length);
	if (written >= 0 && (size_t)written < length)
		build->error = ENOSPC;
	else if (written < 0 || fchmod(fd, 0444))
		standin_build_fail(build);
	close(fd);
}

static void standin_build_write(struct standin_build *build, const char *path,
				const char *content, size_t length)
{
	standin_build_parents(build, path);
	if (build->error)
		return;
	if (!build->replaces) {
		standin_build_put(build, path, content, length);
		return;
	}
	standin_build_drop(build, STANDIN_BUILD_NEW);
	if (!build->error)
		standin_build_put(build, STANDIN_BUILD_NEW, content, length);
	if (!build->error && renameat(build->folder, STANDIN_BUILD_NEW,
				      build->folder, path))
		standin_build_fail(build);
}

void standin_build_file(struct standin_build *build, const char *path,
			const char *format, ...)
{
	char content[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(content, sizeof(content), format, args);
	va_end(args);
	if (length < 0 || length >= (int)sizeof(content)) {
		if (!build->error)
			build->error = EOVERFLOW;
		return;
	}
	standin_build_write(build, path, content, (size_t)length);
}

void standin_build_text(struct standin_build *build, const char *folder,
			const char *name, const char *content)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	standin_build_file(build, path, "%s", content);
}

void standin_build_symlink(struct standin_build *build, const char *path,
			   const char *target)
{
	standin_build_parents(build, path);
	if (!build->error && symlinkat(target, build->folder, path))
		standin_build_fail(build);
}

void standin_build_same(struct standin_build *build, const char *path,
			const char *existing, const char *content)
{
	standin_build_parents(build, path);
	if (!build->error &&
	    linkat(build->folder, existing, build->folder, path, 0))
		standin_build_write(build, path, content, strlen(content));
}

void standin_build_node(struct standin_build *build, const char *path)
{
	standin_build_parents(build, path);
	if (build->error)
		return;
	if (mknodat(build->folder, path, S_IFCHR | 0666, makedev(0, 0)))
		standin_build_write(build, path, "", 0);
	if (!build->error && fchmodat(build->folder, path, 0666, 0))
		standin_build_fail(build);
}

void standin_build_drop(struct standin_build *build, const char *path)
{
	if (build->error || !unlinkat(build->folder, path, 0) ||
	    errno == ENOENT)
		return;
	/* A folder: EISDIR here, EPERM by the standard. */
	if (unlinkat(build->folder, path, AT_REMOVEDIR))
		standin_build_fail(build);
}

void standin_build_time(struct standin_build *build, const char *path,
			struct timespec time)
{
	const struct timespec times[2] = { time, time };

	if (!build->error && utimensat(build->folder, path, times, 0))
		standin_build_fail(build);
}

int standin_build_finish(struct standin_build *build)
{
	close(build->folder);
	return build->error;
}

static void standin_build_empty(int folder)
{
	DIR *list = fdopendir(folder);
	struct dirent *entry;

	if (!list) {
		close(folder);
		return;
	}
	while ((entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			standin_build_remove(dirfd(list), entry->d_name);
	}
	closedir(list);
}

/* Depth is that of our own trees: files are unlinked, folders entered. */
void standin_build_remove(int folder, const char *path)
{
	int fd;

	if (!unlinkat(folder, path, 0) || errno == ENOENT)
		return;
	fd = openat(folder, path,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		standin_build_empty(fd);
	unlinkat(folder, path, AT_REMOVEDIR);
}
