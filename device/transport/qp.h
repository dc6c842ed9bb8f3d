/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A queue pair, as its own process executes it: the requester's half. The
 * responder's half is struct adev_qp_shared in the segment.
 *
 * Lock role `send_queue` (sq_lock): the thread that executes the send queue.
 * Others that have work for it store what they want and leave; the executor
 * looks again after it let go (P6, C6 in exec.c).
 */
#ifndef ADEV_TRANSPORT_QP_H
#define ADEV_TRANSPORT_QP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "comp/channel.h"
#include "comp/completion.h"
#include "core/function.h"
#include "gather/gather.h"
#include "link/link.h"
#include "tpt/mkey.h"
#include "tpt/window.h"

struct adev_remote; /* remote.h */
struct adev_ah;
struct adev_destinations;
struct adev_xrc;
struct adev_pace;

/* A REG_MR request: the registration segment. */
struct adev_registration {
	uint64_t iova;
	uint64_t length;
	uint64_t memory;
	uint32_t count;
	uint32_t page_log;
	uint32_t key;
	uint32_t access;
};

/* One message under way. Stays as it is while the queue pair waits. */
struct adev_message {
	uint32_t opcode; /* enum arnica_hw_opcode */
	uint32_t flags;  /* enum arnica_hw_wqe_flags */
	uint32_t index;
	uint32_t immediate; /* raw */
	bool sends;   /* REG_MR: a SEND follows in the same entry */
	bool registered; /* ... whose registration is done */
	bool drains;  /* refused: its failure is the send queue's only */
	uint8_t refusal; /* ... why: enum arnica_hw_refusal */
	uint64_t remote_address;
	uint32_t rkey;
	uint32_t xrc_srqn; /* XRC: the SRQ that it is for */
	uint64_t swap_or_add;
	uint64_t compare;
	uint64_t bytes;
	uint64_t done;       /* bytes transferred already */
	int inbox_slot;      /* in the peer's inbox; -1: none */
	uint32_t inbox_bytes; /* of the transfer under way there */
	uint32_t local_access; /* right that the local pieces need */
	const struct adev_ah *ah; /* UD */
	uint32_t dest_qpn;        /* UD */
	uint32_t qkey;            /* UD: what it carries */
	struct adev_bind bind;    /* BIND_MW */
	struct adev_registration registration; /* REG_MR */
	struct adev_mkey_layout mkey; /* SET_MKEY */
	uint8_t inline_data[ARNICA_HW_MAX_INLINE];
	struct adev_gather gather;
};

enum adev_wait {
	ADEV_WAIT_NOT = 0,
	ADEV_WAIT_RNR,   /* no receive posted */
	ADEV_WAIT_RETRY, /* the peer does not answer */
	ADEV_WAIT_BUSY,  /* the peer's side is locked, or its inbox works */
	ADEV_WAIT_MEMORY, /* a region of it is being registered */
};

struct adev_qp {
	struct adev_function *fn;
	struct adev_qp_shared *shared;
	uint32_t index;
	uint32_t qpn;
	uint32_t type;

	_Atomic uint32_t sq_lock;
	_Atomic uint32_t producer; /* announced by doorbells */
	uint32_t head;             /* next entry to execute */
	_Atomic bool again; /* somebody wanted to execute it meanwhile */
	_Atomic bool held;  /* exec/hold.h: somebody will, soon */
	bool active;               /* `message` is under way */
	/* A connection whose plain messages may go the short way (exec/express.h):
	 * RC or UC, and without a pace. */
	bool plain;
	/* Bytes that the next access to memory may move; more than a gather
	 * entry only in the turn of an engine. */
	uint32_t allowance;
	char *sq;
	uint32_t sq_stride;
	uint32_t sq_mask;
	uint32_t sq_depth;
	uint32_t rq_depth;
	struct adev_ring send_ring;
	/* Own receive queue's, for flushing. With an SRQ it grows, under the
	 * responder lock. */
	struct adev_ring recv_ring;
	struct adev_srq srq;        /* shared: NULL without one */

	uint32_t send_ring_head;
	uint32_t send_psn; /* 24 bits */
	uint32_t path_mtu_bytes;
	_Atomic uint32_t service_level;
	struct adev_link link;
	/* Changes in INIT only, with sq_lock held. */
	_Atomic(struct adev_remote *) remote; /* NULL: peer in this domain */
	struct adev_remote *remote_kept; /* from an earlier connection too */
	struct adev_destinations *destinations; /* UD; NULL otherwise */
	struct adev_xrc *xrc; /* XRC_SEND, XRC_RECV; NULL otherwise */
	/* Made with the first work request: a QP that never sent has none. */
	struct adev_message *message;
	struct adev_pace *pace; /* pace.h; NULL: it may send as fast as it can */
	uint32_t xrcd; /* handle, or UINT32_MAX */

	enum adev_wait wait;
	uint64_t deadline_ns; /* UINT64_MAX: none */
	_Atomic uint64_t retry_at_ns;
	uint64_t again_ns; /* how long the last wait was */
	uint32_t peer_rnr_timer; /* code, from the last RNR NAK */
	uint32_t peer_msn;	 /* of the responder, after the last message */
	uint32_t rnr_producer;   /* the peer's receive index at that time */
	uint32_t rnr_looks;      /* since the last try */
	struct adev_qp *next_waiting;
	/* Timer of a QP on the wire; ADEV_NEVER_NS: none runs. */
	_Atomic uint64_t timer_ns;
	struct adev_qp *next_timed;
	_Atomic bool timer_due; /* set by whoever found it due */
	bool timed;	 /* is on that list */
	bool on_waiting; /* ... on the list of those that wait */

	/* sched/sched.h; lock role `scheduler` */
	_Atomic bool scheduled; /* in a queue, or with an engine */
	bool withdrawn; /* ... and never again */
	uint8_t scheduled_class; /* the queue that it is in */
	struct adev_qp *next_scheduled;

	uint32_t async_written; /* its asynchronous events; channel_lock */
	_Atomic bool peer_died; /* its process ended without leaving */
	bool notify_drained;    /* in SQD: raise SQ_DRAINED when it is */
	bool flush_pending;     /* the receive queue could not be flushed yet */
	bool blocks_own; /* UD: gets nothing of what it sends to a group */
	bool last_wqe_told;     /* LAST_WQE_REACHED was raised in this ERR */
	bool registers;         /* its send queue takes REG_MR */
	bool drains;            /* a refused REG_MR leads to SQD, not to ERR */
	bool stopped;           /* ... has: what is posted in SQD is flushed */
	bool limited;           /* waits for the port */
	bool orphaned; /* its maker has destroyed it: only others have it */

	struct arnica_hw_qp_attributes attributes; /* as modified */
	/* UD: groups that it is attached to; raw packets: its flow rules.
	 * command_lock */
	uint32_t num_groups;
	uint32_t pd;
	struct adev_binder binder;
	uint32_t send_cq;
	uint32_t recv_cq;
	uint64_t memory_offset;
	uint64_t memory_bytes;
};

/* There may be tens of thousands that do nothing: what each costs beside its
 * rings. */
_Static_assert(sizeof(struct adev_qp) + sizeof(struct adev_qp_shared) <= 1024,
	       "an idle queue pair");

/* Lock role `send_queue`. */
static inline bool adev_qp_try_lock_send(struct adev_qp *qp)
{
	return !atomic_load_explicit(&qp->sq_lock, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&qp->sq_lock, 1,
					 memory_order_acquire);
}
void adev_qp_lock_send(struct adev_qp *qp); /* waits */
static inline void adev_qp_unlock_send(struct adev_qp *qp)
{
	/* A full barrier: `again` is looked at after it (C6 in exec.c). */
	(void)atomic_exchange_explicit(&qp->sq_lock, 0, memory_order_seq_cst);
	arnica_fence_after_rmw();
}

/* Does a requester of this type learn what became of its messages? */
static inline bool adev_type_is_reliable(uint32_t type)
{
	return type != ARNICA_HW_QP_UC && type != ARNICA_HW_QP_UD &&
	       type != ARNICA_HW_QP_RAW_PACKET;
}

/* Whether plain messages may go the short way; after each change of what that
 * depends on. `sq_lock` held. */
static inline void adev_qp_judge_plain(struct adev_qp *qp)
{
	qp->plain = !qp->pace && (qp->type == ARNICA_HW_QP_RC ||
				  qp->type == ARNICA_HW_QP_UC);
}

/* Do receives complete here? Other than of the entries of `recv_ring`, the answer
 * is always the same. */
static inline bool adev_qp_receives(const struct adev_qp *qp)
{
	return qp->rq_depth || qp->srq.shared;
}

/* Raises an asynchronous event (enum ibv_event_type) of the QP. What an XRC SRQ
 * has of a queue pair, or a WQ, has none, and those of an orphan have ended. */
static inline void adev_qp_raise(struct adev_qp *qp, uint32_t type)
{
	if (qp->type == ARNICA_HW_QP_XRC_SRQ || qp->type == ARNICA_HW_QP_WQ)
		return;
	adev_async_raise_for(qp->fn, type, qp->shared->user_data,
			     &qp->async_written);
}

/* Moves the QP to ERR and flushes both queues, the message under way included;
 * `sq_lock` held. */
void adev_qp_enter_error(struct adev_qp *qp);

/* The same for a QP that somebody else has put into ERR, who may have had no
 * time to call for it. Returns the event that is to be raised for that (enum
 * ibv_event_type), or zero, as at the second call. */
uint32_t adev_qp_follow_error(struct adev_qp *qp);

/* Moves the send queue of a QP of an unreliable service to SQE and flushes it:
 * an error of its own (IBTA 10.3.1.6). The receive queue goes on. `sq_lock`
 * held. */
void adev_qp_enter_sqe(struct adev_qp *qp);

/* A registration was refused in a queue that drains then: SQD, and what follows
 * it is flushed until the program says RTS. `sq_lock` held. */
void adev_qp_enter_stopped(struct adev_qp *qp);

/* Raises SQ_DRAINED if it was asked for and is due: state SQD, and no message
 * under way. `sq_lock` held. */
void adev_qp_check_drained(struct adev_qp *qp);

/* Flushes all that was posted and has not completed, the message under way and
 * those without an answer first; `sq_lock` held, state ERR. */
void adev_qp_flush(struct adev_qp *qp);

/* The same for the send queue alone, in state SQE, or SQD where stopped. */
void adev_qp_flush_send(struct adev_qp *qp);

/* A sender to this QP of an unreliable service died: takes the responder lock
 * from it and finishes what it began. */
void adev_qp_recover(struct adev_qp *qp);

#endif
