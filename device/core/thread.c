/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Threads of the adapter. */
#include "core/thread.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Longer than a processor keeps a store to itself. */
#define FENCE_PAUSE_NS 1000000

/* One takes less than a microsecond where nobody is let go ahead. */
#define MAX_YIELDS 64u

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

static bool barrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) == 0;
}

void adev_fence_threads(void)
{
	const struct timespec pause = { .tv_nsec = FENCE_PAUSE_NS };

	atomic_thread_fence(memory_order_seq_cst);
	if (barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	if (barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
	    barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	/* Directly: the C library's is a cancellation point. */
	(void)syscall(SYS_nanosleep, &pause, NULL);
	atomic_thread_fence(memory_order_seq_cst);
}

void adev_waking_begin(struct adev_waking *waking)
{
	atomic_store_explicit(&waking->processor, sched_getcpu(),
			      memory_order_relaxed);
	atomic_fetch_add(&waking->threads, 1);
}

void adev_waking_end(struct adev_waking *waking)
{
	atomic_fetch_sub(&waking->threads, 1);
}

void adev_waking_let_return(const struct adev_waking *waking)
{
	uint32_t i;

	for (i = 0; i < MAX_YIELDS && atomic_load(&waking->threads); i++) {
		if (atomic_load_explicit(&waking->processor,
					 memory_order_relaxed) !=
		    sched_getcpu())
			return;
		sched_yield();
	}
}
