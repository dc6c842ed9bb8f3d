/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The descriptor buffer of an execution engine: entries of the send queue that
 * were announced, copied some at a time. An entry is filled up to the end of what
 * is announced, or of the buffer, when fewer are there than the watermark of the
 * class says. All with the QP's sq_lock.
 */
#ifndef ADEV_EXEC_DESCRIPTORS_H
#define ADEV_EXEC_DESCRIPTORS_H

#include "transport/qp.h"

/* Fetches what is announced and not there yet; counts the access, and the
 * descriptors. */
void adev_descriptors_fill(struct adev_qp *qp, struct adev_engine *engine,
			   uint32_t *fetches, uint32_t *fetched);

/* The descriptor at the head of the queue, out of the buffer; announced. */
const void *adev_descriptors_take(struct adev_qp *qp,
				  struct adev_engine *engine,
				  uint32_t *fetches, uint32_t *fetched);

#endif
