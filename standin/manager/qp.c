/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a program's queue pair must be told for each of its states. */
#include <errno.h>
#include <infiniband/verbs.h>
#include <string.h>

#include "machine.h"

void standin_cm_fill_ah(const struct standin_cm_id *id,
			struct ib_uverbs_ah_attr *ah)
{
	memset(ah, 0, sizeof(*ah));
	memcpy(ah->grh.dgid, id->remote_gid, sizeof(ah->grh.dgid));
	ah->grh.sgid_index = (uint8_t)id->gid_index;
	ah->grh.hop_limit = 64;
	ah->grh.traffic_class = id->traffic_class;
	ah->is_global = 1;
	ah->port_num = STANDIN_CM_PORT;
}

static bool standin_cm_has_link(const struct standin_cm_id *id)
{
	return id->link.state >= STANDIN_CM_REQ_SENT &&
	       id->link.state <= STANDIN_CM_LINKED;
}

/* Before the connection is asked for, and for datagrams. */
static int standin_cm_qp_plain(const struct standin_cm_id *id,
			       struct ib_uverbs_qp_attr *attr)
{
	attr->port_num = STANDIN_CM_PORT;
	attr->qp_attr_mask = IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT;
	if (id->qp_type == IBV_QPT_UD) {
		attr->qkey = id->qkey ? id->qkey : STANDIN_CM_UD_QKEY;
		attr->qp_attr_mask |= IBV_QP_QKEY;
	} else {
		attr->qp_attr_mask |= IBV_QP_ACCESS_FLAGS;
	}
	return 0;
}

static int standin_cm_qp_init(const struct standin_cm_id *id,
			      struct ib_uverbs_qp_attr *attr)
{
	attr->port_num = STANDIN_CM_PORT;
	attr->qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
	if (id->link.responder_resources)
		attr->qp_access_flags |= IBV_ACCESS_REMOTE_READ |
					 IBV_ACCESS_REMOTE_ATOMIC;
	attr->qp_attr_mask = IBV_QP_STATE | IBV_QP_ACCESS_FLAGS |
			     IBV_QP_PKEY_INDEX | IBV_QP_PORT;
	return 0;
}

/* The two directions of a connection that can be relied on: XRC has one in each
 * of its two types. */
static bool standin_cm_requests(const struct standin_cm_id *id)
{
	return id->qp_type == IBV_QPT_RC || id->qp_type == IBV_QPT_XRC_SEND;
}

static bool standin_cm_responds(const struct standin_cm_id *id)
{
	return id->qp_type == IBV_QPT_RC || id->qp_type == IBV_QPT_XRC_RECV;
}

static int standin_cm_qp_receive(const struct standin_cm_id *id,
				 struct ib_uverbs_qp_attr *attr)
{
	const struct standin_cm_link_data *link = &id->link;

	if (link->state == STANDIN_CM_REQ_SENT)
		return EINVAL;
	standin_cm_fill_ah(id, &attr->ah_attr);
	attr->path_mtu = link->path_mtu;
	attr->dest_qp_num = link->remote_qpn;
	attr->rq_psn = link->local_psn;
	attr->qp_attr_mask = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			     IBV_QP_DEST_QPN | IBV_QP_RQ_PSN;
	if (standin_cm_responds(id)) {
		attr->max_dest_rd_atomic = link->responder_resources;
		attr->qp_attr_mask |= IBV_QP_MAX_DEST_RD_ATOMIC |
				      IBV_QP_MIN_RNR_TIMER;
	}
	return 0;
}

static int standin_cm_qp_send(const struct standin_cm_id *id,
			      struct ib_uverbs_qp_attr *attr)
{
	const struct standin_cm_link_data *link = &id->link;

	if (link->state == STANDIN_CM_REQ_SENT)
		return EINVAL;
	attr->sq_psn = link->remote_psn;
	attr->qp_attr_mask = IBV_QP_STATE | IBV_QP_SQ_PSN;
	if (standin_cm_requests(id)) {
		attr->retry_cnt = link->retry_count;
		attr->rnr_retry = link->rnr_retry;
		attr->max_rd_atomic = link->initiator_depth;
		attr->qp_attr_mask |= IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				      IBV_QP_MAX_QP_RD_ATOMIC;
	}
	if (standin_cm_requests(id) || standin_cm_responds(id)) {
		attr->timeout = id->ack_code ? id->ack_code : link->ack_code;
		attr->qp_attr_mask |= IBV_QP_TIMEOUT;
	}
	return 0;
}

int standin_cm_qp_attr(const struct standin_cm_id *id, uint32_t qp_state,
		       struct ib_uverbs_qp_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->qp_state = qp_state;
	if (id->qp_type == IBV_QPT_UD || id->link.state == STANDIN_CM_NONE)
		return standin_cm_qp_plain(id, attr);
	if (!standin_cm_has_link(id))
		return EINVAL;
	switch (qp_state) {
	case IBV_QPS_INIT:
		return standin_cm_qp_init(id, attr);
	case IBV_QPS_RTR:
		return standin_cm_qp_receive(id, attr);
	case IBV_QPS_RTS:
		return standin_cm_qp_send(id, attr);
	default:
		return EINVAL;
	}
}
