/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A queue pair before it is made: whether the command that asks for it can be
 * met, and how large everything will be.
 */
#ifndef ADEV_FRONT_QP_PLAN_H
#define ADEV_FRONT_QP_PLAN_H

#include <arnica/hw/cqp.h>

#include "core/function.h"

/* What a QP is made of, in one range of the heap. */
struct adev_qp_sizes {
	uint32_t send_slots, send_stride, recv_slots, recv_stride;
	uint32_t eager_bytes, inline_bytes;
	uint64_t sq, send_ring, rq, recv_ring, eager, total; /* offsets */
};

/* With an SRQ, `srq`, the receive queue is a completion ring and no more. */
void adev_qp_plan_sizes(const struct arnica_hw_cmd_create_qp *cmd,
			const struct adev_srq_shared *srq,
			struct adev_qp_sizes *sizes);

/* Type, limits, and the objects that the command names. */
enum arnica_hw_command_status
adev_qp_plan_check(const struct adev_function *fn,
		   const struct arnica_hw_cmd_create_qp *cmd) ARNICA_MUST_CHECK;

/* Handle of the SRQ; ADEV_NO_SRQ for none. */
static inline uint32_t
adev_qp_plan_srq(const struct arnica_hw_cmd_create_qp *cmd)
{
	return arnica_from_le32(cmd->srq) - 1;
}

/* Handle of the XRC domain; ADEV_NO_XRCD for none. */
static inline uint32_t
adev_qp_plan_xrcd(const struct arnica_hw_cmd_create_qp *cmd)
{
	return arnica_from_le32(cmd->xrcd) - 1;
}

/* These queue pairs have nothing of their own but their number. */
static inline bool adev_qp_plan_is_bare(uint32_t type)
{
	return type == ARNICA_HW_QP_XRC_RECV || type == ARNICA_HW_QP_RSS;
}

/* Is it for frames of the port's interface, which not everybody may have? */
static inline bool adev_qp_plan_is_raw(uint32_t type)
{
	return type == ARNICA_HW_QP_RAW_PACKET || type == ARNICA_HW_QP_WQ ||
	       type == ARNICA_HW_QP_RSS;
}

#endif
