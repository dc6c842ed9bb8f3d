/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receiver: where a packet goes. That is the QP's own receive queue and memory,
 * or, with XRC, the SRQ that the packet names and the memory of its process,
 * which need not be this one: then each packet is moved like a message of the
 * loopback path. Where only the SRQ's process can do it, it is waited for for a
 * moment; a packet that it takes longer for is as good as lost, and comes again.
 */
#include "core/qp_lock.h"
#include "dma/dma.h"
#include "transport/receiver_state.h"
#include "trace.h"

/* Of adev_rest(): some milliseconds. */
#define PATIENCE_RESTS 40u

enum adev_xrc_state adev_receiver_enter(struct adev_qp *qp, uint32_t srqn)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	const struct adev_xrc_receiver xrc = {
		.fn = qp->fn,
		.xrc = qp->xrc,
		.qp = qp->shared,
		.qpn = qp->qpn,
	};
	enum adev_xrc_state state;

	if (!qp->xrc)
		return ADEV_XRC_READY;
	state = adev_xrc_lock(&xrc, srqn, &receiver->to);
	switch (state) {
	case ADEV_XRC_READY:
		/* Regions are not announced one by one here. */
		adev_qp_announce(receiver->to->qp, ADEV_USES_ANY);
		break;
	case ADEV_XRC_BUSY:
		adev_count(&qp->fn->counters, wire_busy);
		break;
	case ADEV_XRC_NONE:
		adev_count(&qp->fn->counters, xrc_refused);
		arnica_trace_xrc_refused(qp->qpn, srqn);
		break;
	}
	return state;
}

void adev_receiver_leave(struct adev_qp *qp, struct adev_aftermath *after)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	bool completed = after && after->completed;

	if (!qp->xrc)
		return;
	adev_xrc_unlock(receiver->to, completed ? &after->completion : NULL);
	receiver->to = NULL;
	if (after)
		after->completed = false;
}

static bool is_here(const struct adev_qp *qp)
{
	const struct adev_view *view = adev_receiver_of(qp)->to->view;

	return atomic_load_explicit(&view->method, memory_order_relaxed) ==
	       ADEV_DMA_LOCAL;
}

/* To its end, or until it is waited for for too long. */
static enum adev_dma_result finish(struct adev_transfer *transfer, bool write)
{
	enum adev_dma_result result;
	uint32_t rests = 0;

	do {
		result = write ? adev_dma_write(transfer) :
				 adev_dma_read(transfer);
		if (result == ADEV_DMA_LATER)
			adev_rest();
	} while (result == ADEV_DMA_MORE ||
		 (result == ADEV_DMA_LATER && ++rests < PATIENCE_RESTS));
	if (transfer->inbox_slot >= 0)
		adev_dma_abandon(transfer->view, transfer->inbox_slot);
	if (result == ADEV_DMA_LATER)
		adev_count(&transfer->fn->counters, wire_busy);
	return result;
}

static void begin(struct adev_qp *qp, const struct adev_gather *local,
		  const struct adev_gather *remote, uint32_t pd,
		  uint32_t access, struct adev_transfer *transfer)
{
	struct adev_link *to = adev_receiver_of(qp)->to;

	*transfer = (struct adev_transfer){
		.fn = qp->fn,
		.view = to->view,
		.local = local,
		.remote = remote,
		.bytes = remote->bytes,
		.user = { .pd = pd, .qpn = to->ring.qpn },
		.access = access,
		.allowance = ADEV_GATHER_ENTRY_BYTES,
		.inbox_slot = -1,
	};
}

static void own_memory(const void *address, uint32_t bytes,
		       struct adev_gather *gather)
{
	gather->num_pieces = 1;
	gather->num_lists = 0;
	gather->bytes = bytes;
	gather->pieces[0] = (struct adev_piece){
		.address = (uintptr_t)address,
		.bytes = bytes,
	};
}

/* Bytes [offset, offset + bytes) of a list. */
static void cut(const struct adev_gather *whole, uint64_t offset,
		uint64_t bytes, struct adev_gather *part)
{
	uint32_t i;

	part->num_pieces = 0;
	part->num_lists = whole->num_lists;
	part->list_view = whole->list_view;
	part->list_pd = whole->list_pd;
	part->list_access = whole->list_access;
	part->bytes = bytes;
	for (i = 0; i < whole->num_pieces && bytes; i++) {
		struct adev_piece piece = whole->pieces[i];

		if (offset >= piece.bytes) {
			offset -= piece.bytes;
			continue;
		}
		piece.address += offset;
		piece.iova += offset;
		piece.bytes -= offset;
		offset = 0;
		if (piece.bytes > bytes)
			piece.bytes = bytes;
		bytes -= piece.bytes;
		part->pieces[part->num_pieces++] = piece;
	}
}

enum adev_dma_result adev_receiver_scatter(struct adev_qp *qp,
					   const struct adev_gather *into,
					   uint64_t offset,
					   const struct roce_packet *packet)
{
	struct adev_gather from, part;
	struct adev_transfer transfer;

	if (is_here(qp))
		return adev_gather_write(into, offset, packet->payload,
					 packet->payload_bytes) ?
			       ADEV_DMA_DONE :
			       ADEV_DMA_FAULT;
	if (!packet->payload_bytes)
		return ADEV_DMA_DONE;
	own_memory(packet->payload, packet->payload_bytes, &from);
	cut(into, offset, packet->payload_bytes, &part);
	begin(qp, &from, &part, adev_receiver_of(qp)->to->rq_pd,
	      ARNICA_HW_ACCESS_LOCAL_WRITE, &transfer);
	return finish(&transfer, true);
}

enum adev_dma_result adev_receiver_store(struct adev_qp *qp,
					 const struct adev_gather *to,
					 const struct roce_packet *packet)
{
	struct adev_gather from;
	struct adev_transfer transfer;

	own_memory(packet->payload, packet->payload_bytes, &from);
	begin(qp, &from, to, adev_receiver_of(qp)->to->pd,
	      ARNICA_HW_ACCESS_REMOTE_WRITE, &transfer);
	return finish(&transfer, true);
}

enum adev_dma_result adev_receiver_load(struct adev_qp *qp,
					const struct adev_gather *from,
					void *to, uint32_t bytes)
{
	struct adev_gather local;
	struct adev_transfer transfer;

	if (is_here(qp))
		return adev_gather_read(from, 0, to, bytes) ? ADEV_DMA_DONE :
							      ADEV_DMA_FAULT;
	own_memory(to, bytes, &local);
	begin(qp, &local, from, adev_receiver_of(qp)->to->pd,
	      ARNICA_HW_ACCESS_REMOTE_READ, &transfer);
	return finish(&transfer, false);
}

/*
 * What the SRQ's process was asked to do it may have done when nobody waits any
 * more: so its answer is waited for when the packet comes again.
 */
enum adev_dma_result adev_receiver_atomic(struct adev_qp *qp,
					  const struct adev_gather *at,
					  enum adev_atomic atomic,
					  uint64_t swap_or_add,
					  uint64_t compare, uint64_t *original)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	struct adev_transfer transfer;
	enum adev_dma_result result;
	uint32_t rests = 0;

	/* What is left of another request, to another process, perhaps. */
	if (receiver->atomic_view != receiver->to->view)
		adev_receiver_abandon(qp);
	begin(qp, NULL, at, receiver->to->pd,
	      atomic == ADEV_ATOMIC_WRITE ? ARNICA_HW_ACCESS_REMOTE_WRITE :
					    ARNICA_HW_ACCESS_REMOTE_ATOMIC,
	      &transfer);
	transfer.inbox_slot = receiver->atomic_slot;
	do {
		result = adev_dma_atomic(&transfer, atomic, swap_or_add,
					 compare, original);
		if (result == ADEV_DMA_LATER)
			adev_rest();
	} while (result == ADEV_DMA_LATER && ++rests < PATIENCE_RESTS);
	receiver->atomic_slot = transfer.inbox_slot;
	receiver->atomic_view = receiver->to->view;
	if (result == ADEV_DMA_LATER)
		adev_count(&qp->fn->counters, wire_busy);
	return result;
}

void adev_receiver_abandon(struct adev_qp *qp)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	if (receiver->atomic_slot >= 0 && qp->xrc &&
	    adev_xrc_knows(qp->xrc, receiver->atomic_view))
		adev_dma_abandon(receiver->atomic_view, receiver->atomic_slot);
	receiver->atomic_slot = -1;
}
