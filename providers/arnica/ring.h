/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host's end of a work queue's completion ring: what has been polled, and
 * of a receive queue also what has been scattered. Everything here is written
 * under the lock of the CQ that the ring belongs to, except where said.
 */
#ifndef ARNICA_RING_H
#define ARNICA_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/cqe.h"
#include "arnica/hw/cqp.h"
#include "arnica/hw/format.h"
#include "arnica/hw/records.h"
#include "pd.h"

#define ARNICA_RING_NOT_HOT 0xffffffffu

struct arnica_cq;
struct arnica_qp;
struct arnica_srq;

struct arnica_ring {
	/* line of the poller */
	struct arnica_hw_cqe *entries;
	uint32_t mask;	    /* slots - 1, of ring and work queue alike */
	uint32_t head;	    /* next entry to poll, free-running */
	uint32_t scattered; /* receive: payload placed up to here, >= head */
	uint32_t hot_index; /* place in the CQ's hot list, or NOT_HOT */
	uint32_t empty_polls;
	bool is_receive;
	bool expected; /* a writer may yet push it on the ready stack */
	struct arnica_hw_queue_record *record;
	struct arnica_qp *qp;
	uint64_t *wr_ids; /* in `memory` */
	/* Work requests retired; the poster reads it to know what is free. */
	_Atomic uint32_t tail;
	/* Requests about memory on their way: see mirror.h. */
	_Atomic uint32_t memory_ops;

	/* seldom used */
	struct arnica_cq *cq;
	uint32_t number; /* queue number, 2 * n or 2 * n + 1 */
	struct arnica_ring *next_of_cq;
	struct arnica_ring **link_of_cq; /* that leads here; under the CQ's lock */
	/* receive: entries of the QP's own queue, or of its SRQ */
	const unsigned char *work;
	struct arnica_srq *srq; /* or NULL */
	uint32_t work_shift;
	uint32_t work_max_sge;
	const unsigned char *eager;
	uint32_t eager_bytes;
	struct arnica_pd_memory memory;
} __attribute__((aligned(64)));

static inline struct arnica_hw_cqe *arnica_ring_entry(struct arnica_ring *ring,
						      uint32_t index)
{
	return &ring->entries[index & ring->mask];
}

/* Where the work queue has the entry that completes with `entry`, at `index`. */
static inline uint32_t arnica_ring_work(const struct arnica_ring *ring,
					uint32_t index,
					const struct arnica_hw_cqe *entry)
{
	return ring->srq ? arnica_from_le32(entry->wqe_index) : index;
}

/*
 * Does the ring hold entry `index`? C1: pairs with P1, the release store of
 * `sequence` with which the adapter publishes the entry; what the entry says,
 * and the payload it tells of, are visible then.
 */
static inline bool arnica_ring_has(struct arnica_ring *ring, uint32_t index)
{
	return arnica_load32(&arnica_ring_entry(ring, index)->sequence,
			     memory_order_acquire) == index + 1;
}

/* Tells the adapter how far the ring was polled. P4: the adapter reuses entry
 * and eager bytes after it reads this with acquire. */
static inline void arnica_ring_publish(struct arnica_ring *ring)
{
	arnica_store32(&ring->record->polled, ring->head, memory_order_release);
}

/*
 * Attaches the ring to its CQ and enters it in the context's table; false when
 * out of memory. The CQ looks at it from then on.
 */
bool arnica_ring_attach(struct arnica_ring *ring,
			struct arnica_cq *cq) ARNICA_MUST_CHECK;

/* The queue was destroyed: forgets the ring and what it still holds. */
void arnica_ring_detach(struct arnica_ring *ring);

/* The queue was reset: throws away the completions that nobody polled; the
 * work queue starts empty at `producer`. */
void arnica_ring_reset(struct arnica_ring *ring, uint32_t producer);

#endif
