/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion queues. A CQ is the set of the completion rings of its work
 * queues (cqe.h of the contract). The rings that have something, or had a
 * moment ago, are hot: each poll looks at these only. A ring gets hot when the
 * adapter puts it on the CQ's ready stack.
 */
#ifndef ARNICA_CQ_H
#define ARNICA_CQ_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "context.h"
#include "ring.h"
#include "spinlock.h"

/* A completion, taken from its ring and checked. */
struct arnica_completion {
	uint64_t wr_id;
	uint64_t timestamp_ns; /* CLOCK_MONOTONIC; zero unless asked for */
	enum ibv_wc_status status;
	enum ibv_wc_opcode opcode;
	uint32_t vendor_error;
	uint32_t byte_len;
	uint32_t qp_num;
	uint32_t immediate; /* __be32 as it stands in memory */
	uint32_t source;    /* a datagram's: masks of cqe.h; zero otherwise */
	unsigned int wc_flags;
};

struct arnica_cq {
	struct ibv_cq_ex verbs; /* first: this is the library's view */

	struct arnica_spinlock lock __attribute__((aligned(64)));
	uint32_t num_hot;
	uint32_t next_hot; /* where the next poll starts */
	uint32_t next_cool; /* likewise, for letting go */
	uint32_t hot_capacity;
	struct arnica_ring **hot;
	struct arnica_hw_cq_record *record;
	struct arnica_context *context;

	struct arnica_ring *rings; /* all rings of the CQ */
	uint32_t num_rings;
	struct arnica_ring *dirty; /* polled, but `polled` not yet published */
	/* Somebody is between start_poll and end_poll: other pollers wait. The
	 * lock is not held meanwhile, for the application may do what it
	 * likes there, for example deregister memory. */
	bool in_session;
	uint32_t num_current;		  /* polled in this session */
	struct arnica_completion current; /* what read_* tell of */

	_Atomic uint32_t spared_polls; /* since the wire was open */
	_Atomic uint32_t vain_polls;   /* that found nothing, in a row */
	uint32_t channel_index; /* ARNICA_HW_NO_CHANNEL without one */
	/* Events that the library has handed over. */
	_Atomic uint32_t completion_events;
	_Atomic uint32_t async_events;
};

static inline struct arnica_cq *arnica_cq_of(struct ibv_cq *cq)
{
	return (struct arnica_cq *)(void *)cq;
}

static inline struct arnica_cq *arnica_cq_of_ex(struct ibv_cq_ex *cq)
{
	return (struct arnica_cq *)(void *)cq;
}

struct ibv_cq *arnica_cq_create(struct ibv_context *context, int cqe,
				struct ibv_comp_channel *channel, int vector);
struct ibv_cq_ex *arnica_cq_create_ex(struct ibv_context *context,
				      struct ibv_cq_init_attr_ex *attr);
int arnica_cq_resize(struct ibv_cq *cq, int cqe);
int arnica_cq_modify(struct ibv_cq *cq, struct ibv_modify_cq_attr *attr);
int arnica_cq_destroy(struct ibv_cq *cq);

/* cq_event.c */
int arnica_cq_req_notify(struct ibv_cq *cq, int solicited_only);
void arnica_cq_event(struct ibv_cq *cq);
/* Waits until the application has acknowledged every event that it read. */
void arnica_cq_wait_for_acks(struct arnica_cq *cq,
			     const struct arnica_hw_res_events *read);

/* cq_poll.c */
int arnica_cq_poll(struct ibv_cq *cq, int num_entries, struct ibv_wc *wc);
/*
 * Takes the next completion of any ring; the caller holds the lock. False when
 * there is none.
 */
bool arnica_cq_take(struct arnica_cq *cq, struct arnica_completion *completion);
/* After the last take: publishes, counts and cools; the caller holds the lock.
 */
void arnica_cq_settle(struct arnica_cq *cq, uint32_t num_taken);
/* Makes every ring on the ready stack hot; the caller holds the lock. */
void arnica_cq_take_ready(struct arnica_cq *cq);
/* Looks at every ring, for the stack cannot be relied on; likewise. */
void arnica_cq_rescan(struct arnica_cq *cq);
/* Takes a ring off the hot list, if it is on it; the caller holds the lock. */
void arnica_cq_cool(struct arnica_cq *cq, struct arnica_ring *ring);
/* Where the queues could overrun the CQ: entries that are free again. */
void arnica_cq_count_polled(struct arnica_cq *cq, uint32_t num_polled);
/* Of so many polls that found nothing one looks at the wire, when there is
 * nothing else to do. */
#define ARNICA_CQ_WIRE_POLLS 8u
/* Of so many that found something one goes on with the work that is left. */
#define ARNICA_CQ_TAKING_POLLS 16u

/*
 * If work is left for whoever polls, does it; true when completions may have
 * come of it. Who has just taken some is let go with them: what is left is of
 * no use to it yet, and what it posts next may take that along (an
 * acknowledgement, with the answer to what it acknowledges).
 */
static inline bool arnica_cq_attend(struct arnica_cq *cq, bool taken)
{
	/* C3: pairs with the release with which peers leave work here. */
	uint32_t attention = arnica_load32(&cq->context->header->attention,
					   memory_order_acquire);

	if (__builtin_expect(attention == ARNICA_HW_ATTENTION_NONE, 1))
		return false;
	/* A look at the wire is a system call, which would be on the way of
	 * each message within the host. A count lost among threads is no harm. */
	if ((taken && attention != ARNICA_HW_ATTENTION_HELD) ||
	    attention == ARNICA_HW_ATTENTION_WIRE) {
		uint32_t polls = atomic_load_explicit(&cq->spared_polls,
						      memory_order_relaxed);

		atomic_store_explicit(&cq->spared_polls, polls + 1,
				      memory_order_relaxed);
		if (polls % (taken ? ARNICA_CQ_TAKING_POLLS :
				     ARNICA_CQ_WIRE_POLLS))
			return false;
	}
	arnica_bus_poll(cq->context->bus);
	return true;
}

/* Did a poll find something? A count lost among threads is no harm. */
static inline void arnica_cq_note_poll(struct arnica_cq *cq, bool found)
{
	uint32_t polls = atomic_load_explicit(&cq->vain_polls,
					      memory_order_relaxed) +
			 1;

	atomic_store_explicit(&cq->vain_polls, found ? 0 : polls,
			      memory_order_relaxed);
	if (__builtin_expect(!found && polls % ARNICA_BUS_VAIN_POLLS == 0, 0))
		arnica_bus_polled_in_vain(cq->context->bus);
}

/* Takes the lock, as a poller: waits until no session is open. */
static inline void arnica_cq_lock_to_poll(struct arnica_cq *cq)
{
	arnica_spinlock_lock(&cq->lock);
	while (__builtin_expect(cq->in_session, 0)) {
		arnica_spinlock_unlock(&cq->lock);
		sched_yield();
		arnica_spinlock_lock(&cq->lock);
	}
}

/* cq_ex.c */
void arnica_cq_ex_init(struct arnica_cq *cq, uint64_t wc_flags);

#endif
