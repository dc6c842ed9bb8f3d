/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A lock of this process for the data path: never shared with another process,
 * so no peer can hold it up. It pauses for a while and then gives the
 * processor away, because there may be more pollers than processors.
 */
#ifndef ARNICA_SPINLOCK_H
#define ARNICA_SPINLOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

struct arnica_spinlock {
	atomic_bool held;
	/* Only one thread at a time comes here: the application has promised it
	 * by a thread domain. Set before the lock is used. */
	bool unshared;
};

static inline void arnica_cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static inline void arnica_spinlock_init(struct arnica_spinlock *lock)
{
	atomic_init(&lock->held, false);
	lock->unshared = false;
}

static inline bool arnica_spinlock_try_lock(struct arnica_spinlock *lock)
{
	if (lock->unshared)
		return true;
	return !atomic_exchange_explicit(&lock->held, true,
					 memory_order_acquire);
}

static inline void arnica_spinlock_lock(struct arnica_spinlock *lock)
{
	unsigned int spins = 0;

	while (__builtin_expect(!arnica_spinlock_try_lock(lock), 0)) {
		while (atomic_load_explicit(&lock->held,
					    memory_order_relaxed)) {
			if (++spins % 64 == 0)
				sched_yield();
			else
				arnica_cpu_pause();
		}
	}
}

static inline void arnica_spinlock_unlock(struct arnica_spinlock *lock)
{
	atomic_store_explicit(&lock->held, false, memory_order_release);
}

#endif
