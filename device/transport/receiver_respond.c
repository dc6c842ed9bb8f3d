/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receiver: what it answers. Responses to reads and atomics go out in the order
 * of the requests; what else is to be said waits until they are out, because an
 * acknowledgement speaks for everything before it (IBTA 9.7.5.1.1).
 */
#include <string.h>

#include <infiniband/verbs.h>

#include "core/qp_lock.h"
#include "tpt/touch.h"
#include "transport/receiver_state.h"
#include "trace.h"

/* Packets of one QP in one turn: then others get theirs, and the requester has
 * something to do meanwhile. Short ones as many as a datagram takes. */
#define TURN_BYTES (128u << 10)
#define TURN_PACKETS 64u
#define CNP_INTERVAL_NS 50000u
#define CNP_BYTES 16u

static uint8_t transport_of(const struct adev_qp *qp)
{
	return qp->type == ARNICA_HW_QP_XRC_RECV ? ROCE_XRC : ROCE_RC;
}

static struct roce_packet packet_to_peer(const struct adev_qp *qp,
					 uint8_t opcode)
{
	return (struct roce_packet){
		.opcode = opcode,
		.migration = true,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = arnica_from_le32(qp->attributes.dest_qpn),
	};
}

static void send_syndrome(struct adev_qp *qp, struct adev_batch *batch,
			  uint32_t psn, uint8_t syndrome)
{
	struct roce_packet packet =
		packet_to_peer(qp, transport_of(qp) | ROCE_ACKNOWLEDGE);

	packet.psn = psn;
	packet.syndrome = syndrome;
	packet.msn = qp->shared->msn;
	(void)adev_batch_add(batch, &qp->remote_kept->path, &packet);
}

/* The answer to an atomic operation, or to an atomic write: a read response
 * without data (IBTA A19.4). */
static void send_result(struct adev_qp *qp, struct adev_batch *batch,
			const struct adev_resource *resource)
{
	struct roce_packet packet = packet_to_peer(
		qp, transport_of(qp) | (resource->kind == ADEV_RESOURCE_ATOMIC ?
						ROCE_ATOMIC_ACKNOWLEDGE :
						ROCE_READ_RESPONSE_ONLY));

	packet.psn = resource->first_psn;
	packet.syndrome = ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED;
	packet.msn = resource->msn;
	packet.original = resource->original;
	(void)adev_batch_add(batch, &qp->remote_kept->path, &packet);
	adev_response_done(adev_receiver_of(qp));
}

static uint8_t response_opcode(const struct adev_response *response, bool last)
{
	if (response->next == response->start)
		return last ? ROCE_READ_RESPONSE_ONLY :
			      ROCE_READ_RESPONSE_FIRST;
	return last ? ROCE_READ_RESPONSE_LAST : ROCE_READ_RESPONSE_MIDDLE;
}

/* The same with the SRQ locked. */
static enum adev_dma_result load(struct adev_qp *qp,
				 const struct adev_resource *resource,
				 uint64_t offset, uint8_t *to, uint32_t bytes)
{
	struct adev_gather memory;
	enum adev_dma_result result;

	if (adev_receiver_find(qp, resource->rkey, resource->address + offset,
			       bytes, resource->message,
			       &memory) != ADEV_TPT_OK)
		return ADEV_DMA_FAULT;
	result = adev_receiver_load(qp, &memory, to, bytes);
	if (result == ADEV_DMA_DONE && offset + bytes == resource->bytes)
		adev_touch_end(adev_receiver_of(qp)->to->view, resource->rkey,
			       resource->message);
	return result;
}

/* The bytes of a response, if they may be read still. LATER: not now. */
static enum adev_dma_result read_piece(struct adev_qp *qp,
				       const struct adev_resource *resource,
				       uint64_t offset, uint8_t *to,
				       uint32_t bytes)
{
	enum adev_dma_result result;

	if (!bytes)
		return ADEV_DMA_DONE;
	switch (adev_receiver_enter(qp, resource->srqn)) {
	case ADEV_XRC_READY:
		break;
	case ADEV_XRC_BUSY:
		return ADEV_DMA_LATER;
	case ADEV_XRC_NONE:
		return ADEV_DMA_FAULT;
	}
	result = load(qp, resource, offset, to, bytes);
	adev_receiver_leave(qp, NULL);
	return result;
}

/* The region went away under a read: the NAK stands in for this response. */
static void fail_read(struct adev_qp *qp, uint32_t psn, uint32_t rkey)
{
	adev_count(&qp->fn->counters, remote_access);
	arnica_trace_remote_access(qp->qpn, rkey);
	adev_response_drop(adev_receiver_of(qp));
	adev_receiver_fail(qp, psn, ROCE_NAK_REMOTE_ACCESS,
			   ARNICA_HW_STATUS_REM_ACCESS_ERR,
			   IBV_EVENT_QP_ACCESS_ERR);
}

/* It was answered before, and the owner has gone on since. Whoever asked may
 * have his answer by now: a late copy of his request is no error of his. */
static void drop_repetition(struct adev_qp *qp, uint32_t psn)
{
	adev_count(&qp->fn->counters, wire_ghosts);
	arnica_trace_wire_ghost(qp->qpn, psn);
	adev_response_done(adev_receiver_of(qp));
}

/*
 * The SRQ's process does not let its memory be read in time. The response is as
 * good as lost, and with it those behind it: the requester asks again when its
 * timer says so, and until then others have this thread.
 */
static void lose_responses(struct adev_qp *qp,
			   const struct adev_resource *resource)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	adev_response_drop(receiver);
	receiver->withheld |= !resource->answered;
}

/* The bytes of the packet that was added last. False: it is not sent. */
static bool fill_piece(struct adev_qp *qp, struct adev_batch *batch,
		       struct adev_response *response,
		       const struct adev_resource *resource,
		       const struct roce_packet *packet, uint8_t *payload)
{
	uint64_t offset = (uint64_t)response->next * qp->path_mtu_bytes;
	enum adev_dma_result result = read_piece(qp, resource, offset, payload,
						 packet->payload_bytes);

	if (result == ADEV_DMA_DONE) {
		response->next++;
		return true;
	}
	adev_batch_cancel(batch);
	if (result == ADEV_DMA_LATER)
		lose_responses(qp, resource);
	else if (resource->answered)
		drop_repetition(qp, packet->psn);
	else
		fail_read(qp, packet->psn, resource->rkey);
	return false;
}

static struct roce_packet describe_piece(const struct adev_qp *qp,
					 const struct adev_response *response,
					 const struct adev_resource *resource)
{
	uint32_t mtu = qp->path_mtu_bytes;
	uint64_t left = response->end - (uint64_t)response->next * mtu;
	bool last = left <= mtu;
	struct roce_packet packet = packet_to_peer(
		qp, transport_of(qp) | response_opcode(response, last));

	packet.psn = roce_psn_add(resource->first_psn, response->next);
	if (roce_opcode_info(packet.opcode) & ROCE_HAS_AETH) {
		packet.syndrome = ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED;
		packet.msn = resource->msn;
	}
	packet.payload_bytes = last ? (uint32_t)left : mtu;
	return packet;
}

/* One packet of a read's responses and, from the middle, those behind it that
 * differ from it in their numbers only. Returns how many, `most` at most. */
static uint32_t send_pieces(struct adev_qp *qp, struct adev_batch *batch,
			    struct adev_response *response,
			    const struct adev_resource *resource, uint32_t most)
{
	uint32_t mtu = qp->path_mtu_bytes;
	uint32_t last = response->end ? (response->end - 1) / mtu : 0;
	struct roce_packet packet = describe_piece(qp, response, resource);
	uint8_t *payload = adev_batch_add(batch, &qp->remote_kept->path,
					  &packet);
	bool middle = (packet.opcode & ROCE_OPERATION_MASK) ==
		      ROCE_READ_RESPONSE_MIDDLE;
	uint32_t count = 1;

	if (!fill_piece(qp, batch, response, resource, &packet, payload))
		return count;
	for (; middle && count < most && response->next < last; count++) {
		packet.psn = roce_psn_add(resource->first_psn, response->next);
		payload = adev_batch_add_like(batch, &packet);
		if (!payload)
			break;
		if (!fill_piece(qp, batch, response, resource, &packet,
				payload))
			return count;
	}
	if (response->next > last)
		adev_response_done(adev_receiver_of(qp));
	return count;
}

static uint32_t turn_packets(const struct adev_qp *qp)
{
	uint32_t packets = TURN_BYTES / qp->path_mtu_bytes;

	return packets < TURN_PACKETS ? packets : TURN_PACKETS;
}

/* False when responses are left. */
static bool send_responses(struct adev_qp *qp, struct adev_batch *batch)
{
	struct adev_resource *resource;
	struct adev_response *response;
	uint32_t left = turn_packets(qp);

	while ((response = adev_response_first(qp, &resource))) {
		if (!left)
			return false;
		if (resource->kind == ADEV_RESOURCE_ATOMIC ||
		    resource->kind == ADEV_RESOURCE_WRITTEN) {
			send_result(qp, batch, resource);
			left--;
		} else {
			left -= send_pieces(qp, batch, response, resource,
					    left);
		}
	}
	return true;
}

static void send_refusal(struct adev_qp *qp, struct adev_batch *batch,
			 struct adev_aftermath *after)
{
	struct adev_refusal *refusal = &adev_receiver_of(qp)->refusal;
	struct adev_qp_shared *shared = qp->shared;

	refusal->due = false;
	if (adev_type_is_reliable(qp->type))
		send_syndrome(qp, batch, refusal->psn, refusal->syndrome);
	if (!refusal->fatal)
		return;
	adev_count(&qp->fn->counters, wire_naks);
	arnica_trace_wire_nak(qp->qpn, refusal->syndrome);
	shared->error_cause = refusal->status;
	shared->async_event = refusal->event;
	atomic_store_explicit(&shared->state, ARNICA_HW_QPS_ERR,
			      memory_order_release);
	after->failed = true;
}

static void send_acknowledgement(struct adev_qp *qp, struct adev_batch *batch)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	uint32_t expected = qp->shared->expected_psn & ROCE_PSN_MASK;
	uint32_t newest = roce_psn_add(expected, ROCE_PSN_MASK);

	send_syndrome(qp, batch,
		      receiver->ack_due ? newest : receiver->repeated_psn,
		      ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED);
	receiver->ack_due = false;
	receiver->repeated_due = false;
}

/* Everything that is due, in order; true when it was too much for one turn. */
static bool respond(struct adev_qp *qp, struct adev_batch *batch,
		    struct adev_aftermath *after)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	uint32_t expected = qp->shared->expected_psn & ROCE_PSN_MASK;
	bool gap;

	if (!send_responses(qp, batch))
		return true;
	gap = receiver->gap_due &&
	      roce_psn_distance(receiver->gap_newest, expected) >= 0;
	if (receiver->refusal.due &&
	    (receiver->refusal.fatal || !receiver->withheld)) {
		send_refusal(qp, batch, after);
	} else if (receiver->withheld) {
		receiver->refusal.due = false;
	} else if (gap) {
		adev_count(&qp->fn->counters, wire_naks);
		arnica_trace_wire_nak(qp->qpn, ROCE_NAK_SEQUENCE);
		send_syndrome(qp, batch, expected,
			      ROCE_SYNDROME_NAK | ROCE_NAK_SEQUENCE);
		receiver->told = true;
	} else if (receiver->ack_due || receiver->repeated_due) {
		send_acknowledgement(qp, batch);
	}
	receiver->gap_due = false;
	receiver->ack_due = false;
	receiver->repeated_due = false;
	return false;
}

bool adev_receiver_settle(struct adev_qp *qp)
{
	struct adev_batch *batch = adev_wire_batch(qp->fn);
	struct adev_aftermath after = { .failed = false };
	bool more = false;

	if (!batch)
		return false;
	if (!adev_receiver_lock(qp))
		return true;
	if (adev_receiver_listens(qp))
		more = respond(qp, batch, &after);
	adev_qp_unlock(qp->shared);
	if (after.failed)
		adev_responder_call_owner(&qp->fn->view, qp->index,
					  ADEV_QP_NEEDS_ERROR);
	return more;
}

static bool owes_acknowledgement_only(const struct adev_receiver *receiver)
{
	return receiver->ack_due && !receiver->gap_due && !receiver->withheld &&
	       !receiver->refusal.due &&
	       receiver->first_response == receiver->end_response;
}

void adev_receiver_accompany(struct adev_qp *qp, struct adev_batch *batch)
{
	if (!adev_type_is_reliable(qp->type) || !adev_wire_owes(qp->fn) ||
	    !adev_qp_try_lock(qp->shared, qp->fn->view.function))
		return;
	if (adev_receiver_listens(qp) &&
	    owes_acknowledgement_only(adev_receiver_of(qp)))
		send_acknowledgement(qp, batch);
	adev_qp_unlock(qp->shared);
}

/* What came is acknowledged once more: when that was lost, nobody will be here
 * to repeat it. */
static void acknowledge_again(struct adev_qp *qp)
{
	if (!adev_type_is_reliable(qp->type) || !adev_receiver_lock(qp))
		return;
	if (qp->shared->established)
		adev_receiver_of(qp)->ack_due = true;
	adev_qp_unlock(qp->shared);
}

void adev_receiver_flush(struct adev_qp *qp)
{
	struct adev_batch *batch;

	if (!atomic_load(&qp->remote))
		return;
	acknowledge_again(qp);
	(void)adev_receiver_settle(qp);
	batch = adev_wire_batch(qp->fn);
	if (batch)
		adev_batch_send(batch);
}

void adev_receiver_congested(struct adev_qp *qp, uint64_t now_ns)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	struct adev_batch *batch;
	struct roce_packet packet = packet_to_peer(qp, ROCE_CNP_OPCODE);

	if (now_ns < receiver->next_cnp_ns || !adev_remote_ecn())
		return;
	batch = adev_wire_batch(qp->fn);
	if (!batch)
		return;
	receiver->next_cnp_ns = now_ns + CNP_INTERVAL_NS;
	adev_count(&qp->fn->counters, wire_cnps);
	packet.becn = true;
	packet.payload_bytes = CNP_BYTES;
	memset(adev_batch_add(batch, &qp->remote_kept->path, &packet), 0,
	       CNP_BYTES);
}
