/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Requests without a message: windows are bound and taken back. */
#include "exec/local.h"

#include "core/clock.h"
#include "transport/sender.h"
#include "trace.h"

#define DRAIN_AFTER_NS 50000ull
/* A window of type 1 may be in the hands of a peer of another queue pair. */
#define PATIENCE_NS (2000 * ADEV_MS_NS)

static uint32_t key_of(const struct adev_message *message)
{
	arnica_be32 key = { message->immediate };

	return message->opcode == ARNICA_HW_OP_BIND_MW ? message->bind.rkey :
							 arnica_from_be32(key);
}

static enum adev_window_result execute(struct adev_qp *qp)
{
	const struct adev_message *message = &qp->message;

	if (message->opcode == ARNICA_HW_OP_BIND_MW)
		return adev_window_bind(qp->fn, &qp->binder, &message->bind);
	return adev_window_invalidate(qp->fn, &qp->binder, key_of(message));
}

/* The sender on the wire has requests before it that are not acknowledged. */
static bool is_queued(const struct adev_qp *qp)
{
	return qp->remote && qp->type != ARNICA_HW_QP_UC;
}

static enum adev_progress finish(struct adev_qp *qp)
{
	const struct adev_message *message = &qp->message;

	if (message->opcode == ARNICA_HW_OP_BIND_MW)
		arnica_trace_window_bound(qp->qpn, key_of(message));
	else
		arnica_trace_window_invalid(qp->qpn, key_of(message));
	return is_queued(qp) ? adev_sender_pass(qp) : adev_requester_end(qp);
}

static enum adev_progress refuse(struct adev_qp *qp)
{
	adev_count(&qp->fn->counters, windows_refused);
	arnica_trace_window_refused(qp->qpn, key_of(&qp->message));
	if (is_queued(qp) &&
	    adev_sender_postpone(qp, ARNICA_HW_STATUS_MW_BIND_ERR))
		return ADEV_PROGRESS_WAIT;
	adev_requester_fail(qp, ARNICA_HW_STATUS_MW_BIND_ERR, 0);
	return ADEV_PROGRESS_ERROR;
}

/* Somebody is at the memory. What LOCAL_INV waits for is its own peer, if he
 * takes long: that concerns nobody else. */
static enum adev_progress wait_for_users(struct adev_qp *qp)
{
	bool bind = qp->message.opcode == ARNICA_HW_OP_BIND_MW;

	if (adev_requester_overdue(qp, ADEV_WAIT_BUSY))
		return refuse(qp);
	(void)adev_requester_wait(qp, ADEV_WAIT_BUSY,
				  bind ? PATIENCE_NS : ADEV_NEVER_NS,
				  DRAIN_AFTER_NS);
	adev_function_wait(qp->fn, qp);
	return ADEV_PROGRESS_WAIT;
}

enum adev_progress adev_local_run(struct adev_qp *qp)
{
	if (is_queued(qp) && adev_sender_is_fenced(qp))
		return ADEV_PROGRESS_WAIT;
	switch (execute(qp)) {
	case ADEV_WINDOW_DONE:
		return finish(qp);
	case ADEV_WINDOW_BUSY:
		return wait_for_users(qp);
	case ADEV_WINDOW_REFUSED:
		break;
	}
	return refuse(qp);
}
