/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Threads of the adapter. */
#include "core/thread.h"

#include <signal.h>

int adev_thread_create(pthread_t *thread, const char *name,
		       void *(*run)(void *), void *argument)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	/* Faults of the thread itself: blocked they would be fatal, and a
	 * guarded copy (dma/guard.h) handles its own. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGTRAP);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	error = pthread_create(thread, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		(void)pthread_setname_np(*thread, name);
	return error;
}
