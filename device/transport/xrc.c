/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* XRC: the SRQ that a message names, its lock, and the way of an entry. */
#include "transport/xrc.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#include "core/fault_point.h"
#include "core/qp_lock.h"
#include "transport/receive_entry.h"
#include "trace.h"

#define FORGET_LOCK_MS 2u

/* SRQs by number: sets of a few, of which the one that was entered first gives
 * way. */
#define SETS 8u
#define WAYS 4u

struct way {
	uint32_t number; /* zero: unused */
	struct adev_link link;
};

struct set {
	uint32_t next; /* that gives way */
	struct way ways[WAYS];
};

struct adev_xrc {
	struct set sets[SETS];
	struct way *current; /* or NULL */
};

int adev_xrc_create(struct adev_qp *qp)
{
	qp->xrc = calloc(1, sizeof(*qp->xrc));
	return qp->xrc ? 0 : ENOMEM;
}

static void let_go(struct adev_xrc *xrc, struct way *way)
{
	adev_link_close(&way->link);
	way->number = 0;
	if (xrc->current == way)
		xrc->current = NULL;
}

static struct way *way_at(struct adev_xrc *xrc, uint32_t index)
{
	return &xrc->sets[index / WAYS].ways[index % WAYS];
}

static void let_go_all(struct adev_xrc *xrc)
{
	uint32_t i;

	for (i = 0; i < SETS * WAYS; i++)
		let_go(xrc, way_at(xrc, i));
}

void adev_xrc_destroy(struct adev_qp *qp)
{
	if (!qp->xrc)
		return;
	let_go_all(qp->xrc);
	free(qp->xrc);
	qp->xrc = NULL;
}

void adev_xrc_close(struct adev_qp *qp)
{
	/* The links of an XRC_RECV are under its responder lock. */
	if (qp->xrc && qp->type == ARNICA_HW_QP_XRC_SEND)
		let_go_all(qp->xrc);
}

void adev_xrc_forget(struct adev_qp *qp, uint32_t function, uint64_t generation)
{
	bool receives = qp->type == ARNICA_HW_QP_XRC_RECV;
	uint32_t i;

	/* A live peer that keeps the lock keeps a dead one's memory mapped. */
	if (!qp->xrc ||
	    (receives &&
	     adev_qp_lock_owner(qp->fn, qp->shared, FORGET_LOCK_MS)))
		return;
	for (i = 0; i < SETS * WAYS; i++) {
		struct way *way = way_at(qp->xrc, i);

		if (way->link.view && way->link.view->function == function &&
		    way->link.view->generation == generation)
			let_go(qp->xrc, way);
	}
	if (receives)
		adev_qp_unlock(qp->shared);
}

bool adev_xrc_knows(struct adev_xrc *xrc, const struct adev_view *view)
{
	uint32_t i;

	for (i = 0; i < SETS * WAYS; i++)
		if (way_at(xrc, i)->link.view == view)
			return true;
	return false;
}

struct adev_link *adev_xrc_current(const struct adev_xrc *xrc)
{
	return xrc->current ? &xrc->current->link : NULL;
}

static struct way *find(struct adev_xrc *xrc, uint32_t number)
{
	/* The low bits tell the QPs of a function apart, the next ones the
	 * functions. */
	struct set *set = &xrc->sets[(number ^ number >> 8) % SETS];
	struct way *way;
	uint32_t i;

	if (xrc->current && xrc->current->number == number)
		return xrc->current;
	for (i = 0; i < WAYS; i++)
		if (set->ways[i].number == number)
			return &set->ways[i];
	way = &set->ways[set->next++ % WAYS];
	let_go(xrc, way);
	way->number = number;
	return way;
}

/* Whoever has the lock died, perhaps: its owner takes it back. */
static enum adev_xrc_state busy(const struct adev_xrc_receiver *receiver,
				const struct adev_link *to)
{
	uint64_t word = atomic_load(&to->qp->lock);

	if (ADEV_LOCK_HOLDER(word) &&
	    !adev_qp_holder_alive(receiver->fn, word))
		adev_responder_call_owner(to->view, to->index,
					  ADEV_QP_NEEDS_RECOVERY);
	return ADEV_XRC_BUSY;
}

/* A14.2: both are of one domain. Another, and an SRQ that is no more or is in
 * error, is the same to the requester. */
static bool admits(const struct adev_xrc_receiver *receiver,
		   const struct adev_link *to)
{
	return to->qp->type == ARNICA_HW_QP_XRC_SRQ && to->srq.shared &&
	       atomic_load_explicit(&to->qp->state, memory_order_relaxed) ==
		       ARNICA_HW_QPS_RTS &&
	       to->qp->xrcd && to->qp->xrcd == receiver->qp->xrcd;
}

/* The link is the caller's own, for this receiver. */
static void bind(const struct adev_xrc_receiver *receiver, struct adev_link *to)
{
	to->holder = receiver->qp;
	to->srq.taker = ADEV_SRQ_XRC_TAKER | receiver->qpn;
	to->ring.qpn = receiver->qpn;
}

static uint32_t number_of(const struct adev_link *to)
{
	return ((const struct way *)(const void *)((const char *)to -
						   offsetof(struct way, link)))
		->number;
}

void adev_xrc_note(struct adev_link *to)
{
	_Atomic uint32_t *number = &to->holder->srq_number;

	if (atomic_load_explicit(number, memory_order_relaxed) != number_of(to))
		atomic_store(number, number_of(to));
}

/* Has the receiver an entry of another SRQ in hand? (A SEND comes in, and a read
 * before it is answered from another process's memory.) */
static bool holds_another(const struct adev_link *to)
{
	uint64_t taken = atomic_load_explicit(&to->holder->srq_taken,
					      memory_order_relaxed);

	return (uint32_t)taken && taken >> 32 == to->holder->rq_head &&
	       atomic_load_explicit(&to->holder->srq_number,
				    memory_order_relaxed) != number_of(to);
}

static void name_taker(const struct adev_srq *srq, uint32_t slot,
		       uint32_t taker)
{
	uint64_t word = arnica_load64(&srq->words[slot], memory_order_relaxed);

	arnica_store64(&srq->words[slot],
		       arnica_hw_srq_word((uint32_t)(word >> 32), taker),
		       memory_order_seq_cst);
}

static void flush(struct adev_link *to, struct adev_completion *completion)
{
	*completion = (struct adev_completion){
		.opcode = ARNICA_HW_RECV,
		.status = ARNICA_HW_STATUS_WR_FLUSH_ERR,
	};
	adev_receive_complete(to, completion);
}

/*
 * What somebody left who died with the lock in hand: a completion that was not
 * counted any more, or an entry that was about to complete. That is the
 * receiver's then, or, should it have one already, flushed.
 */
static void settle(struct adev_link *to)
{
	struct adev_qp_shared *hidden = to->qp, *receiver = to->holder;
	struct adev_srq left = to->srq;
	struct adev_completion completion;
	uint32_t slot, other;

	left.taker = to->index + 1;
	if (adev_completion_published(&to->ring, hidden->rq_head))
		hidden->rq_head++;
	if (!adev_srq_taken(&left, hidden, &slot))
		return;
	if (adev_srq_taken(&to->srq, receiver, &other) || holds_another(to)) {
		to->holder = hidden;
		to->srq.taker = left.taker;
		flush(to, &completion);
		to->holder = receiver;
		to->srq = left;
		to->srq.taker = ADEV_SRQ_XRC_TAKER | to->ring.qpn;
		atomic_thread_fence(memory_order_seq_cst); /* P2 */
		adev_completion_notify(&to->ring, &completion);
		return;
	}
	adev_xrc_note(to);
	atomic_store(&receiver->srq_taken,
		     (uint64_t)receiver->rq_head << 32 | (slot + 1));
	name_taker(&to->srq, slot, to->srq.taker);
}

enum adev_xrc_state adev_xrc_lock(const struct adev_xrc_receiver *receiver,
				  uint32_t number, struct adev_link **to)
{
	struct way *way = find(receiver->xrc, number);
	struct adev_link *link = &way->link;
	uint32_t tries;

	receiver->xrc->current = way;
	*to = link;
	/* The receiver's own lock is held. */
	if (!number || number == receiver->qpn)
		return ADEV_XRC_NONE;
	/* Once more when the number belongs to another one by now. */
	for (tries = 0; tries < 2; tries++) {
		switch (adev_link_open(receiver->fn, number, link)) {
		case ADEV_LINK_UP:
			break;
		case ADEV_LINK_BUSY:
			return busy(receiver, link);
		case ADEV_LINK_ABSENT:
		case ADEV_LINK_DEAD:
			return ADEV_XRC_NONE;
		}
		if (!adev_responder_lock(link->qp,
					 receiver->fn->view.function))
			return busy(receiver, link);
		if (link->qp->incarnation == link->incarnation) {
			if (admits(receiver, link) &&
			    adev_receive_follow(link)) {
				bind(receiver, link);
				settle(link);
				return ADEV_XRC_READY;
			}
			adev_qp_unlock(link->qp);
			return ADEV_XRC_NONE;
		}
		adev_qp_unlock(link->qp);
		link->resolved = false;
	}
	return ADEV_XRC_NONE;
}

void adev_xrc_unlock(struct adev_link *to,
		     const struct adev_completion *completed)
{
	if (completed) {
		/* P2. Under the lock: nobody is told of a sender's death. */
		atomic_thread_fence(memory_order_seq_cst);
		adev_completion_notify(&to->ring, completed);
	}
	ADEV_POINT("xrc_unlocking");
	adev_qp_unlock(to->qp);
}

void adev_xrc_hand_over(struct adev_link *to,
			struct adev_completion *completion)
{
	struct adev_qp_shared *hidden = to->qp;
	uint32_t slot = completion->wqe_index;

	completion->flags |= ARNICA_HW_CQE_XRC;
	completion->vendor_error = to->ring.qpn;
	/* As if the hidden QP took it (S3); it was the receiver's until its
	 * word changes. */
	atomic_store_explicit(&hidden->srq_taken,
			      (uint64_t)hidden->rq_head << 32 | (slot + 1),
			      memory_order_relaxed);
	ADEV_POINT("xrc_noted");
	name_taker(&to->srq, slot, to->index + 1);
	ADEV_POINT("xrc_handed_over");
	to->holder->rq_head++;
}

static enum adev_verdict refuse(struct adev_qp *qp,
				struct adev_placement *placement)
{
	adev_count(&qp->fn->counters, xrc_refused);
	arnica_trace_xrc_refused(qp->qpn, qp->message->xrc_srqn);
	placement->failed = true;
	placement->async_event = IBV_EVENT_QP_REQ_ERR;
	placement->completion.status = ARNICA_HW_STATUS_REM_INV_REQ_ERR;
	return ADEV_VERDICT_NAK_INVALID;
}

enum adev_verdict adev_xrc_place(struct adev_qp *qp,
				 struct adev_placement *placement)
{
	const struct adev_xrc_receiver receiver = {
		.fn = qp->fn,
		.xrc = qp->xrc,
		.qp = placement->responder,
		.qpn = arnica_from_le32(qp->attributes.dest_qpn),
	};
	enum adev_verdict verdict;

	/* The receiver's own function is not touched through this lock. */
	adev_qp_announce(receiver.qp, 0);
	switch (adev_xrc_lock(&receiver, qp->message->xrc_srqn,
			      &placement->link)) {
	case ADEV_XRC_READY:
		break;
	case ADEV_XRC_BUSY:
		return ADEV_VERDICT_LATER;
	case ADEV_XRC_NONE:
		return refuse(qp, placement);
	}
	ADEV_POINT("xrc_locked");
	verdict = adev_place(qp, placement);
	adev_xrc_unlock(placement->link,
			placement->completed ? &placement->completion : NULL);
	placement->completed = false;
	return verdict;
}

bool adev_xrc_flush(struct adev_qp *qp)
{
	struct adev_qp_shared *shared = qp->shared;
	uint64_t taken = atomic_load(&shared->srq_taken);
	const struct adev_xrc_receiver receiver = {
		.fn = qp->fn,
		.xrc = qp->xrc,
		.qp = shared,
		.qpn = qp->qpn,
	};
	struct adev_completion completion;
	struct adev_link *to;
	bool any;
	uint32_t slot;

	if (qp->type != ARNICA_HW_QP_XRC_RECV || !(uint32_t)taken ||
	    taken >> 32 != shared->rq_head)
		return true;
	switch (adev_xrc_lock(&receiver, atomic_load(&shared->srq_number),
			      &to)) {
	case ADEV_XRC_READY:
		break;
	case ADEV_XRC_BUSY:
		return false;
	case ADEV_XRC_NONE:
		return true;
	}
	any = adev_srq_left(&to->srq, shared, &slot);
	if (any)
		flush(to, &completion);
	adev_xrc_unlock(to, any ? &completion : NULL);
	return true;
}
