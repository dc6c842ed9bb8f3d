/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The owner's side of the responder lock: waiting, replacing the dead. */
#include "core/qp_lock.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/function.h"
#include "domain/directory.h"
#include "domain/life.h"

#define SPINS_BEFORE_SLEEP 2000u

/* Is the function that holds the word still running, whatever generation? */
static bool holder_alive(struct adev_function *fn, uint64_t word)
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
	if (adev_now_ns() > *until)
		return false;
	if (*spins < 2 * SPINS_BEFORE_SLEEP)
		sched_yield();
	else
		usleep(100);
	return true;
}

int adev_qp_lock_owner(struct adev_function *fn, struct adev_qp_shared *qp,
		       uint32_t timeout_ms)
{
	uint32_t self = fn->view.function;
	uint64_t until = 0;
	uint32_t spins = 0;

	while (!adev_qp_try_lock(qp, self)) {
		uint64_t word = atomic_load(&qp->lock);

		if (ADEV_LOCK_HOLDER(word) && !holder_alive(fn, word) &&
		    atomic_compare_exchange_strong(
			    &qp->lock, &word,
			    ((word >> 32) + 1) << 32 | (self + 1u)))
			return 0;
		if (!wait_turn(&spins, &until, timeout_ms))
			return EBUSY;
	}
	return 0;
}

static int wait_for_holder(struct adev_function *fn, struct adev_qp_shared *qp,
			   uint64_t *until, uint32_t timeout_ms)
{
	uint64_t first = atomic_load(&qp->lock), word = first;
	uint32_t spins = 0;

	while (ADEV_LOCK_HOLDER(word) && word == first) {
		if (!holder_alive(fn, word))
			return 0;
		if (!wait_turn(&spins, until, timeout_ms))
			return EBUSY;
		word = atomic_load(&qp->lock);
	}
	return 0;
}

int adev_qp_lock_quiesce(struct adev_function *fn, uint32_t timeout_ms)
{
	uint64_t until = 0; /* one limit for all of them */
	uint32_t index;
	int error = 0;

	/* Pairs with the acquisition of each lock: who takes one after this
	 * fence sees what was invalidated before it. */
	atomic_thread_fence(memory_order_seq_cst);
	for (index = 0; index < fn->qp_scan_end; index++)
		if (fn->qps[index] &&
		    wait_for_holder(fn, &fn->view.qps[index], &until,
				    timeout_ms))
			error = EBUSY;
	return error;
}
