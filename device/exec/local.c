/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Requests without a message: memory is registered, windows are bound, both are
 * taken back; indirect keys are set. */
#include "exec/local.h"

#include <string.h>

#include "core/clock.h"
#include "exec/exec.h"
#include "exec/registration.h"
#include "tpt/fast.h"
#include "transport/sender.h"
#include "trace.h"

#define DRAIN_AFTER_NS 50000ull
/* A window of type 1, or an indirect key, may be in the hands of a peer of
 * another queue pair. */
#define PATIENCE_NS (2000 * ADEV_MS_NS)

static uint32_t key_of(const struct adev_message *message)
{
	arnica_be32 key = { message->immediate };

	switch (message->opcode) {
	case ARNICA_HW_OP_BIND_MW:
		return message->bind.rkey;
	case ARNICA_HW_OP_REG_MR:
		return message->registration.key;
	case ARNICA_HW_OP_SET_MKEY:
		return message->mkey.key;
	default:
		return arnica_from_be32(key);
	}
}

/* LOCAL_INV of a region, not of a window? */
static bool ends_region(const struct adev_qp *qp)
{
	return qp->message->opcode == ARNICA_HW_OP_LOCAL_INV &&
	       adev_fast_exists(qp->fn, adev_tpt_index(key_of(qp->message)));
}

/* The entries stand in the queue as long as the request is under way; at each
 * try they are copied once. */
static enum adev_window_result set_mkey(struct adev_qp *qp)
{
	const struct adev_mkey_layout *layout = &qp->message->mkey;
	struct adev_tpt_item items[ARNICA_HW_WQE_MKEY_MAX_ENTRIES];
	const char *descriptor = adev_exec_descriptor(qp, qp->message->index);
	struct arnica_hw_mkey_entry entries[ARNICA_HW_WQE_MKEY_MAX_ENTRIES];

	if (layout->count > ARNICA_HW_WQE_MKEY_MAX_ENTRIES ||
	    ARNICA_HW_WQE_MKEY_HEADER_BYTES +
			    layout->count * sizeof(*entries) >
		    qp->sq_stride)
		return ADEV_WINDOW_REFUSED;
	memcpy(entries, descriptor + ARNICA_HW_WQE_MKEY_HEADER_BYTES,
	       layout->count * sizeof(*entries));
	adev_mkey_read_items(entries, layout->count, items);
	return adev_mkey_set(qp->fn, qp->pd, layout, items);
}

static enum adev_window_result execute(struct adev_qp *qp)
{
	const struct adev_message *message = qp->message;

	if (message->opcode == ARNICA_HW_OP_BIND_MW)
		return adev_window_bind(qp->fn, &qp->binder, &message->bind);
	if (message->opcode == ARNICA_HW_OP_REG_MR)
		return adev_registration_execute(qp);
	if (ends_region(qp))
		return adev_fast_invalidate(qp->fn, qp->pd, key_of(message));
	if (message->opcode == ARNICA_HW_OP_SET_MKEY)
		return set_mkey(qp);
	return adev_window_invalidate(qp->fn, &qp->binder, key_of(message));
}

/* The sender on the wire has requests before it that are not acknowledged. */
static bool is_queued(const struct adev_qp *qp)
{
	return qp->remote && qp->type != ARNICA_HW_QP_UC;
}

/* A region that the request names is being registered. */
static enum adev_progress wait_for_memory(struct adev_qp *qp)
{
	if (qp->wait != ADEV_WAIT_MEMORY)
		adev_count(&qp->fn->counters, registrations_awaited);
	(void)adev_requester_wait(qp, ADEV_WAIT_MEMORY, ADEV_NEVER_NS,
				  DRAIN_AFTER_NS);
	adev_function_wait(qp->fn, qp);
	return ADEV_PROGRESS_WAIT;
}

/* The second half of a request that registers memory and sends. */
static enum adev_progress go_on_sending(struct adev_qp *qp)
{
	uint32_t index = qp->message->index;
	enum arnica_hw_status status = adev_exec_fetch(
		qp, index, adev_exec_descriptor(qp, index), qp->message);

	if (status == ADEV_STATUS_PENDING) {
		/* Its first half is done: only this is tried again. */
		qp->message->opcode = ARNICA_HW_OP_REG_MR;
		qp->message->registered = true;
		return wait_for_memory(qp);
	}
	qp->wait = ADEV_WAIT_NOT;
	qp->again_ns = 0;
	if (!status)
		return ADEV_PROGRESS_MORE;
	if (is_queued(qp) && adev_sender_postpone(qp, status))
		return ADEV_PROGRESS_WAIT;
	adev_requester_fail(qp, status, 0);
	return ADEV_PROGRESS_ERROR;
}

static enum adev_progress finish(struct adev_qp *qp)
{
	const struct adev_message *message = qp->message;

	if (message->opcode == ARNICA_HW_OP_BIND_MW)
		arnica_trace_window_bound(qp->qpn, key_of(message));
	else if (message->opcode == ARNICA_HW_OP_SET_MKEY)
		arnica_trace_mkey_set(qp->qpn, key_of(message));
	else if (message->opcode == ARNICA_HW_OP_LOCAL_INV)
		arnica_trace_window_invalid(qp->qpn, key_of(message));
	if (message->sends)
		return go_on_sending(qp);
	return is_queued(qp) ? adev_sender_pass(qp) : adev_requester_end(qp);
}

static enum adev_progress refuse(struct adev_qp *qp)
{
	if (qp->message->opcode == ARNICA_HW_OP_REG_MR) {
		qp->message->drains = qp->drains;
		adev_count(&qp->fn->counters, registrations_refused);
		arnica_trace_registration_refused(key_of(qp->message),
						  qp->message->refusal);
	} else if (qp->message->opcode == ARNICA_HW_OP_SET_MKEY) {
		adev_count(&qp->fn->counters, mkeys_refused);
		arnica_trace_mkey_refused(qp->qpn, key_of(qp->message));
	} else {
		adev_count(&qp->fn->counters, windows_refused);
		arnica_trace_window_refused(qp->qpn, key_of(qp->message));
	}
	if (is_queued(qp) &&
	    adev_sender_postpone(qp, ARNICA_HW_STATUS_MW_BIND_ERR))
		return ADEV_PROGRESS_WAIT;
	adev_requester_fail(qp, ARNICA_HW_STATUS_MW_BIND_ERR,
			    qp->message->refusal);
	return ADEV_PROGRESS_ERROR;
}

/* Somebody is at the memory. What LOCAL_INV waits for is its own peer, if he
 * takes long: that concerns nobody else. */
static enum adev_progress wait_for_users(struct adev_qp *qp)
{
	bool others = qp->message->opcode != ARNICA_HW_OP_LOCAL_INV;

	if (adev_requester_overdue(qp, ADEV_WAIT_BUSY))
		return refuse(qp);
	(void)adev_requester_wait(qp, ADEV_WAIT_BUSY,
				  others ? PATIENCE_NS : ADEV_NEVER_NS,
				  DRAIN_AFTER_NS);
	adev_function_wait(qp->fn, qp);
	return ADEV_PROGRESS_WAIT;
}

enum adev_progress adev_local_run(struct adev_qp *qp)
{
	if (is_queued(qp) && adev_sender_is_fenced(qp))
		return ADEV_PROGRESS_WAIT;
	/* What was sent from the region may have to be sent once more. */
	if (is_queued(qp) && ends_region(qp) && adev_sender_is_behind(qp))
		return ADEV_PROGRESS_WAIT;
	if (qp->message->registered)
		return go_on_sending(qp);
	switch (execute(qp)) {
	case ADEV_WINDOW_DONE:
		return finish(qp);
	case ADEV_WINDOW_BUSY:
		return wait_for_users(qp);
	case ADEV_WINDOW_PENDING:
		return wait_for_memory(qp);
	case ADEV_WINDOW_REFUSED:
		break;
	}
	return refuse(qp);
}
