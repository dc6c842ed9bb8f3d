/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "exec/hold.h"

#include "core/function.h"
#include "exec/exec.h"
#include "exec/threads.h"
#include "link/wire.h"
#include "transport/remote.h"

/* Together: what fits into a datagram, and not so much that the peer waits. */
#define MOST_POSTS 32u
#define MOST_BYTES 61440u

/* Has nobody polled since the last post to this queue? The counts of several
 * threads may mix: then less is held, or more. */
static bool follows_a_post(const struct adev_qp *qp, struct adev_remote *remote)
{
	uint32_t polls = atomic_load_explicit(&qp->fn->polls,
					      memory_order_relaxed);

	if (atomic_load_explicit(&remote->posted_at_poll,
				 memory_order_relaxed) == polls)
		return true;
	atomic_store_explicit(&remote->posted_at_poll, polls,
			      memory_order_relaxed);
	return false;
}

static bool may_wait(const struct adev_qp *qp)
{
	return atomic_load_explicit(&qp->shared->state, memory_order_relaxed) ==
		       ARNICA_HW_QPS_RTS &&
	       adev_wire_may_hold(qp->fn) &&
	       adev_sched_idle(&qp->fn->scheduler) &&
	       !adev_engine_threads_count();
}

static void count(struct adev_remote *remote, uint32_t posts, uint32_t bytes)
{
	atomic_store_explicit(&remote->held_posts, posts, memory_order_relaxed);
	atomic_store_explicit(&remote->held_bytes, bytes, memory_order_relaxed);
}

/* How many are held with this one; zero: it is the last that they wait for. */
static uint32_t add(const struct adev_qp *qp, struct adev_remote *remote)
{
	uint32_t posts = atomic_load_explicit(&remote->held_posts,
					      memory_order_relaxed) +
			 1;
	uint32_t producer = atomic_load_explicit(&qp->producer,
						 memory_order_relaxed);
	uint64_t last = adev_exec_bytes(adev_exec_descriptor(qp, producer - 1),
					qp->sq_stride);
	uint32_t bytes = atomic_load_explicit(&remote->held_bytes,
					      memory_order_relaxed);

	/* Would another one like it go with them? */
	if (posts + 1 > MOST_POSTS || last > (MOST_BYTES - bytes) / 2)
		return 0;
	/* Does it come soon? The clock is looked at now and then. */
	if (!(posts & (posts - 1)) && adev_wire_holds_long(qp->fn))
		return 0;
	count(remote, posts, bytes + (uint32_t)last);
	return posts;
}

bool adev_hold_post(struct adev_qp *qp, uint32_t entries)
{
	struct adev_remote *remote = atomic_load(&qp->remote);
	uint32_t posts = 0;

	if (!remote)
		return false;
	if (follows_a_post(qp, remote) && entries == 1 && may_wait(qp))
		posts = add(qp, remote);
	if (!posts) {
		count(remote, 0, 0);
		return false;
	}
	adev_count(&qp->fn->counters, posts_held);
	/* P13: the producer index is advanced before the flag is looked at; who
	 * executes what is held (C13 in core/function.c) clears it first. */
	if (!atomic_exchange(&qp->held, true))
		adev_function_hold(qp->fn, qp);
	return true;
}

void adev_hold_end(struct adev_qp *qp)
{
	if (atomic_load(&qp->held))
		adev_exec_submit(qp, NULL);
}
