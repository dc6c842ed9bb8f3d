/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Datagrams at the receiver: checks, the receive entry, the completion. */
#include "transport/datagram_place.h"

#include <string.h>

#include "core/fault_point.h"
#include "dma/dma.h"
#include "transport/datagram.h"
#include "transport/receive_entry.h"

/* IBTA 9.8.4: state, type and Q_Key; there is one P_Key, which all have. Raw
 * packets have none of both. */
static bool admit(const struct adev_link *link,
		  const struct adev_delivery *delivery, enum adev_loss *why)
{
	const struct adev_qp_shared *receiver = link->qp;
	uint32_t state = atomic_load_explicit(&receiver->state,
					      memory_order_relaxed);

	*why = ADEV_LOSS_NOT_READY;
	if (receiver->type != delivery->type ||
	    (state != ARNICA_HW_QPS_RTR && state != ARNICA_HW_QPS_RTS &&
	     state != ARNICA_HW_QPS_SQD && state != ARNICA_HW_QPS_SQE))
		return false;
	*why = ADEV_LOSS_QKEY;
	return delivery->type != ARNICA_HW_QP_UD ||
	       receiver->qkey == delivery->qkey;
}

/* Header and payload as they will stand in the buffer. */
static bool assemble(const struct adev_delivery *delivery, char *to)
{
	memcpy(to, delivery->grh, delivery->grh_bytes);
	return adev_gather_read(delivery->payload, 0, to + delivery->grh_bytes,
				delivery->payload->bytes);
}

static uint32_t bytes_of(const struct adev_delivery *delivery)
{
	return delivery->grh_bytes + (uint32_t)delivery->payload->bytes;
}

/* Past the eager ring, at once or not at all: nobody comes back to it. */
static enum adev_dma_result place_directly(struct adev_function *fn,
					   struct adev_link *link,
					   const struct adev_delivery *delivery,
					   const struct adev_gather *into)
{
	char buffer[ARNICA_HW_GRH_BYTES + ADEV_DATAGRAM_MAX_BYTES];
	struct adev_gather local;
	struct adev_transfer transfer = {
		.fn = fn,
		.view = link->view,
		.local = delivery->payload,
		.remote = into,
		.bytes = bytes_of(delivery),
		.user = { .pd = link->rq_pd },
		.access = ARNICA_HW_ACCESS_LOCAL_WRITE,
		.allowance = ADEV_GATHER_ENTRY_BYTES,
		.inbox_slot = -1,
		.unaided = true, /* nobody would come back to it */
	};
	enum adev_dma_result result;

	if (atomic_load_explicit(&link->view->method, memory_order_relaxed) ==
	    ADEV_DMA_BOUNCE)
		return ADEV_DMA_LATER;
	if (delivery->grh_bytes) {
		if (!assemble(delivery, buffer))
			return ADEV_DMA_LOCAL_FAULT;
		local.num_pieces = 1;
		local.num_lists = 0;
		local.bytes = transfer.bytes;
		local.pieces[0] = (struct adev_piece){
			.address = (uintptr_t)buffer,
			.bytes = transfer.bytes,
		};
		transfer.local = &local;
	}
	result = adev_dma_write(&transfer);
	if (transfer.inbox_slot >= 0)
		adev_dma_abandon(link->view, transfer.inbox_slot);
	return result;
}

static enum arnica_hw_packet_kind kind_of(const struct adev_delivery *delivery)
{
	return delivery->grh[0] >> 4 == 6 ? ARNICA_HW_PACKET_UDP_IPV6 :
					    ARNICA_HW_PACKET_UDP_IPV4;
}

static void complete(struct adev_link *link,
		     const struct adev_delivery *delivery,
		     enum arnica_hw_status status, uint16_t flags)
{
	struct adev_completion completion = {
		.opcode = ARNICA_HW_RECV,
		.status = (uint8_t)status,
		.solicited = delivery->solicited,
	};

	if (!status) {
		completion.byte_len = bytes_of(delivery);
		completion.flags = flags;
	}
	if (!status && delivery->grh_bytes) {
		completion.flags |= ARNICA_HW_CQE_GRH;
		completion.vendor_error =
			delivery->source_qpn |
			arnica_field_put(ARNICA_HW_CQE_SOURCE_KIND_MASK,
					 kind_of(delivery));
	}
	if (!status && delivery->has_immediate) {
		completion.flags |= ARNICA_HW_CQE_IMM;
		completion.immediate = delivery->immediate;
	}
	adev_receive_complete(link, &completion);
	/* P2. Under the lock: see datagram.h. */
	atomic_thread_fence(memory_order_seq_cst);
	adev_completion_notify(&link->ring, &completion);
}

/* The receiver's own fault, for which its QP ends (IBTA 10.10.3.2). */
static void fail_receiver(struct adev_link *link,
			  const struct adev_delivery *delivery,
			  enum arnica_hw_status status)
{
	complete(link, delivery, status, 0);
	link->qp->error_cause = status;
	link->qp->async_event = 0;
	atomic_store_explicit(&link->qp->state, ARNICA_HW_QPS_ERR,
			      memory_order_release);
	adev_responder_call_owner(link->view, link->index, ADEV_QP_NEEDS_ERROR);
}

static enum adev_placed place_payload(struct adev_function *fn,
				      struct adev_link *link,
				      const struct adev_delivery *delivery,
				      const struct adev_gather *into,
				      enum adev_loss *why)
{
	uint32_t bytes = bytes_of(delivery), offset, end;

	if (!into->direct &&
	    adev_receive_eager(link, bytes, &offset, &end)) {
		struct arnica_hw_cqe *cqe = adev_ring_entry(&link->ring,
							    link->qp->rq_head);

		if (!assemble(delivery, link->eager + offset))
			return ADEV_PLACED_LOCAL;
		cqe->eager_offset = arnica_to_le32(offset);
		cqe->eager_end = arnica_to_le32(end);
		link->qp->eager_head = end;
		complete(link, delivery, ARNICA_HW_STATUS_SUCCESS,
			 ARNICA_HW_CQE_EAGER);
		return ADEV_PLACED;
	}
	switch (place_directly(fn, link, delivery, into)) {
	case ADEV_DMA_DONE:
		complete(link, delivery, ARNICA_HW_STATUS_SUCCESS, 0);
		return ADEV_PLACED;
	case ADEV_DMA_LOCAL_FAULT:
		return ADEV_PLACED_LOCAL;
	case ADEV_DMA_FAULT:
		fail_receiver(link, delivery, ARNICA_HW_STATUS_LOC_PROT_ERR);
		return ADEV_PLACED;
	case ADEV_DMA_GONE:
	case ADEV_DMA_MORE:
	case ADEV_DMA_LATER:
		break;
	}
	*why = ADEV_LOSS_NO_ROOM;
	return ADEV_PLACED_LOST;
}

/* A sender that died between publishing a completion and counting it has used
 * the entry. */
static void skip_used(struct adev_link *link)
{
	uint32_t left = link->rq_mask + 1; /* whatever the segment says */

	while (left-- && adev_receive_posted(link) &&
	       adev_completion_published(&link->ring, link->qp->rq_head))
		link->qp->rq_head++;
}

enum adev_placed adev_datagram_place(struct adev_function *fn,
				     struct adev_link *link,
				     const struct adev_delivery *delivery,
				     enum adev_loss *why)
{
	struct adev_gather into;
	enum arnica_hw_status status;

	if (link->qp->incarnation != link->incarnation)
		return ADEV_PLACED_STALE;
	if (!admit(link, delivery, why))
		return ADEV_PLACED_LOST;
	skip_used(link);
	if (!adev_receive_posted(link)) {
		*why = ADEV_LOSS_NO_RECEIVE;
		return ADEV_PLACED_LOST;
	}
	ADEV_POINT("datagram_admitted");
	status = adev_receive_gather(link, &into);
	if (status == ADEV_STATUS_PENDING) {
		/* Nobody waits for a datagram: as if it were not posted. */
		*why = ADEV_LOSS_NO_RECEIVE;
		return ADEV_PLACED_LOST;
	}
	if (status) {
		fail_receiver(link, delivery, status);
		return ADEV_PLACED;
	}
	if (into.bytes < bytes_of(delivery)) {
		/* It costs this receive and nothing else. */
		complete(link, delivery, ARNICA_HW_STATUS_LOC_LEN_ERR, 0);
		*why = ADEV_LOSS_REFUSED;
		return ADEV_PLACED_LOST;
	}
	return place_payload(fn, link, delivery, &into, why);
}
