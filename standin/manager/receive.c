/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Messages of connections that come in. Each may be a duplicate, of whatever
 * age, or a lie: one that does not fit the connection's state changes nothing,
 * and is answered if the peer would wait for the answer otherwise.
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "cm/ip.h"
#include "events.h"
#include "ids.h"
#include "machine.h"
#include "outgoing.h"

/* The connection that both ids of a message name. */
static struct standin_cm_id *standin_cm_find(
	const struct roce_cm_message *message)
{
	struct standin_cm_id *id = standin_cm_link_find(
		message->remote_comm_id);

	if (!id || id->qp_type == IBV_QPT_UD ||
	    id->link.remote_id != message->local_comm_id)
		return NULL;
	return id;
}

static void standin_cm_refuse(const struct arnica_bus_mad *mad,
			      const struct roce_cm_message *message,
			      uint8_t answered, uint16_t reason)
{
	struct roce_cm_message answer = { .attribute = ROCE_CM_REJ };

	answer.rej.answered = answered;
	answer.rej.reason = reason;
	standin_cm_message_answer(mad, &answer, message);
}

static void standin_cm_fill_request(struct standin_cm_event *event,
				    const struct roce_cm_req *req)
{
	struct rdma_ucm_conn_param *param = &event->answer.param.conn;

	param->qp_num = req->qpn;
	param->responder_resources = req->initiator_depth;
	param->initiator_depth = req->responder_resources;
	param->flow_control = req->flow_control;
	param->retry_count = req->retry_count;
	param->rnr_retry_count = req->rnr_retry;
	param->srq = req->srq;
	param->private_data_len = sizeof(req->private_data) - ROCE_CM_IP_BYTES;
	memcpy(param->private_data, req->private_data + ROCE_CM_IP_BYTES,
	       param->private_data_len);
}

/* Whose end is the connection's, from now on. What it said before counts: it
 * ends when all that has come is taken. */
static void standin_cm_peer_is(struct standin_cm_id *id, uint32_t comm_id)
{
	uint64_t function = 0;
	int error = standin_cm.world->function(id->remote_gid, comm_id,
					       &function);

	id->link.peer_id = comm_id;
	if (error == ESRCH)
		id->link.remote_function = STANDIN_CM_ENDED;
	else
		id->link.remote_function = error ? 0 : function;
	standin_cm.peer_lost |= error == ESRCH;
	standin_cm.peers_here |= !error;
}

static void standin_cm_fill_link(struct standin_cm_id *id,
				 const struct roce_cm_message *message)
{
	const struct roce_cm_req *req = &message->req;
	struct standin_cm_link_data *link = &id->link;

	standin_cm_link_name(id);
	link->transaction = message->transaction;
	link->remote_id = message->local_comm_id;
	link->remote_guid = req->ca_guid;
	standin_cm_peer_is(id, link->remote_id);
	standin_cm_link_enter(id);
	link->remote_qpn = req->qpn;
	link->remote_psn = req->psn;
	link->local_psn = (uint32_t)standin_cm.world->now() & 0xffffff;
	link->responder_resources = req->initiator_depth;
	link->initiator_depth = req->responder_resources;
	link->retry_count = req->retry_count;
	link->rnr_retry = req->rnr_retry;
	link->path_mtu = req->path_mtu;
	link->ack_code = req->primary.ack_timeout;
	link->retries = req->max_cm_retries;
	/* Of the timer, which starts with the REP. */
	link->interval = standin_cm_time(req->local_response_timeout);
	link->state = STANDIN_CM_REQ_RECEIVED;
}

/* The peer has not seen our answer. */
static void standin_cm_req_again(const struct arnica_bus_mad *mad,
				 const struct roce_cm_message *message,
				 struct standin_cm_id *id)
{
	if (id->link.state == STANDIN_CM_REQ_RECEIVED)
		standin_cm_send_mra(id, ROCE_CM_OF_REQ);
	else if (id->link.state == STANDIN_CM_REP_SENT)
		standin_cm_message_repeat(id);
	else if (id->link.state == STANDIN_CM_TIMEWAIT)
		standin_cm_refuse(mad, message, ROCE_CM_OF_REQ, ROCE_CM_STALE);
}

/* The listener's queue pairs are the passive ends: no XRC initiator is one. */
static bool standin_cm_suits(const struct standin_cm_id *listener,
			     const struct roce_cm_req *req)
{
	switch (listener->qp_type) {
	case IBV_QPT_RC:
		return req->transport == ROCE_CM_RC;
	case IBV_QPT_UC:
		return req->transport == ROCE_CM_UC;
	case IBV_QPT_XRC_RECV:
		return req->transport == ROCE_CM_EXTENDED &&
		       req->extended_transport == ROCE_CM_EXTENDED_XRC;
	default:
		return false;
	}
}

static void standin_cm_receive_req(const struct arnica_bus_mad *mad,
				   const struct roce_cm_message *message)
{
	const struct roce_cm_req *req = &message->req;
	struct standin_cm_id *listener;
	union standin_cm_address to;
	struct standin_cm_event *event;
	struct roce_cm_ip ip;
	struct standin_cm_id *id = standin_cm_link_find_remote(
		message->local_comm_id, req->ca_guid, mad->remote_gid);

	if (id) {
		standin_cm_req_again(mad, message, id);
		return;
	}
	if (!roce_cm_ip_parse(req->private_data, &ip)) {
		standin_cm_refuse(mad, message, ROCE_CM_OF_REQ,
				  ROCE_CM_CONSUMER);
		return;
	}
	standin_cm_address_from_gid(&to, ip.destination, 0);
	listener = standin_cm_listener(req->service_id, &to);
	if (!listener || listener->qp_type == IBV_QPT_UD) {
		standin_cm_refuse(mad, message, ROCE_CM_OF_REQ,
				  ROCE_CM_INVALID_SERVICE_ID);
		return;
	}
	if (!standin_cm_suits(listener, req)) {
		standin_cm_refuse(mad, message, ROCE_CM_OF_REQ,
				  ROCE_CM_INVALID_TRANSPORT);
		return;
	}
	event = standin_cm_request(listener, mad, req->private_data);
	if (!event) {
		standin_cm_refuse(mad, message, ROCE_CM_OF_REQ,
				  ROCE_CM_CONSUMER);
		return;
	}
	standin_cm_fill_link(event->made, message);
	standin_cm_fill_request(event, req);
	/* A program may take its time to accept. */
	standin_cm_send_mra(event->made, ROCE_CM_OF_REQ);
	standin_cm_event_queue(event);
}

static void standin_cm_rep_again(const struct arnica_bus_mad *mad,
				 const struct roce_cm_message *message,
				 struct standin_cm_id *id)
{
	if (!id)
		standin_cm_refuse(mad, message, ROCE_CM_OF_REP,
				  ROCE_CM_INVALID_COMM_ID);
	else if (id->link.remote_id != message->local_comm_id)
		return;
	else if (id->link.state == STANDIN_CM_REP_RECEIVED)
		standin_cm_send_mra(id, ROCE_CM_OF_REP);
	else if (id->link.state == STANDIN_CM_LINKED && id->link.active)
		standin_cm_message_repeat(id);
}

static void standin_cm_receive_rep(const struct arnica_bus_mad *mad,
				   const struct roce_cm_message *message)
{
	const struct roce_cm_rep *rep = &message->rep;
	struct standin_cm_id *id = standin_cm_link_find(
		message->remote_comm_id);
	struct standin_cm_event *event;
	struct rdma_ucm_conn_param *param;
	struct standin_cm_link_data *link;

	if (!id || id->link.state != STANDIN_CM_REQ_SENT) {
		standin_cm_rep_again(mad, message, id);
		return;
	}
	event = standin_cm_event_make(id, STANDIN_CM_CONNECT_RESPONSE, 0);
	if (!event)
		return; /* it comes again */
	link = &id->link;
	standin_cm_timer_set(id, 0);
	link->state = STANDIN_CM_REP_RECEIVED;
	link->remote_id = message->local_comm_id;
	link->remote_guid = rep->ca_guid;
	standin_cm_peer_is(id, link->remote_id);
	standin_cm_link_enter(id);
	link->remote_qpn = id->qp_type == IBV_QPT_XRC_SEND ? rep->local_eecn :
							     rep->qpn;
	link->remote_psn = rep->psn;
	link->responder_resources = rep->initiator_depth;
	link->initiator_depth = rep->responder_resources;
	link->rnr_retry = rep->rnr_retry;
	link->retries = STANDIN_CM_RETRIES;
	param = &event->answer.param.conn;
	param->qp_num = link->remote_qpn;
	param->responder_resources = rep->initiator_depth;
	param->initiator_depth = rep->responder_resources;
	param->flow_control = rep->flow_control;
	param->rnr_retry_count = rep->rnr_retry;
	param->srq = rep->srq;
	param->private_data_len = sizeof(rep->private_data);
	memcpy(param->private_data, rep->private_data,
	       sizeof(rep->private_data));
	standin_cm_send_mra(id, ROCE_CM_OF_REP);
	standin_cm_event_queue(event);
}

static void standin_cm_receive_rtu(const struct roce_cm_message *message)
{
	struct standin_cm_id *id = standin_cm_find(message);
	struct standin_cm_event *event;

	if (!id || id->link.state != STANDIN_CM_REP_SENT)
		return;
	standin_cm_timer_set(id, 0);
	id->link.state = STANDIN_CM_LINKED;
	event = standin_cm_event_make(id, STANDIN_CM_ESTABLISHED, 0);
	if (!event)
		return;
	event->answer.param.conn.private_data_len = sizeof(
		message->rtu.private_data);
	memcpy(event->answer.param.conn.private_data, message->rtu.private_data,
	       sizeof(message->rtu.private_data));
	standin_cm_event_queue(event);
}

static void standin_cm_receive_rej(const struct roce_cm_message *message)
{
	struct standin_cm_id *id = standin_cm_link_find(
		message->remote_comm_id);
	struct standin_cm_event *event;

	if (!id || (id->link.remote_id &&
		    id->link.remote_id != message->local_comm_id))
		return;
	switch (id->link.state) {
	case STANDIN_CM_REQ_SENT:
	case STANDIN_CM_REQ_RECEIVED:
	case STANDIN_CM_REP_SENT:
	case STANDIN_CM_REP_RECEIVED:
		break;
	default:
		return;
	}
	standin_cm_timer_set(id, 0);
	id->link.state = STANDIN_CM_NONE;
	event = standin_cm_event_make(id, STANDIN_CM_REJECTED,
				      message->rej.reason);
	if (!event)
		return;
	event->answer.param.conn.private_data_len = sizeof(
		message->rej.private_data);
	memcpy(event->answer.param.conn.private_data, message->rej.private_data,
	       sizeof(message->rej.private_data));
	standin_cm_event_queue(event);
}

/* The peer works on it: it is asked again later. */
static void standin_cm_receive_mra(const struct roce_cm_message *message)
{
	struct standin_cm_id *id = standin_cm_link_find(
		message->remote_comm_id);
	uint8_t answered = message->mra.answered;

	if (!id || (id->link.remote_id &&
		    id->link.remote_id != message->local_comm_id))
		return;
	if (!(answered == ROCE_CM_OF_REQ &&
	      id->link.state == STANDIN_CM_REQ_SENT) &&
	    !(answered == ROCE_CM_OF_REP &&
	      id->link.state == STANDIN_CM_REP_SENT))
		return;
	standin_cm_timer_set(id,
			     standin_cm_time(message->mra.service_timeout) +
				     standin_cm_time(id->link.ack_code));
	if (answered == ROCE_CM_OF_REQ)
		standin_cm_peer_is(id, message->local_comm_id);
}

static void standin_cm_disconnected(struct standin_cm_id *id)
{
	if (id->state != STANDIN_CM_CONNECT)
		return;
	id->state = STANDIN_CM_DISCONNECT;
	standin_cm_event_report(id, STANDIN_CM_DISCONNECTED, 0);
}

/* Whoever does not know the connection any more says that it has ended. */
static void standin_cm_receive_dreq(const struct arnica_bus_mad *mad,
				    const struct roce_cm_message *message)
{
	struct standin_cm_id *id = standin_cm_find(message);
	struct roce_cm_message answer = { .attribute = ROCE_CM_DREP };

	if (!id || id->link.state == STANDIN_CM_NONE ||
	    id->link.state == STANDIN_CM_TIMEWAIT) {
		standin_cm_message_answer(mad, &answer, message);
		return;
	}
	if (message->dreq.remote_qpn != id->link.local_qpn)
		return;
	switch (id->link.state) {
	case STANDIN_CM_REP_SENT:
	case STANDIN_CM_LINKED:
	case STANDIN_CM_DREQ_SENT:
		break;
	default:
		return;
	}
	standin_cm_timer_set(id, 0);
	id->link.transaction = message->transaction;
	id->link.state = STANDIN_CM_DREQ_RECEIVED;
	standin_cm_disconnected(id);
}

static void standin_cm_receive_drep(const struct roce_cm_message *message)
{
	struct standin_cm_id *id = standin_cm_find(message);

	if (!id || (id->link.state != STANDIN_CM_DREQ_SENT &&
		    id->link.state != STANDIN_CM_DREQ_RECEIVED))
		return;
	standin_cm_enter_timewait(id);
	standin_cm_disconnected(id);
}

/* As if it had said what a kernel says for it: DREQ, DREP or REJ. */
static void standin_cm_peer_ended(struct standin_cm_id *id)
{
	switch (id->link.state) {
	case STANDIN_CM_LINKED:
		id->link.state = STANDIN_CM_DREQ_RECEIVED;
		standin_cm_disconnected(id);
		break;
	case STANDIN_CM_DREQ_SENT:
		standin_cm_enter_timewait(id);
		standin_cm_disconnected(id);
		break;
	case STANDIN_CM_REQ_SENT: /* and an MRA has come */
	case STANDIN_CM_REQ_RECEIVED:
	case STANDIN_CM_REP_SENT:
	case STANDIN_CM_REP_RECEIVED:
		standin_cm_timer_set(id, 0);
		id->link.state = STANDIN_CM_NONE;
		standin_cm_event_report(id, STANDIN_CM_REJECTED,
					ROCE_CM_CONSUMER);
		break;
	default:
		break;
	}
}

void standin_cm_peers_ended(void)
{
	uint32_t i;

	standin_cm.peer_lost = false;
	standin_cm.peers_here = false;
	for (i = 0; i < standin_cm.table_size; i++) {
		struct standin_cm_id *id = standin_cm.table[i];

		if (!id || !id->link.remote_function ||
		    id->link.state == STANDIN_CM_NONE)
			continue;
		if (standin_cm.world->lives(id->link.peer_id,
					    id->link.remote_function)) {
			standin_cm.peers_here = true;
			continue;
		}
		id->link.remote_function = 0;
		standin_cm_peer_ended(id);
	}
}

void standin_cm_receive(const struct arnica_bus_mad *mad)
{
	struct roce_cm_message message;

	if (roce_cm_parse(mad->bytes, &message) != ROCE_CM_OK)
		return;
	switch (message.attribute) {
	case ROCE_CM_REQ:
		standin_cm_receive_req(mad, &message);
		break;
	case ROCE_CM_REP:
		standin_cm_receive_rep(mad, &message);
		break;
	case ROCE_CM_RTU:
		standin_cm_receive_rtu(&message);
		break;
	case ROCE_CM_REJ:
		standin_cm_receive_rej(&message);
		break;
	case ROCE_CM_MRA:
		standin_cm_receive_mra(&message);
		break;
	case ROCE_CM_DREQ:
		standin_cm_receive_dreq(mad, &message);
		break;
	case ROCE_CM_DREP:
		standin_cm_receive_drep(&message);
		break;
	default:
		standin_cm_sidr_receive(mad, &message);
		break;
	}
}
