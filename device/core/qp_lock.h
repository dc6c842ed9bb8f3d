/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The responder lock of a queue pair: lock role `qp_responder`.
 *
 * Taken by the thread that delivers a message to the QP (a thread of the
 * peer's process, on the loopback path) and by threads of the owner that change
 * it. It is also the hazard record of rule 5: whoever touches memory of the
 * owner through its translation table holds it, and deregistration waits until
 * every holder of that moment that may use the region has let go.
 *
 * Word: high 32 bits count acquisitions, low 31 bits name the holder: the
 * directory slot plus one, zero when free. A holder whose function died is
 * replaced by the owner, who then finds out how far it came: the receive entry
 * at rq_head is consumed if and only if its completion entry is published.
 * A holder that is stopped keeps its own connection waiting, and the regions
 * that it announced, and nothing else.
 *
 * A holder with bit ADEV_LOCK_ANNOUNCES says in `uses`, before it checks a key,
 * which region it is about to touch; one without may touch any.
 */
#ifndef ADEV_CORE_QP_LOCK_H
#define ADEV_CORE_QP_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/layout.h"
#include "core/rest.h"

#define ADEV_LOCK_ANNOUNCES 0x80000000u
#define ADEV_LOCK_HOLDER(word) ((uint32_t)(word) & ~ADEV_LOCK_ANNOUNCES)

/* Word `uses`: the count of the lock word above, below it the STag of a region;
 * more of them follow in `uses_more`. With the count of another acquisition it
 * says nothing. */
#define ADEV_USES_MAX 4u
#define ADEV_USES_ANY UINT32_MAX /* more than there is room for */

static inline void adev_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static inline bool adev_qp_try_lock_as(struct adev_qp_shared *qp,
				       uint32_t holder)
{
	uint64_t word = atomic_load_explicit(&qp->lock, memory_order_relaxed);

	if (ADEV_LOCK_HOLDER(word) ||
	    !atomic_compare_exchange_strong_explicit(
		    &qp->lock, &word, ((word >> 32) + 1) << 32 | holder,
		    memory_order_seq_cst, memory_order_relaxed))
		return false;
	/* H1: before the tag that the holder loads next. Deregistration clears
	 * the tag and then looks at this word. */
	arnica_fence_after_rmw();
	return true;
}

/* One attempt; true when taken. */
static inline bool adev_qp_try_lock(struct adev_qp_shared *qp,
				    uint32_t function)
{
	return adev_qp_try_lock_as(qp, function + 1u);
}

/* The same for a holder that announces what it uses. */
static inline bool adev_qp_try_lock_announcing(struct adev_qp_shared *qp,
					       uint32_t function)
{
	return adev_qp_try_lock_as(qp, (function + 1u) | ADEV_LOCK_ANNOUNCES);
}

/*
 * Announces `count` regions (1 to ADEV_USES_MAX), once for each acquisition and
 * before their keys are checked. H2: no fence follows, for this is on the path of
 * every message; who deregisters makes up for it with membarrier() when it meets
 * a holder that has announced nothing yet.
 */
static inline void adev_qp_announce_list(struct adev_qp_shared *qp,
					 const uint32_t *stags, uint32_t count)
{
	uint64_t word = atomic_load_explicit(&qp->lock, memory_order_relaxed);
	uint32_t i;

	for (i = 1; i < count; i++)
		atomic_store_explicit(&qp->uses_more[i - 1], stags[i],
				      memory_order_relaxed);
	if (count < ADEV_USES_MAX)
		atomic_store_explicit(&qp->uses_more[count - 1], 0,
				      memory_order_relaxed);
	atomic_store_explicit(&qp->uses, (word & ~0xffffffffull) | stags[0],
			      memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void adev_qp_announce(struct adev_qp_shared *qp, uint32_t stag)
{
	adev_qp_announce_list(qp, &stag, 1);
}

/*
 * Announces that any region may be touched: a list is used, and what is behind
 * it may be anything. Other than the above it may come after another
 * announcement. H2: with a fence of its own, so that of this thread, which looks
 * at keys next, and of one that has made a key invalid and looks at `uses` next,
 * one sees what the other did.
 */
static inline void adev_qp_announce_any(struct adev_qp_shared *qp)
{
	const uint32_t any = ADEV_USES_ANY;

	adev_qp_announce_list(qp, &any, 1);
	(void)atomic_fetch_or_explicit(&qp->uses, 0, memory_order_seq_cst);
	arnica_fence_after_rmw();
}

/*
 * Gives the lock back. A full barrier (P2): what was published under the lock is
 * visible before the caller looks at `queued` and `armed`.
 */
static inline void adev_qp_unlock(struct adev_qp_shared *qp)
{
	uint64_t word = atomic_load_explicit(&qp->lock, memory_order_relaxed);

	(void)atomic_exchange_explicit(&qp->lock, word & ~0xffffffffull,
				       memory_order_seq_cst);
	arnica_fence_after_rmw();
}

/* The same after a message of which nobody is to be told: what was done under the
 * lock is visible to the next holder, and to who waits for the lock. */
static inline void adev_qp_unlock_quietly(struct adev_qp_shared *qp)
{
	uint64_t word = atomic_load_explicit(&qp->lock, memory_order_relaxed);

	atomic_store_explicit(&qp->lock, word & ~0xffffffffull,
			      memory_order_release);
}

struct adev_function;

/* Is the function that holds the lock, by its word, still running, whatever
 * its generation? */
bool adev_qp_holder_alive(const struct adev_function *fn, uint64_t word);

/*
 * For the owner: takes the lock, waits for holders that are alive for at most
 * timeout_ms, and replaces dead ones. EBUSY when a live holder keeps it.
 */
int adev_qp_lock_owner(struct adev_function *fn, struct adev_qp_shared *qp,
		       uint32_t timeout_ms) ARNICA_MUST_CHECK;

/*
 * Waits until nobody uses entry `index` of the translation table any more, which
 * was made invalid before the call: every thread that held a responder lock of
 * this function then, and may have passed the check of that key, has let go.
 * EBUSY when one keeps it for timeout_ms. Needs no lock: a queue pair that comes
 * meanwhile finds the key invalid.
 */
int adev_qp_lock_quiesce(struct adev_function *fn, uint32_t index,
			 uint32_t timeout_ms) ARNICA_MUST_CHECK;

#endif
