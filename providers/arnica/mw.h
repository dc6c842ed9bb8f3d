/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory windows. They are bound by work requests: type 1 by ibv_bind_mw(),
 * type 2 by IBV_WR_BIND_MW; what a key permits then is the adapter's to know.
 */
#ifndef ARNICA_MW_H
#define ARNICA_MW_H

#include <infiniband/verbs.h>
#include <stdint.h>

struct ibv_mw *arnica_mw_alloc(struct ibv_pd *pd, enum ibv_mw_type type);
int arnica_mw_dealloc(struct ibv_mw *mw);
int arnica_mw_bind(struct ibv_qp *qp, struct ibv_mw *mw,
		   struct ibv_mw_bind *bind);

/* A request to bind `mw`, which must be of this type, under `rkey`: EINVAL when
 * it makes no sense whatever the adapter knows. */
int arnica_mw_check_bind(const struct ibv_mw *mw, enum ibv_mw_type type,
			 uint32_t rkey, const struct ibv_mw_bind_info *info);

#endif
