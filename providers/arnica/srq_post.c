/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_post_srq_recv(), and the way of an entry back; see srq.h. As with a QP's
 * own receive queue no doorbell is needed unless a message waits.
 */
#include <errno.h>

#include "receive_post.h"
#include "srq.h"

static inline int write_entry(struct arnica_srq *srq,
			      const struct ibv_recv_wr *wr)
{
	unsigned char *entry;
	uint32_t slot;

	if (__builtin_expect((uint32_t)wr->num_sge > srq->max_sge, 0))
		return EINVAL;
	slot = arnica_srq_take_free(srq);
	if (__builtin_expect(!slot--, 0))
		return ENOMEM;
	entry = srq->entries + ((size_t)slot << srq->shift);
	arnica_receive_write(entry, wr, srq->room);
	srq->wr_ids[slot] = wr->wr_id;
	atomic_store_explicit(&srq->posted[slot], 1, memory_order_relaxed);
	/* Release: one who was about to take what the entry was before finds it
	 * changed, and one who takes it now sees what it is. */
	arnica_store64(&srq->words[slot], arnica_hw_srq_word(srq->head, 0),
		       memory_order_release);
	arnica_store32(&srq->ring[srq->head & srq->mask], slot,
		       memory_order_relaxed);
	srq->head++;
	return 0;
}

int arnica_srq_post(struct ibv_srq *ibv_srq, struct ibv_recv_wr *wr,
		    struct ibv_recv_wr **bad_wr)
{
	struct arnica_srq *srq = arnica_srq_of(ibv_srq);
	uint32_t first;
	int error = 0;

	arnica_spinlock_lock(&srq->lock);
	first = srq->head;
	for (; wr; wr = wr->next) {
		error = write_entry(srq, wr);
		if (__builtin_expect(error != 0, 0)) {
			*bad_wr = wr;
			break;
		}
	}
	if (srq->head != first)
		arnica_receive_publish_shared(&srq->record->producer,
					      &srq->record->waiting, srq->head,
					      &srq->doorbell);
	arnica_spinlock_unlock(&srq->lock);
	return error;
}

bool arnica_srq_return(struct arnica_srq *srq, uint32_t slot, uint64_t *wr_id)
{
	uint32_t first;

	/* The adapter's word is not enough: an entry that came back twice would
	 * be in the list twice. */
	if (slot >= srq->capacity ||
	    !atomic_exchange_explicit(&srq->posted[slot], 0,
				      memory_order_acq_rel))
		return false;
	*wr_id = srq->wr_ids[slot];
	first = atomic_load_explicit(&srq->returned, memory_order_relaxed);
	do {
		srq->next[slot] = first;
		/* S1 */
	} while (!atomic_compare_exchange_weak_explicit(
		&srq->returned, &first, slot + 1, memory_order_release,
		memory_order_relaxed));
	return true;
}

void arnica_srq_reclaim(struct arnica_srq *srq, uint32_t qp)
{
	uint32_t slot;

	for (slot = 0; slot <= srq->mask; slot++) {
		uint64_t word = arnica_load64(&srq->words[slot],
					      memory_order_acquire);
		uint64_t wr_id;

		if ((uint32_t)word == qp + 1)
			(void)arnica_srq_return(srq, slot, &wr_id);
	}
}
