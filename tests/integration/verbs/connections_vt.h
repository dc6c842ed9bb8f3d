/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections by librdmacm for tests: ids and events that are waited for, and a
 * pair that is connected within a process. Every call must succeed.
 */
#ifndef CONNECTIONS_VT_H
#define CONNECTIONS_VT_H

#include <rdma/rdma_cma.h>

#include "vt.h"

/* Of the loopback, which every machine has; a port of zero is chosen. */
struct sockaddr_in cm_address(uint16_t port);

struct rdma_event_channel *cm_channel(void);
struct rdma_cm_id *cm_id(struct rdma_event_channel *channel,
			 enum rdma_port_space ps);
/* Bound to a port of its own, and listening. */
struct rdma_cm_id *cm_listen(struct rdma_event_channel *channel,
			     enum rdma_port_space ps, int backlog);
/* The way to `port` is known. */
struct rdma_cm_id *cm_resolve(struct rdma_event_channel *channel,
			      enum rdma_port_space ps, uint16_t port);
/* A queue pair, with a buffer's worth of nothing. */
void cm_queue_pair(struct rdma_cm_id *id);
/* The next event, which must be of this type; to be acknowledged. */
struct rdma_cm_event *cm_event(struct rdma_event_channel *channel,
			       enum rdma_cm_event_type type);
/* ... and is; its status. */
int cm_expect(struct rdma_event_channel *channel, enum rdma_cm_event_type type);
struct rdma_conn_param cm_param(const void *data, size_t bytes);
/* Destroys the id and its queue pair. */
void cm_end(struct rdma_cm_id *id);

#endif
