/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Execution engine. */
#include "exec/exec.h"
#include "exec/local.h"

#include <infiniband/verbs.h>
#include <stdlib.h>

#include "comp/channel.h"
#include "core/fault_point.h"
#include "transport/datagram.h"
#include "transport/remote.h"
#include "transport/sender.h"
#include "trace.h"

/* What one turn of a QP may take before others get theirs. */
#define TURN_BYTES (4u << 20)
#define TURN_MESSAGES 1024u
#define TURN_QPS 16u

enum turn {
	TURN_IDLE,    /* everything announced was executed */
	TURN_WAITING, /* the QP waits */
	TURN_USED_UP, /* more to do, but not now */
};

/* With a backlog the descriptor of the area is not the next one; it is then
 * read from the queue when its turn comes. */
static bool is_due(struct adev_qp *qp, const void *descriptor)
{
	const struct arnica_hw_wqe_control *control = descriptor;

	return arnica_from_le32(control->index) == qp->head;
}

/* For the first work request of a QP. Without it nothing can be carried out,
 * nor said of a single request. */
static bool make_message(struct adev_qp *qp)
{
	qp->message = calloc(1, sizeof(*qp->message));
	if (qp->message) {
		qp->message->inbox_slot = -1;
		return true;
	}
	adev_qp_enter_error(qp);
	adev_qp_raise(qp, IBV_EVENT_QP_FATAL);
	return false;
}

/* Begins the next message. False when there is none, or the QP may not. */
static bool begin(struct adev_qp *qp, const void **area)
{
	/* Entries are complete before they are announced. */
	uint32_t producer = atomic_load_explicit(&qp->producer,
						 memory_order_acquire);
	uint32_t state = atomic_load_explicit(&qp->shared->state,
					      memory_order_relaxed);
	enum arnica_hw_status status;
	const void *descriptor = *area;

	if (qp->head == producer)
		return false;
	if (state == ARNICA_HW_QPS_ERR) {
		adev_qp_flush(qp);
		return false;
	}
	if (state == ARNICA_HW_QPS_SQE ||
	    (state == ARNICA_HW_QPS_SQD && qp->stopped))
		adev_qp_flush_send(qp);
	if (state != ARNICA_HW_QPS_RTS ||
	    (qp->remote && !adev_sender_accepts(qp)))
		return false;
	if (__builtin_expect(!qp->message, 0) && !make_message(qp))
		return false;
	*area = NULL;
	if (descriptor && is_due(qp, descriptor)) {
		adev_count(&qp->fn->counters, bf_hit);
		arnica_trace_wqe_area(qp->qpn, qp->head);
	} else {
		adev_count(&qp->fn->counters, wqe_fetched);
		arnica_trace_wqe_fetch(qp->qpn, qp->head);
		descriptor = adev_exec_descriptor(qp, qp->head);
	}
	qp->active = true;
	status = adev_exec_fetch_first(qp, qp->head, descriptor, qp->message);
	if (status) {
		if (!qp->remote || !adev_sender_postpone(qp, status))
			adev_requester_fail(qp, status, 0);
		return false;
	}
	return true;
}

/*
 * The peer's process died: what is under way cannot be answered any more. An
 * unreliable connection does not notice, but for what the peer left undone
 * here.
 */
static bool end_dead_connection(struct adev_qp *qp)
{
	uint32_t state, event = IBV_EVENT_QP_FATAL;

	if (!atomic_load_explicit(&qp->peer_died, memory_order_relaxed) ||
	    !atomic_exchange(&qp->peer_died, false))
		return false;
	state = atomic_load(&qp->shared->state);
	if (state == ARNICA_HW_QPS_RESET || state == ARNICA_HW_QPS_INIT)
		return false;
	if (state == ARNICA_HW_QPS_ERR) {
		event = adev_qp_follow_error(qp);
	} else if (!adev_type_is_reliable(qp->type)) {
		adev_link_drop(qp);
		if (qp->message)
			qp->message->done = 0;
		adev_qp_recover(qp);
		return false;
	} else {
		adev_requester_fail(qp, ARNICA_HW_STATUS_RETRY_EXC_ERR, 0);
	}
	if (event)
		adev_qp_raise(qp, event);
	return true;
}

/* Carries out the message under way, or goes on with it. */
static enum adev_progress carry_out(struct adev_qp *qp)
{
	if (arnica_hw_opcode_is_local(qp->message->opcode))
		return adev_local_run(qp);
	if (qp->type == ARNICA_HW_QP_UD)
		return adev_datagram_run(qp);
	return qp->remote ? adev_sender_run(qp) : adev_requester_run(qp);
}

/* With sq_lock held. */
static enum turn run(struct adev_qp *qp, const void *area)
{
	uint64_t bytes = 0;
	uint32_t messages = 0;

	if (end_dead_connection(qp))
		return TURN_IDLE;
	if (qp->flush_pending)
		adev_qp_flush(qp);
	if (qp->remote)
		adev_sender_service(qp);
	for (;;) {
		uint64_t before;

		if (!qp->active && !begin(qp, &area)) {
			adev_qp_check_drained(qp);
			return qp->flush_pending ? TURN_WAITING : TURN_IDLE;
		}
		before = qp->message->done;
		ADEV_POINT("message_begun");
		switch (carry_out(qp)) {
		case ADEV_PROGRESS_DONE:
		case ADEV_PROGRESS_ERROR:
			bytes += qp->message->bytes - before;
			messages++;
			break;
		case ADEV_PROGRESS_MORE:
			bytes += qp->message->done - before;
			break;
		case ADEV_PROGRESS_WAIT:
			return TURN_WAITING;
		}
		if (bytes >= TURN_BYTES || messages >= TURN_MESSAGES)
			return TURN_USED_UP;
	}
}

/* Takes the QP, or leaves word for the one who has it. */
static bool take(struct adev_qp *qp)
{
	if (adev_qp_try_lock_send(qp))
		return true;
	/* P6: the wish is stored before the lock is tried again; the holder
	 * (C6) looks for it after it let go. One of the two succeeds. */
	atomic_store(&qp->again, true);
	arnica_fence_after_rmw();
	return adev_qp_try_lock_send(qp);
}

void adev_exec_submit(struct adev_qp *qp, const void *area)
{
	struct adev_function *fn = qp->fn;

	do {
		enum turn turn;

		if (!take(qp))
			return;
		if (atomic_load_explicit(&qp->again, memory_order_relaxed))
			(void)atomic_exchange(&qp->again, false);
		turn = run(qp, area);
		area = NULL;
		adev_datagram_rest(qp);
		/* A QP on the wire waits for an answer or its timer. */
		if (qp->remote)
			adev_sender_rest(qp);
		else if (turn == TURN_WAITING)
			adev_function_wait(fn, qp);
		if (turn == TURN_USED_UP)
			adev_sched_enqueue(&fn->scheduler, qp);
		adev_qp_unlock_send(qp);
		if (turn == TURN_USED_UP) {
			adev_function_left_work(fn, 0);
			return;
		}
	} while (atomic_load(&qp->again)); /* C6 */
}

void adev_exec_release(struct adev_qp *qp)
{
	adev_qp_unlock_send(qp);
	if (atomic_load(&qp->again)) /* C6 */
		adev_exec_submit(qp, NULL);
}

bool adev_exec_scheduled(struct adev_function *fn)
{
	uint32_t turns;

	for (turns = 0; turns < TURN_QPS; turns++) {
		struct adev_qp *qp;

		if (adev_sched_idle(&fn->scheduler))
			return false;
		qp = adev_sched_next(&fn->scheduler);
		if (qp)
			adev_exec_submit(qp, NULL);
	}
	return !adev_sched_idle(&fn->scheduler);
}
