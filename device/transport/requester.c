/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Requester: delivery, retries, completion. */
#include "transport/requester.h"

#include "core/clock.h"
#include "link/capture.h"
#include "transport/complete.h"
#include "transport/loss.h"
#include "transport/responder.h"
#include "trace.h"

/* How soon a waiting QP is looked at again when nobody polls: at first, and
 * at most. It is doubled each time. */
#define RETRY_AFTER_NS (1 * ADEV_MS_NS)
#define RETRY_AT_MOST_NS (4 * ADEV_MS_NS)
#define BUSY_AFTER_NS 50000ull

void adev_requester_publish(struct adev_qp *qp, enum arnica_hw_status status,
			    uint32_t vendor_error)
{
	const struct adev_ended ended = {
		.index = qp->message->index,
		.opcode = qp->message->opcode,
		.bytes = qp->message->bytes,
		.status = status,
		.vendor_error = vendor_error,
	};
	struct adev_completion completion;

	adev_complete_send(qp, &ended, &completion);
	adev_complete_notify(qp, &completion);
}

/* A reliable connection shows what its responder says, others what was sent. */
static void capture(struct adev_qp *qp, bool reliable,
		    enum adev_verdict verdict)
{
	if (__builtin_expect(qp->fn->capture != NULL, 0) &&
	    adev_type_is_reliable(qp->type) == reliable)
		adev_capture_message(qp, verdict);
}

enum adev_progress adev_requester_finish(struct adev_qp *qp)
{
	struct adev_message *message = qp->message;

	capture(qp, false, ADEV_VERDICT_ACK);
	qp->send_psn = (qp->send_psn + adev_psn_count(message->bytes,
						      qp->path_mtu_bytes)) &
		       0xffffff;
	return adev_requester_end(qp);
}

enum adev_progress adev_requester_end(struct adev_qp *qp)
{
	struct adev_message *message = qp->message;

	qp->active = false;
	qp->head++;
	qp->wait = ADEV_WAIT_NOT;
	qp->again_ns = 0;
	arnica_trace_message_done(qp->qpn, message->index);
	/* Unsignaled work retires with the next completion: it stays in the
	 * send queue until the host learns of a later index. */
	if (message->flags & ARNICA_HW_WQE_SIGNALED)
		adev_requester_publish(qp, ARNICA_HW_STATUS_SUCCESS, 0);
	return ADEV_PROGRESS_DONE;
}

enum adev_progress adev_requester_succeed(struct adev_qp *qp)
{
	adev_count(&qp->fn->counters, messages);
	adev_count_add(&qp->fn->counters, bytes, qp->message->bytes);
	return adev_requester_finish(qp);
}

/* What was moved of the message so far leads nowhere any more. */
static void forget_transfer(struct adev_qp *qp)
{
	if (qp->message)
		qp->message->done = 0;
	adev_link_abandon(qp);
}

/* An unreliable connection does not learn what becomes of a message: it was
 * sent (IBTA 9.8.2). */
static enum adev_progress lose(struct adev_qp *qp, enum adev_loss why)
{
	forget_transfer(qp);
	adev_count_loss(qp->fn, qp->qpn, why);
	return adev_requester_finish(qp);
}

void adev_requester_fail(struct adev_qp *qp, enum arnica_hw_status status,
			 uint32_t vendor_error)
{
	bool stops = qp->active && qp->message->drains;

	if (qp->active) {
		arnica_trace_message_failed(qp->qpn, status);
		adev_requester_publish(qp, status, vendor_error);
		qp->active = false;
		qp->head++;
	}
	if (stops) {
		adev_qp_enter_stopped(qp);
	} else if (adev_type_is_reliable(qp->type)) {
		adev_qp_enter_error(qp);
	} else {
		forget_transfer(qp);
		adev_qp_enter_sqe(qp);
	}
}

static enum adev_progress fail(struct adev_qp *qp, enum arnica_hw_status status,
			       uint32_t vendor_error)
{
	adev_requester_fail(qp, status, vendor_error);
	return ADEV_PROGRESS_ERROR;
}

enum adev_progress adev_requester_wait(struct adev_qp *qp, enum adev_wait why,
				       uint64_t patience_ns, uint64_t again_ns)
{
	uint64_t now = adev_now_ns();

	if (qp->wait != why) {
		arnica_trace_wait(qp->qpn, why);
		qp->again_ns = 0;
		qp->wait = why;
		qp->deadline_ns = patience_ns == ADEV_NEVER_NS ?
					  ADEV_NEVER_NS :
					  now + patience_ns;
	}
	qp->again_ns = qp->again_ns ? 2 * qp->again_ns : again_ns;
	if (qp->again_ns > RETRY_AT_MOST_NS)
		qp->again_ns = RETRY_AT_MOST_NS;
	if (qp->deadline_ns <= now)
		qp->again_ns = 0;
	else if (qp->again_ns > qp->deadline_ns - now)
		qp->again_ns = qp->deadline_ns - now;
	atomic_store_explicit(&qp->retry_at_ns, now + qp->again_ns,
			      memory_order_relaxed);
	return ADEV_PROGRESS_WAIT;
}

bool adev_requester_overdue(const struct adev_qp *qp, enum adev_wait why)
{
	return qp->wait == why && qp->deadline_ns != ADEV_NEVER_NS &&
	       adev_now_ns() >= qp->deadline_ns;
}

static enum adev_progress wait_for_receive(struct adev_qp *qp)
{
	uint32_t retries = arnica_from_le32(qp->attributes.rnr_retry);
	uint64_t timer = adev_rnr_timer_ns(qp->peer_rnr_timer);

	if (qp->wait != ADEV_WAIT_RNR)
		adev_count(&qp->fn->counters, rnr);
	if (adev_requester_overdue(qp, ADEV_WAIT_RNR) || !retries)
		return fail(qp, ARNICA_HW_STATUS_RNR_RETRY_EXC_ERR, 0);
	return adev_requester_wait(
		qp, ADEV_WAIT_RNR,
		retries == 7 ? ADEV_NEVER_NS : retries * timer,
		RETRY_AFTER_NS);
}

/* The peer does not answer: local ACK timeout, retry_cnt times more. */
static enum adev_progress wait_for_answer(struct adev_qp *qp)
{
	uint32_t code = arnica_from_le32(qp->attributes.timeout) & 31;
	uint64_t tries = arnica_from_le32(qp->attributes.retry_cnt) + 1u;
	uint64_t patience = code ? tries * (4096ull << code) : ADEV_NEVER_NS;

	if (qp->wait != ADEV_WAIT_RETRY)
		adev_count(&qp->fn->counters, retries);
	if (adev_requester_overdue(qp, ADEV_WAIT_RETRY))
		return fail(qp, ARNICA_HW_STATUS_RETRY_EXC_ERR, 0);
	return adev_requester_wait(qp, ADEV_WAIT_RETRY, patience,
				   RETRY_AFTER_NS);
}

static enum adev_progress wait_for_lock(struct adev_qp *qp, uint64_t patience)
{
	return adev_requester_wait(qp, ADEV_WAIT_BUSY, patience, BUSY_AFTER_NS);
}

static enum adev_progress answer(struct adev_qp *qp, enum adev_verdict verdict)
{
	switch (verdict) {
	case ADEV_VERDICT_ACK:
		return adev_requester_succeed(qp);
	case ADEV_VERDICT_MORE:
		return ADEV_PROGRESS_MORE;
	case ADEV_VERDICT_LATER:
		return wait_for_lock(qp, ADEV_NEVER_NS);
	case ADEV_VERDICT_RNR:
		return wait_for_receive(qp);
	case ADEV_VERDICT_STALE:
	case ADEV_VERDICT_SILENT:
		qp->link.resolved = false;
		return wait_for_answer(qp);
	case ADEV_VERDICT_NAK_INVALID:
		return fail(qp, ARNICA_HW_STATUS_REM_INV_REQ_ERR, 0);
	case ADEV_VERDICT_NAK_ACCESS:
		return fail(qp, ARNICA_HW_STATUS_REM_ACCESS_ERR, 0);
	case ADEV_VERDICT_NAK_OPERATION:
		return fail(qp, ARNICA_HW_STATUS_REM_OP_ERR, 0);
	case ADEV_VERDICT_LOCAL_PROTECTION:
		return fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
	case ADEV_VERDICT_GONE:
		break;
	}
	return fail(qp, ARNICA_HW_STATUS_RETRY_EXC_ERR, 0);
}

/* The same for an unreliable connection, which gets no answers: only what
 * happens on this side counts. */
static enum adev_progress ignore(struct adev_qp *qp, enum adev_verdict verdict)
{
	switch (verdict) {
	case ADEV_VERDICT_ACK:
		return adev_requester_succeed(qp);
	case ADEV_VERDICT_MORE:
		return ADEV_PROGRESS_MORE;
	case ADEV_VERDICT_LOCAL_PROTECTION:
		return fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
	case ADEV_VERDICT_LATER:
		if (adev_requester_overdue(qp, ADEV_WAIT_BUSY))
			return lose(qp, ADEV_LOSS_BUSY);
		return wait_for_lock(qp, ADEV_UNRELIABLE_PATIENCE_NS);
	case ADEV_VERDICT_RNR:
		return lose(qp, ADEV_LOSS_NO_RECEIVE);
	case ADEV_VERDICT_STALE:
		return lose(qp, ADEV_LOSS_NO_QP);
	case ADEV_VERDICT_SILENT:
		qp->link.resolved = false;
		return lose(qp, ADEV_LOSS_NOT_READY);
	default:
		return lose(qp, ADEV_LOSS_REFUSED);
	}
}

bool adev_requester_regions_hold(struct adev_qp *qp,
				 const struct adev_message *message)
{
	if (adev_gather_holds(&qp->fn->view, qp->pd, &message->gather,
			      message->local_access))
		return true;
	adev_count(&qp->fn->counters, local_protection);
	arnica_trace_local_protection(qp->qpn, message->index);
	return false;
}

enum adev_progress adev_requester_run(struct adev_qp *qp)
{
	bool reliable = adev_type_is_reliable(qp->type);
	enum adev_verdict verdict;

	/* A long one may have been left whole by the thread that looked at its
	 * regions (exec/exec.c), and they may be gone since. */
	if ((qp->wait || qp->message->done ||
	     qp->message->bytes > ADEV_GATHER_ENTRY_BYTES) &&
	    !adev_requester_regions_hold(qp, qp->message))
		return fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);

	switch (adev_link_resolve(qp)) {
	case ADEV_LINK_UP:
		break;
	case ADEV_LINK_BUSY:
		if (!reliable)
			return ignore(qp, ADEV_VERDICT_LATER);
		/* fall through */
	case ADEV_LINK_ABSENT:
		capture(qp, true, ADEV_VERDICT_SILENT);
		return reliable ? wait_for_answer(qp) :
				  lose(qp, ADEV_LOSS_NO_QP);
	case ADEV_LINK_DEAD:
		capture(qp, true, ADEV_VERDICT_GONE);
		return reliable ?
			       fail(qp, ARNICA_HW_STATUS_RETRY_EXC_ERR, 0) :
			       lose(qp, ADEV_LOSS_NO_QP);
	}
	verdict = adev_responder_deliver(qp);
	if (verdict == ADEV_VERDICT_STALE) {
		/* Once more with what the QP is now, from the first byte. */
		qp->link.resolved = false;
		forget_transfer(qp);
		if (adev_link_resolve(qp) == ADEV_LINK_UP)
			verdict = adev_responder_deliver(qp);
	}
	arnica_trace_deliver(qp->qpn, verdict);
	capture(qp, true, verdict);
	return reliable ? answer(qp, verdict) : ignore(qp, verdict);
}
