/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The short way of a plain message. */
#include "exec/express.h"

#include "core/qp_lock.h"
#include "dma/dma.h"
#include "domain/directory.h"
#include "transport/complete.h"
#include "transport/receive_entry.h"
#include "transport/responder.h"
#include "trace.h"

/* What the descriptor says; each field was copied once. */
struct express {
	uint32_t opcode;
	uint32_t flags; /* enum arnica_hw_wqe_flags */
	uint32_t bytes;
	uint32_t rkey;
	uint64_t remote_address;
	const void *payload; /* in the descriptor, or in the application */
};

/* Nothing that has to be waited for, watched or led elsewhere. */
static inline bool fits(const struct adev_qp *qp)
{
	return qp->plain && !qp->wait && !qp->fn->capture && !qp->fn->limit &&
	       !atomic_load_explicit(&qp->remote, memory_order_relaxed);
}

static inline bool is_short(const struct express *express)
{
	return express->bytes - 1 < (express->opcode == ARNICA_HW_OP_SEND ?
					     ADEV_EXPRESS_SEND_BYTES :
					     ADEV_EXPRESS_WRITE_BYTES);
}

static inline bool read_inline(const struct adev_qp *qp, const char *data,
			       uint32_t bytes, struct express *express)
{
	express->payload = data;
	express->bytes = bytes;
	return is_short(express) &&
	       bytes <= qp->sq_stride - ARNICA_HW_WQE_HEADER_BYTES;
}

/* The only segment, of a plain region. */
static inline bool read_segment(const struct adev_qp *qp, const void *data,
				struct express *express)
{
	const struct arnica_hw_data_segment *segment = data;
	uint32_t stag = arnica_from_le32(segment->lkey);
	uint64_t iova = arnica_from_le64(segment->address), address;
	const struct adev_tpt_entry *region;

	express->bytes = arnica_from_le32(segment->length);
	if (!is_short(express) ||
	    ARNICA_HW_WQE_HEADER_BYTES + sizeof(*segment) > qp->sq_stride)
		return false;
	region = adev_tpt_find(&qp->fn->view, stag);
	if (!region || region->type != ADEV_TPT_REGION ||
	    region->pd != qp->pd ||
	    adev_tpt_check_range(region, iova, express->bytes, 0, &address))
		return false;
	express->payload = (const void *)(uintptr_t)address;
	return true;
}

static inline bool read_descriptor(const struct adev_qp *qp,
				   const char *descriptor,
				   struct express *express)
{
	const struct arnica_hw_wqe_control *control = (const void *)descriptor;
	const struct arnica_hw_wqe_remote *remote =
		(const void *)(descriptor + ARNICA_HW_WQE_REMOTE_OFFSET);
	const char *data = descriptor + ARNICA_HW_WQE_HEADER_BYTES;
	uint32_t operation = arnica_from_le32(control->operation);
	uint32_t flags = (uint32_t)arnica_field_get(operation,
						    ARNICA_HW_WQE_FLAGS_MASK);
	uint32_t opcode = operation & ARNICA_HW_WQE_OPCODE_MASK;

	express->opcode = opcode;
	express->flags = flags;
	if ((opcode != ARNICA_HW_OP_SEND && opcode != ARNICA_HW_OP_WRITE) ||
	    flags & ~(uint32_t)(ARNICA_HW_WQE_SIGNALED |
				ARNICA_HW_WQE_SOLICITED |
				ARNICA_HW_WQE_INLINE) ||
	    operation >> 24 || arnica_from_le32(control->index) != qp->head)
		return false;
	express->remote_address = arnica_from_le64(remote->address);
	express->rkey = arnica_from_le32(remote->rkey);
	if (flags & ARNICA_HW_WQE_INLINE)
		return read_inline(qp, data,
				   arnica_from_le32(control->inline_bytes),
				   express);
	return arnica_field_get(operation, ARNICA_HW_WQE_NUM_SGE_MASK) == 1 &&
	       read_segment(qp, data, express);
}

/* Into the completion of the receive that is due. */
static inline __attribute__((always_inline)) bool
place_send(struct adev_link *link, const struct express *express,
	   struct adev_completion *completion)
{
	struct adev_qp_shared *responder = link->qp;
	struct adev_gather into;

	if (link->srq.shared || !link->rq ||
	    responder->rq_producer_seen == responder->rq_head ||
	    !adev_receive_region(link,
				 (const void *)(link->rq +
						(size_t)(responder->rq_head &
							 link->rq_mask) *
							link->rq_stride),
				 &into) ||
	    express->bytes > into.bytes ||
	    !adev_guard_copy(adev_ring_entry(&link->ring, responder->rq_head)
				     ->data,
			     express->payload, express->bytes))
		return false;
	*completion = (struct adev_completion){
		.byte_len = express->bytes,
		.flags = ARNICA_HW_CQE_DATA,
		.opcode = ARNICA_HW_RECV,
		.solicited = express->flags & ARNICA_HW_WQE_SOLICITED,
	};
	adev_receive_complete(link, completion);
	return true;
}

/* Into memory of the peer that this process has as well. */
static inline bool place_write(struct adev_link *link,
			       const struct express *express,
			       struct adev_counters *counters)
{
	const uint32_t access = ARNICA_HW_ACCESS_REMOTE_WRITE;
	struct adev_view *view = link->view;
	const struct adev_tpt_entry *region;
	uint64_t address;
	void *place;

	if (!(link->qp->access & access))
		return false;
	adev_qp_announce(link->qp, express->rkey);
	region = adev_tpt_find(view, express->rkey);
	if (!region || region->type != ADEV_TPT_REGION ||
	    region->pd != link->pd ||
	    region->access & ARNICA_HW_ACCESS_ONE_TOUCH ||
	    adev_tpt_check_range(region, express->remote_address,
				 express->bytes, access, &address))
		return false;
	if (atomic_load_explicit(&view->method, memory_order_relaxed) ==
	    ADEV_DMA_LOCAL) {
		place = (void *)(uintptr_t)address;
	} else {
		place = adev_dma_mapped(view, express->rkey, address,
					express->bytes);
		if (!place)
			return false;
		adev_count(counters, dma_shared);
	}
	return adev_dma_copy_here(place, express->payload, express->bytes);
}

static inline void complete(struct adev_qp *qp, const struct express *express)
{
	struct adev_counters *counters = &qp->fn->counters;
	uint32_t index = qp->head++;
	const struct adev_completion completion = {
		.wqe_index = index,
		.opcode = (uint8_t)express->opcode,
	};

	adev_count(counters, messages);
	adev_count_add(counters, bytes, express->bytes);
	qp->send_psn = (qp->send_psn + adev_psn_count(express->bytes,
						      qp->path_mtu_bytes)) &
		       0xffffff;
	arnica_trace_message_done(qp->qpn, index);
	if (!(express->flags & ARNICA_HW_WQE_SIGNALED))
		return;
	adev_completion_publish(&qp->send_ring, qp->send_ring_head++,
				&completion);
	adev_complete_notify(qp, &completion);
}

uint32_t adev_express_run(struct adev_qp *qp, const void *descriptor)
{
	struct adev_link *link = &qp->link;
	struct adev_completion completion;
	struct express express = { .bytes = 0 };
	bool established;

	if (!fits(qp) || !read_descriptor(qp, descriptor, &express) ||
	    !link->resolved ||
	    !adev_directory_alive(qp->fn->directory, link->view->function,
				  link->view->generation) ||
	    !adev_qp_try_lock_announcing(link->qp, qp->fn->view.function))
		return 0;
	ADEV_POINT("responder_locked");
	if (adev_responder_admit(qp) != ADEV_VERDICT_ACK ||
	    !(express.opcode == ARNICA_HW_OP_SEND ?
		      place_send(link, &express, &completion) :
		      place_write(link, &express, &qp->fn->counters))) {
		adev_qp_unlock(link->qp);
		return 0;
	}
	established = adev_responder_advance(qp, express.bytes);
	ADEV_POINT("responder_unlocking");
	if (express.opcode == ARNICA_HW_OP_SEND)
		adev_qp_unlock(link->qp);
	else
		adev_qp_unlock_quietly(link->qp);
	ADEV_POINT("responder_unlocked");
	arnica_trace_deliver(qp->qpn, ADEV_VERDICT_ACK);
	if (express.opcode == ARNICA_HW_OP_SEND)
		adev_completion_notify(&link->ring, &completion);
	if (__builtin_expect(established, 0))
		adev_responder_call_owner(link->view, link->ring.number / 2,
					  ADEV_QP_NEEDS_EVENT);
	complete(qp, &express);
	return express.bytes;
}
