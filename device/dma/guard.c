/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The fault handler behind guarded copies. */
#include "dma/guard.h"

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

__thread jmp_buf *volatile adev_guard_escape;

/* What the program had before. Written once, before the handler is installed. */
static struct sigaction previous_segv, previous_bus;

static const struct sigaction *previous_of(int number)
{
	return number == SIGBUS ? &previous_bus : &previous_segv;
}

static bool is_handler(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO ||
	       (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* As if the kernel had called it: with the signals blocked that it asked for. */
static void call(const struct sigaction *action, int number, siginfo_t *info,
		 void *context)
{
	sigset_t mask = action->sa_mask, before;

	if (!(action->sa_flags & SA_NODEFER))
		sigaddset(&mask, number);
	pthread_sigmask(SIG_BLOCK, &mask, &before);
	if (action->sa_flags & SA_SIGINFO)
		action->sa_sigaction(number, info, context);
	else
		action->sa_handler(number);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/*
 * A page that is there but protected is the business of a program with a handler
 * of its own, which may be about to unprotect it: collectors and checkpointers
 * find out so what is written.
 */
static bool is_lost(int number, const siginfo_t *info)
{
	if (info->si_code <= 0)
		return false; /* sent by somebody */
	return number != SIGSEGV || info->si_code != SEGV_ACCERR ||
	       !is_handler(previous_of(number));
}

/* Goes on where the table says, when the instruction stands in it. */
static bool resume(void *context)
{
#ifdef ADEV_GUARD_MOVES
	/* Named by the linker. */
	extern const struct adev_guard_site __start_adev_guard_sites[]
		__attribute__((visibility("hidden")));
	extern const struct adev_guard_site __stop_adev_guard_sites[]
		__attribute__((visibility("hidden")));
	mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
	const struct adev_guard_site *site;

	for (site = __start_adev_guard_sites; site < __stop_adev_guard_sites;
	     site++) {
		if ((intptr_t)&site->at + site->at !=
		    (intptr_t)machine->ADEV_GUARD_PLACE)
			continue;
		machine->ADEV_GUARD_PLACE = (uintptr_t)&site->then +
					    (uintptr_t)(intptr_t)site->then;
		return true;
	}
#else
	(void)context;
#endif
	return false;
}

bool adev_guard_copy_long(void *to, const void *from, size_t bytes)
{
	jmp_buf escape;

	if (_setjmp(escape)) {
		adev_guard_escape = NULL;
		return false;
	}
	adev_guard_escape = &escape;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(to, from, bytes);
	atomic_signal_fence(memory_order_seq_cst);
	adev_guard_escape = NULL;
	return true;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	const struct sigaction *previous = previous_of(number);
	jmp_buf *escape = adev_guard_escape;
	struct sigaction fallback = { .sa_handler = SIG_DFL };

	if (is_lost(number, info)) {
		if (resume(context))
			return;
		if (escape)
			_longjmp(*escape, 1);
	}
	if (is_handler(previous)) {
		call(previous, number, info, context);
		return;
	}
	/* Not ours: the instruction faults again, and the default applies. */
	sigaction(number, &fallback, NULL);
	if (info->si_code <= 0)
		raise(number);
}

/* A sanitizer in this library reports what is wrong itself. */
static bool may_replace(const struct sigaction *old)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return !is_handler(old) && old->sa_handler == SIG_DFL;
#else
	return is_handler(old) || old->sa_handler == SIG_DFL;
#endif
}

static void install(int number, struct sigaction *old)
{
	/* Not deferred: the handler is left by a jump. */
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_NODEFER |
						SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	if (!sigaction(number, NULL, old) && may_replace(old))
		(void)sigaction(number, &action, NULL);
}

static void install_all(void)
{
	install(SIGSEGV, &previous_segv);
	install(SIGBUS, &previous_bus);
}

void adev_guard_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install_all);
}
