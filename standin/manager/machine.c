/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What commands do to connections, and time. */
#include "machine.h"

#include <errno.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "cm/ip.h"
#include "events.h"
#include "ids.h"
#include "outgoing.h"

int standin_cm_start(void)
{
	int error;

	if (standin_cm.started)
		return 0;
	if (standin_cm.ended)
		return EIO;
	error = standin_cm.world->start(&standin_cm.ids);
	if (error)
		return error;
	/* Names and numbers that an earlier process of the same slot had are
	 * not used again soon. */
	standin_cm.next_comm_id = (uint32_t)(standin_cm.world->now() >> 10);
	standin_cm.next_transaction = standin_cm.world->now();
	standin_cm.started = true;
	return 0;
}

static uint8_t standin_cm_at_most(uint8_t value, uint8_t limit)
{
	return value < limit ? value : limit;
}

uint8_t standin_cm_path_mtu(void)
{
	struct arnica_bus_port port;

	memset(&port, 0, sizeof(port));
	standin_cm.world->port(&port);
	return port.active_mtu ? (uint8_t)port.active_mtu : IBV_MTU_1024;
}

/* An XRC initiator receives nothing: what there would be to say of that is
 * zero, as a kernel sends it. */
static void standin_cm_fill_transport(const struct standin_cm_id *id,
				      const struct rdma_ucm_conn_param *param,
				      struct roce_cm_req *req)
{
	if (id->qp_type == IBV_QPT_XRC_SEND) {
		req->transport = ROCE_CM_EXTENDED;
		req->extended_transport = ROCE_CM_EXTENDED_XRC;
		return;
	}
	req->transport = id->qp_type == IBV_QPT_UC ? ROCE_CM_UC : ROCE_CM_RC;
	req->responder_resources = param->responder_resources;
	req->retry_count = id->link.retry_count;
	req->rnr_retry = id->link.rnr_retry;
	req->srq = param->srq != 0;
}

static void standin_cm_fill_req(const struct standin_cm_id *id,
				const struct rdma_ucm_conn_param *param,
				struct roce_cm_req *req)
{
	req->service_id = roce_cm_service_id(
		id->ps, standin_cm_address_port(&id->destination));
	req->ca_guid = standin_cm.world->node_guid();
	req->qpn = id->link.local_qpn;
	req->psn = id->link.local_psn;
	req->initiator_depth = param->initiator_depth;
	req->remote_response_timeout = STANDIN_CM_RESPONSE_CODE;
	req->local_response_timeout = STANDIN_CM_RESPONSE_CODE;
	req->flow_control = param->flow_control != 0;
	req->pkey = STANDIN_CM_PKEY;
	req->path_mtu = id->link.path_mtu;
	req->max_cm_retries = STANDIN_CM_RETRIES;
	memcpy(req->primary.local_gid, id->local_gid, 16);
	memcpy(req->primary.remote_gid, id->remote_gid, 16);
	req->primary.local_lid = 0xffff;
	req->primary.remote_lid = 0xffff;
	req->primary.traffic_class = id->traffic_class;
	req->primary.hop_limit = 64;
	req->primary.ack_timeout = id->link.ack_code;
	standin_cm_fill_transport(id, param, req);
	standin_cm_message_ip(id, req->private_data);
	memcpy(req->private_data + ROCE_CM_IP_BYTES, param->private_data,
	       param->private_data_len);
}

/* Can this id ask for a connection? */
static bool standin_cm_asks(const struct standin_cm_id *id)
{
	return id->qp_type == IBV_QPT_RC || id->qp_type == IBV_QPT_UC ||
	       id->qp_type == IBV_QPT_XRC_SEND;
}

static uint64_t standin_cm_request_interval(uint8_t response_code)
{
	return standin_cm_time(response_code) +
	       2 * standin_cm_time(STANDIN_CM_ACK_CODE);
}

int standin_cm_connect(struct standin_cm_id *id,
		       const struct rdma_ucm_conn_param *param)
{
	struct roce_cm_message message;
	struct standin_cm_link_data *link = &id->link;
	int error;

	if (id->state != STANDIN_CM_ROUTE)
		return EINVAL;
	if (id->qp_type == IBV_QPT_UD)
		return standin_cm_sidr_connect(id, param);
	if (!standin_cm_asks(id) ||
	    param->private_data_len >
		    sizeof(message.req.private_data) - ROCE_CM_IP_BYTES)
		return EINVAL;
	error = standin_cm_start();
	if (error)
		return error;
	if (!link->local_id)
		standin_cm_link_name(id);
	link->active = true;
	link->transaction = ++standin_cm.next_transaction;
	link->local_qpn = param->qp_num & 0xffffff;
	link->local_psn = (uint32_t)standin_cm.world->now() & 0xffffff;
	link->responder_resources = param->responder_resources;
	link->initiator_depth = param->initiator_depth;
	link->retry_count = standin_cm_at_most(param->retry_count, 7);
	link->rnr_retry = standin_cm_at_most(param->rnr_retry_count, 7);
	link->path_mtu = standin_cm_path_mtu();
	link->ack_code = id->ack_code ? id->ack_code : STANDIN_CM_ACK_CODE;
	standin_cm_message_start(id, ROCE_CM_REQ, &message);
	standin_cm_fill_req(id, param, &message.req);
	error = standin_cm_message_send(id, &message);
	if (error)
		return error;
	id->state = STANDIN_CM_CONNECT;
	link->state = STANDIN_CM_REQ_SENT;
	link->left = STANDIN_CM_RETRIES;
	standin_cm_timer_set(
		id, standin_cm_request_interval(STANDIN_CM_RESPONSE_CODE));
	return 0;
}

static int standin_cm_send_rtu(struct standin_cm_id *id)
{
	struct roce_cm_message message;

	if (id->link.state != STANDIN_CM_REP_RECEIVED)
		return EINVAL;
	standin_cm_message_start(id, ROCE_CM_RTU, &message);
	(void)!standin_cm_message_send(id, &message);
	id->link.state = STANDIN_CM_LINKED;
	return 0;
}

static void standin_cm_fill_rep(const struct standin_cm_id *id,
				const struct rdma_ucm_conn_param *param,
				struct roce_cm_rep *rep)
{
	rep->psn = id->link.local_psn;
	rep->responder_resources = param->responder_resources;
	rep->ack_delay = STANDIN_CM_ACK_CODE - 1;
	rep->rnr_retry = standin_cm_at_most(param->rnr_retry_count, 7);
	rep->ca_guid = standin_cm.world->node_guid();
	memcpy(rep->private_data, param->private_data, param->private_data_len);
	if (id->qp_type == IBV_QPT_XRC_RECV) {
		rep->local_eecn = id->link.local_qpn;
		rep->srq = true;
		return;
	}
	rep->qpn = id->link.local_qpn;
	rep->initiator_depth = param->initiator_depth;
	rep->flow_control = param->flow_control != 0;
	rep->srq = param->srq != 0;
}

static int standin_cm_send_rep(struct standin_cm_id *id,
			       const struct rdma_ucm_conn_param *param)
{
	struct roce_cm_message message;
	struct standin_cm_link_data *link = &id->link;
	int error;

	if (link->state != STANDIN_CM_REQ_RECEIVED ||
	    param->private_data_len > sizeof(message.rep.private_data))
		return EINVAL;
	link->local_qpn = param->qp_num & 0xffffff;
	link->responder_resources = param->responder_resources;
	link->initiator_depth = param->initiator_depth;
	standin_cm_message_start(id, ROCE_CM_REP, &message);
	standin_cm_fill_rep(id, param, &message.rep);
	error = standin_cm_message_send(id, &message);
	if (error)
		return error;
	link->state = STANDIN_CM_REP_SENT;
	link->left = link->retries;
	standin_cm_timer_set(id, link->interval);
	return 0;
}

int standin_cm_accept(struct standin_cm_id *id,
		      const struct rdma_ucm_conn_param *param)
{
	int error;

	if (id->qp_type == IBV_QPT_UD)
		error = standin_cm_sidr_answer(id, ROCE_CM_SIDR_VALID, param);
	else if (param)
		error = standin_cm_send_rep(id, param);
	else
		error = standin_cm_send_rtu(id);
	/* What cannot be accepted is rejected; the first error counts. */
	if (error)
		(void)!standin_cm_reject(id, ROCE_CM_CONSUMER, NULL, 0);
	return error;
}

int standin_cm_reject(struct standin_cm_id *id, uint8_t reason,
		      const uint8_t *data, size_t length)
{
	struct rdma_ucm_conn_param param = { 0 };
	uint8_t answered = ROCE_CM_OF_REQ;

	if (id->qp_type == IBV_QPT_UD) {
		if (length)
			memcpy(param.private_data, data, length);
		param.private_data_len = (uint8_t)length;
		return standin_cm_sidr_answer(id, ROCE_CM_SIDR_REJECTED,
					      &param);
	}
	if (length > sizeof(((struct roce_cm_rej *)NULL)->private_data))
		return EINVAL;
	switch (id->link.state) {
	case STANDIN_CM_REQ_SENT:
		answered = ROCE_CM_OF_OTHER;
		break;
	case STANDIN_CM_REQ_RECEIVED:
		break;
	case STANDIN_CM_REP_RECEIVED:
	case STANDIN_CM_REP_SENT:
		answered = ROCE_CM_OF_REP;
		break;
	default:
		return EINVAL;
	}
	standin_cm_send_rej(id, answered, reason, data, length);
	standin_cm_timer_set(id, 0);
	id->link.state = STANDIN_CM_NONE;
	return 0;
}

/* Four times the packet life would be exact; kernels wait the ACK timeout. */
void standin_cm_enter_timewait(struct standin_cm_id *id)
{
	id->link.state = STANDIN_CM_TIMEWAIT;
	standin_cm_timer_set(id, standin_cm_time(id->link.ack_code));
}

static void standin_cm_send_drep(struct standin_cm_id *id)
{
	struct roce_cm_message message;

	standin_cm_message_start(id, ROCE_CM_DREP, &message);
	(void)!standin_cm_message_send(id, &message);
	standin_cm_enter_timewait(id);
}

static void standin_cm_send_dreq(struct standin_cm_id *id)
{
	struct roce_cm_message message;

	id->link.transaction = ++standin_cm.next_transaction;
	standin_cm_message_start(id, ROCE_CM_DREQ, &message);
	message.dreq.remote_qpn = id->link.remote_qpn;
	(void)!standin_cm_message_send(id, &message);
	id->link.state = STANDIN_CM_DREQ_SENT;
	id->link.left = id->link.retries;
	standin_cm_timer_set(
		id, standin_cm_request_interval(STANDIN_CM_RESPONSE_CODE));
}

int standin_cm_disconnect(struct standin_cm_id *id)
{
	if (id->state != STANDIN_CM_CONNECT &&
	    id->state != STANDIN_CM_DISCONNECT)
		return EINVAL;
	/* Else there is nothing to end any more, or not yet. */
	if (id->link.state == STANDIN_CM_LINKED)
		standin_cm_send_dreq(id);
	else if (id->link.state == STANDIN_CM_DREQ_RECEIVED)
		standin_cm_send_drep(id);
	return 0;
}

int standin_cm_communicates(struct standin_cm_id *id)
{
	if (id->link.state == STANDIN_CM_LINKED)
		return EISCONN;
	if (id->link.state != STANDIN_CM_REP_SENT)
		return EINVAL;
	standin_cm_timer_set(id, 0);
	id->link.state = STANDIN_CM_LINKED;
	standin_cm_event_report(id, STANDIN_CM_ESTABLISHED, 0);
	return 0;
}

/* IBTA 12.9.8: whoever goes away tells the peer as far as it matters to it. */
static void standin_cm_take_leave(struct standin_cm_id *id)
{
	switch (id->link.state) {
	case STANDIN_CM_REQ_SENT:
		standin_cm_send_rej(id, ROCE_CM_OF_REQ, ROCE_CM_TIMEOUT, NULL,
				    0);
		break;
	case STANDIN_CM_REQ_RECEIVED:
	case STANDIN_CM_REP_RECEIVED:
	case STANDIN_CM_REP_SENT:
		(void)!standin_cm_reject(id, ROCE_CM_CONSUMER, NULL, 0);
		break;
	case STANDIN_CM_LINKED:
		/* An XRC target's queue pair may go on without it. */
		if (id->qp_type != IBV_QPT_XRC_RECV)
			standin_cm_send_dreq(id);
		break;
	case STANDIN_CM_DREQ_RECEIVED:
		standin_cm_send_drep(id);
		break;
	case STANDIN_CM_SIDR_RECEIVED:
		(void)!standin_cm_sidr_answer(id, ROCE_CM_SIDR_REJECTED, NULL);
		break;
	default:
		break;
	}
}

void standin_cm_destroy(struct standin_cm_id *id, int fd)
{
	struct standin_cm_group **at = &standin_cm.groups;
	struct standin_cm_group *group;

	while ((group = *at)) {
		if (group->id != id) {
			at = &group->next;
			continue;
		}
		*at = group->next;
		standin_cm_event_purge(id->file, fd, NULL, group);
		free(group);
	}
	standin_cm_event_purge(id->file, fd, id, NULL);
	standin_cm_take_leave(id);
	standin_cm_id_free(id);
}

/* Nobody has answered, and nobody is asked any more. */
static void standin_cm_give_up(struct standin_cm_id *id)
{
	uint32_t kind = STANDIN_CM_UNREACHABLE;

	if (id->link.state == STANDIN_CM_DREQ_SENT) {
		kind = STANDIN_CM_DISCONNECTED;
		id->state = STANDIN_CM_DISCONNECT;
		standin_cm_enter_timewait(id);
	} else {
		standin_cm_timer_set(id, 0);
		id->link.state = STANDIN_CM_NONE;
	}
	standin_cm_event_report(id, kind, -ETIMEDOUT);
}

static void standin_cm_expired(struct standin_cm_id *id)
{
	if (id->link.state == STANDIN_CM_TIMEWAIT) {
		standin_cm_timer_set(id, 0);
		id->link.state = STANDIN_CM_NONE;
		standin_cm_event_report(id, STANDIN_CM_TIMEWAIT_EXIT, 0);
	} else if (id->link.left) {
		id->link.left--;
		standin_cm_message_repeat(id);
		standin_cm_timer_set(id, id->link.interval);
	} else {
		standin_cm_give_up(id);
	}
}

/* A timer that is set anew goes to the front, where this walk has been. */
uint64_t standin_cm_expire(uint64_t now)
{
	struct standin_cm_id *id = standin_cm.timers;
	struct standin_cm_id *next;
	uint64_t first = 0;

	for (; id; id = next) {
		next = id->timer_next;
		if (id->link.due <= now)
			standin_cm_expired(id);
	}
	for (id = standin_cm.timers; id; id = id->timer_next) {
		if (!first || id->link.due < first)
			first = id->link.due;
	}
	return first;
}
