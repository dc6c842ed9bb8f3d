/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A request packet that is due: its checks (IBTA 9.7.4.1) and its execution.
 * Each packet of an RDMA request or of a SEND is checked against the table
 * again when it arrives: a region that was deregistered meanwhile is not
 * touched.
 */
#include <string.h>

#include "dma/dma.h"
#include "tpt/touch.h"
#include "trace.h"
#include "transport/receive_entry.h"
#include "transport/receiver_refuse.h"
#include "transport/receiver_state.h"

static void complete_receive(struct adev_qp *qp,
			     const struct roce_packet *packet,
			     enum arnica_hw_status status,
			     enum arnica_hw_receive_opcode opcode,
			     uint64_t bytes, struct adev_aftermath *after)
{
	struct adev_completion *completion = &after->completion;
	uint32_t info = roce_opcode_info(packet->opcode);
	bool immediate = info & ROCE_HAS_IMM;
	bool invalidated = info & ROCE_HAS_IETH &&
			   status == ARNICA_HW_STATUS_SUCCESS;

	memset(completion, 0, sizeof(*completion));
	completion->byte_len = (uint32_t)bytes;
	completion->immediate = immediate ? packet->immediate : 0;
	completion->flags = immediate ? ARNICA_HW_CQE_IMM : 0;
	if (invalidated) {
		completion->immediate = arnica_to_be32(packet->invalidate).raw;
		completion->flags = ARNICA_HW_CQE_INV;
	}
	completion->opcode = (uint8_t)opcode;
	completion->status = (uint8_t)status;
	completion->solicited = packet->solicited;
	adev_receive_complete(adev_receiver_of(qp)->to, completion);
	after->completed = true;
}

/* The receive entry's own fault ends it, and the connection with it. */
static bool fail_receive(struct adev_qp *qp, const struct roce_packet *packet,
			 enum arnica_hw_status status, enum roce_nak nak,
			 struct adev_aftermath *after)
{
	complete_receive(qp, packet, status, ARNICA_HW_RECV, 0, after);
	adev_receiver_fail(qp, packet->psn, nak, status, 0);
	return false;
}

/* Payload of FIRST and MIDDLE packets is of the path MTU exactly, of LAST ones
 * one byte at least (9.7.4.1.6). */
static bool length_fits(const struct adev_qp *qp,
			const struct roce_packet *packet, uint32_t info)
{
	if (!(info & ROCE_IS_LAST))
		return packet->payload_bytes == qp->path_mtu_bytes;
	if (packet->payload_bytes > qp->path_mtu_bytes)
		return false;
	return packet->payload_bytes || info & ROCE_IS_FIRST;
}

static bool place_send(struct adev_qp *qp, const struct roce_packet *packet,
		       uint32_t info, struct adev_aftermath *after)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	enum adev_dma_result result = ADEV_DMA_FAULT;
	enum arnica_hw_status status;

	if (!length_fits(qp, packet, info))
		return adev_refuse_invalid(qp, packet);
	if (info & ROCE_IS_FIRST) {
		if (!adev_receive_posted(receiver->to))
			return adev_refuse_not_ready(qp, packet);
		status = adev_receive_gather(receiver->to, &receiver->into);
		if (status == ADEV_STATUS_PENDING)
			return adev_refuse_for_now(qp, packet);
		if (status)
			return fail_receive(qp, packet, status,
					    ROCE_NAK_REMOTE_OPERATION, after);
		receiver->receiving = ADEV_RECEIVING_SEND;
		receiver->placed = 0;
	}
	if (receiver->placed + packet->payload_bytes > receiver->into.bytes) {
		/* UC: a class D error, the entry is for the next message. */
		if (!adev_type_is_reliable(qp->type))
			return adev_refuse_invalid(qp, packet);
		return fail_receive(qp, packet, ARNICA_HW_STATUS_LOC_LEN_ERR,
				    ROCE_NAK_INVALID_REQUEST, after);
	}
	if (adev_gather_part_holds(receiver->to->view, receiver->to->rq_pd,
				   &receiver->into, receiver->placed,
				   packet->payload_bytes,
				   ARNICA_HW_ACCESS_LOCAL_WRITE))
		result = adev_receiver_scatter(qp, &receiver->into,
					       receiver->placed, packet);
	if (result == ADEV_DMA_LATER) { /* as good as lost */
		if (info & ROCE_IS_FIRST)
			adev_receiver_forget(receiver);
		return false;
	}
	if (result != ADEV_DMA_DONE)
		return fail_receive(qp, packet, ARNICA_HW_STATUS_LOC_PROT_ERR,
				    ROCE_NAK_REMOTE_OPERATION, after);
	receiver->placed += packet->payload_bytes;
	if (info & ROCE_HAS_IETH &&
	    !adev_tpt_take_back(receiver->to->view, packet->invalidate,
				adev_receiver_user(qp))) {
		adev_count(&qp->fn->counters, remote_access);
		arnica_trace_remote_access(qp->qpn, packet->invalidate);
		return fail_receive(qp, packet,
				    ARNICA_HW_STATUS_REM_INV_REQ_ERR,
				    ROCE_NAK_REMOTE_ACCESS, after);
	}
	if (info & ROCE_IS_LAST) {
		complete_receive(qp, packet, ARNICA_HW_STATUS_SUCCESS,
				 ARNICA_HW_RECV, receiver->placed, after);
		adev_receiver_forget(receiver);
	}
	return true;
}

/* What an RDMA request names, or part of it (9.7.4.1.5, 10.6.5). */
static enum adev_tpt_verdict check_remote(struct adev_qp *qp, uint32_t rkey,
					  uint64_t iova, uint64_t bytes,
					  uint32_t access,
					  struct adev_gather *memory)
{
	if (!bytes)
		return ADEV_TPT_OK;
	return adev_gather_any(adev_receiver_of(qp)->to->view, rkey,
			       adev_receiver_user(qp), iova, bytes, access,
			       memory);
}

/* The same for a message that uses it now: another one may have had the one
 * touch of this key. */
static enum adev_tpt_verdict claim(struct adev_qp *qp, uint32_t rkey,
				   uint64_t iova, uint64_t bytes,
				   uint32_t access, uint64_t message,
				   struct adev_gather *memory)
{
	enum adev_tpt_verdict verdict =
		check_remote(qp, rkey, iova, bytes, access, memory);

	if (verdict != ADEV_TPT_OK || !bytes ||
	    adev_touch_begin(adev_receiver_of(qp)->to->view, rkey, message))
		return verdict;
	return ADEV_TPT_BAD_KEY;
}

/* What the table does not permit, or not yet. */
static bool refuse_key(struct adev_qp *qp, const struct roce_packet *packet,
		       uint32_t rkey, enum adev_tpt_verdict verdict)
{
	return verdict == ADEV_TPT_PENDING ?
		       adev_refuse_for_now(qp, packet) :
		       adev_refuse_access(qp, packet, rkey);
}

/* The first packet of a write: what it announces, before it is believed. */
static bool begin_write(struct adev_qp *qp, const struct roce_packet *packet,
			uint32_t info)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	bool only = info & ROCE_IS_LAST;
	enum adev_tpt_verdict verdict;
	struct adev_gather memory;

	if (!(qp->shared->access & ARNICA_HW_ACCESS_REMOTE_WRITE) ||
	    packet->dma_length > ARNICA_HW_MAX_MESSAGE ||
	    (only ? packet->dma_length != packet->payload_bytes :
		    packet->dma_length <= packet->payload_bytes))
		return adev_refuse_invalid(qp, packet);
	verdict = check_remote(qp, packet->rkey, packet->address,
			       packet->dma_length,
			       ARNICA_HW_ACCESS_REMOTE_WRITE, &memory);
	if (verdict != ADEV_TPT_OK)
		return refuse_key(qp, packet, packet->rkey, verdict);
	receiver->address = packet->address;
	receiver->rkey = packet->rkey;
	receiver->message = adev_touch_message(qp->shared, packet->psn);
	receiver->length = packet->dma_length;
	receiver->placed = 0;
	return true;
}

static bool place_write(struct adev_qp *qp, const struct roce_packet *packet,
			uint32_t info, struct adev_aftermath *after)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	bool last = info & ROCE_IS_LAST;
	struct adev_gather memory;
	enum adev_dma_result result = ADEV_DMA_DONE;
	enum adev_tpt_verdict verdict;
	uint64_t end;

	if (!length_fits(qp, packet, info))
		return adev_refuse_invalid(qp, packet);
	if (info & ROCE_IS_FIRST && !begin_write(qp, packet, info))
		return false;
	end = receiver->placed + packet->payload_bytes;
	if (last ? end != receiver->length : end >= receiver->length)
		return adev_refuse_invalid(qp, packet);
	if (info & ROCE_HAS_IMM && !adev_receive_posted(receiver->to))
		return adev_refuse_not_ready(qp, packet);
	verdict = claim(qp, receiver->rkey, receiver->address + receiver->placed,
			packet->payload_bytes, ARNICA_HW_ACCESS_REMOTE_WRITE,
			receiver->message, &memory);
	if (verdict != ADEV_TPT_OK)
		return refuse_key(qp, packet, receiver->rkey, verdict);
	/* With the last bytes stored last: an application may wait for them. */
	if (packet->payload_bytes)
		result = adev_receiver_store(qp, &memory, packet);
	if (result == ADEV_DMA_LATER)
		return false; /* as good as lost */
	/* The list, or something behind it, has ended just now. */
	if (__builtin_expect(result != ADEV_DMA_DONE, 0) && memory.num_lists)
		return adev_refuse_access(qp, packet, receiver->rkey);
	if (result != ADEV_DMA_DONE)
		return adev_refuse_fault(qp, packet);
	receiver->receiving = ADEV_RECEIVING_WRITE;
	receiver->placed = end;
	if (!last)
		return true;
	if (receiver->length)
		adev_touch_end(adev_receiver_of(qp)->to->view, receiver->rkey,
			       receiver->message);
	if (info & ROCE_HAS_IMM)
		complete_receive(qp, packet, ARNICA_HW_STATUS_SUCCESS,
				 ARNICA_HW_RECV_RDMA_WITH_IMM, receiver->length,
				 after);
	adev_receiver_forget(receiver);
	return true;
}

/* Of a read that comes in parts the key may be invalid since the first. */
static enum adev_tpt_verdict may_read(struct adev_qp *qp,
				      const struct roce_packet *packet,
				      uint64_t message)
{
	enum adev_tpt_verdict verdict;
	struct adev_gather memory;

	if (!packet->dma_length)
		return ADEV_TPT_OK;
	verdict = adev_receiver_find(qp, packet->rkey, packet->address,
				     packet->dma_length, message, &memory);
	if (verdict == ADEV_TPT_OK &&
	    !adev_touch_begin(adev_receiver_of(qp)->to->view, packet->rkey,
			      message))
		verdict = ADEV_TPT_BAD_KEY;
	return verdict;
}

static bool place_read(struct adev_qp *qp, const struct roce_packet *packet)
{
	uint32_t count = adev_psn_count(packet->dma_length, qp->path_mtu_bytes);
	struct adev_receiver *receiver = adev_receiver_of(qp);
	struct adev_resource *resource;
	enum adev_tpt_verdict verdict;
	uint64_t message;

	if (!(qp->shared->access & ARNICA_HW_ACCESS_REMOTE_READ) ||
	    packet->payload_bytes || packet->dma_length > ARNICA_HW_MAX_MESSAGE)
		return adev_refuse_invalid(qp, packet);
	message = adev_resource_message(qp, packet);
	verdict = may_read(qp, packet, message);
	if (verdict != ADEV_TPT_OK)
		return refuse_key(qp, packet, packet->rkey, verdict);
	if (!adev_response_room(receiver))
		return false; /* as good as lost */
	resource = adev_resource_take(qp, packet->psn, count);
	if (!resource)
		return adev_refuse_invalid(qp, packet);
	resource->kind = ADEV_RESOURCE_READ;
	resource->bytes = packet->dma_length;
	resource->rkey = packet->rkey;
	resource->srqn = packet->xrc_srqn;
	resource->address = packet->address;
	resource->message = message;
	/* Counted when the request is accepted (9.7.7.1). */
	resource->msn = (qp->shared->msn + 1) & 0xffffff;
	adev_response_due(receiver);
	return true;
}

/* The eight bytes of an atomic operation or an atomic write. False: refused. */
static bool find_word(struct adev_qp *qp, const struct roce_packet *packet,
		      uint32_t access, struct adev_gather *memory)
{
	enum adev_tpt_verdict verdict =
		claim(qp, packet->rkey, packet->address, 8, access,
		      adev_touch_message(qp->shared, packet->psn), memory);

	if (verdict != ADEV_TPT_OK)
		return refuse_key(qp, packet, packet->rkey, verdict);
	/* Through a list: eight bytes in one place. */
	if (!adev_gather_word(memory))
		return adev_refuse_access(qp, packet, packet->rkey);
	return memory->pieces[0].address & 7 ? adev_refuse_invalid(qp, packet) :
					       true;
}

/* Carries it out, once and for all, and takes the resource of its answer. */
static bool place_word(struct adev_qp *qp, const struct roce_packet *packet,
		       uint32_t access, enum adev_atomic atomic,
		       uint64_t operand, enum adev_resource_kind kind)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	struct adev_resource *resource;
	struct adev_gather memory;
	enum adev_dma_result result;
	uint64_t original = 0;

	if (!find_word(qp, packet, access, &memory))
		return false;
	if (!adev_response_room(receiver))
		return false; /* as good as lost */
	if (!adev_resource_room(qp))
		return adev_refuse_invalid(qp, packet);
	result = adev_receiver_atomic(qp, &memory, atomic, operand,
				      packet->compare, &original);
	if (result == ADEV_DMA_LATER)
		return false; /* as good as lost */
	if (result != ADEV_DMA_DONE)
		return adev_refuse_fault(qp, packet);
	adev_touch_end(receiver->to->view, packet->rkey,
		       adev_touch_message(qp->shared, packet->psn));
	resource = adev_resource_take(qp, packet->psn, 1);
	resource->original = original;
	resource->kind = kind;
	resource->msn = (qp->shared->msn + 1) & 0xffffff;
	adev_response_due(receiver);
	return true;
}

static bool place_atomic(struct adev_qp *qp, const struct roce_packet *packet)
{
	bool swap = adev_operation(packet) == ROCE_COMPARE_SWAP;

	/* 9.4.5: an address that is not a multiple of eight. */
	if (!(qp->shared->access & ARNICA_HW_ACCESS_REMOTE_ATOMIC) ||
	    packet->payload_bytes || packet->address & 7)
		return adev_refuse_invalid(qp, packet);
	return place_word(qp, packet, ARNICA_HW_ACCESS_REMOTE_ATOMIC,
			  swap ? ADEV_ATOMIC_CAS : ADEV_ATOMIC_FETCH_ADD,
			  packet->swap_or_add, ADEV_RESOURCE_ATOMIC);
}

/* Eight bytes that are stored at once, by the right to write (IBTA A19.4). */
static bool place_atomic_write(struct adev_qp *qp,
			       const struct roce_packet *packet)
{
	uint64_t value;

	if (!(qp->shared->access & ARNICA_HW_ACCESS_REMOTE_WRITE) ||
	    packet->payload_bytes != sizeof(value) ||
	    packet->dma_length != sizeof(value) || packet->address & 7)
		return adev_refuse_invalid(qp, packet);
	memcpy(&value, packet->payload, sizeof(value));
	return place_word(qp, packet, ARNICA_HW_ACCESS_REMOTE_WRITE,
			  ADEV_ATOMIC_WRITE, value, ADEV_RESOURCE_WRITTEN);
}

/* Does the packet continue what is under way, or begin something when nothing
 * is (9.7.4.1.2)? */
static bool in_order(struct adev_qp *qp, enum adev_receiving kind,
		     uint32_t info)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	if (kind && !(info & ROCE_IS_FIRST))
		return receiver->receiving == kind;
	/* UC: the message that was under way lost its end (9.8.2.2). */
	if (!adev_type_is_reliable(qp->type) && receiver->receiving) {
		(void)adev_receiver_drop_message(qp);
		receiver->dropping = false;
	}
	return receiver->receiving == ADEV_RECEIVING_NOTHING;
}

static bool kind_of(const struct roce_packet *packet, enum adev_receiving *kind)
{
	switch ((enum roce_operation)adev_operation(packet)) {
	case ROCE_SEND_FIRST:
	case ROCE_SEND_MIDDLE:
	case ROCE_SEND_LAST:
	case ROCE_SEND_LAST_IMM:
	case ROCE_SEND_ONLY:
	case ROCE_SEND_ONLY_IMM:
	case ROCE_SEND_LAST_INV:
	case ROCE_SEND_ONLY_INV:
		*kind = ADEV_RECEIVING_SEND;
		return true;
	case ROCE_WRITE_FIRST:
	case ROCE_WRITE_MIDDLE:
	case ROCE_WRITE_LAST:
	case ROCE_WRITE_LAST_IMM:
	case ROCE_WRITE_ONLY:
	case ROCE_WRITE_ONLY_IMM:
		*kind = ADEV_RECEIVING_WRITE;
		return true;
	case ROCE_READ_REQUEST:
	case ROCE_COMPARE_SWAP:
	case ROCE_FETCH_ADD:
	case ROCE_ATOMIC_WRITE:
		*kind = ADEV_RECEIVING_NOTHING;
		return true;
	default:
		return false;
	}
}

static bool execute(struct adev_qp *qp, const struct roce_packet *packet,
		    enum adev_receiving kind, struct adev_aftermath *after)
{
	uint32_t info = roce_opcode_info(packet->opcode);

	if (kind == ADEV_RECEIVING_SEND)
		return place_send(qp, packet, info, after);
	if (kind == ADEV_RECEIVING_WRITE)
		return place_write(qp, packet, info, after);
	if (adev_operation(packet) == ROCE_READ_REQUEST)
		return place_read(qp, packet);
	if (adev_operation(packet) == ROCE_ATOMIC_WRITE)
		return place_atomic_write(qp, packet);
	return place_atomic(qp, packet);
}

/* A message, and an atomic operation that is waited for, stays with its SRQ. */
static bool same_srq(struct adev_qp *qp, const struct roce_packet *packet)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	if ((receiver->receiving || receiver->atomic_slot >= 0) &&
	    packet->xrc_srqn != receiver->srqn)
		return false;
	receiver->srqn = packet->xrc_srqn;
	return true;
}

bool adev_receiver_place(struct adev_qp *qp, const struct roce_packet *packet,
			 struct adev_aftermath *after)
{
	enum adev_receiving kind;
	bool placed;

	if (!kind_of(packet, &kind) ||
	    !in_order(qp, kind, roce_opcode_info(packet->opcode)) ||
	    !same_srq(qp, packet))
		return adev_refuse_invalid(qp, packet);
	switch (adev_receiver_enter(qp, packet->xrc_srqn)) {
	case ADEV_XRC_READY:
		break;
	case ADEV_XRC_BUSY:
		return false; /* as good as lost */
	case ADEV_XRC_NONE:
		return adev_refuse_invalid(qp, packet);
	}
	placed = execute(qp, packet, kind, after);
	adev_receiver_leave(qp, after);
	return placed;
}
