/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Raw packet queue pairs and flow steering, which are refused. */
#ifndef ARNICA_RAW_PACKET_H
#define ARNICA_RAW_PACKET_H

#include <infiniband/verbs.h>

/* EPERM: this user may not handle raw packets at all; else EOPNOTSUPP. */
int arnica_raw_packet_refusal(void);

/* ibv_create_flow(3). */
struct ibv_flow *arnica_flow_create(struct ibv_qp *qp,
				    struct ibv_flow_attr *attr);

#endif
