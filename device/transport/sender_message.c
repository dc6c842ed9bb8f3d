/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sender: messages that were begun, from the first packet to their completion.
 * They complete in the order in which they were posted.
 */
#include "exec/exec.h"
#include "transport/complete.h"
#include "transport/remote.h"
#include "transport/responder.h"
#include "transport/sender_state.h"
#include "trace.h"

/* An entry that is not what it was when it was sent first: the host changed
 * what it had handed over. */
static enum arnica_hw_status read_again(struct adev_qp *qp,
					const struct adev_sent *sent,
					struct adev_message *message)
{
	enum arnica_hw_status status = adev_exec_fetch(
		qp, sent->index, adev_exec_descriptor(qp, sent->index),
		message);

	/* It was valid when it was sent first. */
	if (status == ADEV_STATUS_PENDING)
		return ARNICA_HW_STATUS_LOC_PROT_ERR;
	if (status)
		return status;
	if (message->opcode == sent->opcode && message->bytes == sent->bytes)
		return ARNICA_HW_STATUS_SUCCESS;
	adev_count(&qp->fn->counters, wqe_invalid);
	arnica_trace_wqe_invalid(qp->qpn, message->opcode);
	return ARNICA_HW_STATUS_LOC_QP_OP_ERR;
}

struct adev_message *adev_sender_content(struct adev_qp *qp,
					 const struct adev_sent *sent,
					 struct adev_reread *reread,
					 enum arnica_hw_status *status)
{
	struct adev_sender *sender = qp->remote->sender;
	struct adev_message *message = &reread->message;
	uint64_t *checked = &reread->turn;

	if (qp->active && qp->message->index == sent->index) {
		message = qp->message;
		checked = &sender->message_turn;
	} else if (!reread->valid || message->index != sent->index) {
		*status = read_again(qp, sent, message);
		reread->valid = !*status;
		if (*status)
			return NULL;
		*checked = sender->turn;
	}
	if (*checked != sender->turn &&
	    !adev_requester_regions_hold(qp, message)) {
		*status = ARNICA_HW_STATUS_LOC_PROT_ERR;
		return NULL;
	}
	*checked = sender->turn;
	return message;
}

static void describe(const struct adev_sent *sent,
		     enum arnica_hw_status status, struct adev_ended *ended)
{
	*ended = (struct adev_ended){
		.index = sent->index,
		.opcode = sent->opcode,
		.bytes = sent->bytes,
		.status = status,
	};
}

static void count_message(struct adev_qp *qp, uint32_t index, uint64_t bytes)
{
	adev_count(&qp->fn->counters, messages);
	adev_count_add(&qp->fn->counters, bytes, bytes);
	arnica_trace_message_done(qp->qpn, index);
}

/* The oldest message is over. True: *completion was published. */
static bool retire(struct adev_qp *qp, struct adev_sender *sender,
		   struct adev_completion *completion)
{
	const struct adev_sent *sent =
		adev_sender_sent(sender, sender->first_message++);
	struct adev_ended ended;

	if (adev_sender_returns_data(sent->opcode))
		sender->returning--;
	if (adev_sender_has_packets(sent))
		count_message(qp, sent->index, sent->bytes);
	if (!(sent->flags & ARNICA_HW_WQE_SIGNALED))
		return false;
	describe(sent, ARNICA_HW_STATUS_SUCCESS, &ended);
	adev_complete_send(qp, &ended, completion);
	return true;
}

/* What needed no packet and has no message before it any more. */
static bool retire_local(struct adev_qp *qp, struct adev_sender *sender,
			 struct adev_completion *completion)
{
	bool any = false;

	while (sender->first_message != sender->end_message &&
	       !adev_sender_has_packets(
		       adev_sender_sent(sender, sender->first_message)))
		any |= retire(qp, sender, completion);
	return any;
}

static bool is_behind(uint32_t index, uint32_t other)
{
	return (int32_t)(index - other) < 0;
}

/* Brings the other marks up to `oldest`. */
static void catch_up(struct adev_sender *sender)
{
	if (sender->next < sender->oldest)
		sender->next = sender->oldest;
	if (is_behind(sender->next_message, sender->first_message))
		sender->next_message = sender->first_message;
	while (sender->first_asked != sender->end_asked &&
	       adev_sender_asked(sender, sender->first_asked)->last <
		       sender->oldest)
		sender->first_asked++;
	if (is_behind(sender->next_asked, sender->first_asked))
		sender->next_asked = sender->first_asked;
	if (sender->refusal && sender->refused < sender->oldest &&
	    (sender->first_message == sender->end_message ||
	     adev_sender_sent(sender, sender->first_message)->first >
		     sender->refused))
		sender->refusal = ARNICA_HW_STATUS_SUCCESS;
}

void adev_sender_acknowledge(struct adev_qp *qp, uint64_t end)
{
	struct adev_sender *sender = qp->remote->sender;
	struct adev_completion last;
	bool any = false;

	while (sender->oldest < end) {
		const struct adev_sent *sent =
			adev_sender_sent(sender, sender->first_message);

		if (adev_sender_returns_data(sent->opcode))
			break;
		if (sent->last >= end) {
			sender->oldest = end;
			break;
		}
		sender->oldest = sent->last + 1;
		any |= retire(qp, sender, &last);
	}
	any |= retire_local(qp, sender, &last);
	catch_up(sender);
	adev_even_acknowledge(&sender->even, sender->oldest);
	if (any)
		adev_complete_notify(qp, &last);
}

void adev_sender_returned(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;
	struct adev_completion last;
	bool any = false;

	if (sender->oldest ==
	    adev_sender_sent(sender, sender->first_message)->last)
		any = retire(qp, sender, &last);
	sender->oldest++;
	any |= retire_local(qp, sender, &last);
	catch_up(sender);
	if (any)
		adev_complete_notify(qp, &last);
}

void adev_sender_fail(struct adev_qp *qp, enum arnica_hw_status status)
{
	struct adev_sender *sender = qp->remote->sender;
	struct adev_completion completion;
	struct adev_ended ended;

	if (sender->first_message == sender->end_message) {
		/* The one that was postponed. */
		qp->active = true;
		sender->refusal = ARNICA_HW_STATUS_SUCCESS;
		adev_requester_fail(qp, status, qp->message->refusal);
		return;
	}
	describe(adev_sender_sent(sender, sender->first_message++), status,
		 &ended);
	arnica_trace_message_failed(qp->qpn, status);
	adev_complete_send(qp, &ended, &completion);
	adev_complete_notify(qp, &completion);
	if (sender->first_message == sender->end_message) {
		qp->head = ended.index + 1;
		qp->active = false;
	}
	adev_qp_enter_error(qp);
}

bool adev_sender_check_refusal(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	if (!sender->refusal || sender->oldest < sender->refused)
		return true;
	adev_sender_fail(qp, sender->refusal);
	return false;
}
