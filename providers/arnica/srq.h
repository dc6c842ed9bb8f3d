/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Shared receive queues. Entries are taken in the order in which they were
 * posted and come back in any order, so those that are free are kept in a list.
 *
 * Who polls a completion gives its entry back on a stack, without a lock: the
 * poster, who holds `lock`, takes the whole stack when its own list is empty.
 */
#ifndef ARNICA_SRQ_H
#define ARNICA_SRQ_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "arnica/hw/cqp.h"
#include "arnica/hw/records.h"
#include "doorbell.h"
#include "spinlock.h"

struct arnica_context;

struct arnica_srq {
	union {
		struct ibv_srq base;
		unsigned char bytes[ARNICA_ABI_SRQ_BYTES];
	} verbs;
	struct arnica_context *context;
	struct ibv_qp *hidden; /* XRC; else NULL */
	unsigned char *entries;
	arnica_atomic_le64 *words;
	arnica_atomic_le32 *ring;
	struct arnica_hw_srq_record *record;
	struct arnica_doorbell doorbell;
	uint32_t number;
	_Atomic uint32_t depth; /* changes with `objects` */
	uint32_t mask;	   /* slots - 1; changes with `lock` and `objects` */
	uint32_t capacity; /* slots that it can grow to */
	uint32_t shift;	   /* of the entry's bytes */
	uint32_t max_sge;
	uint32_t room; /* segments that fit an entry */
	/* In `memory`, for as many slots as it has capacity for. */
	uint64_t *wr_ids;
	uint32_t *next; /* of a free entry: the next one + 1, or 0 */
	/* Entries that the adapter has; whoever clears it gives one back. */
	_Atomic uint8_t *posted;
	void *memory;
	size_t memory_bytes;
	_Atomic uint32_t async_events; /* read by the application */

	/* line of the poster */
	struct arnica_spinlock lock __attribute__((aligned(64)));
	uint32_t head; /* posts so far */
	uint32_t free; /* first free entry + 1, or 0 */
	/* Slots that the queue is too small for: first of a list + 1, or 0; and
	 * how many there are with those that are in use. */
	uint32_t parked;
	uint32_t num_slots;

	/* line of the pollers: entries that came back, first + 1, or 0 */
	_Atomic uint32_t returned __attribute__((aligned(64)));
};

static inline struct arnica_srq *arnica_srq_of(struct ibv_srq *srq)
{
	return (struct arnica_srq *)(void *)srq;
}

struct ibv_srq *arnica_srq_create(struct ibv_pd *pd,
				  struct ibv_srq_init_attr *attr);
struct ibv_srq *arnica_srq_create_ex(struct ibv_context *context,
				     struct ibv_srq_init_attr_ex *attr);
int arnica_srq_modify(struct ibv_srq *srq, struct ibv_srq_attr *attr, int mask);
int arnica_srq_query(struct ibv_srq *srq, struct ibv_srq_attr *attr);
int arnica_srq_destroy(struct ibv_srq *srq);
int arnica_srq_get_number(struct ibv_srq *srq, uint32_t *number);

/* srq_resize.c: with `objects` held; above 0 and not above max_srq_wr. On
 * failure the queue is as before. With a mask of ARNICA_HW_SRQ_LIMIT the limit
 * is set as well. */
int arnica_srq_resize(struct arnica_srq *srq, uint32_t depth, uint32_t limit,
		      uint32_t mask) ARNICA_MUST_CHECK;

/* srq_post.c */

/* A free entry, + 1; 0 when all are in use. The caller holds the lock. */
static inline uint32_t arnica_srq_take_free(struct arnica_srq *srq)
{
	uint32_t slot;

	/* S2: pairs with S1; who gave an entry back is done with it. */
	if (!srq->free)
		srq->free = atomic_exchange_explicit(&srq->returned, 0,
						     memory_order_acquire);
	slot = srq->free;
	if (slot)
		srq->free = srq->next[slot - 1];
	return slot;
}

int arnica_srq_post(struct ibv_srq *srq, struct ibv_recv_wr *wr,
		    struct ibv_recv_wr **bad_wr);

/* The entry has completed. False when the adapter did not have it; wr_id is not
 * stored then. */
bool arnica_srq_return(struct arnica_srq *srq, uint32_t slot, uint64_t *wr_id);

/* The QP with this handle was brought to RESET or destroyed: takes back what it
 * had taken and nobody polled. */
void arnica_srq_reclaim(struct arnica_srq *srq, uint32_t qp);

#endif
