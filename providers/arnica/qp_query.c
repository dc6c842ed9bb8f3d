/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_query_qp(): the adapter's word on a queue pair. All attributes are
 * reported, whatever the mask asks for, as the man page allows.
 */
#include <errno.h>
#include <string.h>

#include "context.h"
#include "qp.h"
#include "qp_attributes.h"

static int ask(struct arnica_qp *qp, struct arnica_hw_completion *answer)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_QP),
		.object = { .handle = arnica_to_le32(qp->verbs.base.handle) },
	};

	return arnica_command_execute(&qp->context->commands, &command, answer);
}

bool arnica_qp_ask_open(struct arnica_qp *qp)
{
	struct arnica_context *context = qp->context;
	struct arnica_hw_completion answer;
	bool failed;

	if (qp->opened || qp->spreads || !qp->send.depth ||
	    atomic_load_explicit(&context->dead, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&context->objects);
	failed = !ask(qp, &answer) &&
		 arnica_from_le32(answer.attributes.state) == IBV_QPS_ERR;
	if (failed)
		arnica_qp_set_state(qp, IBV_QPS_ERR);
	pthread_mutex_unlock(&context->objects);
	return failed;
}

int arnica_qp_query(struct ibv_qp *ibv_qp, struct ibv_qp_attr *attr, int mask,
		    struct ibv_qp_init_attr *init_attr)
{
	struct arnica_qp *qp = arnica_qp_of(ibv_qp);
	struct arnica_hw_completion answer;
	int error;

	if (qp->opened || qp->spreads)
		return EOPNOTSUPP;
	error = ask(qp, &answer);
	if (error)
		return error;
	arnica_qp_attributes_parse(&answer.attributes, attr);
	/* SQE and ERR come by themselves; a later change starts from there. */
	if (mask & IBV_QP_STATE)
		ibv_qp->state = attr->qp_state;
	attr->cap = qp->cap;
	memset(init_attr, 0, sizeof(*init_attr));
	init_attr->qp_context = ibv_qp->qp_context;
	init_attr->send_cq = ibv_qp->send_cq;
	init_attr->recv_cq = ibv_qp->recv_cq;
	init_attr->srq = ibv_qp->srq;
	init_attr->cap = qp->cap;
	init_attr->qp_type = ibv_qp->qp_type;
	init_attr->sq_sig_all = qp->send.signal_all;
	return 0;
}
