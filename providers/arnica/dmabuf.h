/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Regions of dma-bufs: ibv_reg_dmabuf_mr(3). */
#ifndef ARNICA_DMABUF_H
#define ARNICA_DMABUF_H

#include <infiniband/verbs.h>

#include "mr.h"

/*
 * The dma-buf's pages are mapped here for as long as the region exists, and the
 * region is one of that mapping. NULL and errno: EBADF; EINVAL: no dma-buf, a
 * range that is not in it, or an iova that is not as far into a page; EOPNOTSUPP:
 * its exporter has no memory for processors.
 */
struct ibv_mr *arnica_dmabuf_reg(struct ibv_pd *pd, uint64_t offset,
				 size_t length, uint64_t iova, int fd,
				 int access);

/* The region's end: the mapping goes. */
void arnica_dmabuf_end(struct arnica_mr *mr);

#endif
