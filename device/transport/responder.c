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
	verdict = adev_responder_admit(qp);
	if (verdict == ADEV_VERDICT_ACK)
		verdict = qp->xrc ? adev_xrc_place(qp, &placement) :
				    adev_place(qp, &placement);
	if (verdict == ADEV_VERDICT_ACK)
		comm_est = adev_responder_advance(qp, qp->message->bytes);
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
