/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void adev_log_error(const char *format, ...)
{
	static const char prefix[] = "arnica: ";
	char line[512];
	size_t used = sizeof(prefix) - 1;
	int saved_errno = errno;
	va_list args;
	int length;

	memcpy(line, prefix, used);
	va_start(args, format);
	length = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (length > 0)
		used += strlen(line + used);
	line[used++] = '\n';
	/* A stderr that cannot be written leaves nobody to tell. */
	length = (int)write(STDERR_FILENO, line, used);
	(void)length;
	errno = saved_errno;
}
