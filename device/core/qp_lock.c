/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The owner's side of the responder lock: waiting, replacing the dead. */
#include "core/qp_lock.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cancel.h"
#include "core/clock.h"
#include "core/function.h"
#include "domain/directory.h"
#include "domain/life.h"
#include "tpt/tpt.h"

#define SPINS_BEFORE_SLEEP 2000u
#define FENCE_PAUSE_US 20000u

bool adev_qp_holder_alive(const struct adev_function *fn, uint64_t word)
{
	uint32_t function = ADEV_LOCK_HOLDER(word) - 1u;

	if (function == fn->view.function)
		return true;
	if (function >= ADEV_FUNCTIONS)
		return false;
	return !adev_life_is_free(atomic_load_explicit(
		&fn->directory->table->slots[function].life,
		memory_order_acquire));
}

/* Waits a little; false when the time is over. */
static bool wait_turn(uint32_t *spins, uint64_t *until, uint32_t timeout_ms)
{
	if (++*spins < SPINS_BEFORE_SLEEP) {
		adev_pause();
		return true;
	}
	if (!*until)
		*until = adev_now_ns() + timeout_ms * ADEV_MS_NS;
	if (adev_now_ns() >= *until)
		return false;
	if (*spins < 2 * SPINS_BEFORE_SLEEP) {
		sched_yield();
	} else {
		int cancel = adev_cancel_off();

		usleep(100);
		adev_cancel_restore(cancel);
	}
	return true;
}

/* A holder that died may have marked its completion ring and put it on no
 * list: the host looks at every ring of the CQ. */
static void look_everywhere(struct adev_function *fn,
			    const struct adev_qp_shared *qp)
{
	uint32_t cq = qp->recv_cq;

	if (cq < fn->view.layout.max_cq)
		arnica_store32(&fn->view.cqs[cq].record.rescan, 1,
			       memory_order_seq_cst);
}

int adev_qp_lock_owner(struct adev_function *fn, struct adev_qp_shared *qp,
		       uint32_t timeout_ms)
{
	uint32_t self = fn->view.function;
	uint64_t until = 0;
	uint32_t spins = 0;

	while (!adev_qp_try_lock(qp, self)) {
		uint64_t word = atomic_load(&qp->lock);

		if (ADEV_LOCK_HOLDER(word) && !adev_qp_holder_alive(fn, word) &&
		    atomic_compare_exchange_strong(
			    &qp->lock, &word,
			    ((word >> 32) + 1) << 32 | (self + 1u))) {
			look_everywhere(fn, qp);
			return 0;
		}
		if (!wait_turn(&spins, &until, timeout_ms))
			return EBUSY;
	}
	return 0;
}

/* One call of adev_qp_lock_quiesce(). */
struct quiesce {
	struct adev_function *fn;
	uint32_t index; /* of the translation table */
	uint32_t timeout_ms;
	uint64_t until; /* one limit for all locks; zero: not needed so far */
	bool fenced;    /* every thread of the machine has passed a barrier */
};

enum use {
	USE_UNKNOWN, /* nothing was announced */
	USE_THIS,
	USE_OTHER,
};

static bool is_this(const struct quiesce *quiesce, uint32_t stag)
{
	return stag == ADEV_USES_ANY || adev_tpt_index(stag) == quiesce->index;
}

static enum use announced(const struct quiesce *quiesce,
			  struct adev_qp_shared *qp, uint64_t word)
{
	uint64_t uses = atomic_load_explicit(&qp->uses, memory_order_acquire);
	uint32_t stag = (uint32_t)uses, i = 0;

	if (uses >> 32 != word >> 32)
		return USE_UNKNOWN;
	while (!is_this(quiesce, stag)) {
		if (i == ADEV_USES_MAX - 1)
			return USE_OTHER;
		stag = atomic_load_explicit(&qp->uses_more[i++],
					    memory_order_relaxed);
		if (!stag)
			return USE_OTHER;
	}
	return USE_THIS;
}

/*
 * H2: after this a holder that has announced nothing will find the key invalid:
 * its announcement comes before its look at the key, and neither had happened
 * when its thread passed the barrier. Where membarrier() is refused a pause has
 * the same effect: no processor keeps a store to itself for so long.
 */
static void fence_everybody(struct quiesce *quiesce)
{
	if (quiesce->fenced)
		return;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(FENCE_PAUSE_US);
	quiesce->fenced = true;
}

/* May the holder of this word still touch the region? */
static bool may_use(struct quiesce *quiesce, struct adev_qp_shared *qp,
		    uint64_t word, uint32_t spins)
{
	enum use use;

	if (!(word & ADEV_LOCK_ANNOUNCES))
		return true;
	use = announced(quiesce, qp, word);
	if (use != USE_UNKNOWN || spins < SPINS_BEFORE_SLEEP)
		return use != USE_OTHER;
	fence_everybody(quiesce);
	/* Announced meanwhile? Then it may have passed the check before. */
	return announced(quiesce, qp, word) == USE_THIS;
}

static int wait_for_holder(struct quiesce *quiesce, struct adev_qp_shared *qp)
{
	uint64_t first = atomic_load(&qp->lock), word = first;
	uint32_t spins = 0;

	while (ADEV_LOCK_HOLDER(word) && word == first) {
		if (!adev_qp_holder_alive(quiesce->fn, word) ||
		    !may_use(quiesce, qp, word, spins))
			return 0;
		if (!wait_turn(&spins, &quiesce->until, quiesce->timeout_ms))
			return EBUSY;
		word = atomic_load(&qp->lock);
	}
	return 0;
}

int adev_qp_lock_quiesce(struct adev_function *fn, uint32_t index,
			 uint32_t timeout_ms)
{
	struct quiesce quiesce = {
		.fn = fn,
		.index = index,
		.timeout_ms = timeout_ms,
	};
	uint32_t qp, end = __atomic_load_n(&fn->qp_scan_end, __ATOMIC_RELAXED);

	/* H1: who takes a lock after this fence sees that the key is gone. */
	atomic_thread_fence(memory_order_seq_cst);
	for (qp = 0; qp < end; qp++)
		if (__atomic_load_n(&fn->qps[qp], __ATOMIC_RELAXED) &&
		    wait_for_holder(&quiesce, &fn->view.qps[qp]))
			return EBUSY;
	return 0;
}
