/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Work queues; see wq.h. States are those of the hidden queue pair: RDY is RTR,
 * in which it receives.
 */
#include "wq.h"

#include <errno.h>
#include <stdlib.h>

#include "context.h"
#include "qp.h"

struct arnica_wq {
	struct ibv_wq base; /* its handle is the hidden queue pair's */
	struct ibv_qp *hidden;
};

static struct arnica_wq *wq_of(struct ibv_wq *wq)
{
	return (struct arnica_wq *)(void *)wq;
}

static int check(const struct ibv_context *ibv,
		 const struct ibv_wq_init_attr *attr)
{
	const struct arnica_hw_device_caps *caps =
		&arnica_context_of((struct ibv_context *)(uintptr_t)ibv)->caps;

	if (attr->comp_mask & ~(uint32_t)IBV_WQ_INIT_ATTR_FLAGS)
		return EOPNOTSUPP;
	if (attr->comp_mask & IBV_WQ_INIT_ATTR_FLAGS && attr->create_flags)
		return EOPNOTSUPP;
	if (attr->wq_type != IBV_WQT_RQ || !attr->pd || !attr->cq ||
	    attr->pd->context != ibv || attr->cq->context != ibv ||
	    !attr->max_wr || attr->max_wr > arnica_from_le32(caps->max_qp_wr) ||
	    attr->max_sge > arnica_from_le32(caps->max_sge))
		return EINVAL;
	return 0;
}

static int post(struct ibv_wq *wq, struct ibv_recv_wr *wr,
		struct ibv_recv_wr **bad_wr)
{
	return arnica_receive_post(wq_of(wq)->hidden, wr, bad_wr);
}

static struct ibv_qp *create_hidden(struct ibv_context *ibv,
				    struct ibv_wq_init_attr *attr)
{
	const struct arnica_qp_extra none = { 0 };
	const struct ibv_qp_init_attr_ex hidden = {
		.qp_type = (enum ibv_qp_type)ARNICA_HW_QP_WQ,
		.pd = attr->pd,
		.send_cq = attr->cq,
		.recv_cq = attr->cq,
		.cap = { .max_recv_wr = attr->max_wr,
			 .max_recv_sge = attr->max_sge },
	};

	return arnica_qp_create_hidden(ibv, &hidden, &none);
}

struct ibv_wq *arnica_wq_create(struct ibv_context *ibv,
				struct ibv_wq_init_attr *attr)
{
	int error = check(ibv, attr);
	struct arnica_wq *wq = NULL;

	if (!error) {
		wq = calloc(1, sizeof(*wq));
		error = wq ? 0 : ENOMEM;
	}
	if (!error) {
		wq->hidden = create_hidden(ibv, attr);
		error = wq->hidden ? 0 : errno;
	}
	if (error) {
		free(wq);
		errno = error;
		return NULL;
	}
	attr->max_wr = arnica_qp_of(wq->hidden)->cap.max_recv_wr;
	attr->max_sge = arnica_qp_of(wq->hidden)->cap.max_recv_sge;
	wq->base.context = ibv;
	wq->base.pd = attr->pd;
	wq->base.cq = attr->cq;
	wq->base.wq_num = wq->hidden->qp_num;
	wq->base.handle = wq->hidden->handle;
	wq->base.state = IBV_WQS_RESET;
	wq->base.wq_type = attr->wq_type;
	wq->base.post_recv = post;
	return &wq->base;
}

/* What a state of verbs is to the hidden queue pair. */
static enum ibv_qp_state state_of(enum ibv_wq_state state)
{
	return state == IBV_WQS_RDY ? IBV_QPS_RTR :
	       state == IBV_WQS_ERR ? IBV_QPS_ERR :
				      IBV_QPS_RESET;
}

int arnica_wq_modify(struct ibv_wq *wq, struct ibv_wq_attr *attr)
{
	enum ibv_wq_state to = wq->state;
	int error;

	if (attr->attr_mask & ~(uint32_t)(IBV_WQ_ATTR_STATE |
					  IBV_WQ_ATTR_CURR_STATE))
		return EOPNOTSUPP;
	if (attr->attr_mask & IBV_WQ_ATTR_CURR_STATE &&
	    attr->curr_wq_state != wq->state)
		return EINVAL;
	if (attr->attr_mask & IBV_WQ_ATTR_STATE)
		to = attr->wq_state;
	if ((unsigned int)to > IBV_WQS_ERR)
		return EINVAL;
	error = arnica_qp_move(arnica_qp_of(wq_of(wq)->hidden), state_of(to));
	if (!error)
		wq->state = to;
	return error;
}

int arnica_wq_destroy(struct ibv_wq *wq)
{
	int error = arnica_qp_destroy(wq_of(wq)->hidden);

	if (!error)
		free(wq_of(wq));
	return error;
}
