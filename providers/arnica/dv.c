/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Direct verbs: the calls that other objects begin with. */
#include "dv.h"

#include <errno.h>

#include "arnica/hw/wqe.h"
#include "mr.h"
#include "shareable.h"

#define ATTR_KNOWN                                                             \
	((uint64_t)ARNICADV_QP_INIT_ATTR_SEND_OPS_FLAGS |                      \
	 ARNICADV_QP_INIT_ATTR_REG_ERROR)
#define OPS_KNOWN                                                              \
	((uint64_t)ARNICADV_QP_EX_WITH_REG_MR | ARNICADV_QP_EX_WITH_REG_MR_SEND)

/* The flags of the adapter, and the further opcodes of the send queue. */
static int translate(const struct ibv_qp_init_attr_ex *qp_attr,
		     const struct arnicadv_qp_init_attr *attr,
		     struct arnica_qp_extra *extra)
{
	uint64_t ops = attr->comp_mask & ARNICADV_QP_INIT_ATTR_SEND_OPS_FLAGS ?
			       attr->send_ops_flags :
			       0;

	if (attr->comp_mask & ~ATTR_KNOWN || ops & ~OPS_KNOWN)
		return EOPNOTSUPP;
	if (ops && !(qp_attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS))
		return EINVAL;
	if (ops && qp_attr->qp_type != IBV_QPT_RC &&
	    qp_attr->qp_type != IBV_QPT_UC)
		return EOPNOTSUPP;
	if (ops)
		extra->flags |= ARNICA_HW_QP_REGISTERS;
	if (ops & ARNICADV_QP_EX_WITH_REG_MR)
		extra->opcodes |= 1u << ARNICA_HW_OP_REG_MR;
	if (ops & ARNICADV_QP_EX_WITH_REG_MR_SEND)
		extra->opcodes |= 1u << ARNICA_HW_OP_REG_SEND;
	if (!(attr->comp_mask & ARNICADV_QP_INIT_ATTR_REG_ERROR))
		return 0;
	switch (attr->reg_error) {
	case ARNICADV_REG_ERROR_SQD:
		extra->flags |= ARNICA_HW_QP_DRAINS;
		return 0;
	case ARNICADV_REG_ERROR_ERR:
		return 0;
	}
	return EINVAL;
}

ARNICA_PUBLIC struct ibv_qp *
arnicadv_create_qp(struct ibv_context *context,
		   struct ibv_qp_init_attr_ex *qp_attr,
		   struct arnicadv_qp_init_attr *attr)
{
	struct arnica_qp_extra extra = { 0 };
	int error = EOPNOTSUPP;

	if (arnicadv_is_supported(context->device))
		error = translate(qp_attr, attr, &extra);
	if (error) {
		errno = error;
		return NULL;
	}
	return arnica_qp_create_with(context, qp_attr, &extra);
}

ARNICA_PUBLIC struct arnicadv_qp_ex *
arnicadv_qp_ex_from_ibv_qp_ex(struct ibv_qp_ex *ex)
{
	struct arnica_qp *qp = arnica_qp_of_ex(ex);

	if (!arnicadv_is_supported(ex->qp_base.context->device) ||
	    !qp->direct.wr_reg_mr)
		return NULL;
	return &qp->direct;
}

ARNICA_PUBLIC struct ibv_mr *
arnicadv_alloc_mr(struct ibv_pd *pd, struct arnicadv_mr_init_attr *attr)
{
	if (!arnicadv_is_supported(pd->context->device)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (attr->comp_mask || !attr->max_ranges) {
		errno = EINVAL;
		return NULL;
	}
	return arnica_mr_alloc(pd, attr->max_ranges);
}

ARNICA_PUBLIC void *arnicadv_alloc_shareable(struct ibv_context *context,
					     size_t length)
{
	if (arnicadv_is_supported(context->device))
		return arnica_shareable_alloc(context, length);
	errno = EOPNOTSUPP;
	return NULL;
}

ARNICA_PUBLIC int arnicadv_free_shareable(struct ibv_context *context,
					  void *address)
{
	return arnicadv_is_supported(context->device) ?
		       arnica_shareable_free(context, address) :
		       EOPNOTSUPP;
}
