/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Locks of the data path: who owns one, and how it stops being anybody's. */
#include "spinlock.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Longer than a processor keeps a store to itself, by far. */
#define BARRIER_PAUSE_NS 20000000

const char arnica_spinlock_states[2];
__thread char arnica_spinlock_thread;

static bool barrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* Asked for once: the kernel must know before the first barrier is wanted. */
bool arnica_barriers_allowed(void)
{
	static _Atomic int answer; /* 0: not asked yet */
	int known = atomic_load_explicit(&answer, memory_order_acquire);

	if (known == 0) {
		known = barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) ? 1 :
									     -1;
		atomic_store_explicit(&answer, known, memory_order_release);
	}
	return known > 0;
}

/* N1: what the owner stored before is visible to the caller afterwards, or the
 * owner will see what the caller stored before. */
static void fence_owner(void)
{
	const struct timespec pause = { .tv_nsec = BARRIER_PAUSE_NS };

	if (barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	/* A forked child may have to say again that it wants them. */
	if (barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
	    barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return;
	(void)syscall(SYS_nanosleep, &pause, NULL);
}

/* From now on, or since somebody else did the same, it is nobody's. */
static void disown(struct arnica_spinlock *lock, const char *owner)
{
	if (owner != ARNICA_SPINLOCK_TAKEN &&
	    atomic_compare_exchange_strong(&lock->owner, &owner,
					   ARNICA_SPINLOCK_TAKEN)) {
		fence_owner();
		arnica_spinlock_wait(&lock->inside);
		atomic_store_explicit(&lock->owner, ARNICA_SPINLOCK_NONE,
				      memory_order_release);
		return;
	}
	while (atomic_load_explicit(&lock->owner, memory_order_acquire) !=
	       ARNICA_SPINLOCK_NONE)
		sched_yield();
}

bool arnica_spinlock_try_other(struct arnica_spinlock *lock)
{
	const char *owner = atomic_load_explicit(&lock->owner,
						 memory_order_acquire);

	if (owner == NULL) {
		const char *first = arnica_barriers_allowed() ?
					    &arnica_spinlock_thread :
					    ARNICA_SPINLOCK_NONE;

		if (atomic_compare_exchange_strong(&lock->owner, &owner,
						   first)) {
			if (arnica_spinlock_enter(lock))
				return true;
			owner = atomic_load_explicit(&lock->owner,
						     memory_order_acquire);
		}
	}
	if (owner != ARNICA_SPINLOCK_NONE)
		disown(lock, owner);
	return !atomic_exchange_explicit(&lock->held, true,
					 memory_order_acquire);
}
