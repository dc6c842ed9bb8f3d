/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "connections_vt.h"

#include <arpa/inet.h>
#include <poll.h>

#define CM_PATIENCE_MS 30000

struct sockaddr_in cm_address(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return address;
}

struct rdma_event_channel *cm_channel(void)
{
	struct rdma_event_channel *channel = rdma_create_event_channel();

	VT_CHECK(channel);
	return channel;
}

struct rdma_cm_id *cm_id(struct rdma_event_channel *channel,
			 enum rdma_port_space ps)
{
	struct rdma_cm_id *id;

	VT_EQUAL(rdma_create_id(channel, &id, NULL, ps), 0);
	return id;
}

struct rdma_cm_id *cm_listen(struct rdma_event_channel *channel,
			     enum rdma_port_space ps, int backlog)
{
	struct sockaddr_in address = cm_address(0);
	struct rdma_cm_id *id = cm_id(channel, ps);

	VT_EQUAL(rdma_bind_addr(id, (struct sockaddr *)&address), 0);
	VT_EQUAL(rdma_listen(id, backlog), 0);
	VT_CHECK(rdma_get_src_port(id) != 0);
	return id;
}

struct rdma_cm_id *cm_resolve(struct rdma_event_channel *channel,
			      enum rdma_port_space ps, uint16_t port)
{
	struct sockaddr_in address = cm_address(port);
	struct rdma_cm_id *id = cm_id(channel, ps);

	VT_EQUAL(rdma_resolve_addr(id, NULL, (struct sockaddr *)&address, 1000),
		 0);
	VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED), 0);
	VT_EQUAL(rdma_resolve_route(id, 1000), 0);
	VT_EQUAL(cm_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED), 0);
	return id;
}

void cm_queue_pair(struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = id->ps == RDMA_PS_UDP ? IBV_QPT_UD : IBV_QPT_RC,
		.cap = { .max_send_wr = 4,
			 .max_recv_wr = 4,
			 .max_send_sge = 1,
			 .max_recv_sge = 1 },
	};

	VT_EQUAL(rdma_create_qp(id, NULL, &attr), 0);
}

struct rdma_cm_event *cm_event(struct rdma_event_channel *channel,
			       enum rdma_cm_event_type type)
{
	struct rdma_cm_event *event;

	VT_CHECK(vt_readable(channel->fd, CM_PATIENCE_MS));
	VT_EQUAL(rdma_get_cm_event(channel, &event), 0);
	VT_EQUAL(event->event, type);
	return event;
}

int cm_expect(struct rdma_event_channel *channel, enum rdma_cm_event_type type)
{
	struct rdma_cm_event *event = cm_event(channel, type);
	int status = event->status;

	VT_EQUAL(rdma_ack_cm_event(event), 0);
	return status;
}

struct rdma_conn_param cm_param(const void *data, size_t bytes)
{
	struct rdma_conn_param param = {
		.private_data = data,
		.private_data_len = (uint8_t)bytes,
		.responder_resources = 1,
		.initiator_depth = 1,
		.retry_count = 7,
		.rnr_retry_count = 7,
	};

	return param;
}

void cm_end(struct rdma_cm_id *id)
{
	if (id->qp)
		rdma_destroy_qp(id);
	VT_EQUAL(rdma_destroy_id(id), 0);
}
