/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a queue pair may be made of; see qp_check.h. */
#include "qp_check.h"

#include <errno.h>
#include <string.h>

#include "arnica/hw/wqe.h"
#include "context.h"
#include "qp.h"
#include "srq.h"
#include "xrcd.h"

static int check_type(const struct ibv_qp_init_attr_ex *attr)
{
	switch ((int)attr->qp_type) {
	case IBV_QPT_RC:
	case IBV_QPT_UC:
	case IBV_QPT_UD:
	case IBV_QPT_XRC_SEND:
	case IBV_QPT_XRC_RECV:
	case IBV_QPT_RAW_PACKET: /* for some: the adapter knows */
		return 0;
	case IBV_QPT_DRIVER:
		return EOPNOTSUPP;
	default:
		return EINVAL;
	}
}

/* With an SRQ, or XRC, what is said of a receive queue is ignored. */
static int check_caps(const struct arnica_hw_device_caps *caps,
		      const struct ibv_qp_cap *cap, bool receives)
{
	uint32_t max_wr = arnica_from_le32(caps->max_qp_wr);
	uint32_t max_sge = arnica_from_le32(caps->max_sge);

	if (cap->max_send_wr > max_wr || cap->max_send_sge > max_sge ||
	    (receives &&
	     (cap->max_recv_wr > max_wr || cap->max_recv_sge > max_sge)) ||
	    cap->max_inline_data > arnica_from_le32(caps->max_inline))
		return EINVAL;
	return 0;
}

uint32_t arnica_qp_create_flags(const struct ibv_qp_init_attr_ex *attr)
{
	return attr->comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS ?
		       attr->create_flags :
		       0;
}

int arnica_qp_check(struct ibv_context *ibv,
		    const struct ibv_qp_init_attr_ex *attr)
{
	const uint32_t known = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_XRCD |
			       IBV_QP_INIT_ATTR_CREATE_FLAGS |
			       IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	int error = check_type(attr);

	if (error)
		return error;
	if (attr->comp_mask & ~known)
		return EOPNOTSUPP;
	if (arnica_qp_create_flags(attr) & ~(uint32_t)IBV_QP_CREATE_BLOCK_SELF_MCAST_LB)
		return EOPNOTSUPP;
	if (arnica_qp_create_flags(attr) && attr->qp_type != IBV_QPT_UD)
		return EINVAL;
	if ((attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) &&
	    !arnica_send_wr_supported(attr->qp_type, attr->send_ops_flags))
		return EOPNOTSUPP;
	if (attr->qp_type == IBV_QPT_XRC_RECV)
		return attr->comp_mask & IBV_QP_INIT_ATTR_XRCD && attr->xrcd &&
				       attr->xrcd->context == ibv ?
			       0 :
			       EINVAL;
	if (!(attr->comp_mask & IBV_QP_INIT_ATTR_PD) || !attr->pd ||
	    attr->pd->context != ibv)
		return EINVAL;
	if (!attr->send_cq || attr->send_cq->context != ibv)
		return EINVAL;
	if (attr->qp_type == IBV_QPT_XRC_SEND)
		return check_caps(&arnica_context_of(ibv)->caps, &attr->cap,
				  false);
	if (!attr->recv_cq || attr->recv_cq->context != ibv)
		return EINVAL;
	if (attr->srq && (attr->srq->context != ibv ||
			  arnica_srq_of(attr->srq)->hidden))
		return EINVAL;
	return check_caps(&arnica_context_of(ibv)->caps, &attr->cap,
			  !attr->srq);
}

struct ibv_qp_init_attr_ex
arnica_qp_reduce(const struct ibv_qp_init_attr_ex *attr)
{
	struct ibv_qp_init_attr_ex reduced = *attr;

	if (!(attr->comp_mask & IBV_QP_INIT_ATTR_XRCD) ||
	    attr->qp_type != IBV_QPT_XRC_RECV)
		reduced.xrcd = NULL;
	if (!arnica_qp_type_is_xrc(attr->qp_type))
		return reduced;
	reduced.srq = NULL;
	reduced.cap.max_recv_wr = 0;
	reduced.cap.max_recv_sge = 0;
	reduced.recv_cq = NULL;
	if (attr->qp_type == IBV_QPT_XRC_SEND)
		return reduced;
	reduced.pd = NULL;
	reduced.send_cq = NULL;
	memset(&reduced.cap, 0, sizeof(reduced.cap));
	return reduced;
}

/* What was granted must hang together, or the adapter is not the one that this
 * provider was built for. */
static bool queue_is_sane(const struct arnica_hw_res_queue *granted,
			  uint32_t header_bytes)
{
	uint32_t slots = arnica_from_le32(granted->slots);
	uint32_t bytes = arnica_from_le32(granted->entry_bytes);
	uint32_t max_sge = arnica_from_le32(granted->max_sge);

	return arnica_is_power_of_two(slots) && arnica_is_power_of_two(bytes) &&
	       bytes <= ARNICA_HW_MAX_WQE_BYTES &&
	       slots <= ARNICA_HW_MAX_QUEUE_DEPTH &&
	       arnica_from_le32(granted->depth) <= slots &&
	       max_sge <= ARNICA_HW_MAX_SGE &&
	       header_bytes + max_sge * sizeof(struct arnica_hw_data_segment) <=
		       bytes;
}

bool arnica_qp_grant_is_sane(const struct arnica_hw_res_qp *granted,
			     struct ibv_srq *srq)
{
	const struct arnica_hw_res_queue *send = &granted->send;
	const struct arnica_hw_res_queue *receive = &granted->receive;

	if (srq && arnica_from_le32(receive->slots) !=
			   arnica_srq_of(srq)->mask + 1)
		return false;
	if (arnica_from_le32(granted->handle) >= ARNICA_HW_MAX_QP ||
	    arnica_from_le32(granted->qpn) > ARNICA_HW_QPN_MASK)
		return false;
	if (arnica_from_le32(send->depth) != 0 &&
	    (!queue_is_sane(send, ARNICA_HW_WQE_HEADER_BYTES) ||
	     arnica_from_le32(granted->inline_bytes) >
		     arnica_from_le32(send->entry_bytes) -
			     ARNICA_HW_WQE_HEADER_BYTES))
		return false;
	return arnica_from_le32(receive->depth) == 0 ||
	       queue_is_sane(receive, 0);
}
