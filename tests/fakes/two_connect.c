/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Taking queue pairs from state to state. */
#include <infiniband/verbs.h>

#include "two_functions.h"

static uint32_t modify(struct two_qp *qp,
		       const struct arnica_hw_qp_attributes *attributes,
		       uint32_t mask)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_QP),
		.modify_qp = {
			.handle = arnica_to_le32(qp->handle),
			.attributes = *attributes,
		},
	};

	command.modify_qp.attributes.mask = arnica_to_le32(mask);
	return two_command(qp->function, &command, NULL);
}

uint32_t two_to_state(struct two_qp *qp, enum arnica_hw_qp_state state)
{
	const struct arnica_hw_qp_attributes attributes = {
		.state = arnica_to_le32(state),
	};

	return modify(qp, &attributes, IBV_QP_STATE);
}

uint32_t two_drain(struct two_qp *qp)
{
	const struct arnica_hw_qp_attributes attributes = {
		.state = arnica_to_le32(ARNICA_HW_QPS_SQD),
		.en_sqd_async_notify = arnica_to_le32(1),
	};

	return modify(qp, &attributes,
		      IBV_QP_STATE | IBV_QP_EN_SQD_ASYNC_NOTIFY);
}

uint32_t two_to_init(struct two_qp *qp, const struct two_wish *wish)
{
	const struct arnica_hw_qp_attributes attributes = {
		.state = arnica_to_le32(ARNICA_HW_QPS_INIT),
		.port = arnica_to_le32(1),
		.access = arnica_to_le32(wish->access),
		.qkey = arnica_to_le32(wish->qkey),
	};

	return modify(qp, &attributes,
		      IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			      (qp->type == ARNICA_HW_QP_UD ?
				       IBV_QP_QKEY :
				       IBV_QP_ACCESS_FLAGS));
}

uint32_t two_to_rtr(struct two_qp *qp, const struct two_wish *wish,
		    uint32_t dest_qpn)
{
	const struct arnica_hw_qp_attributes attributes = {
		.state = arnica_to_le32(ARNICA_HW_QPS_RTR),
		.path_mtu = arnica_to_le32(wish->mtu),
		.dest_qpn = arnica_to_le32(dest_qpn),
		.rq_psn = arnica_to_le32(wish->rq_psn),
		.max_dest_rd_atomic = arnica_to_le32(wish->rd_atomic),
		.min_rnr_timer = arnica_to_le32(wish->min_rnr_timer),
		.sl = arnica_to_le32(wish->sl),
	};

	if (qp->type == ARNICA_HW_QP_UD)
		return two_to_state(qp, ARNICA_HW_QPS_RTR);
	return modify(qp, &attributes,
		      IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			      IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			      IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
}

uint32_t two_to_rts(struct two_qp *qp, const struct two_wish *wish)
{
	const struct arnica_hw_qp_attributes attributes = {
		.state = arnica_to_le32(ARNICA_HW_QPS_RTS),
		.timeout = arnica_to_le32(wish->timeout),
		.retry_cnt = arnica_to_le32(wish->retry_cnt),
		.rnr_retry = arnica_to_le32(wish->rnr_retry),
		.sq_psn = arnica_to_le32(wish->sq_psn),
		.max_rd_atomic = arnica_to_le32(wish->rd_atomic),
	};

	return modify(qp, &attributes,
		      IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			      IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
			      IBV_QP_MAX_QP_RD_ATOMIC);
}

uint32_t two_state(struct two_qp *qp)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_QP),
		.object = { .handle = arnica_to_le32(qp->handle) },
	};
	struct arnica_hw_completion completion;

	assert_ok(two_command(qp->function, &command, &completion));
	return arnica_from_le32(completion.attributes.state);
}

void two_connect_one(struct two_qp *qp, uint32_t dest_qpn,
		     const struct two_wish *wish)
{
	assert_ok(two_to_init(qp, wish));
	assert_ok(two_to_rtr(qp, wish, dest_qpn));
	assert_ok(two_to_rts(qp, wish));
}

void two_connect(struct two_qp *a, struct two_qp *b,
		 const struct two_wish *wish)
{
	two_connect_one(a, b->qpn, wish);
	two_connect_one(b, a->qpn, wish);
}
