/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of shared receive queues, and what queue pairs hold of it. Lock role
 * `command`. */
#ifndef ADEV_FRONT_SRQ_TABLE_H
#define ADEV_FRONT_SRQ_TABLE_H

#include "core/function.h"
#include "transport/srq.h"
#include "transport/srq_owner.h"

#define ADEV_NO_SRQ UINT32_MAX

bool adev_srq_valid(const struct adev_function *fn, uint32_t srq);

/* A QP with this SRQ that completes to `cq` comes; with ADEV_NO_SRQ nothing
 * happens here. ENOMEM. */
int adev_srq_get(struct adev_function *fn, uint32_t srq, uint32_t cq)
	ARNICA_MUST_CHECK;

/* How many completions the newest QP makes more possible in its CQ: as many as
 * the SRQ is deep, or none when others complete there already. */
uint32_t adev_srq_adds(const struct adev_function *fn, uint32_t srq,
		       uint32_t cq);

/* The QP goes; returns how many fewer completions are possible. */
uint32_t adev_srq_put(struct adev_function *fn, uint32_t srq, uint32_t cq);

/* command_srq_grow.c: */

/* Gives so many slots their memory, and the ring of that size; ENOMEM. */
int adev_srq_populate(struct adev_function *fn, uint32_t srq, uint32_t slots)
	ARNICA_MUST_CHECK;

/* Is there a slot, and in each QP's ring a place, for so many work requests (at
 * least one)? */
bool adev_srq_holds(const struct adev_function *fn, uint32_t srq,
		    uint32_t depth) ARNICA_MUST_CHECK;

/* What the CQs have to expect changes with it. */
void adev_srq_set_depth(struct adev_function *fn, uint32_t srq, uint32_t depth);

/* command_ring_grow.c. The QP is destroyed: its ring, if it grew, is free. */
void adev_srq_free_ring(struct adev_qp *qp);

/* The SRQ's memory stays as it is until the function ends. */
void adev_srq_quarantine(struct adev_function *fn, uint32_t srq);

#endif
