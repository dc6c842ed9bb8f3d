/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Asynchronous events: the library reads the record and hands it over before
 * the application sees it; here it is counted, so that destroying the object
 * can wait until the application has acknowledged it.
 */
#ifndef ARNICA_ASYNC_H
#define ARNICA_ASYNC_H

#include <infiniband/verbs.h>

struct arnica_qp;

void arnica_async_event(struct ibv_context *context,
			struct ibv_async_event *event);

/* After the QP is destroyed in the adapter: drops its unread events and waits
 * for acknowledgement of the others. */
void arnica_async_drain_qp(struct arnica_qp *qp);

#endif
