/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Responder, sequencing: admits the request that is due, and ends it. */
#include "transport/responder.h"

#include "core/fault_point.h"
#include "core/qp_lock.h"
#include "transport/xrc.h"

#define LOCK_SPINS 2000u

bool adev_responder_lock(struct adev_qp_shared *responder, uint32_t function)
{
	uint32_t spins;

	for (spins = 0; spins < LOCK_SPINS; spins++) {
		if (adev_qp_try_lock_announcing(responder, function))
			return true;
		adev_pause();
	}
	return false;
}

void adev_responder_call_owner(struct adev_view *view, uint32_t index,
			       uint32_t needs)
{
	adev_view_need(view, index, needs);
}

static uint32_t load_psn(struct adev_qp_shared *responder)
{
	return atomic_load_explicit(&responder->expected_psn,
				    memory_order_relaxed);
}

static uint32_t type_of_peer(uint32_t type)
{
	return type == ARNICA_HW_QP_XRC_SEND ? ARNICA_HW_QP_XRC_RECV : type;
}

/* Is the request due? Requests that are not are dropped without an answer; the
 * requester's retries end it (IBTA 9.7.5, 9.8). */
static enum adev_verdict admit(struct adev_qp *qp)
{
	struct adev_qp_shared *responder = qp->link.qp;
	uint32_t state = atomic_load_explicit(&responder->state,
					      memory_order_relaxed);

	if (responder->incarnation != qp->link.incarnation)
		return ADEV_VERDICT_STALE;
	if (state != ARNICA_HW_QPS_RTR && state != ARNICA_HW_QPS_RTS &&
	    state != ARNICA_HW_QPS_SQD && state != ARNICA_HW_QPS_SQE)
		return ADEV_VERDICT_SILENT;
	if (responder->type != type_of_peer(qp->type) ||
	    responder->dest_qpn != qp->qpn)
		return ADEV_VERDICT_SILENT;
	/* Each message of UC starts the sequence anew (IBTA 9.8.3.1.1). */
	if (adev_type_is_reliable(qp->type) && load_psn(responder) != qp->send_psn)
		return ADEV_VERDICT_SILENT;
	return ADEV_VERDICT_ACK;
}

/* The request is done: the next one is due. */
static bool advance(struct adev_qp *qp)
{
	struct adev_qp_shared *responder = qp->link.qp;
	uint32_t count = adev_psn_count(qp->message->bytes,
					qp->path_mtu_bytes);
	bool first = !responder->established;

	atomic_store_explicit(&responder->expected_psn,
			      (qp->send_psn + count) & 0xffffff,
			      memory_order_relaxed);
	responder->msn = (responder->msn + 1) & 0xffffff;
	qp->peer_msn = responder->msn;
	ADEV_POINT("responder_advanced");
	if (!first)
		return false;
	responder->established = 1;
	return atomic_load_explicit(&responder->state, memory_order_relaxed) ==
	       ARNICA_HW_QPS_RTR;
}

static void fail(struct adev_qp *qp, const struct adev_placement *placement)
{
	struct adev_qp_shared *responder = qp->link.qp;

	responder->error_cause = placement->completion.status;
	responder->async_event = placement->async_event;
	atomic_store_explicit(&responder->state, ARNICA_HW_QPS_ERR,
			      memory_order_release);
}

enum adev_verdict adev_responder_deliver(struct adev_qp *qp)
{
	struct adev_link *link = &qp->link;
	struct adev_placement placement;
	enum adev_verdict verdict;
	uint32_t index = link->ring.number / 2;
	bool comm_est = false;

	placement.link = link;
	placement.responder = link->qp;
	placement.completed = false;
	placement.failed = false;
	if (!adev_responder_lock(link->qp, qp->fn->view.function))
		return ADEV_VERDICT_LATER;
	ADEV_POINT("responder_locked");
	verdict = admit(qp);
	if (verdict == ADEV_VERDICT_ACK)
		verdict = qp->xrc ? adev_xrc_place(qp, &placement) :
				    adev_place(qp, &placement);
	if (verdict == ADEV_VERDICT_ACK)
		comm_est = advance(qp);
	if (placement.failed)
		fail(qp, &placement);
	ADEV_POINT("responder_unlocking");
	adev_qp_unlock(link->qp);
	ADEV_POINT("responder_unlocked");
	if (placement.completed)
		adev_completion_notify(&link->ring, &placement.completion);
	if (placement.failed)
		adev_responder_call_owner(link->view, index,
					  ADEV_QP_NEEDS_ERROR);
	if (comm_est)
		adev_responder_call_owner(link->view, index,
					  ADEV_QP_NEEDS_EVENT);
	return verdict;
}
