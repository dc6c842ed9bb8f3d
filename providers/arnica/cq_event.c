/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Arming a CQ, and waiting for its events: those that the application has read,
 * against those that it has acknowledged.
 */
#include <errno.h>
#include <pthread.h>

#include "async.h"
#include "cq.h"

int arnica_cq_req_notify(struct ibv_cq *ibv_cq, int solicited_only)
{
	struct arnica_cq *cq = arnica_cq_of(ibv_cq);
	uint32_t wanted = solicited_only ? ARNICA_HW_ARM_SOLICITED :
					   ARNICA_HW_ARM_NEXT;
	uint32_t word = arnica_load32(&cq->record->armed, memory_order_relaxed);
	uint32_t armed;

	do {
		uint32_t arm = word & ARNICA_HW_ARMED_ARM_MASK;

		/* Arming for less does not take back what was asked before. */
		armed = arm >= wanted ?
				word :
				(word & ~ARNICA_HW_ARMED_ARM_MASK) | wanted;
		/*
		 * A1: sequentially consistent with the writer's "publish, then
		 * look whether armed": either the writer sees the request, or
		 * the poll that follows this call sees the entry.
		 */
	} while (!arnica_compare_exchange32(&cq->record->armed, &word, armed,
					    memory_order_seq_cst));
	arnica_fence_after_rmw();
	return 0;
}

/* The library has read one event of the CQ and is about to return it. */
void arnica_cq_event(struct ibv_cq *ibv_cq)
{
	atomic_fetch_add_explicit(&arnica_cq_of(ibv_cq)->completion_events, 1,
				  memory_order_relaxed);
}

void arnica_cq_wait_for_acks(struct arnica_cq *cq,
			     const struct arnica_hw_res_events *read)
{
	struct ibv_cq_ex *verbs = &cq->verbs;
	int cancel;

	/* The CQ is gone in the adapter: now or never. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&verbs->mutex);
	while (arnica_async_unacknowledged(verbs->comp_events_completed,
					   &cq->completion_events,
					   read->completion_events) ||
	       arnica_async_unacknowledged(verbs->async_events_completed,
					   &cq->async_events,
					   read->async_events))
		pthread_cond_wait(&verbs->cond, &verbs->mutex);
	pthread_mutex_unlock(&verbs->mutex);
	pthread_setcancelstate(cancel, NULL);
}
