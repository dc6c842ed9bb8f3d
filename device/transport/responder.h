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

#endif
