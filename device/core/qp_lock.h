/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The responder lock of a queue pair: lock role `qp_responder`.
 *
 * Taken by the thread that delivers a message to the QP (a thread of the
 * peer's process, on the loopback path) and by threads of the owner that change
 * it. It is also the hazard record of rule 5: whoever touches memory of the
 * owner through its translation table holds it, and deregistration waits until
 * every holder of that moment has let go.
 *
 * Word: high 32 bits count acquisitions, low 32 bits name the holder: the
 * directory slot plus one, zero when free. A holder whose function died is
 * replaced by the owner, who then finds out how far it came: the receive entry
 * at rq_head is consumed if and only if its completion entry is published.
 * A holder that is stopped keeps its own connection waiting and nothing else.
 */
#ifndef ADEV_CORE_QP_LOCK_H
#define ADEV_CORE_QP_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/layout.h"

#define ADEV_LOCK_HOLDER(word) ((uint32_t)(word))

static inline void adev_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* One attempt; true when taken. */
static inline bool adev_qp_try_lock(struct adev_qp_shared *qp,
				    uint32_t function)
{
	uint64_t word = atomic_load_explicit(&qp->lock, memory_order_relaxed);

	if (ADEV_LOCK_HOLDER(word))
		return false;
	return atomic_compare_exchange_strong_explicit(
		&qp->lock, &word,
		((word >> 32) + 1) << 32 | (function + 1u),
		memory_order_acquire, memory_order_relaxed);
}

/*
 * Gives the lock back. The exchange is a full barrier: what was published
 * under the lock is visible before the caller looks at `queued` and `armed`.
 */
static inline void adev_qp_unlock(struct adev_qp_shared *qp)
{
	uint64_t word = atomic_load_explicit(&qp->lock, memory_order_relaxed);

	(void)atomic_exchange_explicit(&qp->lock, word & ~0xffffffffull,
				       memory_order_seq_cst);
}

struct adev_function;

/*
 * For the owner: takes the lock, waits for holders that are alive for at most
 * timeout_ms, and replaces dead ones. EBUSY when a live holder keeps it.
 */
int adev_qp_lock_owner(struct adev_function *fn, struct adev_qp_shared *qp,
		       uint32_t timeout_ms) ARNICA_MUST_CHECK;

/*
 * Waits until every thread that held a responder lock of this function at the
 * time of the call has let go. EBUSY when one keeps it for timeout_ms.
 */
int adev_qp_lock_quiesce(struct adev_function *fn, uint32_t timeout_ms)
	ARNICA_MUST_CHECK;

#endif
