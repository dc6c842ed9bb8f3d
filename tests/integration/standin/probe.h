/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef TEST_STANDIN_PROBE_H
#define TEST_STANDIN_PROBE_H

#include <errno.h>
#include <stdio.h>

#define QUIET_ERRNO 4242 /* no call of ours sets it */

/* Prints a call's result and what it did to errno, which it resets. */
static inline void report(const char *name, long result)
{
	int error = errno;

	printf("%s %ld errno %d\n", name, result, error);
	fflush(stdout);
	errno = QUIET_ERRNO;
}

void probe_status(int dir); /* stat() and its variants */
void probe_limits(void);    /* vfork, signal handlers, cancellation */

#endif
