/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The send queue's common part: room, and announcing what was written. Used by
 * ibv_post_send() and by the ibv_wr_* functions; the caller holds the lock of
 * the queue, so doorbells reach the adapter in order.
 */
#ifndef ARNICA_SEND_H
#define ARNICA_SEND_H

#include "qp.h"

/* A queue with fewer requests than this on their way is idle enough for the
 * priority area: the adapter will look at the new one at once. */
#define ARNICA_SEND_IDLE 4u

static inline unsigned char *arnica_send_entry(struct arnica_send_queue *queue,
					       uint32_t index)
{
	return queue->entries + ((size_t)(index & queue->mask) << queue->shift);
}

static inline bool arnica_send_full(struct arnica_qp *qp)
{
	/* C5: the entry and its wr_id were read by the poller. */
	return qp->send.head - atomic_load_explicit(&qp->send_ring.tail,
						    memory_order_acquire) >=
	       qp->send.depth;
}

/* send_wr.c, for requests that stand elsewhere: begins one without data, or NULL
 * after an error; reports an error at wr_complete. */
unsigned char *arnica_send_wr_begin(struct ibv_qp_ex *ex, uint32_t opcode);
void arnica_send_wr_fail(struct arnica_qp *qp, int error);

/* Ends a SET_MKEY request with so many entries. */
void arnica_send_wr_end_entries(struct ibv_qp_ex *ex, uint32_t count);

/* Announces the entries from `first` up to head. `bytes` is the length of the
 * last one. */
static inline void arnica_send_announce(struct arnica_qp *qp, uint32_t first,
					uint32_t bytes)
{
	struct arnica_send_queue *queue = &qp->send;
	uint32_t tail = atomic_load_explicit(&qp->send_ring.tail,
					     memory_order_relaxed);

	if (queue->head - first == 1 && first - tail < ARNICA_SEND_IDLE &&
	    bytes <= ARNICA_AREA_LIMIT_BYTES)
		arnica_doorbell_area(&queue->doorbell, queue->head,
				     arnica_send_entry(queue, first), bytes);
	else
		arnica_doorbell_ring(&queue->doorbell, ARNICA_HW_DB_SQ,
				     queue->head);
}

#endif
