/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flow rules: ibv_create_flow(3). The specifications of verbs become one set of
 * fields and masks (cqp_flow.h of the contract), which the adapter checks.
 */
#ifndef ARNICA_FLOW_H
#define ARNICA_FLOW_H

#include <infiniband/verbs.h>
#include <stdbool.h>

#include "arnica/hw/cqp.h"

struct arnica_counters; /* counters.h */

struct arnica_flow {
	struct ibv_flow base;
	struct arnica_counters *counters; /* NULL: none were named */
	struct arnica_flow *next;	  /* of those that name them, too */
};

struct ibv_flow *arnica_flow_create(struct ibv_qp *qp,
				    struct ibv_flow_attr *attr);
int arnica_flow_destroy(struct ibv_flow *flow);

/* What the attributes ask for; `counts`: an ACTION_COUNT of these counters is among
 * it. 0; EINVAL; EOPNOTSUPP: a specification of what is not offered. */
int arnica_flow_emit(const struct ibv_flow_attr *attr,
		     struct arnica_hw_cmd_create_flow *cmd, bool *counts,
		     struct ibv_counters **counters) ARNICA_MUST_CHECK;

#endif
