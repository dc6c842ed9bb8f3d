/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Commands about an id's connection: their layout; what they do is machine.h's.
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <string.h>

#include "command.h"
#include "machine.h"

int standin_cm_do_connect(struct standin_cm_call *call)
{
	const struct rdma_ucm_connect *command = (const void *)call->in;
	struct standin_cm_id *id;
	int error;

	if (call->in_length < offsetof(struct rdma_ucm_connect, ece) ||
	    !command->conn_param.valid)
		return EINVAL;
	error = standin_cm_find_bound(call, command->id, &id);
	return error ? error : standin_cm_connect(id, &command->conn_param);
}

int standin_cm_do_accept(struct standin_cm_call *call)
{
	const struct rdma_ucm_accept *command = (const void *)call->in;
	struct standin_cm_id *id;
	int error;

	if (call->in_length < offsetof(struct rdma_ucm_accept, ece))
		return EINVAL;
	error = standin_cm_find_bound(call, command->id, &id);
	if (error)
		return error;
	if (!command->conn_param.valid)
		return standin_cm_accept(id, NULL);
	error = standin_cm_accept(id, &command->conn_param);
	if (!error)
		id->uid = command->uid;
	return error;
}

int standin_cm_do_reject(struct standin_cm_call *call)
{
	const struct rdma_ucm_reject *command = (const void *)call->in;
	uint8_t reason = command->reason ? command->reason : ROCE_CM_CONSUMER;
	struct standin_cm_id *id;
	int error;

	/* 35: a vendor's option is not supported. */
	if (reason != ROCE_CM_CONSUMER && reason != 35)
		return EINVAL;
	error = standin_cm_find_bound(call, command->id, &id);
	return error ? error :
		       standin_cm_reject(id, reason, command->private_data,
					 command->private_data_len);
}

int standin_cm_do_disconnect(struct standin_cm_call *call)
{
	const struct rdma_ucm_disconnect *command = (const void *)call->in;
	struct standin_cm_id *id;
	int error = standin_cm_find_bound(call, command->id, &id);

	return error ? error : standin_cm_disconnect(id);
}

int standin_cm_do_notify(struct standin_cm_call *call)
{
	const struct rdma_ucm_notify *command = (const void *)call->in;
	struct standin_cm_id *id;
	int error = standin_cm_find_bound(call, command->id, &id);

	if (error)
		return error;
	return command->event == IBV_EVENT_COMM_EST ?
		       standin_cm_communicates(id) :
		       EINVAL;
}

int standin_cm_do_init_qp_attr(struct standin_cm_call *call)
{
	const struct rdma_ucm_init_qp_attr *command = (const void *)call->in;
	struct ib_uverbs_qp_attr attr;
	struct standin_cm_id *id;
	int error;

	if (call->out_length < sizeof(attr))
		return ENOSPC;
	if (command->qp_state > IBV_QPS_ERR)
		return EINVAL;
	error = standin_cm_find_bound(call, command->id, &id);
	if (!error)
		error = standin_cm_qp_attr(id, command->qp_state, &attr);
	return error ? error :
		       standin_cm_answer(call, command->response, &attr,
					 sizeof(attr), sizeof(attr));
}
