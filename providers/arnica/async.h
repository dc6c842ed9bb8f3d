/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Asynchronous events: the library reads the record and hands it over before
 * the application sees it; here it is counted, so that destroying the object
 * can wait until the application has acknowledged it.
 */
#ifndef ARNICA_ASYNC_H
#define ARNICA_ASYNC_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/cqp.h"

struct arnica_qp;
struct arnica_srq;

void arnica_async_event(struct ibv_context *context,
			struct ibv_async_event *event);

/* After the QP is destroyed in the adapter, which said how many of its events
 * were read: waits until they are acknowledged. */
void arnica_async_drain_qp(struct arnica_qp *qp,
			   const struct arnica_hw_res_events *read);
void arnica_async_drain_srq(struct arnica_srq *srq,
			    const struct arnica_hw_res_events *read);

/*
 * Are events of an object still to be acknowledged? `read` is the adapter's
 * word. A thread may have read one and not yet handed it over, so it counts more
 * than `handed_over`; but it may be ARNICA_HW_EVENTS_UNKNOWN.
 */
static inline bool arnica_async_unacknowledged(uint32_t acknowledged,
					       _Atomic uint32_t *handed_over,
					       arnica_le32 read)
{
	uint32_t seen = atomic_load_explicit(handed_over,
					     memory_order_relaxed);
	uint32_t said = arnica_from_le32(read);

	if (said != ARNICA_HW_EVENTS_UNKNOWN && (int32_t)(said - seen) > 0)
		seen = said;
	return (int32_t)(seen - acknowledged) > 0;
}

#endif
