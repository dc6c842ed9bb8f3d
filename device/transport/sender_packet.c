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

#define READ_PACKETS 32u

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

static void set_common(const struct adev_qp *qp, uint64_t number,
		       struct roce_packet *packet)
{
	*packet = (struct roce_packet){
		.migration = true, /* state "migrated" (IBTA 17.2.8) */
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = arnica_from_le32(qp->attributes.dest_qpn),
		.psn = (uint32_t)number & ROCE_PSN_MASK,
	};
}

/* Opcodes are those of RC so far. */
static void set_transport(const struct adev_qp *qp,
			  const struct adev_message *message,
			  struct roce_packet *packet)
{
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

	set_common(qp, number, packet);
	packet->opcode = operation_of(message->opcode, is_first,
				      is_last || sent->even);
	set_transport(qp, message, packet);
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
static void charge(struct adev_qp *qp, const struct adev_sender *sender,
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

/* False: the payload cannot be read. */
static bool add(struct adev_qp *qp, struct adev_sender *sender,
		const struct roce_packet *packet,
		const struct adev_message *message, uint64_t offset)
{
	struct adev_batch *batch = batch_of(qp, sender);
	uint8_t *payload;

	adev_rate_sent(&sender->rate, packet->payload_bytes + PACKET_OVERHEAD,
		       sender->now_ns);
	charge(qp, sender, packet->payload_bytes);
	if (!batch)
		return true;
	payload = adev_batch_add(batch, &qp->remote->path, packet);
	if (!packet->payload_bytes ||
	    adev_gather_read(&message->gather, offset, payload,
			     packet->payload_bytes))
		return true;
	adev_batch_cancel(batch);
	return false;
}

/* Packets that the window still takes. With nothing on its way there is always
 * room for one. */
static uint64_t room(const struct adev_sender *sender)
{
	uint64_t in_flight = sender->next - sender->oldest;

	if (in_flight < sender->window.packets)
		return sender->window.packets - in_flight;
	return in_flight ? 0 : 1;
}

/* `count` packet numbers from `next` are on their way. */
static void went(struct adev_qp *qp, struct adev_sender *sender, uint64_t count,
		 bool asks)
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

static void refuse(struct adev_sender *sender, const struct adev_sent *sent,
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
	       room(sender) <= 1 ||
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
	uint32_t most =
		adev_batch_run_packets(qp->path_mtu_bytes + PACKET_OVERHEAD);
	uint64_t left = sent->last + 1 - sender->next;

	/* One goes alone: it has another length than those behind it. */
	if (is_write(sent->opcode) && !sent->even && sender->next == sent->first)
		most++;
	if (most > RUN_PACKETS)
		most = RUN_PACKETS;
	if (left >= most ||
	    sent->index + 1 != atomic_load_explicit(&qp->producer,
						    memory_order_relaxed))
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
	if (room(sender) < run && sender->next == sender->sent &&
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
				     sender->run_left *
					     (qp->path_mtu_bytes +
					      PACKET_OVERHEAD));
}

static bool send_data(struct adev_qp *qp, struct adev_sender *sender,
		      const struct adev_sent *sent,
		      const struct adev_message *message)
{
	bool begins = !sender->run_left;
	struct roce_packet packet;

	if (!room(sender) || waits_for_room(qp, sender, sent))
		return false;
	if (begins)
		make_room(qp, sender);
	set_data(qp, message, sent, sender->next, &packet);
	packet.ack_request = asks(qp, sender, sent);
	if (!add(qp, sender, &packet, message,
		 (sender->next - sent->first) * qp->path_mtu_bytes)) {
		refuse(sender, sent, ARNICA_HW_STATUS_LOC_PROT_ERR);
		return false;
	}
	sender->run_left--;
	went(qp, sender, 1, packet.ack_request);
	return true;
}

/* How many responses a new read request asks for: half a window, so that two
 * are on their way; all of it where only one may be. Should one be lost, all
 * that follow in the request come again. */
static uint64_t read_size(const struct adev_qp *qp,
			  const struct adev_sender *sender)
{
	uint32_t size = sender->window.packets;

	if (arnica_from_le32(qp->attributes.max_rd_atomic) > 1 && size > 1)
		size /= 2;
	/* At a pace no more than a step, which is a packet at least. */
	if (__builtin_expect(qp->pace != NULL, 0) &&
	    size > qp->pace->step_bytes / qp->path_mtu_bytes)
		size = qp->pace->step_bytes / qp->path_mtu_bytes;
	return size < READ_PACKETS ? size : READ_PACKETS;
}

/*
 * The request that `next` belongs to: one that is repeated, or a new one of
 * `count` responses. NULL: it has to wait.
 *
 * What is repeated ends where it ended the first time, also when that is more
 * than the window now takes. The responder knows a request by its packets, but
 * whether it saw this one is not known here: parts of it could be several
 * requests to it, and a later repetition across two of them none (IBTA 9.7.5.1.6).
 */
static struct adev_asked *asked_for(struct adev_qp *qp,
				    struct adev_sender *sender, uint64_t count)
{
	uint32_t limit = arnica_from_le32(qp->attributes.max_rd_atomic);
	struct adev_asked *asked;

	asked = adev_sender_asked(sender, sender->next_asked);
	if (sender->next_asked != sender->end_asked) {
		if (sender->next != sender->oldest &&
		    room(sender) < asked->last + 1 - sender->next)
			return NULL;
		asked->again = true;
		return asked;
	}
	if (limit > ADEV_SENDER_READS)
		limit = ADEV_SENDER_READS;
	if (sender->end_asked - sender->first_asked >= limit ||
	    room(sender) < count)
		return NULL;
	asked->first = sender->next;
	asked->last = sender->next + count - 1;
	asked->again = false;
	sender->end_asked++;
	return asked;
}

static bool send_read(struct adev_qp *qp, struct adev_sender *sender,
		      const struct adev_sent *sent,
		      const struct adev_message *message)
{
	uint64_t offset = (sender->next - sent->first) * qp->path_mtu_bytes;
	uint64_t count = sent->last + 1 - sender->next, bytes;
	struct roce_packet packet;
	struct adev_asked *asked;

	if (count > read_size(qp, sender))
		count = read_size(qp, sender);
	asked = room(sender) ? asked_for(qp, sender, count) : NULL;
	if (!asked)
		return false;
	count = asked->last + 1 - sender->next;
	bytes = count * qp->path_mtu_bytes;
	if (bytes > message->bytes - offset)
		bytes = message->bytes - offset;
	set_common(qp, sender->next, &packet);
	packet.opcode = ROCE_READ_REQUEST;
	set_transport(qp, message, &packet);
	packet.ack_request = true;
	packet.address = message->remote_address + offset;
	packet.rkey = message->rkey;
	packet.dma_length = (uint32_t)bytes;
	(void)add(qp, sender, &packet, message, 0);
	/* What comes back on its account. */
	charge(qp, sender, bytes);
	went(qp, sender, count, true);
	sender->next_asked++;
	return true;
}

static bool send_atomic(struct adev_qp *qp, struct adev_sender *sender,
			const struct adev_message *message)
{
	struct roce_packet packet;

	if (!room(sender) || !asked_for(qp, sender, 1))
		return false;
	set_common(qp, sender->next, &packet);
	packet.opcode = message->opcode == ARNICA_HW_OP_CAS ?
				ROCE_COMPARE_SWAP :
				ROCE_FETCH_ADD;
	set_transport(qp, message, &packet);
	packet.ack_request = true;
	packet.address = message->remote_address;
	packet.rkey = message->rkey;
	packet.swap_or_add = message->swap_or_add;
	packet.compare = message->compare;
	(void)add(qp, sender, &packet, message, 0);
	went(qp, sender, 1, true);
	sender->next_asked++;
	return true;
}

static bool send_atomic_write(struct adev_qp *qp, struct adev_sender *sender,
			      const struct adev_sent *sent,
			      const struct adev_message *message)
{
	struct roce_packet packet;

	if (!room(sender) || !asked_for(qp, sender, 1))
		return false;
	set_common(qp, sender->next, &packet);
	packet.opcode = ROCE_ATOMIC_WRITE;
	set_transport(qp, message, &packet);
	packet.ack_request = true;
	packet.address = message->remote_address;
	packet.rkey = message->rkey;
	packet.dma_length = (uint32_t)message->bytes;
	packet.payload_bytes = (uint32_t)message->bytes;
	if (!add(qp, sender, &packet, message, 0)) {
		refuse(sender, sent, ARNICA_HW_STATUS_LOC_PROT_ERR);
		return false;
	}
	went(qp, sender, 1, true);
	sender->next_asked++;
	return true;
}

/* The packet at `next`. False: not now. */
static bool send_one(struct adev_qp *qp, struct adev_sender *sender,
		     const struct adev_sent *sent)
{
	enum arnica_hw_status status;
	struct adev_message *message;

	message = adev_sender_content(qp, sent, &sender->resending, &status);
	if (!message) {
		refuse(sender, sent, status);
		return false;
	}
	if (sent->opcode == ARNICA_HW_OP_READ)
		return send_read(qp, sender, sent, message);
	if (arnica_hw_opcode_is_atomic(sent->opcode))
		return send_atomic(qp, sender, message);
	if (sent->opcode == ARNICA_HW_OP_ATOMIC_WRITE)
		return send_atomic_write(qp, sender, sent, message);
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
	    adev_limited_may_send(qp->fn, sender->now_ns,
				  &sender->limited_ns))
		return true;
	if (!waited)
		adev_count(&qp->fn->counters, limit_waits);
	return false;
}

bool adev_sender_transmit(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;

	while (sender->next < sender->assigned && !sender->ready_ns) {
		const struct adev_sent *sent =
			adev_sender_sent(sender, sender->next_message);

		if (!adev_sender_has_packets(sent)) {
			sender->next_message++;
			continue;
		}
		if (!room(sender) ||
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
		if (!add(qp, sender, &packet, message, message->done)) {
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
