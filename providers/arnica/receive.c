/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_post_recv(): receive entries into the receive queue. No doorbell is
 * needed, for the adapter looks at `producer` when a message arrives; only a
 * message that waits for a buffer asks for one.
 */
#include <errno.h>

#include "qp.h"
#include "receive_post.h"

static inline int write_receive(struct arnica_qp *qp,
				const struct ibv_recv_wr *wr)
{
	struct arnica_receive_queue *queue = &qp->receive;
	unsigned char *entry;

	if (__builtin_expect((uint32_t)wr->num_sge > queue->max_sge, 0))
		return EINVAL;
	if (__builtin_expect(
		    queue->head - atomic_load_explicit(&qp->receive_ring.tail,
						       memory_order_acquire) >=
			    queue->depth,
		    0))
		return ENOMEM;
	entry = queue->entries +
		((size_t)(queue->head & queue->mask) << queue->shift);
	arnica_receive_write(entry, wr, queue->room);
	queue->wr_ids[queue->head & queue->mask] = wr->wr_id;
	queue->head++;
	return 0;
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
		arnica_receive_publish_own(&queue->record->producer,
					   &queue->record->waiting, queue->head,
					   &queue->doorbell, queue->barriers);
	arnica_spinlock_unlock(&queue->lock);
	return error;
}
