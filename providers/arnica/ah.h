/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Address handles. */
#ifndef ARNICA_AH_H
#define ARNICA_AH_H

#include <infiniband/verbs.h>

struct ibv_ah *arnica_ah_create(struct ibv_pd *pd, struct ibv_ah_attr *attr);
int arnica_ah_destroy(struct ibv_ah *ah);

#endif
