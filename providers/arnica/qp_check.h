/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Attributes of a new queue pair, before the adapter is asked, and what it
 * grants. */
#ifndef ARNICA_QP_CHECK_H
#define ARNICA_QP_CHECK_H

#include <infiniband/verbs.h>
#include <stdbool.h>

#include "arnica/hw/cqp.h"

/* Can this adapter make such a queue pair? EINVAL, EOPNOTSUPP, EPERM
 * (ibv_create_qp_ex(3)). */
int arnica_qp_check(struct ibv_context *ibv,
		    const struct ibv_qp_init_attr_ex *attr);

/* The same without what its type leaves out, which is not looked at. */
struct ibv_qp_init_attr_ex
arnica_qp_reduce(const struct ibv_qp_init_attr_ex *attr);

/* enum ibv_qp_create_flags, where they are given. */
uint32_t arnica_qp_create_flags(const struct ibv_qp_init_attr_ex *attr);

/* Can what the adapter granted be used as it is? Nothing of it is checked
 * again. */
bool arnica_qp_grant_is_sane(const struct arnica_hw_res_qp *granted,
			     struct ibv_srq *srq);

#endif
