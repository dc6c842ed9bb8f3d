/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What posting receives has in common, whether the queue is a QP's own or a
 * shared one: how an entry looks, and how the adapter learns of it.
 */
#ifndef ARNICA_RECEIVE_POST_H
#define ARNICA_RECEIVE_POST_H

#include "doorbell.h"
#include "wqe_write.h"

/* The segments of a request into an entry that has room for `room`; a shorter
 * list ends with a segment that says so. */
static inline void arnica_receive_write(unsigned char *entry,
					const struct ibv_recv_wr *wr,
					uint32_t room)
{
	uint32_t num_sge = (uint32_t)wr->num_sge;

	arnica_wqe_write_segments(entry, wr->sg_list, num_sge);
	if (num_sge < room)
		arnica_wqe_write_segment(
			entry + num_sge * sizeof(struct arnica_hw_data_segment),
			0, 0, ARNICA_HW_LKEY_END);
}

/*
 * P3: publishes the entries before `head`; pairs with the acquire load of
 * `producer` by the responder.
 */
static inline void arnica_receive_publish(
	arnica_atomic_le32 *producer, const arnica_atomic_le32 *waiting,
	uint32_t head, const struct arnica_doorbell *doorbell,
	enum arnica_hw_doorbell_offset offset, memory_order order)
{
	arnica_store32(producer, head, order);
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(arnica_load32(waiting, memory_order_seq_cst) != 0,
			     0))
		arnica_doorbell_ring(doorbell, offset, head);
}

/* Sequentially consistent, as is the adapter's "mark as waiting, then look
 * again": one of the two sees the other, or the message would wait for its timer
 * with a buffer at hand. */
static inline void arnica_receive_publish_shared(
	arnica_atomic_le32 *producer, const arnica_atomic_le32 *waiting,
	uint32_t head, const struct arnica_doorbell *doorbell)
{
	arnica_receive_publish(producer, waiting, head, doorbell,
			       ARNICA_HW_DB_SRQ, memory_order_seq_cst);
}

/*
 * Of a queue pair's own queue, where a thread of this process that marks it has
 * this one pass a barrier (N2), and a peer that does so looks again by its timer.
 * A barrier here would wait until the entry has come back from the processor of
 * the peer that has read it.
 */
static inline void arnica_receive_publish_own(
	arnica_atomic_le32 *producer, const arnica_atomic_le32 *waiting,
	uint32_t head, const struct arnica_doorbell *doorbell, bool barriers)
{
	if (__builtin_expect(barriers, 1))
		arnica_receive_publish(producer, waiting, head, doorbell,
				       ARNICA_HW_DB_RQ, memory_order_release);
	else
		arnica_receive_publish(producer, waiting, head, doorbell,
				       ARNICA_HW_DB_RQ, memory_order_seq_cst);
}

#endif
