/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_post_recv(): receive entries into the receive queue. No doorbell is
 * needed, for the adapter looks at `producer` when a message arrives; only a
 * message that waits for a buffer asks for one.
 */
#include <errno.h>

#include "qp.h"
#include "wqe_write.h"

static inline int write_receive(struct arnica_qp *qp,
				const struct ibv_recv_wr *wr)
{
	struct arnica_receive_queue *queue = &qp->receive;
	uint32_t num_sge = (uint32_t)wr->num_sge;
	unsigned char *entry;

	if (__builtin_expect(num_sge > queue->max_sge, 0))
		return EINVAL;
	if (__builtin_expect(
		    queue->head - atomic_load_explicit(&qp->receive_ring.tail,
						       memory_order_acquire) >=
			    queue->depth,
		    0))
		return ENOMEM;
	entry = queue->entries +
		((size_t)(queue->head & queue->mask) << queue->shift);
	arnica_wqe_write_segments(entry, wr->sg_list, num_sge);
	if (num_sge < queue->room)
		arnica_wqe_write_segment(
			entry + num_sge * sizeof(struct arnica_hw_data_segment),
			0, 0, ARNICA_HW_LKEY_END);
	queue->wr_ids[queue->head & queue->mask] = wr->wr_id;
	queue->head++;
	return 0;
}

/*
 * P3: publishes the entries; pairs with the acquire load of `producer` by the
 * responder. Sequentially consistent, as is its "mark as waiting, then look
 * again": one of the two sees the other, or the message would wait for its
 * timer with a buffer at hand.
 */
static inline void publish(struct arnica_receive_queue *queue)
{
	arnica_store32(&queue->record->producer, queue->head,
		       memory_order_seq_cst);
	if (__builtin_expect(arnica_load32(&queue->record->waiting,
					   memory_order_seq_cst) != 0,
			     0))
		arnica_doorbell_ring(&queue->doorbell, ARNICA_HW_DB_RQ,
				     queue->head);
}

int arnica_receive_post(struct ibv_qp *ibv_qp, struct ibv_recv_wr *wr,
			struct ibv_recv_wr **bad_wr)
{
	struct arnica_qp *qp = arnica_qp_of(ibv_qp);
	struct arnica_receive_queue *queue = &qp->receive;
	uint32_t first;
	int error = 0;

	if (__builtin_expect(
		    !atomic_load_explicit(&queue->open, memory_order_relaxed),
		    0)) {
		*bad_wr = wr;
		return EINVAL;
	}
	arnica_spinlock_lock(&queue->lock);
	first = queue->head;
	for (; wr; wr = wr->next) {
		error = write_receive(qp, wr);
		if (__builtin_expect(error != 0, 0)) {
			*bad_wr = wr;
			break;
		}
	}
	if (queue->head != first)
		publish(queue);
	arnica_spinlock_unlock(&queue->lock);
	return error;
}
