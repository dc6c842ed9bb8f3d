/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sender: its life, and the turns of the execution engine. */
#include "transport/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#include "comp/channel.h"
#include "core/clock.h"
#include "transport/receiver.h"
#include "transport/remote.h"
#include "transport/responder.h"
#include "transport/sender_state.h"
#include "trace.h"

/* Above what the distance of two PSNs can subtract. */
#define FIRST_NUMBER (1ull << 32)

/* Nothing is outstanding; the first packet has the PSN that is next. */
static void forget(struct adev_qp *qp, struct adev_sender *sender)
{
	sender->oldest = FIRST_NUMBER + qp->send_psn;
	sender->next = sender->oldest;
	sender->sent = sender->oldest;
	sender->assigned = sender->oldest;
	sender->recover = sender->oldest;
	sender->first_message = sender->end_message;
	sender->next_message = sender->end_message;
	sender->first_asked = sender->end_asked;
	sender->next_asked = sender->end_asked;
	sender->returning = 0;
	sender->begun = false;
	sender->refusal = ARNICA_HW_STATUS_SUCCESS;
	adev_even_forget(&sender->even);
	sender->resending.valid = false;
	sender->placing.valid = false;
	sender->unasked = 0;
	sender->run_left = 0;
	sender->retries = 0;
	sender->probes = 0;
	sender->not_ready = 0;
	sender->ready_ns = 0;
	sender->returned_ns = 0;
	sender->timed_ns = 0;
	sender->was_silent = false;
	sender->drain_event = false;
	adev_function_set_timer(qp->fn, qp, ADEV_NEVER_NS);
}

int adev_sender_create(struct adev_qp *qp)
{
	struct adev_sender *sender = calloc(1, sizeof(*sender));

	if (!sender)
		return ENOMEM;
	qp->remote->sender = sender;
	adev_sender_start(qp);
	return 0;
}

void adev_sender_destroy(struct adev_qp *qp)
{
	free(qp->remote_kept->sender);
	qp->remote_kept->sender = NULL;
}

void adev_sender_start(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	forget(qp, sender);
	adev_window_init(&sender->window);
	adev_rate_init(&sender->rate);
	adev_even_init(&sender->even);
	sender->round_trip_ns = 0;
	sender->deviation_ns = 0;
	sender->shortest_ns = 0;
	sender->caution = 0;
}

void adev_sender_abort(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	if (sender->first_message != sender->end_message)
		qp->head = adev_sender_sent(sender,
					    sender->first_message)->index;
	forget(qp, sender);
}

bool adev_sender_is_idle(const struct adev_qp *qp)
{
	const struct adev_sender *sender = qp->remote->sender;

	return !qp->active && sender->first_message == sender->end_message;
}

bool adev_sender_accepts(const struct adev_qp *qp)
{
	const struct adev_sender *sender = qp->remote->sender;

	return !sender->refusal &&
	       sender->end_message - sender->first_message <
		       ADEV_SENDER_MESSAGES;
}

bool adev_sender_postpone(struct adev_qp *qp, enum arnica_hw_status status)
{
	struct adev_sender *sender = qp->remote->sender;

	if (sender->first_message == sender->end_message)
		return false;
	sender->refusal = status;
	sender->refused = sender->assigned;
	qp->active = false;
	return true;
}

void adev_sender_drain(struct adev_qp *qp)
{
	qp->remote->sender->drain_event = true;
	adev_sender_settle(qp);
}

void adev_sender_settle(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	if (sender->drain_event && adev_sender_is_idle(qp)) {
		sender->drain_event = false;
		if (atomic_load(&qp->shared->state) == ARNICA_HW_QPS_SQD)
			adev_qp_raise(qp, IBV_EVENT_SQ_DRAINED);
	}
	adev_sender_schedule(qp);
}

void adev_sender_service(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t now = adev_now_ns();
	bool due;

	sender->turn++;
	/* An answer may have brought a later time. */
	if (sender->now_ns < now)
		sender->now_ns = now;
	due = atomic_load_explicit(&qp->timer_due, memory_order_relaxed) &&
	      atomic_exchange(&qp->timer_due, false);
	if (sender->oldest < sender->assigned &&
	    (!due || adev_sender_expire(qp)))
		(void)!adev_sender_transmit(qp);
}

void adev_sender_rest(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	if (sender->batch) {
		adev_receiver_accompany(qp, sender->batch);
		adev_batch_send(sender->batch);
	}
	sender->batch = NULL;
	adev_sender_settle(qp);
}

static void begin(struct adev_qp *qp, struct adev_sender *sender)
{
	const struct adev_message *message = qp->message;
	uint64_t count = adev_psn_count(message->bytes, qp->path_mtu_bytes);
	struct adev_sent *sent =
		adev_sender_sent(sender, sender->end_message++);

	sent->first = sender->assigned;
	sent->last = sender->assigned + count - 1;
	sent->bytes = message->bytes;
	sent->index = message->index;
	sent->opcode = (uint8_t)message->opcode;
	sent->flags = (uint8_t)message->flags;
	sent->even = adev_even_begin(&sender->even, message, sent->first, count);
	if (adev_sender_returns_data(message->opcode))
		sender->returning++;
	sender->assigned += count;
	sender->begun = true;
	qp->send_psn = (uint32_t)sender->assigned & ROCE_PSN_MASK;
}

bool adev_sender_is_fenced(const struct adev_qp *qp)
{
	return qp->message->flags & ARNICA_HW_WQE_FENCE &&
	       qp->remote->sender->returning;
}

bool adev_sender_is_behind(const struct adev_qp *qp)
{
	const struct adev_sender *sender = qp->remote->sender;

	return sender->first_message != sender->end_message;
}

enum adev_progress adev_sender_pass(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;
	const struct adev_message *message = qp->message;

	*adev_sender_sent(sender, sender->end_message++) = (struct adev_sent){
		.first = sender->assigned,
		.last = sender->assigned - 1,
		.index = message->index,
		.opcode = (uint8_t)message->opcode,
		.flags = (uint8_t)message->flags,
	};
	qp->active = false;
	qp->head++;
	qp->wait = ADEV_WAIT_NOT;
	qp->again_ns = 0;
	adev_sender_acknowledge(qp, sender->oldest);
	return ADEV_PROGRESS_DONE;
}

static enum adev_progress run_rc(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	if (!sender->begun) {
		if (adev_sender_is_fenced(qp))
			return ADEV_PROGRESS_WAIT;
		begin(qp, sender);
	}
	if (!adev_sender_transmit(qp))
		return ADEV_PROGRESS_ERROR;
	if (sender->sent < sender->assigned)
		return ADEV_PROGRESS_WAIT;
	sender->begun = false;
	qp->active = false;
	qp->head++;
	return ADEV_PROGRESS_DONE;
}

enum adev_progress adev_sender_run(struct adev_qp *qp)
{
	return qp->type == IBV_QPT_UC ? adev_sender_run_uc(qp) : run_rc(qp);
}
