/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A lock of this process for the data path: never shared with another process,
 * so no peer can hold it up. It pauses for a while and then gives the
 * processor away, because there may be more pollers than processors.
 *
 * Most of these locks are only ever taken by one thread, but nobody has said
 * so. The first thread that takes one owns it: it says that it is inside and
 * looks whether it still owns it, without a locked instruction and without a
 * fence. The first other thread takes the ownership away for good, has every
 * processor that runs this process pass a barrier (membarrier()), and waits until
 * the owner is not inside; from then on it is a plain lock. Where the kernel
 * refuses that, and under ThreadSanitizer, which cannot know of such barriers, it
 * is one from the beginning. (N1 in docs/memory-ordering.md.)
 */
#ifndef ARNICA_SPINLOCK_H
#define ARNICA_SPINLOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#if defined(__SANITIZE_THREAD__)
#define ARNICA_SPINLOCK_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ARNICA_SPINLOCK_PLAIN 1
#endif
#endif

struct arnica_spinlock {
	/* Whose it is, by a place in its thread; NULL: nobody's so far;
	 * ARNICA_SPINLOCK_NONE, ..._TAKEN: nobody's any more. */
	_Atomic(const char *) owner;
	atomic_bool inside; /* the owner is, or is about to find that it isn't */
	atomic_bool held;   /* by somebody else than the owner */
	/* Only one thread at a time comes here: the application has promised it
	 * by a thread domain. Set before the lock is used. */
	bool unshared;
};

/* Addresses that are no thread's. */
extern const char arnica_spinlock_states[2]
	__attribute__((visibility("hidden")));
#define ARNICA_SPINLOCK_NONE (&arnica_spinlock_states[0])
#define ARNICA_SPINLOCK_TAKEN (&arnica_spinlock_states[1]) /* just now */

/* Its address tells threads apart. */
extern __thread char arnica_spinlock_thread
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Can a thread of this process have all others pass a barrier (membarrier())?
 * Then a lock may have an owner. */
bool arnica_barriers_allowed(void);

static inline void arnica_cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Begins nothing before what was begun has ended, where that is cheap. Nobody
 * relies on it. */
static inline void arnica_cpu_settle(void)
{
#if defined(__x86_64__)
	__builtin_ia32_lfence();
#endif
}

static inline void arnica_spinlock_init(struct arnica_spinlock *lock)
{
#ifdef ARNICA_SPINLOCK_PLAIN
	atomic_init(&lock->owner, ARNICA_SPINLOCK_NONE);
#else
	atomic_init(&lock->owner, NULL);
#endif
	atomic_init(&lock->inside, false);
	atomic_init(&lock->held, false);
	lock->unshared = false;
}

/* The owner's way in; false: it is not the caller's. */
static inline bool arnica_spinlock_enter(struct arnica_spinlock *lock)
{
	const char *self = &arnica_spinlock_thread;

	if (atomic_load_explicit(&lock->owner, memory_order_relaxed) != self)
		return false;
	/* N1: who takes the ownership away stores `owner` and then looks at
	 * `inside`; between the two this thread passes a barrier. */
	atomic_store_explicit(&lock->inside, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_load_explicit(&lock->owner,
						  memory_order_relaxed) ==
				     self,
			     1))
		return true;
	atomic_store_explicit(&lock->inside, false, memory_order_release);
	return false;
}

/* Makes the lock the caller's, if it is nobody's so far, or else a plain one, and
 * tries it. */
bool arnica_spinlock_try_other(struct arnica_spinlock *lock);

static inline bool arnica_spinlock_try_lock(struct arnica_spinlock *lock)
{
	if (lock->unshared)
		return true;
	/* Twice in one thread: an interruption. */
	if (__builtin_expect(atomic_load_explicit(&lock->inside,
						  memory_order_relaxed),
			     0))
		return false;
	return __builtin_expect(arnica_spinlock_enter(lock), 1) ||
	       arnica_spinlock_try_other(lock);
}

/* Until whoever set it is out. */
static inline void arnica_spinlock_wait(const atomic_bool *flag)
{
	unsigned int spins = 0;

	while (atomic_load_explicit(flag, memory_order_acquire)) {
		if (++spins % 64 == 0)
			sched_yield();
		else
			arnica_cpu_pause();
	}
}

static inline void arnica_spinlock_lock(struct arnica_spinlock *lock)
{
	if (lock->unshared || __builtin_expect(arnica_spinlock_enter(lock), 1))
		return;
	while (__builtin_expect(!arnica_spinlock_try_other(lock), 0))
		arnica_spinlock_wait(&lock->held);
}

static inline void arnica_spinlock_unlock(struct arnica_spinlock *lock)
{
	/* Not both: `held` is only set when the owner is out for good. */
	if (__builtin_expect(atomic_load_explicit(&lock->held,
						  memory_order_relaxed),
			     0))
		atomic_store_explicit(&lock->held, false,
				      memory_order_release);
	else
		atomic_store_explicit(&lock->inside, false,
				      memory_order_release);
}

#endif
