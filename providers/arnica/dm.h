/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Device memory. */
#ifndef ARNICA_DM_H
#define ARNICA_DM_H

#include <infiniband/verbs.h>

struct ibv_dm *arnica_dm_alloc(struct ibv_context *context,
			       struct ibv_alloc_dm_attr *attr);
/* As large as there is room for; ends as the others do. */
struct ibv_dm *arnica_dm_alloc_shareable(struct ibv_context *context,
					 size_t length);
/* Where it is in this process. */
void *arnica_dm_start(struct ibv_dm *dm);
/* EBUSY while a region stands in it. */
int arnica_dm_free(struct ibv_dm *dm);
struct ibv_mr *arnica_dm_reg_mr(struct ibv_pd *pd, struct ibv_dm *dm,
				uint64_t offset, size_t length,
				unsigned int access);

/* Device memory of another context of the function, and its end here. */
struct ibv_dm *arnica_dm_import(struct ibv_context *context, uint32_t handle);
void arnica_dm_unimport(struct ibv_dm *dm);

#endif
