/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pcapng_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pcapng.h"

static int check_head(int fd)
{
	uint8_t head[ARNICA_PCAPNG_HEAD_BYTES];

	return pread(fd, head, sizeof(head), 0) == sizeof(head) &&
			       arnica_pcapng_is_head(head) ?
		       0 :
		       EEXIST;
}

int arnica_pcapng_file_begin(int fd)
{
	uint8_t head[ARNICA_PCAPNG_HEAD_BYTES];
	struct stat status;
	ssize_t written;

	if (fstat(fd, &status))
		return errno;
	if (!S_ISREG(status.st_mode))
		return EINVAL;
	if (status.st_size)
		return check_head(fd);
	arnica_pcapng_head(head);
	written = write(fd, head, sizeof(head));
	if (written < 0)
		return errno;
	return written == sizeof(head) ? 0 : ENOSPC;
}
