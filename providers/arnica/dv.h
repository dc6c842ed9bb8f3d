/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Direct verbs (infiniband/arnicadv.h): what their files share. */
#ifndef ARNICA_DV_H
#define ARNICA_DV_H

#include "infiniband/arnicadv.h"
#include "qp.h"

#define ARNICA_PUBLIC __attribute__((visibility("default")))

static inline struct arnica_qp *arnica_qp_of_direct(struct arnicadv_qp_ex *qp)
{
	return (struct arnica_qp *)(void *)((char *)qp -
					    offsetof(struct arnica_qp, direct));
}

void arnica_dv_wr_reg_mr(struct arnicadv_qp_ex *qp, struct ibv_mr *mr,
			 const struct arnicadv_reg_attr *attr);
void arnica_dv_wr_reg_mr_send(struct arnicadv_qp_ex *qp, struct ibv_mr *mr,
			      const struct arnicadv_reg_attr *attr);

#endif
