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
	uint32_t depth;
	uint32_t mask;	/* slots - 1 */
	uint32_t shift; /* of the entry's bytes */
	uint32_t max_sge;
	uint32_t room; /* segments that fit an entry */
	uint64_t *wr_ids;
	uint32_t *next; /* of a free entry: the next one + 1, or 0 */
	/* Entries that the adapter has; whoever clears it gives one back. */
	_Atomic uint8_t *posted;
	_Atomic uint32_t async_events; /* read by the application */

	/* line of the poster */
	struct arnica_spinlock lock __attribute__((aligned(64)));
	uint32_t head; /* posts so far */
	uint32_t free; /* first free entry + 1, or 0 */

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

/* srq_post.c */
int arnica_srq_post(struct ibv_srq *srq, struct ibv_recv_wr *wr,
		    struct ibv_recv_wr **bad_wr);

/* The entry has completed. False when the adapter did not have it; wr_id is not
 * stored then. */
bool arnica_srq_return(struct arnica_srq *srq, uint32_t slot, uint64_t *wr_id);

/* The QP with this handle was brought to RESET or destroyed: takes back what it
 * had taken and nobody polled. */
void arnica_srq_reclaim(struct arnica_srq *srq, uint32_t qp);

#endif
