/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Placing the payload of short messages when they are polled. The adapter
 * checked everything when the message arrived and left the payload in the
 * completion entry or in the queue's eager ring; here it is copied to the
 * segments of the receive entry. What stands unpolled is placed early when the
 * memory, the queue or the CQ is about to change under it.
 */
#ifndef ARNICA_SCATTER_H
#define ARNICA_SCATTER_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/cqe.h"
#include "arnica/hw/format.h"

struct arnica_context;
struct arnica_ring;
struct arnica_qp;
struct arnica_cq;

/*
 * Places the payload of `entry`, if it has one, into the receive at `work` of
 * the work queue, and gives its eager bytes back. False when the entry contradicts the queue's
 * memory: nothing was written outside the receive buffers then. The caller
 * holds the CQ's lock.
 */
bool arnica_scatter_entry(struct arnica_ring *ring, uint32_t work,
			  const struct arnica_hw_cqe *entry, uint32_t flags,
			  uint32_t byte_len) ARNICA_MUST_CHECK;

/* Places what stands unpolled: of one ring, of a CQ, of the whole context. */
void arnica_scatter_ring(struct arnica_ring *ring);
void arnica_scatter_cq(struct arnica_cq *cq);
void arnica_scatter_outstanding(struct arnica_context *context);

#endif
