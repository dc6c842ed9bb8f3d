/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void standin_complain(const char *format, ...)
{
	static const char prefix[] = "arnica: ";
	char line[1024];
	int saved = errno;
	int length = (int)sizeof(prefix) - 1;
	int written;
	va_list args;

	snprintf(line, sizeof(line), "%s", prefix);
	errno = saved;
	va_start(args, format);
	written = vsnprintf(line + length, sizeof(line) - (size_t)length - 1,
			    format, args);
	va_end(args);
	if (written > 0)
		length += written;
	if (length > (int)sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length++] = '\n';
	/* Not stdio: the program's own buffers and locks stay out of it. */
	(void)!syscall(SYS_write, STDERR_FILENO, line, (size_t)length);
	errno = saved;
}
