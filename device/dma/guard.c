/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The fault handler behind guarded copies. */
#include "dma/guard.h"

#include <pthread.h>
#include <signal.h>

__thread jmp_buf *volatile adev_guard_escape;

static void on_fault(int number, siginfo_t *info, void *context)
{
	jmp_buf *escape = adev_guard_escape;
	struct sigaction fallback = { .sa_handler = SIG_DFL };

	(void)info;
	(void)context;
	if (escape)
		_longjmp(*escape, 1);
	/* Not ours: the instruction faults again, and the default applies. */
	sigaction(number, &fallback, NULL);
}

static void install(int number)
{
	/* Not deferred: the handler is left by a jump. */
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_NODEFER |
						SA_ONSTACK };
	struct sigaction old;

	sigemptyset(&action.sa_mask);
	if (!sigaction(number, NULL, &old) && !(old.sa_flags & SA_SIGINFO) &&
	    old.sa_handler == SIG_DFL)
		(void)sigaction(number, &action, NULL);
}

static void install_all(void)
{
	install(SIGSEGV);
	install(SIGBUS);
}

void adev_guard_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install_all);
}
