/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sender: answers (IBTA 9.7.5, 9.9.2). An answer counts only for packets that
 * are outstanding; all others are stale, doubled or made up, and change
 * nothing. What it says about memory is ignored: where data goes is read from
 * the own request.
 */
#include <string.h>

#include "core/clock.h"
#include "transport/remote.h"
#include "transport/sender_state.h"
#include "trace.h"

static void drop(struct adev_qp *qp, const struct roce_packet *packet)
{
	adev_count(&qp->fn->counters, wire_stale_answers);
	arnica_trace_wire_stale_answer(qp->qpn, packet->psn);
}

static void fail_bad(struct adev_qp *qp, const struct roce_packet *packet)
{
	adev_count(&qp->fn->counters, wire_bad_answers);
	arnica_trace_wire_bad_answer(qp->qpn, packet->opcode);
	adev_sender_fail(qp, ARNICA_HW_STATUS_BAD_RESP_ERR);
}

/* Everything before `end` is acknowledged. True: really everything. False: a
 * response that should have come before did not, so it was lost (an "implied
 * NAK", IBTA 9.7.5.1.4), and is asked for again. */
static bool advance(struct adev_qp *qp, uint64_t end)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t before = sender->oldest, again = sender->next;

	adev_sender_acknowledge(qp, end);
	if (sender->oldest != before)
		adev_sender_progress(qp, before, again);
	if (sender->oldest >= end)
		return true;
	adev_sender_lost(qp);
	return false;
}

static void take_nak(struct adev_qp *qp, const struct roce_packet *packet)
{
	switch (packet->syndrome & ROCE_SYNDROME_VALUE_MASK) {
	case ROCE_NAK_SEQUENCE:
		adev_sender_lost(qp);
		break;
	case ROCE_NAK_INVALID_REQUEST:
		adev_sender_fail(qp, ARNICA_HW_STATUS_REM_INV_REQ_ERR);
		break;
	case ROCE_NAK_REMOTE_ACCESS:
		adev_sender_fail(qp, ARNICA_HW_STATUS_REM_ACCESS_ERR);
		break;
	case ROCE_NAK_REMOTE_OPERATION:
		adev_sender_fail(qp, ARNICA_HW_STATUS_REM_OP_ERR);
		break;
	default:
		fail_bad(qp, packet);
	}
}

/* ACK, RNR NAK, NAK. The credits of an ACK are not looked at: the window and
 * RNR NAKs limit what is sent. */
static void take_acknowledge(struct adev_qp *qp,
			     const struct roce_packet *packet, uint64_t number)
{
	switch (packet->syndrome & ROCE_SYNDROME_KIND_MASK) {
	case ROCE_SYNDROME_ACK:
		(void)advance(qp, number + 1);
		break;
	case ROCE_SYNDROME_RNR_NAK:
		if (advance(qp, number))
			adev_sender_not_ready(qp,
					      packet->syndrome &
						      ROCE_SYNDROME_VALUE_MASK);
		break;
	case ROCE_SYNDROME_NAK:
		if (advance(qp, number))
			take_nak(qp, packet);
		break;
	default:
		fail_bad(qp, packet);
	}
}

/* The request of the oldest packet, if it returns data and is outstanding. */
static const struct adev_asked *oldest_asked(struct adev_sender *sender)
{
	const struct adev_asked *asked =
		adev_sender_asked(sender, sender->first_asked);

	return sender->first_asked != sender->end_asked &&
			       asked->first <= sender->oldest ?
		       asked :
		       NULL;
}

/* Does the opcode fit a response at this place of its request? The answer to a
 * request that was repeated may begin and end anywhere within it. */
static bool fits_place(const struct adev_asked *asked, uint64_t number,
		       uint32_t operation)
{
	bool first = number == asked->first, last = number == asked->last;

	if (asked->again)
		return true;
	switch (operation) {
	case ROCE_READ_RESPONSE_FIRST:
		return first && !last;
	case ROCE_READ_RESPONSE_MIDDLE:
		return !first && !last;
	case ROCE_READ_RESPONSE_LAST:
		return !first && last;
	default:
		return first && last;
	}
}

static bool is_acknowledged(const struct roce_packet *packet)
{
	return !(roce_opcode_info(packet->opcode) & ROCE_HAS_AETH) ||
	       (packet->syndrome & ROCE_SYNDROME_KIND_MASK) ==
		       ROCE_SYNDROME_ACK;
}

/* Puts returned bytes where the request says, its keys being checked now. */
static void place(struct adev_qp *qp, const struct adev_sent *sent,
		  uint64_t offset, const void *data, uint32_t bytes)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t before = sender->oldest, again = sender->next;
	enum arnica_hw_status status = ARNICA_HW_STATUS_LOC_PROT_ERR;
	struct adev_message *message;

	message = adev_sender_content(qp, sent, &sender->placing, &status);
	if (message && (!bytes || adev_gather_write(&message->gather, offset,
						    data, bytes))) {
		adev_sender_returned(qp);
		adev_sender_progress(qp, before, again);
	} else {
		adev_sender_fail(qp, message ? ARNICA_HW_STATUS_LOC_PROT_ERR :
					       status);
	}
}

/* The response to an atomic write, which is a read response without data
 * (IBTA A19.4). */
static void take_written(struct adev_qp *qp, const struct roce_packet *packet)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t before = sender->oldest, again = sender->next;

	if ((packet->opcode & ROCE_OPERATION_MASK) != ROCE_READ_RESPONSE_ONLY ||
	    packet->payload_bytes || !oldest_asked(sender) ||
	    !is_acknowledged(packet)) {
		fail_bad(qp, packet);
		return;
	}
	adev_sender_returned(qp);
	adev_sender_progress(qp, before, again);
}

static void take_response(struct adev_qp *qp, const struct roce_packet *packet,
			  uint64_t number)
{
	struct adev_sender *sender = qp->remote->sender;
	const struct adev_asked *asked;
	const struct adev_sent *sent;
	uint64_t offset, expected = qp->path_mtu_bytes;

	if (!advance(qp, number))
		return;
	sent = adev_sender_sent(sender, sender->first_message);
	if (sent->opcode == ARNICA_HW_OP_ATOMIC_WRITE) {
		take_written(qp, packet);
		return;
	}
	asked = oldest_asked(sender);
	if (sent->opcode != ARNICA_HW_OP_READ || !asked) {
		fail_bad(qp, packet);
		return;
	}
	offset = (number - sent->first) * qp->path_mtu_bytes;
	if (number == sent->last)
		expected = sent->bytes - offset;
	if (packet->payload_bytes != expected || !is_acknowledged(packet) ||
	    !fits_place(asked, number, packet->opcode & ROCE_OPERATION_MASK))
		fail_bad(qp, packet);
	else
		place(qp, sent, offset, packet->payload,
		      packet->payload_bytes);
}

static void take_original(struct adev_qp *qp, const struct roce_packet *packet,
			  uint64_t number)
{
	struct adev_sender *sender = qp->remote->sender;
	const struct adev_sent *sent;

	if (!advance(qp, number))
		return;
	sent = adev_sender_sent(sender, sender->first_message);
	if (!arnica_hw_opcode_is_atomic(sent->opcode) ||
	    !oldest_asked(sender) || !is_acknowledged(packet))
		fail_bad(qp, packet);
	else
		place(qp, sent, 0, &packet->original,
		      sizeof(packet->original));
}

/* How fast the connection is, for the first notification. */
static uint64_t estimate_rate(const struct adev_qp *qp)
{
	const struct adev_sender *sender = qp->remote->sender;
	uint64_t time = sender->round_trip_ns ? sender->round_trip_ns : 100000;

	return (uint64_t)sender->window.packets * qp->path_mtu_bytes *
	       1000000000u / time;
}

static void take_notification(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	adev_count(&qp->fn->counters, wire_notifications);
	if (adev_remote_ecn())
		adev_rate_cut(&sender->rate, estimate_rate(qp),
			      sender->now_ns);
}

static void take(struct adev_qp *qp, const struct roce_packet *packet)
{
	struct adev_sender *sender = qp->remote->sender;
	int64_t distance = roce_psn_distance(
		packet->psn, (uint32_t)sender->sent & ROCE_PSN_MASK);
	uint64_t number = sender->sent + (uint64_t)distance;
	uint32_t transport = qp->type == ARNICA_HW_QP_XRC_SEND ? ROCE_XRC :
								  ROCE_RC;

	if (number < sender->oldest || number >= sender->sent) {
		drop(qp, packet);
		return;
	}
	switch (packet->opcode ^ transport) {
	case ROCE_ACKNOWLEDGE:
		take_acknowledge(qp, packet, number);
		break;
	case ROCE_READ_RESPONSE_FIRST:
	case ROCE_READ_RESPONSE_MIDDLE:
	case ROCE_READ_RESPONSE_LAST:
	case ROCE_READ_RESPONSE_ONLY:
		take_response(qp, packet, number);
		break;
	case ROCE_ATOMIC_ACKNOWLEDGE:
		take_original(qp, packet, number);
		break;
	default:
		drop(qp, packet);
	}
}

void adev_sender_answer(struct adev_qp *qp, const struct adev_arrival *arrival)
{
	struct adev_sender *sender = qp->remote->sender;
	uint32_t state = atomic_load_explicit(&qp->shared->state,
					      memory_order_relaxed);

	if (state != ARNICA_HW_QPS_RTS && state != ARNICA_HW_QPS_SQD) {
		drop(qp, &arrival->packet);
		return;
	}
	sender->turn++;
	if (sender->now_ns < arrival->now_ns)
		sender->now_ns = arrival->now_ns;
	if (arrival->packet.opcode == ROCE_CNP_OPCODE)
		take_notification(qp);
	else
		take(qp, &arrival->packet);
	/* Its timer is set when the burst is over and the QP is executed. */
	(void)!adev_sender_check_refusal(qp);
}
