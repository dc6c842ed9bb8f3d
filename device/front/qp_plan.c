/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What CREATE_QP asks for, and what that takes; see qp_plan.h. */
#include "front/qp_plan.h"

#include <arnica/hw/cqe.h>
#include <arnica/hw/wqe.h>

#include "front/command.h"
#include "front/srq_table.h"
#include "front/xrcd_table.h"
#include "transport/rss.h"

#define EAGER_MIN_BYTES 8192u
#define EAGER_MAX_BYTES 65536u
/* Datagrams come from anybody and are not held back: there is room for the
 * largest in each receive, as far as that is reasonable. */
#define EAGER_DATAGRAM_BYTES 8192u /* a power of two */
#define EAGER_MAX_DATAGRAM_BYTES (4u << 20)

#define QP_FLAGS                                                               \
	((uint32_t)ARNICA_HW_QP_BLOCK_SELF_MCAST | ARNICA_HW_QP_REGISTERS |    \
	 ARNICA_HW_QP_DRAINS)

/* Queues with fewer receives are small, and stay so. */
#define RECV_APART_DEPTH 16u

static uint64_t place(uint64_t *next, uint64_t bytes)
{
	uint64_t offset = *next;

	*next = (offset + bytes + ARNICA_HW_LINE_BYTES - 1) &
		~(uint64_t)(ARNICA_HW_LINE_BYTES - 1);
	return offset;
}

static uint32_t eager_bytes(const struct arnica_hw_cmd_create_qp *cmd,
			    uint32_t slots)
{
	uint32_t type = arnica_from_le32(cmd->type);
	bool datagrams = type == ARNICA_HW_QP_UD;
	uint32_t bytes = slots * (datagrams ? EAGER_DATAGRAM_BYTES : 1024);
	uint32_t most = datagrams ? EAGER_MAX_DATAGRAM_BYTES : EAGER_MAX_BYTES;

	/* A frame is placed at once, by the process that it is for. */
	if (adev_qp_plan_is_raw(type))
		return 0;
	if (slots && bytes < EAGER_MIN_BYTES)
		return EAGER_MIN_BYTES;
	return bytes > most ? most : bytes;
}

/*
 * Who keeps the queue full writes an entry as soon as the peer has used it. With
 * a line of slots more than entries it is not on the line where the peer reads
 * the next one, who would have to fetch that line anew for each message.
 */
static uint32_t recv_slots(uint32_t depth, uint32_t stride)
{
	uint32_t apart = stride < ARNICA_HW_LINE_BYTES &&
					 depth >= RECV_APART_DEPTH ?
				 ARNICA_HW_LINE_BYTES / stride :
				 0;

	if (!depth)
		return 0;
	if (depth + apart > ARNICA_HW_MAX_QUEUE_DEPTH)
		apart = 0;
	return arnica_round_up_power(depth + apart);
}

void adev_qp_plan_sizes(const struct arnica_hw_cmd_create_qp *cmd,
			const struct adev_srq_shared *srq,
			struct adev_qp_sizes *sizes)
{
	uint32_t send_depth = arnica_from_le32(cmd->send_depth);
	uint32_t recv_depth = arnica_from_le32(cmd->recv_depth);
	uint32_t send_bytes = ARNICA_HW_WQE_ATOMIC_HEADER_BYTES + 16;
	uint32_t segments = arnica_from_le32(cmd->send_sge) * 16;
	uint32_t inline_bytes = arnica_from_le32(cmd->inline_bytes);
	uint32_t recv_sge = arnica_from_le32(cmd->recv_sge);
	uint32_t header = arnica_from_le32(cmd->flags) & ARNICA_HW_QP_REGISTERS ?
				  ARNICA_HW_WQE_REGISTRATION_BYTES :
				  ARNICA_HW_WQE_HEADER_BYTES;
	uint32_t needed = recv_depth ? arnica_round_up_power(recv_depth) : 0;
	uint64_t next = 0;

	if (segments < inline_bytes)
		segments = inline_bytes;
	if (send_bytes < header + segments)
		send_bytes = header + segments;
	sizes->send_slots = send_depth ? arnica_round_up_power(send_depth) : 0;
	sizes->send_stride = arnica_round_up_power(send_bytes);
	sizes->inline_bytes = sizes->send_stride - header;
	if (sizes->inline_bytes > ARNICA_HW_MAX_INLINE)
		sizes->inline_bytes = ARNICA_HW_MAX_INLINE;
	sizes->recv_stride =
		arnica_round_up_power((recv_sge ? recv_sge : 1) * 16);
	sizes->recv_slots = recv_slots(recv_depth, sizes->recv_stride);
	if (srq) {
		needed = sizes->recv_slots = srq->slots;
		sizes->recv_stride = srq->stride;
	}
	sizes->eager_bytes = eager_bytes(cmd, needed);
	sizes->sq = place(&next, (uint64_t)sizes->send_slots *
					 sizes->send_stride);
	sizes->send_ring = place(&next, (uint64_t)sizes->send_slots *
						sizeof(struct arnica_hw_cqe));
	sizes->rq = place(&next, srq ? 0 :
				       (uint64_t)sizes->recv_slots *
					       sizes->recv_stride);
	sizes->recv_ring = place(&next, (uint64_t)sizes->recv_slots *
						sizeof(struct arnica_hw_cqe));
	sizes->eager = place(&next, sizes->eager_bytes);
	sizes->total = next ? next : 1;
}

/* What a type of XRC has, and has not. */
static enum arnica_hw_command_status
check_xrc(const struct adev_function *fn,
	  const struct arnica_hw_cmd_create_qp *cmd)
{
	uint32_t type = arnica_from_le32(cmd->type);
	bool is_srq = type == ARNICA_HW_QP_XRC_SRQ;
	bool in_domain = type == ARNICA_HW_QP_XRC_RECV || is_srq;

	if (in_domain != (cmd->xrcd.raw != 0))
		return ARNICA_HW_COMMAND_INVALID;
	if (in_domain && !adev_xrcd_id(fn, adev_qp_plan_xrcd(cmd)))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (type != ARNICA_HW_QP_XRC_SEND && !in_domain)
		return ARNICA_HW_COMMAND_OK;
	if (cmd->recv_depth.raw || is_srq != (cmd->srq.raw != 0) ||
	    (in_domain && cmd->send_depth.raw))
		return ARNICA_HW_COMMAND_INVALID;
	return ARNICA_HW_COMMAND_OK;
}

/* What is not of the type has to be zero. */
static bool is_clean(const struct adev_function *fn,
		     const struct arnica_hw_cmd_create_qp *cmd)
{
	uint32_t type = arnica_from_le32(cmd->type);

	if (adev_qp_plan_is_bare(type) &&
	    (cmd->pd.raw || cmd->send_cq.raw || cmd->recv_cq.raw))
		return false;
	if (type == ARNICA_HW_QP_WQ &&
	    (cmd->send_depth.raw || !cmd->recv_depth.raw || cmd->srq.raw))
		return false;
	if (type == ARNICA_HW_QP_RSS)
		return !cmd->send_depth.raw && !cmd->recv_depth.raw &&
		       !cmd->srq.raw && adev_rss_check(fn, &cmd->rss);
	return !cmd->rss.table.raw;
}

static bool has_objects(const struct adev_function *fn,
			const struct arnica_hw_cmd_create_qp *cmd)
{
	return adev_qp_plan_is_bare(arnica_from_le32(cmd->type)) ||
	       (adev_pd_valid(fn, arnica_from_le32(cmd->pd)) &&
		adev_cq_valid(fn, arnica_from_le32(cmd->send_cq)) &&
		adev_cq_valid(fn, arnica_from_le32(cmd->recv_cq)) &&
		(!cmd->srq.raw || adev_srq_valid(fn, adev_qp_plan_srq(cmd))));
}

enum arnica_hw_command_status
adev_qp_plan_check(const struct adev_function *fn,
		   const struct arnica_hw_cmd_create_qp *cmd)
{
	switch (arnica_from_le32(cmd->type)) {
	case ARNICA_HW_QP_RC:
	case ARNICA_HW_QP_UC:
	case ARNICA_HW_QP_UD:
	case ARNICA_HW_QP_RAW_PACKET:
	case ARNICA_HW_QP_XRC_SEND:
	case ARNICA_HW_QP_XRC_RECV:
	case ARNICA_HW_QP_XRC_SRQ:
	case ARNICA_HW_QP_WQ:
	case ARNICA_HW_QP_RSS:
		break;
	default:
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	}
	if (!has_objects(fn, cmd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (arnica_from_le32(cmd->send_depth) > ARNICA_HW_MAX_QUEUE_DEPTH ||
	    arnica_from_le32(cmd->recv_depth) > ARNICA_HW_MAX_QUEUE_DEPTH ||
	    arnica_from_le32(cmd->send_sge) > ARNICA_HW_MAX_SGE ||
	    arnica_from_le32(cmd->recv_sge) > ARNICA_HW_MAX_SGE ||
	    arnica_from_le32(cmd->inline_bytes) > ARNICA_HW_MAX_INLINE ||
	    (cmd->srq.raw && cmd->recv_depth.raw) ||
	    arnica_from_le32(cmd->flags) & ~QP_FLAGS || !is_clean(fn, cmd))
		return ARNICA_HW_COMMAND_INVALID;
	return check_xrc(fn, cmd);
}
