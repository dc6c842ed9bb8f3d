/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Responder: takes requests for a QP and answers them. Two layers: sequencing
 * (is this the request that is due?) and placement (placement.c: find the
 * receive entry, check, move the data, complete).
 *
 * On the loopback path it runs in the requester's thread, on the shared half
 * of the peer's QP, under the responder lock. What it reads there is checked
 * before it is used.
 */
#ifndef ADEV_TRANSPORT_RESPONDER_H
#define ADEV_TRANSPORT_RESPONDER_H

#include "core/fault_point.h"
#include "transport/qp.h"

enum adev_verdict {
	ADEV_VERDICT_ACK,
	ADEV_VERDICT_MORE,       /* part was moved: call again */
	ADEV_VERDICT_LATER,      /* the peer's side is busy */
	ADEV_VERDICT_RNR,        /* no receive is posted */
	ADEV_VERDICT_SILENT,     /* not answered: wrong state or sequence */
	ADEV_VERDICT_STALE,      /* the QP is not what the link was made for */
	ADEV_VERDICT_NAK_INVALID,   /* NAK: invalid request */
	ADEV_VERDICT_NAK_ACCESS,    /* NAK: remote access error */
	ADEV_VERDICT_NAK_OPERATION, /* NAK: remote operational error */
	ADEV_VERDICT_LOCAL_PROTECTION, /* the requester's own memory */
	ADEV_VERDICT_GONE,       /* the peer's process ended */
};

/* Number of packet sequence numbers that a message takes (IBTA 9.7.2). */
static inline uint32_t adev_psn_count(uint64_t bytes, uint32_t mtu)
{
	return bytes <= mtu ? 1u : (uint32_t)((bytes + mtu - 1) / mtu);
}

/* Delivers, or goes on delivering, qp->message over qp->link. */
enum adev_verdict adev_responder_deliver(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* Placement, with the responder lock held: see placement.c. On ACK of a
 * message that uses a receive entry, *completed tells that a receive
 * completion was published and must be notified after the lock is released. */
struct adev_placement {
	/* Where the message goes: memory, receive entry, completion; and the QP
	 * that receives it. For XRC they are not of the same function. */
	struct adev_link *link;
	struct adev_qp_shared *responder;
	struct adev_completion completion;
	bool completed;
	bool failed;          /* the responder's QP goes to ERR */
	uint32_t async_event; /* enum ibv_event_type with `failed`, or 0 */
};

enum adev_verdict adev_place(struct adev_qp *qp,
			     struct adev_placement *placement)
	ARNICA_MUST_CHECK;

/* Tries the responder lock for a few microseconds. */
bool adev_responder_lock(struct adev_qp_shared *responder, uint32_t function)
	ARNICA_MUST_CHECK;

/* Sets a need on a QP of a view and wakes its owner. */
void adev_responder_call_owner(struct adev_view *view, uint32_t index,
			       uint32_t needs);

/* The parts of a delivery that every message passes, with the lock held. */

static inline uint32_t adev_responder_psn(struct adev_qp_shared *responder)
{
	return atomic_load_explicit(&responder->expected_psn,
				    memory_order_relaxed);
}

static inline uint32_t adev_responder_type(uint32_t type)
{
	return type == ARNICA_HW_QP_XRC_SEND ? ARNICA_HW_QP_XRC_RECV : type;
}

/* Is the request due? Requests that are not are dropped without an answer; the
 * requester's retries end it (IBTA 9.7.5, 9.8). */
static inline enum adev_verdict adev_responder_admit(struct adev_qp *qp)
{
	struct adev_qp_shared *responder = qp->link.qp;
	uint32_t state = atomic_load_explicit(&responder->state,
					      memory_order_relaxed);

	if (responder->incarnation != qp->link.incarnation)
		return ADEV_VERDICT_STALE;
	if (state != ARNICA_HW_QPS_RTR && state != ARNICA_HW_QPS_RTS &&
	    state != ARNICA_HW_QPS_SQD && state != ARNICA_HW_QPS_SQE)
		return ADEV_VERDICT_SILENT;
	if (responder->type != adev_responder_type(qp->type) ||
	    responder->dest_qpn != qp->qpn)
		return ADEV_VERDICT_SILENT;
	/* Each message of UC starts the sequence anew (IBTA 9.8.3.1.1). */
	if (adev_type_is_reliable(qp->type) && adev_responder_psn(responder) != qp->send_psn)
		return ADEV_VERDICT_SILENT;
	return ADEV_VERDICT_ACK;
}

/* The request, of so many bytes, is done: the next one is due. True: the owner
 * has to be told that the connection is established. */
static inline bool adev_responder_advance(struct adev_qp *qp, uint64_t bytes)
{
	struct adev_qp_shared *responder = qp->link.qp;
	uint32_t count = adev_psn_count(bytes,
					qp->path_mtu_bytes);
	bool first = !responder->established;

	atomic_store_explicit(&responder->expected_psn,
			      (qp->send_psn + count) & 0xffffff,
			      memory_order_relaxed);
	responder->msn = (responder->msn + 1) & 0xffffff;
	qp->peer_msn = responder->msn;
	ADEV_POINT("responder_advanced");
	if (!first)
		return false;
	responder->established = 1;
	return atomic_load_explicit(&responder->state, memory_order_relaxed) ==
	       ARNICA_HW_QPS_RTR;
}

#endif
