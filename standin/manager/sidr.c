/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Datagram requests (SIDR, IBTA 12.11): a client asks for the queue pair behind
 * a service, and gets its number and Q_Key. There is no connection afterwards;
 * the answer is kept for a client that has not got it.
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <string.h>

#include "address.h"
#include "cm/ip.h"
#include "events.h"
#include "ids.h"
#include "machine.h"
#include "outgoing.h"

int standin_cm_sidr_connect(struct standin_cm_id *id,
			    const struct rdma_ucm_conn_param *param)
{
	struct roce_cm_message message;
	int error;

	if (param->private_data_len >
	    sizeof(message.sidr_req.private_data) - ROCE_CM_IP_BYTES)
		return EINVAL;
	error = standin_cm_start();
	if (error)
		return error;
	if (!id->link.local_id)
		standin_cm_link_name(id);
	id->link.transaction = ++standin_cm.next_transaction;
	standin_cm_message_start(id, ROCE_CM_SIDR_REQ, &message);
	message.local_comm_id = 0;
	message.sidr_req.request_id = id->link.local_id;
	message.sidr_req.pkey = STANDIN_CM_PKEY;
	message.sidr_req.service_id = roce_cm_service_id(
		id->ps, standin_cm_address_port(&id->destination));
	standin_cm_message_ip(id, message.sidr_req.private_data);
	memcpy(message.sidr_req.private_data + ROCE_CM_IP_BYTES,
	       param->private_data, param->private_data_len);
	error = standin_cm_message_send(id, &message);
	if (error)
		return error;
	id->state = STANDIN_CM_CONNECT;
	id->link.state = STANDIN_CM_SIDR_SENT;
	id->link.left = STANDIN_CM_RETRIES;
	standin_cm_timer_set(id, standin_cm_time(STANDIN_CM_RESPONSE_CODE));
	return 0;
}

int standin_cm_sidr_answer(struct standin_cm_id *id, uint8_t status,
			   const struct rdma_ucm_conn_param *param)
{
	struct roce_cm_message message;

	if (id->link.state != STANDIN_CM_SIDR_RECEIVED)
		return EINVAL;
	standin_cm_message_start(id, ROCE_CM_SIDR_REP, &message);
	if (param &&
	    param->private_data_len > sizeof(message.sidr_rep.private_data))
		return EINVAL;
	message.local_comm_id = 0;
	message.remote_comm_id = 0;
	message.sidr_rep.request_id = id->link.remote_id;
	message.sidr_rep.status = status;
	message.sidr_rep.service_id = roce_cm_service_id(
		id->ps, standin_cm_address_port(&id->source));
	if (param) {
		memcpy(message.sidr_rep.private_data, param->private_data,
		       param->private_data_len);
		if (param->qkey)
			id->qkey = param->qkey;
	}
	if (status == ROCE_CM_SIDR_VALID) {
		message.sidr_rep.qpn = param ? param->qp_num & 0xffffff : 0;
		message.sidr_rep.qkey = id->qkey ? id->qkey :
						   STANDIN_CM_UD_QKEY;
	}
	id->link.state = STANDIN_CM_SIDR_ANSWERED;
	return standin_cm_message_send(id, &message);
}

/* The same request of the same client. */
static bool standin_cm_sidr_again(const struct arnica_bus_mad *mad,
				  const struct roce_cm_message *message)
{
	struct standin_cm_id *id = standin_cm_link_find_remote(
		message->sidr_req.request_id, 0, mad->remote_gid);

	if (!id || id->qp_type != IBV_QPT_UD)
		return false;
	if (id->link.state == STANDIN_CM_SIDR_ANSWERED)
		standin_cm_message_repeat(id);
	return true;
}

static void standin_cm_sidr_refuse(const struct arnica_bus_mad *mad,
				   const struct roce_cm_message *message,
				   uint8_t status)
{
	struct roce_cm_message answer = { .attribute = ROCE_CM_SIDR_REP };

	answer.sidr_rep.request_id = message->sidr_req.request_id;
	answer.sidr_rep.service_id = message->sidr_req.service_id;
	answer.sidr_rep.status = status;
	standin_cm_message_answer(mad, &answer, message);
}

static void standin_cm_sidr_request(const struct arnica_bus_mad *mad,
				    const struct roce_cm_message *message)
{
	const struct roce_cm_sidr_req *req = &message->sidr_req;
	struct standin_cm_id *listener = NULL;
	struct standin_cm_event *event;
	struct rdma_ucm_ud_param *param;
	union standin_cm_address to;
	struct roce_cm_ip ip;

	if (standin_cm_sidr_again(mad, message))
		return;
	if (roce_cm_ip_parse(req->private_data, &ip)) {
		standin_cm_address_from_gid(&to, ip.destination, 0);
		listener = standin_cm_listener(req->service_id, &to);
	}
	if (!listener || listener->qp_type != IBV_QPT_UD) {
		standin_cm_sidr_refuse(mad, message, ROCE_CM_SIDR_NO_SERVICE);
		return;
	}
	event = standin_cm_request(listener, mad, req->private_data);
	if (!event) {
		standin_cm_sidr_refuse(mad, message, ROCE_CM_SIDR_REJECTED);
		return;
	}
	event->made->link.transaction = message->transaction;
	event->made->link.remote_id = req->request_id;
	event->made->link.state = STANDIN_CM_SIDR_RECEIVED;
	standin_cm_link_enter(event->made);
	param = &event->answer.param.ud;
	param->private_data_len = sizeof(req->private_data) - ROCE_CM_IP_BYTES;
	memcpy(param->private_data, req->private_data + ROCE_CM_IP_BYTES,
	       param->private_data_len);
	standin_cm_event_queue(event);
}

static void standin_cm_sidr_reply(const struct roce_cm_message *message)
{
	const struct roce_cm_sidr_rep *rep = &message->sidr_rep;
	struct standin_cm_id *id = standin_cm_link_find(rep->request_id);
	struct standin_cm_event *event;
	struct rdma_ucm_ud_param *param;
	bool valid = rep->status == ROCE_CM_SIDR_VALID;

	if (!id || id->link.state != STANDIN_CM_SIDR_SENT)
		return;
	event = standin_cm_event_make(
		id, valid ? STANDIN_CM_ESTABLISHED : STANDIN_CM_UNREACHABLE,
		rep->status);
	if (!event)
		return; /* it is asked for again */
	standin_cm_timer_set(id, 0);
	id->link.state = STANDIN_CM_NONE;
	param = &event->answer.param.ud;
	param->private_data_len = sizeof(rep->private_data);
	memcpy(param->private_data, rep->private_data,
	       sizeof(rep->private_data));
	if (valid) {
		param->qp_num = rep->qpn;
		param->qkey = rep->qkey;
		standin_cm_fill_ah(id, &param->ah_attr);
	}
	standin_cm_event_queue(event);
}

void standin_cm_sidr_receive(const struct arnica_bus_mad *mad,
			     const struct roce_cm_message *message)
{
	if (message->attribute == ROCE_CM_SIDR_REQ)
		standin_cm_sidr_request(mad, message);
	else if (message->attribute == ROCE_CM_SIDR_REP)
		standin_cm_sidr_reply(message);
}
