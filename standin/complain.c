/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "complain.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Where stderr is a file that has its largest size, the line is lost, and the
 * program does not end by SIGXFSZ, which it has done nothing for. */
static void write_line(const char *line, size_t length)
{
	const struct timespec now = { 0 };
	sigset_t excess, before;

	sigemptyset(&excess);
	sigaddset(&excess, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &excess, &before);
	if (syscall(SYS_write, STDERR_FILENO, line, length) < 0 &&
	    errno == EFBIG && !sigismember(&before, SIGXFSZ))
		(void)sigtimedwait(&excess, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

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
	write_line(line, (size_t)length);
	errno = saved;
}
