/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completions of send queues, for both requesters: the one that works in shared
 * memory and the one that sends packets. With the QP's sq_lock held.
 */
#ifndef ADEV_TRANSPORT_COMPLETE_H
#define ADEV_TRANSPORT_COMPLETE_H

#include "transport/qp.h"

/* A work request that ended, as far as its completion tells of it. */
struct adev_ended {
	uint32_t index;
	uint32_t opcode; /* enum arnica_hw_opcode */
	uint64_t bytes;
	enum arnica_hw_status status;
	uint32_t vendor_error;
};

/* Publishes an entry in the send ring. One adev_complete_notify() follows
 * after one or several of them. */
void adev_complete_send(struct adev_qp *qp, const struct adev_ended *ended,
			struct adev_completion *completion);
static inline void adev_complete_notify(struct adev_qp *qp,
					const struct adev_completion *last)
{
	atomic_thread_fence(memory_order_seq_cst); /* P2 */
	adev_completion_notify(&qp->send_ring, last);
}

/* Time of an RNR timer code in ns (IBTA table 45). */
uint64_t adev_rnr_timer_ns(uint32_t code);

#endif
