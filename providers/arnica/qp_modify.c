/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_modify_qp(): checks what a host can check, asks the adapter, and follows
 * the new state on this side of the contract.
 */
#include <errno.h>

#include "context.h"
#include "qp.h"
#include "qp_attributes.h"
#include "qp_transition.h"
#include "scatter.h"
#include "srq.h"

static int check(const struct arnica_qp *qp, const struct ibv_qp_attr *attr,
		 int mask)
{
	enum ibv_qp_state from = qp->verbs.base.state;
	enum ibv_qp_state to;

	if (mask & IBV_QP_CUR_STATE) {
		from = attr->cur_qp_state;
		if (from != IBV_QPS_RTR && from != IBV_QPS_RTS &&
		    from != IBV_QPS_SQD && from != IBV_QPS_SQE)
			return EINVAL;
	}
	to = mask & IBV_QP_STATE ? attr->qp_state : from;
	if (!arnica_qp_transition_check(qp->verbs.base.qp_type, from, to, mask))
		return EINVAL;
	return arnica_qp_attributes_check(qp->context, attr, mask);
}

/* Programs set an XRC queue pair up like one of RC. What is of the half that it
 * has not is left out, as the kernel does. */
static int of_the_other_half(enum ibv_qp_type type)
{
	switch ((int)type) {
	case IBV_QPT_XRC_SEND:
		return IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
	case IBV_QPT_XRC_RECV:
		return IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_RETRY_CNT |
		       IBV_QP_RNR_RETRY;
	default:
		return 0;
	}
}

/* The adapter has dropped everything; so does the host. */
static void reset_queues(struct arnica_qp *qp)
{
	uint32_t head;

	arnica_spinlock_lock(&qp->send.lock);
	head = qp->send.head;
	arnica_spinlock_unlock(&qp->send.lock);
	arnica_mirror_ask(qp);
	arnica_ring_reset(&qp->send_ring, head);
	arnica_spinlock_lock(&qp->receive.lock);
	head = qp->receive.head;
	arnica_spinlock_unlock(&qp->receive.lock);
	arnica_ring_reset(&qp->receive_ring, head);
	if (qp->receive_ring.srq)
		arnica_srq_reclaim(qp->receive_ring.srq,
				   qp->verbs.base.handle);
}

static void follow(struct arnica_qp *qp, enum ibv_qp_state state)
{
	if (state == IBV_QPS_RESET || state == IBV_QPS_ERR)
		arnica_scatter_ring(&qp->receive_ring);
	arnica_qp_set_state(qp, state);
	if (state == IBV_QPS_RESET)
		reset_queues(qp);
}

static int execute(struct arnica_qp *qp, const struct arnica_hw_command *command,
		   const struct ibv_qp_attr *attr, int mask)
{
	struct arnica_context *context = qp->context;
	int error;

	pthread_mutex_lock(&context->objects);
	error = arnica_command_execute(&context->commands, command, NULL);
	if (!error && (mask & IBV_QP_STATE))
		follow(qp, attr->qp_state);
	pthread_mutex_unlock(&context->objects);
	return error;
}

int arnica_qp_move(struct arnica_qp *qp, enum ibv_qp_state state)
{
	const struct ibv_qp_attr attr = { .qp_state = state };
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_QP),
		.modify_qp = {
			.handle = arnica_to_le32(qp->verbs.base.handle) },
	};

	if (atomic_load_explicit(&qp->context->dead, memory_order_relaxed))
		return EIO;
	arnica_qp_attributes_emit(&attr, IBV_QP_STATE,
				  &command.modify_qp.attributes);
	return execute(qp, &command, &attr, IBV_QP_STATE);
}

/* max_burst: of the rate limit, if there is one; zero: the adapter's choice. */
static int modify(struct ibv_qp *ibv_qp, const struct ibv_qp_attr *attr,
		  int mask, uint32_t max_burst)
{
	struct arnica_qp *qp = arnica_qp_of(ibv_qp);
	struct arnica_context *context = qp->context;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_QP),
		.modify_qp = { .handle = arnica_to_le32(ibv_qp->handle),
			       .max_burst = arnica_to_le32(max_burst) },
	};
	int error;

	if (qp->opened || qp->spreads)
		return EOPNOTSUPP;
	mask &= ~of_the_other_half(ibv_qp->qp_type);
	if (atomic_load_explicit(&context->dead, memory_order_relaxed))
		return EIO;
	error = check(qp, attr, mask);
	if (error)
		return error;
	arnica_qp_attributes_emit(attr, mask, &command.modify_qp.attributes);
	return execute(qp, &command, attr, mask);
}

int arnica_qp_modify(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
	return modify(qp, attr, mask, 0);
}

/* Packets are charged with their real size: the typical one says nothing more. */
int arnica_qp_modify_rate_limit(struct ibv_qp *qp,
				struct ibv_qp_rate_limit_attr *limit)
{
	const struct ibv_qp_attr attr = { .rate_limit = limit->rate_limit };

	if (limit->comp_mask ||
	    (!limit->rate_limit &&
	     (limit->max_burst_sz || limit->typical_pkt_sz)))
		return EINVAL;
	return modify(qp, &attr, IBV_QP_RATE_LIMIT, limit->max_burst_sz);
}

void arnica_qp_set_state(struct arnica_qp *qp, enum ibv_qp_state state)
{
	enum ibv_qp_type type = qp->verbs.base.qp_type;
	bool sends = type != IBV_QPT_XRC_RECV &&
		     (state == IBV_QPS_RTS || state == IBV_QPS_SQD ||
		      state == IBV_QPS_SQE || state == IBV_QPS_ERR);

	atomic_store_explicit(&qp->send.open, sends, memory_order_release);
	atomic_store_explicit(&qp->receive.open,
			      state != IBV_QPS_RESET &&
				      !arnica_qp_type_is_xrc(type) &&
				      !qp->receive_ring.srq,
			      memory_order_release);
}
