/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ibv_attach_mcast(3), ibv_detach_mcast(3). */
#ifndef ARNICA_MCAST_H
#define ARNICA_MCAST_H

#include <infiniband/verbs.h>

int arnica_mcast_attach(struct ibv_qp *qp, const union ibv_gid *gid,
			uint16_t lid);
int arnica_mcast_detach(struct ibv_qp *qp, const union ibv_gid *gid,
			uint16_t lid);

#endif
