/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sender: packets. A message is cut by the path MTU; which opcode and which
 * headers a packet has, its place in the message says (IBTA 9.2.1, 9.7.2).
 */
#include "core/clock.h"
#include "core/limited.h"
#include "transport/pace.h"
#include "transport/remote.h"
#include "transport/responder.h"
#include "transport/sender_state.h"

/* Packets that leave together at most: short ones do not wait for a whole
 * datagram's worth of room. */
#define RUN_PACKETS 16u

/* Headers and ICRC of a packet with data, in bytes: what the largest have. */
#define PACKET_OVERHEAD 64u

static bool is_write(uint32_t opcode)
{
	return opcode == ARNICA_HW_OP_WRITE || opcode == ARNICA_HW_OP_WRITE_IMM;
}

static bool has_immediate(uint32_t opcode)
{
	return opcode == ARNICA_HW_OP_SEND_IMM ||
	       opcode == ARNICA_HW_OP_WRITE_IMM;
}

static uint8_t operation_of(uint32_t opcode, bool first, bool last)
{
	uint32_t base = is_write(opcode) ? ROCE_WRITE_FIRST : ROCE_SEND_FIRST;
	uint32_t immediate = has_immediate(opcode) ? 1 : 0;

	/* FIRST, MIDDLE, LAST, LAST with immediate, ONLY, ONLY with immediate:
	 * the same order for both. */
	if (last && opcode == ARNICA_HW_OP_SEND_INV)
		return first ? ROCE_SEND_ONLY_INV : ROCE_SEND_LAST_INV;
	if (last)
		return (uint8_t)(base + (first ? 4u : 2u) + immediate);
	return (uint8_t)(base + (first ? 0u : 1u));
}

void adev_sender_describe(const struct adev_qp *qp,
			  const struct adev_message *message, uint64_t number,
			  uint8_t operation, struct roce_packet *packet)
{
	*packet = (struct roce_packet){
		.opcode = operation,
		.migration = true, /* state "migrated" (IBTA 17.2.8) */
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = arnica_from_le32(qp->attributes.dest_qpn),
		.psn = (uint32_t)number & ROCE_PSN_MASK,
	};
	if (qp->type != ARNICA_HW_QP_XRC_SEND)
		return;
	packet->opcode |= ROCE_XRC;
	packet->xrc_srqn = message->xrc_srqn;
}

/* Packet `number` of a SEND or a WRITE. */
static void set_data(const struct adev_qp *qp,
		     const struct adev_message *message,
		     const struct adev_sent *sent, uint64_t number,
		     struct roce_packet *packet)
{
	uint64_t offset = (number - sent->first) * qp->path_mtu_bytes;
	bool is_first = number == sent->first || sent->even;
	bool is_last = number == sent->last;

	adev_sender_describe(
		qp, message, number,
		operation_of(message->opcode, is_first, is_last || sent->even),
		packet);
	packet->payload_bytes = is_last ? (uint32_t)(message->bytes - offset) :
					  qp->path_mtu_bytes;
	if (is_first && is_write(message->opcode)) {
		packet->address = message->remote_address;
		packet->rkey = message->rkey;
		packet->dma_length = (uint32_t)message->bytes;
	}
	if (sent->even) {
		packet->address += offset;
		packet->dma_length = packet->payload_bytes;
	}
	if (!is_last)
		return;
	if (has_immediate(message->opcode))
		packet->immediate = message->immediate;
	if (message->opcode == ARNICA_HW_OP_SEND_INV)
		packet->invalidate = arnica_from_be32(
			(arnica_be32){ message->immediate });
	packet->solicited = message->flags & ARNICA_HW_WQE_SOLICITED &&
			    message->opcode != ARNICA_HW_OP_WRITE;
}

/* What a packet, or what it asks for, counts for. */
void adev_sender_charge(struct adev_qp *qp, const struct adev_sender *sender,
			uint64_t bytes)
{
	if (__builtin_expect(qp->pace != NULL, 0))
		adev_pace_sent(qp->pace, bytes, sender->now_ns);
	if (__builtin_expect(qp->fn->limit != NULL, 0))
		adev_limited_sent(qp->fn, sender->now_ns, bytes);
}

/* The batch of this turn. NULL: what is sent gets lost. */
static struct adev_batch *batch_of(struct adev_qp *qp,
				   struct adev_sender *sender)
{
	if (!sender->batch)
		sender->batch = adev_wire_batch(qp->fn);
	return sender->batch;
}

/* The payload of the packet that was added last. False: it cannot be read, and the
 * packet is taken back. */
static bool fill(struct adev_batch *batch, uint8_t *payload,
		 const struct adev_message *message, uint64_t offset,
		 uint32_t bytes)
{
	if (adev_gather_read(&message->gather, offset, payload, bytes))
		return true;
	adev_batch_cancel(batch);
	return false;
}

/* False: the payload cannot be read. */
bool adev_sender_add(struct adev_qp *qp, struct adev_sender *sender,
		     const struct roce_packet *packet,
		     const struct adev_message *message, uint64_t offset)
{
	struct adev_batch *batch = batch_of(qp, sender);
	uint8_t *payload;

	adev_rate_sent(&sender->rate, packet->payload_bytes + PACKET_OVERHEAD,
		       sender->now_ns);
	adev_sender_charge(qp, sender, packet->payload_bytes);
	if (!batch)
		return true;
	payload = adev_batch_add(batch, &qp->remote->path, packet);
	return !packet->payload_bytes ||
	       fill(batch, payload, message, offset, packet->payload_bytes);
}

/* `count` packet numbers from `next` are on their way. */
void adev_sender_went(struct adev_qp *qp, struct adev_sender *sender,
		      uint64_t count, bool asks)
{
	if (sender->sent == sender->oldest) {
		sender->heard_ns = sender->now_ns;
		sender->tried_ns = sender->now_ns;
	}
	if (sender->next < sender->sent) {
		adev_count(&qp->fn->counters, wire_resent);
	} else if (asks && !sender->timed_ns) {
		sender->timed = sender->next + count - 1;
		sender->timed_ns = sender->now_ns;
	}
	sender->unasked = asks ? 0 : sender->unasked + 1;
	sender->next += count;
	if (sender->sent < sender->next)
		sender->sent = sender->next;
}

void adev_sender_refuse(struct adev_sender *sender,
			const struct adev_sent *sent,
			enum arnica_hw_status status)
{
	sender->refusal = status;
	sender->refused = sent->first;
}

/* Must this packet ask for an answer? At the end of a message, each half
 * window, and when no other can follow, or not soon (IBTA 9.7.5.1.1 leaves it
 * open). */
static bool asks(const struct adev_qp *qp, const struct adev_sender *sender,
		 const struct adev_sent *sent)
{
	return sender->next == sent->last ||
	       sender->unasked + 1 >= sender->window.packets / 2 ||
	       adev_sender_room(sender) <= 1 ||
	       (__builtin_expect(qp->pace != NULL, 0) &&
		adev_pace_after(qp->pace, qp->path_mtu_bytes, sender->now_ns) >
			sender->now_ns);
}

/* Packets from `next` that can leave in one datagram: what is left of the
 * message, and those behind it. */
static uint32_t run_length(const struct adev_qp *qp,
			   const struct adev_sender *sender,
			   const struct adev_sent *sent)
{
	uint32_t most = adev_batch_run_packets(qp->path_mtu_bytes +
					       PACKET_OVERHEAD);
	uint64_t left = sent->last + 1 - sender->next;

	/* One goes alone: it has another length than those behind it. */
	if (is_write(sent->opcode) && !sent->even &&
	    sender->next == sent->first)
		most++;
	if (most > RUN_PACKETS)
		most = RUN_PACKETS;
	if (left >= most ||
	    sent->index + 1 !=
		    atomic_load_explicit(&qp->producer, memory_order_relaxed))
		return most;
	return (uint32_t)left;
}

/* Is it better to wait for more room? Packets leave together only as far as one
 * turn finds them, so a window that opens in small steps would send them in
 * small pieces. Only while half of the window is on its way, and an answer to
 * some of that was asked for: it brings the room. */
static bool waits_for_room(const struct adev_qp *qp, struct adev_sender *sender,
			   const struct adev_sent *sent)
{
	uint64_t in_flight = sender->next - sender->oldest;
	uint32_t run;

	if (sender->run_left)
		return false;
	run = run_length(qp, sender, sent);
	if (adev_sender_room(sender) < run && sender->next == sender->sent &&
	    in_flight > sender->unasked &&
	    in_flight * 2 >= sender->window.packets)
		return true;
	sender->run_left = run;
	return false;
}

/* A run that the end of the batch would cut had better begin the next one. */
static void make_room(struct adev_qp *qp, struct adev_sender *sender)
{
	struct adev_batch *batch = batch_of(qp, sender);

	if (batch)
		adev_batch_make_room(batch, sender->run_left,
				     sender->run_left * (qp->path_mtu_bytes +
							 PACKET_OVERHEAD));
}

/* Packets of the message behind the one that went last, `packet`, that differ
 * from it in little, and go without a look at anything in between. */
static uint64_t num_alike(const struct adev_qp *qp,
			  const struct adev_sender *sender,
			  const struct adev_sent *sent,
			  const struct roce_packet *packet)
{
	uint64_t count = sent->last + 1 - sender->next;

	if (qp->pace || qp->fn->limit || sender->rate.limits || !sender->batch ||
	    (!sent->even && sender->next == sent->first + 1))
		return 0;
	/* The last one is shorter, or has another opcode. */
	if (count && (!sent->even || sent->bytes % packet->payload_bytes))
		count--;
	if (count > sender->run_left)
		count = sender->run_left;
	return count < adev_sender_room(sender) ? count :
						  adev_sender_room(sender);
}

/* Sends these. False: the payload cannot be read. */
static bool send_alike(struct adev_qp *qp, struct adev_sender *sender,
		       const struct adev_sent *sent,
		       const struct adev_message *message,
		       struct roce_packet *packet)
{
	uint64_t count = num_alike(qp, sender, sent, packet);

	for (; count; count--) {
		uint8_t *payload;

		packet->psn = (uint32_t)sender->next & ROCE_PSN_MASK;
		packet->address += sent->even ? packet->payload_bytes : 0;
		packet->ack_request = asks(qp, sender, sent);
		payload = adev_batch_add_like(sender->batch, packet);
		if (!payload)
			break;
		if (!fill(sender->batch, payload, message,
			  (sender->next - sent->first) * packet->payload_bytes,
			  packet->payload_bytes))
			return false;
		sender->run_left--;
		adev_sender_went(qp, sender, 1, packet->ack_request);
	}
	return true;
}

static bool send_data(struct adev_qp *qp, struct adev_sender *sender,
		      const struct adev_sent *sent,
		      const struct adev_message *message)
{
	bool begins = !sender->run_left;
	struct roce_packet packet;

	if (!adev_sender_room(sender) || waits_for_room(qp, sender, sent))
		return false;
	if (begins)
		make_room(qp, sender);
	set_data(qp, message, sent, sender->next, &packet);
	packet.ack_request = asks(qp, sender, sent);
	if (!adev_sender_add(qp, sender, &packet, message,
			     (sender->next - sent->first) *
				     qp->path_mtu_bytes)) {
		adev_sender_refuse(sender, sent, ARNICA_HW_STATUS_LOC_PROT_ERR);
		return false;
	}
	sender->run_left--;
	adev_sender_went(qp, sender, 1, packet.ack_request);
	if (sender->next <= sent->last &&
	    !send_alike(qp, sender, sent, message, &packet)) {
		adev_sender_refuse(sender, sent, ARNICA_HW_STATUS_LOC_PROT_ERR);
		return false;
	}
	return true;
}

/* The packet at `next`, and perhaps some behind it. False: not now. */
static bool send_one(struct adev_qp *qp, struct adev_sender *sender,
		     const struct adev_sent *sent)
{
	enum arnica_hw_status status;
	struct adev_message *message;

	message = adev_sender_content(qp, sent, &sender->resending, &status);
	if (!message) {
		adev_sender_refuse(sender, sent, status);
		return false;
	}
	if (sent->opcode == ARNICA_HW_OP_READ)
		return adev_sender_read(qp, sender, sent, message);
	if (arnica_hw_opcode_is_atomic(sent->opcode))
		return adev_sender_atomic(qp, sender, message);
	if (sent->opcode == ARNICA_HW_OP_ATOMIC_WRITE)
		return adev_sender_atomic_write(qp, sender, sent, message);
	return send_data(qp, sender, sent, message);
}

/* Do the rate of the connection, its pace and the port's limit let a packet
 * go? */
static bool may_go(struct adev_qp *qp, struct adev_sender *sender)
{
	bool waited = sender->limited_ns;

	sender->limited_ns = 0;
	if (adev_rate_ready(&sender->rate, sender->now_ns) > sender->now_ns)
		return false;
	if (__builtin_expect(qp->pace != NULL, 0) &&
	    !adev_limited_pace(qp, sender->now_ns, &sender->limited_ns))
		return false;
	if (__builtin_expect(!qp->fn->limit, 1) ||
	    adev_limited_may_send(qp->fn, sender->now_ns, &sender->limited_ns))
		return true;
	if (!waited)
		adev_count(&qp->fn->counters, limit_waits);
	return false;
}

bool adev_sender_transmit(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	while (sender->next < sender->assigned && !sender->ready_ns) {
		const struct adev_sent *sent = adev_sender_sent(
			sender, sender->next_message);

		if (!adev_sender_has_packets(sent)) {
			sender->next_message++;
			continue;
		}
		if (!adev_sender_room(sender) ||
		    (sender->refusal && sender->next >= sender->refused) ||
		    !may_go(qp, sender))
			break;
		if (!send_one(qp, sender, sent)) {
			if (__builtin_expect(qp->fn->limit != NULL, 0))
				adev_limited_withdraw(qp->fn);
			break;
		}
		if (sender->next > sent->last)
			sender->next_message++;
	}
	return adev_sender_check_refusal(qp);
}

enum adev_progress adev_sender_run_uc(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;
	struct adev_message *message = qp->message;
	uint64_t count = adev_psn_count(message->bytes, qp->path_mtu_bytes);
	uint64_t done = message->done / qp->path_mtu_bytes;
	const struct adev_sent whole = { .first = qp->send_psn,
					 .last = qp->send_psn + count - 1 };
	uint64_t begin = message->done;

	if (message->done && !adev_requester_regions_hold(qp, message)) {
		adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
		return ADEV_PROGRESS_ERROR;
	}
	/* No window holds it back. */
	while (done < count && message->done - begin < qp->allowance) {
		struct roce_packet packet;

		if (!may_go(qp, sender))
			return ADEV_PROGRESS_WAIT;
		set_data(qp, message, &whole, whole.first + done, &packet);
		packet.opcode |= ROCE_UC;
		if (!adev_sender_add(qp, sender, &packet, message,
				     message->done)) {
			adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR,
					    0);
			return ADEV_PROGRESS_ERROR;
		}
		message->done += packet.payload_bytes;
		done++;
	}
	if (done < count)
		return ADEV_PROGRESS_MORE;
	return adev_requester_succeed(qp);
}
