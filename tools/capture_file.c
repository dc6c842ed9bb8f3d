/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "pcapng_file.h"

/* Each process makes a file of its own, in this folder. */
static int check_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == path ? 1 : (size_t)(slash - path);
	char folder[PATH_MAX];

	if (strstr(path, "%p") < slash)
		return EINVAL; /* a folder for each process: nobody makes it */
	if (length >= sizeof(folder))
		return ENAMETOOLONG;
	memcpy(folder, path, length);
	folder[length] = '\0';
	return access(folder, W_OK | X_OK) ? errno : 0;
}

int tool_capture_begin(const char *path)
{
	int fd, error;

	if (strstr(path, "%p"))
		return check_folder(path);
	/* A pipe without a reader would block the open. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		  0666);
	if (fd < 0)
		return errno;
	error = ftruncate(fd, 0) ? errno : arnica_pcapng_file_begin(fd);
	close(fd);
	return error;
}
