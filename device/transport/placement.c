/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Responder, placement: finds the receive entry, checks keys and bounds, moves
 * the data, completes. Short messages travel in the completion entry, somewhat
 * longer ones in the queue's eager ring; the host scatters both at its poll.
 * Longer ones, and RDMA, move by device/dma.
 */
#include <string.h>

#include <infiniband/verbs.h>

#include "core/qp_lock.h"
#include "dma/dma.h"
#include "tpt/touch.h"
#include "transport/receive_entry.h"
#include "transport/responder.h"
#include "trace.h"

#define EAGER_MAX_BYTES 8192u

static void count_access(struct adev_qp *qp)
{
	adev_count(&qp->fn->counters, remote_access);
	arnica_trace_remote_access(qp->qpn, qp->message->rkey);
}

static void count_invalid(struct adev_qp *qp)
{
	adev_count(&qp->fn->counters, remote_invalid);
	arnica_trace_remote_invalid(qp->qpn, qp->message->opcode);
}

static enum adev_verdict refuse(struct adev_qp *qp,
				struct adev_placement *placement,
				enum adev_verdict verdict, uint32_t event)
{
	/* UC drops what it cannot accept, and takes the next (IBTA 9.9.3.2,
	 * class D). */
	placement->failed = adev_type_is_reliable(qp->type);
	placement->async_event = event;
	placement->completion.status =
		verdict == ADEV_VERDICT_NAK_ACCESS ?
			ARNICA_HW_STATUS_REM_ACCESS_ERR :
			ARNICA_HW_STATUS_REM_INV_REQ_ERR;
	if (verdict == ADEV_VERDICT_NAK_ACCESS)
		count_access(qp);
	else
		count_invalid(qp);
	return verdict;
}

/* Publishes the completion of the receive entry at the head. */
static void complete_receive(struct adev_qp *qp,
			     struct adev_placement *placement,
			     enum arnica_hw_status status, uint32_t byte_len,
			     uint16_t flags)
{
	struct adev_message *message = qp->message;
	struct adev_completion *completion = &placement->completion;
	bool immediate = message->opcode == ARNICA_HW_OP_SEND_IMM ||
			 message->opcode == ARNICA_HW_OP_WRITE_IMM;
	bool invalidated = message->opcode == ARNICA_HW_OP_SEND_INV &&
			   status == ARNICA_HW_STATUS_SUCCESS;

	memset(completion, 0, sizeof(*completion));
	completion->byte_len = byte_len;
	completion->immediate =
		immediate || invalidated ? message->immediate : 0;
	completion->flags =
		(uint16_t)(flags | (immediate ? ARNICA_HW_CQE_IMM : 0) |
			   (invalidated ? ARNICA_HW_CQE_INV : 0));
	completion->opcode = message->opcode == ARNICA_HW_OP_WRITE_IMM ?
				     ARNICA_HW_RECV_RDMA_WITH_IMM :
				     ARNICA_HW_RECV;
	completion->status = (uint8_t)status;
	completion->solicited = message->flags & ARNICA_HW_WQE_SOLICITED;
	adev_receive_complete(placement->link, completion);
	placement->completed = true;
}

/* The receive entry's own fault: it completes with an error, and so does the
 * request. */
static enum adev_verdict fail_receive(struct adev_qp *qp,
				      struct adev_placement *placement,
				      enum arnica_hw_status status,
				      enum adev_verdict verdict)
{
	complete_receive(qp, placement, status, 0, 0);
	placement->failed = true;
	placement->async_event = 0;
	return verdict;
}

/* Waits at the responder: whoever posts a receive tells this function. */
static enum adev_verdict not_ready(struct adev_qp *qp,
				   struct adev_placement *placement)
{
	struct adev_link *link = placement->link;

	if (!adev_type_is_reliable(qp->type))
		return ADEV_VERDICT_RNR;
	qp->peer_rnr_timer = placement->responder->min_rnr_timer;
	qp->rnr_producer = placement->responder->rq_producer_seen;
	return adev_receive_wait(link, qp->fn->view.function) ?
		       ADEV_VERDICT_LATER :
		       ADEV_VERDICT_RNR;
}

/* The peer is registering what the request names: come again, however long that
 * takes (unreliable: as long as one waits for a lock). */
static enum adev_verdict await_memory(struct adev_qp *qp)
{
	if (!qp->wait)
		adev_count(&qp->fn->counters, registrations_awaited);
	return ADEV_VERDICT_LATER;
}

static enum adev_verdict of_dma(enum adev_dma_result result)
{
	switch (result) {
	case ADEV_DMA_DONE:
		return ADEV_VERDICT_ACK;
	case ADEV_DMA_MORE:
		return ADEV_VERDICT_MORE;
	case ADEV_DMA_LATER:
		return ADEV_VERDICT_LATER;
	case ADEV_DMA_LOCAL_FAULT:
		return ADEV_VERDICT_LOCAL_PROTECTION;
	case ADEV_DMA_GONE:
		return ADEV_VERDICT_GONE;
	case ADEV_DMA_FAULT:
		break;
	}
	return ADEV_VERDICT_NAK_OPERATION;
}

/* The responder's queue pair, to the table. */
static struct adev_tpt_user user_of(const struct adev_link *link)
{
	return (struct adev_tpt_user){
		.pd = link->pd,
		.qpn = link->ring.qpn,
	};
}

static void begin_transfer(struct adev_qp *qp, struct adev_link *link,
			   const struct adev_gather *remote, uint32_t access,
			   struct adev_transfer *transfer)
{
	struct adev_message *message = qp->message;

	*transfer = (struct adev_transfer){
		.fn = qp->fn,
		.view = link->view,
		.local = &message->gather,
		.remote = remote,
		.bytes = message->bytes,
		.done = message->done,
		.allowance = qp->allowance,
		.service_level = qp->service_level,
		.user = user_of(link),
		.access = access,
		.inbox_slot = message->inbox_slot,
		.inbox_bytes = message->inbox_bytes,
	};
}

static void end_transfer(struct adev_qp *qp,
			 const struct adev_transfer *transfer)
{
	qp->message->done = transfer->done;
	qp->message->inbox_slot = transfer->inbox_slot;
	qp->message->inbox_bytes = transfer->inbox_bytes;
}

static enum adev_verdict place_directly(struct adev_qp *qp,
					struct adev_link *link,
					const struct adev_gather *into)
{
	struct adev_transfer transfer;
	enum adev_dma_result result;

	begin_transfer(qp, link, into, ARNICA_HW_ACCESS_LOCAL_WRITE,
		       &transfer);
	transfer.user.pd = link->rq_pd;
	result = adev_dma_write(&transfer);
	end_transfer(qp, &transfer);
	return of_dma(result);
}

/* Payload of a SEND into the entry's segments. */
static enum adev_verdict place_payload(struct adev_qp *qp,
				       struct adev_link *link,
				       const struct adev_gather *into,
				       uint16_t *flags)
{
	struct adev_message *message = qp->message;
	uint32_t bytes = (uint32_t)message->bytes, offset, end;
	struct arnica_hw_cqe *cqe =
		adev_ring_entry(&link->ring, link->qp->rq_head);

	if (!message->bytes)
		return ADEV_VERDICT_ACK;
	/* What the host is to place it must find without the table. */
	if (__builtin_expect(into->direct, 0))
		return place_directly(qp, link, into);
	if (message->bytes <= ARNICA_HW_CQE_INLINE_BYTES) {
		if (!adev_gather_read(&message->gather, 0, cqe->data, bytes))
			return ADEV_VERDICT_LOCAL_PROTECTION;
		*flags = ARNICA_HW_CQE_DATA;
		return ADEV_VERDICT_ACK;
	}
	if (message->bytes <= EAGER_MAX_BYTES && message->inbox_slot < 0 &&
	    !message->done && adev_receive_eager(link, bytes, &offset, &end)) {
		if (!adev_gather_read(&message->gather, 0,
				      link->eager + offset, bytes))
			return ADEV_VERDICT_LOCAL_PROTECTION;
		cqe->eager_offset = arnica_to_le32(offset);
		cqe->eager_end = arnica_to_le32(end);
		link->qp->eager_head = end;
		*flags = ARNICA_HW_CQE_EAGER;
		return ADEV_VERDICT_ACK;
	}
	return place_directly(qp, link, into);
}

/* The key that a SEND with invalidate names, when its data is there; true for
 * other messages. */
static bool take_back(const struct adev_qp *qp, const struct adev_link *link)
{
	const struct adev_message *message = qp->message;
	arnica_be32 key = { message->immediate };

	return message->opcode != ARNICA_HW_OP_SEND_INV ||
	       adev_tpt_take_back(link->view, arnica_from_be32(key),
				  user_of(link));
}

static enum adev_verdict place_send(struct adev_qp *qp,
				    struct adev_placement *placement)
{
	struct adev_link *link = placement->link;
	struct adev_message *message = qp->message;
	struct adev_gather into;
	enum arnica_hw_status status;
	enum adev_verdict verdict;
	uint16_t flags = 0;

	if (!adev_receive_posted(link))
		return not_ready(qp, placement);
	status = adev_receive_gather(link, &into);
	if (status == ADEV_STATUS_PENDING)
		return await_memory(qp);
	if (status)
		return fail_receive(qp, placement, status,
				    ADEV_VERDICT_NAK_OPERATION);
	if (message->bytes > into.bytes)
		return adev_type_is_reliable(qp->type) ?
			       fail_receive(qp, placement,
					    ARNICA_HW_STATUS_LOC_LEN_ERR,
					    ADEV_VERDICT_NAK_INVALID) :
			       refuse(qp, placement, ADEV_VERDICT_NAK_INVALID,
				      0);
	verdict = place_payload(qp, link, &into, &flags);
	if (verdict == ADEV_VERDICT_NAK_OPERATION)
		return fail_receive(qp, placement,
				    ARNICA_HW_STATUS_LOC_PROT_ERR, verdict);
	if (verdict == ADEV_VERDICT_ACK && !take_back(qp, link)) {
		count_access(qp);
		return fail_receive(qp, placement,
				    ARNICA_HW_STATUS_REM_INV_REQ_ERR,
				    ADEV_VERDICT_NAK_ACCESS);
	}
	if (verdict == ADEV_VERDICT_ACK)
		complete_receive(qp, placement, ARNICA_HW_STATUS_SUCCESS,
				 (uint32_t)message->bytes, flags);
	return verdict;
}

static uint64_t touch_of(const struct adev_qp *qp)
{
	return adev_touch_message(qp->link.qp, qp->send_psn);
}

/* The piece that an RDMA request names, checked against the responder's
 * rights (IBTA 9.7.4.1, 10.6.5). */
static enum adev_verdict remote_piece(struct adev_qp *qp, uint32_t access,
				      struct adev_gather *remote,
				      struct adev_placement *placement)
{
	struct adev_link *link = placement->link;
	struct adev_message *message = qp->message;
	enum adev_tpt_verdict verdict;

	remote->num_pieces = 0;
	remote->bytes = message->bytes;
	if (!(placement->responder->access & access))
		return refuse(qp, placement, ADEV_VERDICT_NAK_INVALID,
			      IBV_EVENT_QP_REQ_ERR);
	if (!message->bytes)
		return ADEV_VERDICT_ACK;
	adev_qp_announce(link->qp, message->rkey);
	verdict = adev_gather_remote(link->view, message->rkey, user_of(link),
				     message->remote_address, message->bytes,
				     access, remote);
	if (__builtin_expect(verdict == ADEV_TPT_IS_LIST, 0)) {
		adev_qp_announce_any(link->qp);
		verdict = adev_gather_list(link->view, link->pd, access,
					   remote);
	}
	if (verdict == ADEV_TPT_PENDING)
		return await_memory(qp);
	if (verdict != ADEV_TPT_OK)
		return refuse(qp, placement, ADEV_VERDICT_NAK_ACCESS,
			      IBV_EVENT_QP_ACCESS_ERR);
	if (!adev_touch_begin(link->view, message->rkey, touch_of(qp)))
		return refuse(qp, placement, ADEV_VERDICT_NAK_ACCESS,
			      IBV_EVENT_QP_ACCESS_ERR);
	return ADEV_VERDICT_ACK;
}

static enum adev_verdict place_rdma(struct adev_qp *qp, bool write,
				    struct adev_placement *placement)
{
	uint32_t access = write ? ARNICA_HW_ACCESS_REMOTE_WRITE :
				  ARNICA_HW_ACCESS_REMOTE_READ;
	struct adev_gather remote;
	struct adev_transfer transfer;
	enum adev_dma_result result;
	enum adev_verdict verdict;

	verdict = remote_piece(qp, access, &remote, placement);
	if (verdict != ADEV_VERDICT_ACK || !qp->message->bytes)
		return verdict;
	begin_transfer(qp, placement->link, &remote, access, &transfer);
	result = write ? adev_dma_write(&transfer) : adev_dma_read(&transfer);
	end_transfer(qp, &transfer);
	verdict = of_dma(result);
	if (verdict == ADEV_VERDICT_ACK)
		adev_touch_end(placement->link->view, qp->message->rkey,
			       touch_of(qp));
	/* The list, or something behind it, has ended since it was checked. */
	if (verdict == ADEV_VERDICT_NAK_OPERATION && remote.num_lists)
		return refuse(qp, placement, ADEV_VERDICT_NAK_ACCESS,
			      IBV_EVENT_QP_ACCESS_ERR);
	if (verdict == ADEV_VERDICT_NAK_OPERATION)
		return refuse(qp, placement, verdict, IBV_EVENT_QP_FATAL);
	return verdict;
}

static enum adev_verdict place_write_imm(struct adev_qp *qp,
					 struct adev_placement *placement)
{
	struct adev_message *message = qp->message;
	enum adev_verdict verdict;

	if (!adev_receive_posted(placement->link))
		return not_ready(qp, placement);
	verdict = place_rdma(qp, true, placement);
	if (verdict == ADEV_VERDICT_ACK)
		complete_receive(qp, placement, ARNICA_HW_STATUS_SUCCESS,
				 (uint32_t)message->bytes, 0);
	return verdict;
}

static enum adev_verdict place_read(struct adev_qp *qp,
				    struct adev_placement *placement)
{
	if (!placement->responder->max_dest_rd_atomic)
		return refuse(qp, placement, ADEV_VERDICT_NAK_INVALID,
			      IBV_EVENT_QP_REQ_ERR);
	return place_rdma(qp, false, placement);
}

/* The eight bytes that an atomic operation or an atomic write names. */
static enum adev_verdict remote_word(struct adev_qp *qp, uint32_t access,
				     struct adev_gather *remote,
				     struct adev_placement *placement)
{
	enum adev_verdict verdict;

	/* IBTA 9.4.5: an atomic operation on an address that is not a multiple
	 * of eight is an invalid request. */
	if (!placement->responder->max_dest_rd_atomic ||
	    qp->message->remote_address & 7)
		return refuse(qp, placement, ADEV_VERDICT_NAK_INVALID,
			      IBV_EVENT_QP_REQ_ERR);
	verdict = remote_piece(qp, access, remote, placement);
	if (verdict != ADEV_VERDICT_ACK)
		return verdict;
	/* Through a list: eight bytes in one place, at such an address. */
	if (__builtin_expect(remote->pieces[0].list != 0, 0) &&
	    !(adev_gather_word(remote) && !(remote->pieces[0].address & 7)))
		return refuse(qp, placement, ADEV_VERDICT_NAK_ACCESS,
			      IBV_EVENT_QP_ACCESS_ERR);
	return ADEV_VERDICT_ACK;
}

static enum adev_verdict place_atomic(struct adev_qp *qp,
				      struct adev_placement *placement)
{
	struct adev_message *message = qp->message;
	struct adev_gather remote;
	struct adev_transfer transfer;
	enum adev_dma_result result;
	enum adev_verdict verdict;
	uint64_t original = 0;

	verdict = remote_word(qp, ARNICA_HW_ACCESS_REMOTE_ATOMIC, &remote,
			      placement);
	if (verdict != ADEV_VERDICT_ACK)
		return verdict;
	begin_transfer(qp, placement->link, &remote,
		       ARNICA_HW_ACCESS_REMOTE_ATOMIC, &transfer);
	result = adev_dma_atomic(&transfer,
				 message->opcode == ARNICA_HW_OP_CAS ?
					 ADEV_ATOMIC_CAS :
					 ADEV_ATOMIC_FETCH_ADD,
				 message->swap_or_add, message->compare,
				 &original);
	end_transfer(qp, &transfer);
	verdict = of_dma(result);
	if (result == ADEV_DMA_DONE)
		adev_touch_end(placement->link->view, message->rkey,
			       touch_of(qp));
	if (result == ADEV_DMA_DONE &&
	    !adev_gather_write(&message->gather, 0, &original,
			       sizeof(original)))
		return ADEV_VERDICT_LOCAL_PROTECTION;
	if (verdict == ADEV_VERDICT_NAK_OPERATION)
		return refuse(qp, placement, verdict, IBV_EVENT_QP_FATAL);
	return verdict;
}

/* An atomic write needs the right to write, and a resource like an atomic
 * operation (IBTA A19.4). */
static enum adev_verdict place_atomic_write(struct adev_qp *qp,
					    struct adev_placement *placement)
{
	struct adev_gather remote;
	struct adev_transfer transfer;
	enum adev_verdict verdict;
	uint64_t value, original;

	verdict = remote_word(qp, ARNICA_HW_ACCESS_REMOTE_WRITE, &remote,
			      placement);
	if (verdict != ADEV_VERDICT_ACK)
		return verdict;
	if (!adev_gather_read(&qp->message->gather, 0, &value, sizeof(value)))
		return ADEV_VERDICT_LOCAL_PROTECTION;
	begin_transfer(qp, placement->link, &remote,
		       ARNICA_HW_ACCESS_REMOTE_WRITE, &transfer);
	verdict = of_dma(adev_dma_atomic(&transfer, ADEV_ATOMIC_WRITE, value, 0,
					 &original));
	end_transfer(qp, &transfer);
	if (verdict == ADEV_VERDICT_ACK)
		adev_touch_end(placement->link->view, qp->message->rkey,
			       touch_of(qp));
	if (verdict == ADEV_VERDICT_NAK_OPERATION)
		return refuse(qp, placement, verdict, IBV_EVENT_QP_FATAL);
	return verdict;
}

enum adev_verdict adev_place(struct adev_qp *qp,
			     struct adev_placement *placement)
{
	uint32_t opcode = qp->message->opcode;

	/* Most are, and a jump table would cost them more. */
	if (__builtin_expect(opcode == ARNICA_HW_OP_SEND, 1))
		return place_send(qp, placement);
	if (opcode == ARNICA_HW_OP_WRITE)
		return place_rdma(qp, true, placement);
	switch ((enum arnica_hw_opcode)opcode) {
	case ARNICA_HW_OP_SEND:
	case ARNICA_HW_OP_SEND_IMM:
	case ARNICA_HW_OP_SEND_INV:
		return place_send(qp, placement);
	case ARNICA_HW_OP_WRITE:
		return place_rdma(qp, true, placement);
	case ARNICA_HW_OP_WRITE_IMM:
		return place_write_imm(qp, placement);
	case ARNICA_HW_OP_READ:
		return place_read(qp, placement);
	case ARNICA_HW_OP_CAS:
	case ARNICA_HW_OP_FETCH_ADD:
		return place_atomic(qp, placement);
	case ARNICA_HW_OP_ATOMIC_WRITE:
		return place_atomic_write(qp, placement);
	default:
		return refuse(qp, placement, ADEV_VERDICT_NAK_INVALID,
			      IBV_EVENT_QP_REQ_ERR);
	}
}
