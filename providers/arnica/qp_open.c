/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_open_qp(): a reference to an XRC_RECV queue pair that somebody else of the
 * XRC domain has made. It keeps that queue pair; to change and to query it is for
 * its maker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "qp.h"
#include "xrcd.h"

static int check(const struct ibv_context *ibv,
		 const struct ibv_qp_open_attr *attr)
{
	const uint32_t needed = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD |
				IBV_QP_OPEN_ATTR_TYPE;

	if (attr->comp_mask & ~(needed | IBV_QP_OPEN_ATTR_CONTEXT))
		return EOPNOTSUPP;
	if ((attr->comp_mask & needed) != needed || !attr->xrcd ||
	    attr->xrcd->context != ibv || attr->qp_type != IBV_QPT_XRC_RECV ||
	    attr->qp_num > ARNICA_HW_QPN_MASK)
		return EINVAL;
	return 0;
}

static int open_qp(struct arnica_qp *qp, const struct ibv_qp_open_attr *attr)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_OPEN_QP),
		.open_qp = {
			.xrcd = arnica_to_le32(
				arnica_xrcd_of(attr->xrcd)->handle),
			.qpn = arnica_to_le32(attr->qp_num),
		},
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&qp->context->commands, &command,
					   &answer);

	if (!error)
		qp->verbs.base.handle = arnica_from_le32(answer.object.handle);
	return error;
}

struct ibv_qp *arnica_qp_open(struct ibv_context *ibv,
			      struct ibv_qp_open_attr *attr)
{
	struct arnica_qp *qp = NULL;
	int error = check(ibv, attr);

	if (!error) {
		qp = aligned_alloc(64, (sizeof(*qp) + 63) & ~(size_t)63);
		error = qp ? 0 : ENOMEM;
	}
	if (!error) {
		memset(qp, 0, sizeof(*qp));
		qp->context = arnica_context_of(ibv);
		qp->opened = true;
		error = open_qp(qp, attr);
	}
	if (error) {
		free(qp);
		errno = error;
		return NULL;
	}
	qp->verbs.base.context = ibv;
	if (attr->comp_mask & IBV_QP_OPEN_ATTR_CONTEXT)
		qp->verbs.base.qp_context = attr->qp_context;
	qp->verbs.base.qp_num = attr->qp_num;
	qp->verbs.base.qp_type = IBV_QPT_XRC_RECV;
	return &qp->verbs.base;
}

int arnica_qp_close(struct arnica_qp *qp)
{
	int error = arnica_command_object(&qp->context->commands,
					  ARNICA_HW_CMD_CLOSE_QP,
					  qp->verbs.base.handle);

	if (!error)
		free(qp);
	return error;
}
