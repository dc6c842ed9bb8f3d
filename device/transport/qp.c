/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The end of a connection: state ERR and flushing both queues. */
#include "transport/qp.h"

#include <string.h>

#include <infiniband/verbs.h>

#include "comp/channel.h"
#include "core/clock.h"
#include "core/qp_lock.h"
#include "core/thread.h"
#include "transport/remote.h"
#include "transport/sender.h"
#include "transport/xrc.h"
#include "trace.h"

/* A live peer that keeps the responder lock delays the flush of the receive
 * queue, not the caller: it is tried again later. */
#define FLUSH_LOCK_MS 2u
#define FLUSH_AGAIN_NS (10 * ADEV_MS_NS)

/* More than it takes to send what a message needs. */
#define SPINS 400u

void adev_qp_lock_send(struct adev_qp *qp)
{
	uint32_t spins = 0;

	while (!adev_qp_try_lock_send(qp)) {
		if (++spins < SPINS)
			adev_pause();
		else
			adev_rest();
	}
}

static void flush_completion(struct adev_completion *completion, uint32_t index,
			     uint8_t opcode)
{
	memset(completion, 0, sizeof(*completion));
	completion->wqe_index = index;
	completion->opcode = opcode;
	completion->status = ARNICA_HW_STATUS_WR_FLUSH_ERR;
}

void adev_qp_flush_send(struct adev_qp *qp)
{
	uint32_t producer = atomic_load_explicit(&qp->producer,
						 memory_order_acquire);
	struct adev_completion completion;
	bool any = false;

	for (; qp->head != producer; qp->head++) {
		const struct arnica_hw_wqe_control *control =
			(void *)(qp->sq +
				 (size_t)(qp->head & qp->sq_mask) *
					 qp->sq_stride);

		flush_completion(&completion, qp->head,
				 (uint8_t)arnica_field_get(
					 arnica_from_le32(control->operation),
					 ARNICA_HW_WQE_OPCODE_MASK));
		adev_completion_publish(&qp->send_ring, qp->send_ring_head++,
					&completion);
		any = true;
	}
	if (!any)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	adev_completion_notify(&qp->send_ring, &completion);
}

/* What the QP has taken of its SRQ; the rest is for others. A peer that died
 * may have used it already. */
static bool flush_taken(struct adev_qp *qp, struct adev_completion *last)
{
	struct adev_qp_shared *shared = qp->shared;
	uint32_t slot;

	if (adev_completion_published(&qp->recv_ring, shared->rq_head)) {
		flush_completion(last, 0, ARNICA_HW_RECV);
	} else if (adev_srq_left(&qp->srq, shared, &slot)) {
		flush_completion(last, slot, ARNICA_HW_RECV);
		adev_completion_publish(&qp->recv_ring, shared->rq_head, last);
	} else {
		return false;
	}
	shared->rq_head++;
	return true;
}

/* With the responder lock held. */
static bool flush_receive(struct adev_qp *qp, struct adev_completion *last)
{
	struct adev_qp_shared *shared = qp->shared;
	uint32_t producer;
	bool any = false;

	if (!qp->recv_ring.entries)
		return false;
	if (qp->srq.shared)
		return flush_taken(qp, last);
	/* From now on the host tells of each receive that it posts. */
	arnica_store32(&qp->recv_ring.record->waiting, 1, memory_order_seq_cst);
	adev_fence_threads();
	producer = arnica_load32(&qp->recv_ring.record->producer,
				 memory_order_acquire);
	/* A peer that died between publishing and counting used the entry. */
	while (shared->rq_head != producer &&
	       adev_completion_published(&qp->recv_ring, shared->rq_head)) {
		shared->rq_head++;
		any = true;
		flush_completion(last, shared->rq_head, ARNICA_HW_RECV);
	}
	for (; shared->rq_head != producer; shared->rq_head++) {
		flush_completion(last, shared->rq_head, ARNICA_HW_RECV);
		adev_completion_publish(&qp->recv_ring, shared->rq_head, last);
		any = true;
	}
	return any;
}

/* Nothing comes out of the SRQ for this QP any more (IBTA 11.6.3, "Last WQE
 * Reached"). */
static void tell_last_wqe(struct adev_qp *qp)
{
	if (!qp->srq.shared || qp->last_wqe_told)
		return;
	qp->last_wqe_told = true;
	adev_qp_raise(qp, IBV_EVENT_QP_LAST_WQE_REACHED);
}

void adev_qp_flush(struct adev_qp *qp)
{
	struct adev_completion last;
	bool any, busy;

	/* The message under way is flushed with the rest: its entry is the one
	 * at the head, or that of the oldest without an answer is. */
	qp->active = false;
	qp->wait = ADEV_WAIT_NOT;
	if (qp->remote)
		adev_sender_abort(qp);
	adev_qp_flush_send(qp);
	busy = adev_qp_lock_owner(qp->fn, qp->shared, FLUSH_LOCK_MS);
	if (!busy && !adev_xrc_flush(qp)) {
		adev_qp_unlock(qp->shared);
		busy = true;
	}
	if (busy) {
		qp->flush_pending = true;
		atomic_store_explicit(&qp->retry_at_ns,
				      adev_now_ns() + FLUSH_AGAIN_NS,
				      memory_order_relaxed);
		adev_function_wait(qp->fn, qp);
		return;
	}
	qp->flush_pending = false;
	any = flush_receive(qp, &last);
	adev_qp_unlock(qp->shared);
	if (any)
		adev_completion_notify(&qp->recv_ring, &last);
	tell_last_wqe(qp);
}

void adev_qp_enter_error(struct adev_qp *qp)
{
	arnica_trace_qp_error(qp->qpn, atomic_load(&qp->shared->state));
	atomic_store(&qp->shared->state, ARNICA_HW_QPS_ERR);
	adev_link_drop(qp);
	adev_qp_flush(qp);
	/* A peer that was killed may have left a ring on no ready list. */
	if (adev_qp_receives(qp))
		adev_completion_rescan(&qp->recv_ring);
}

uint32_t adev_qp_follow_error(struct adev_qp *qp)
{
	uint32_t event = qp->shared->async_event;

	qp->shared->async_event = 0;
	adev_qp_enter_error(qp);
	return event;
}

void adev_qp_enter_sqe(struct adev_qp *qp)
{
	uint32_t state = atomic_load(&qp->shared->state);

	arnica_trace_qp_sqe(qp->qpn, state);
	qp->active = false;
	qp->wait = ADEV_WAIT_NOT;
	/* Whoever delivers to this QP may just have moved it to ERR. */
	while (state == ARNICA_HW_QPS_RTS || state == ARNICA_HW_QPS_SQD)
		if (atomic_compare_exchange_strong(&qp->shared->state, &state,
						   ARNICA_HW_QPS_SQE))
			break;
	adev_qp_flush_send(qp);
}

void adev_qp_enter_stopped(struct adev_qp *qp)
{
	uint32_t state = atomic_load(&qp->shared->state);

	arnica_trace_qp_stopped(qp->qpn, state);
	qp->active = false;
	qp->wait = ADEV_WAIT_NOT;
	qp->stopped = true;
	/* Whoever delivers to this QP may just have moved it to ERR. */
	while (state == ARNICA_HW_QPS_RTS)
		if (atomic_compare_exchange_strong(&qp->shared->state, &state,
						   ARNICA_HW_QPS_SQD))
			break;
	adev_qp_flush_send(qp);
}

void adev_qp_recover(struct adev_qp *qp)
{
	struct adev_qp_shared *shared = qp->shared;

	if (adev_qp_lock_owner(qp->fn, shared, FLUSH_LOCK_MS))
		return; /* a live one has it */
	/* As in flush_receive(). */
	if (qp->recv_ring.entries &&
	    adev_completion_published(&qp->recv_ring, shared->rq_head))
		shared->rq_head++;
	adev_qp_unlock(shared);
	/* It may have put the ring on no list, and not told of an event. An
	 * XRC_RECV has none. */
	if (adev_qp_receives(qp))
		adev_completion_rescan(&qp->recv_ring);
	adev_channels_rescan(qp->fn);
}

void adev_qp_check_drained(struct adev_qp *qp)
{
	/* A sender on the wire has its own, see adev_sender_drain(). */
	if (!qp->notify_drained || qp->active || qp->remote)
		return;
	qp->notify_drained = false;
	if (atomic_load(&qp->shared->state) == ARNICA_HW_QPS_SQD)
		adev_qp_raise(qp, IBV_EVENT_SQ_DRAINED);
}
