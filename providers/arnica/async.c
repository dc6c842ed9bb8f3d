/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counting asynchronous events; see async.h.
 */
#include "async.h"

#include <pthread.h>

#include "context.h"
#include "cq.h"
#include "qp.h"
#include "srq.h"

void arnica_async_event(struct ibv_context *context,
			struct ibv_async_event *event)
{
	(void)context;
	switch (event->event_type) {
	case IBV_EVENT_CQ_ERR:
		atomic_fetch_add_explicit(
			&arnica_cq_of(event->element.cq)->async_events, 1,
			memory_order_relaxed);
		break;
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_COMM_EST:
	case IBV_EVENT_SQ_DRAINED:
	case IBV_EVENT_PATH_MIG:
	case IBV_EVENT_PATH_MIG_ERR:
	case IBV_EVENT_QP_LAST_WQE_REACHED:
		atomic_fetch_add_explicit(
			&arnica_qp_of(event->element.qp)->async_events, 1,
			memory_order_relaxed);
		break;
	case IBV_EVENT_SRQ_ERR:
	case IBV_EVENT_SRQ_LIMIT_REACHED:
		atomic_fetch_add_explicit(
			&arnica_srq_of(event->element.srq)->async_events, 1,
			memory_order_relaxed);
		break;
	default: /* of the port or the device: nothing is acknowledged */
		break;
	}
}

/* The object is gone in the adapter: now or never. */
static void drain(pthread_mutex_t *mutex, pthread_cond_t *cond,
		  const uint32_t *acknowledged, _Atomic uint32_t *handed_over,
		  arnica_le32 read)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(mutex);
	while (arnica_async_unacknowledged(*acknowledged, handed_over, read))
		pthread_cond_wait(cond, mutex);
	pthread_mutex_unlock(mutex);
	pthread_setcancelstate(cancel, NULL);
}

void arnica_async_drain_qp(struct arnica_qp *qp,
			   const struct arnica_hw_res_events *read)
{
	struct ibv_qp *base = &qp->verbs.base;

	drain(&base->mutex, &base->cond, &base->events_completed,
	      &qp->async_events, read->async_events);
}

void arnica_async_drain_srq(struct arnica_srq *srq,
			    const struct arnica_hw_res_events *read)
{
	struct ibv_srq *base = &srq->verbs.base;

	drain(&base->mutex, &base->cond, &base->events_completed,
	      &srq->async_events, read->async_events);
}
