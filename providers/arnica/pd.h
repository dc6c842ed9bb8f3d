/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Protection domains. */
#ifndef ARNICA_PD_H
#define ARNICA_PD_H

#include <infiniband/verbs.h>

struct ibv_pd *arnica_pd_alloc(struct ibv_context *context);
int arnica_pd_dealloc(struct ibv_pd *pd);

#endif
