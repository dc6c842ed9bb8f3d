/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The state machine of connections (IBTA 12.9) and of datagram requests
 * (12.11): what commands do to it, messages, and time. All under
 * standin_cm.lock; 0 or a positive errno.
 */
#ifndef STANDIN_CM_MACHINE_H
#define STANDIN_CM_MACHINE_H

#include "cm.h"

/* QP 1 is opened by whoever is first to need it. */
int standin_cm_start(void) ARNICA_MUST_CHECK;

/* Of a path through the port: enum ibv_mtu. */
uint8_t standin_cm_path_mtu(void);

/* Commands, see rdma_connect(3) and the others. EINVAL: not in this state, or
 * private data that are too long. */
int standin_cm_connect(struct standin_cm_id *id,
		       const struct rdma_ucm_conn_param *param)
	ARNICA_MUST_CHECK;
/* Without param: the active side goes on after its queue pair is ready. */
int standin_cm_accept(struct standin_cm_id *id,
		      const struct rdma_ucm_conn_param *param)
	ARNICA_MUST_CHECK;
int standin_cm_reject(struct standin_cm_id *id, uint8_t reason,
		      const uint8_t *data, size_t length) ARNICA_MUST_CHECK;
int standin_cm_disconnect(struct standin_cm_id *id) ARNICA_MUST_CHECK;
/* The queue pair has got something before the RTU came. */
int standin_cm_communicates(struct standin_cm_id *id) ARNICA_MUST_CHECK;
int standin_cm_qp_attr(const struct standin_cm_id *id, uint32_t qp_state,
		       struct ib_uverbs_qp_attr *attr) ARNICA_MUST_CHECK;

/* Ends the id and what it has: its peer is told, its events go. `fd` is the
 * program's end of its file, or -1. */
void standin_cm_destroy(struct standin_cm_id *id, int fd);

/* Both sides have said that it ends: late duplicates are still answered. */
void standin_cm_enter_timewait(struct standin_cm_id *id);

/* Something came; something is due. The second returns when to come again, in
 * ns of world->now(), or zero. */
void standin_cm_receive(const struct arnica_bus_mad *mad);
uint64_t standin_cm_expire(uint64_t now);

/* Looks for processes of this host that have ended and may not have told their
 * peers: a kernel would have done it for them. */
void standin_cm_peers_ended(void);

/* The same for datagram requests. */
int standin_cm_sidr_connect(struct standin_cm_id *id,
			    const struct rdma_ucm_conn_param *param)
	ARNICA_MUST_CHECK;
int standin_cm_sidr_answer(struct standin_cm_id *id, uint8_t status,
			   const struct rdma_ucm_conn_param *param)
	ARNICA_MUST_CHECK;
void standin_cm_sidr_receive(const struct arnica_bus_mad *mad,
			     const struct roce_cm_message *message);

/* Who listens for a REQ or SIDR_REQ of a service that came to this address, or
 * NULL: an id that is bound to the address first. */
struct standin_cm_id *standin_cm_listener(uint64_t service_id,
					  const union standin_cm_address *to);

/* The id that a request makes, and its event, which is not queued; NULL: no
 * memory, or the listener's backlog is full. */
struct standin_cm_event *standin_cm_request(struct standin_cm_id *listener,
					    const struct arnica_bus_mad *mad,
					    const uint8_t *header);

/* The way to the peer, as queue pairs and address handles have it. */
void standin_cm_fill_ah(const struct standin_cm_id *id,
			struct ib_uverbs_ah_attr *ah);

#endif
