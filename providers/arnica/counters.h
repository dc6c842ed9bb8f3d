/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counters of verbs: what flow rules have matched, ibv_create_counters(3). The
 * adapter counts for each rule. Counters are the host's: points that say which
 * value is added to which index, and the rules that name them.
 *
 * Points come before rules: who has rules gets no more of them (EBUSY).
 */
#ifndef ARNICA_COUNTERS_H
#define ARNICA_COUNTERS_H

#include <infiniband/verbs.h>

#include "arnica/hw/cqp.h"

struct arnica_flow;

struct ibv_counters *
arnica_counters_create(struct ibv_context *context,
		       struct ibv_counters_init_attr *attr);
/* EBUSY while rules name them. */
int arnica_counters_destroy(struct ibv_counters *counters);
int arnica_counters_attach(struct ibv_counters *counters,
			   struct ibv_counter_attach_attr *attr,
			   struct ibv_flow *flow);
/* EINVAL: no rule names them, or there is a point beyond `count`. */
int arnica_counters_read(struct ibv_counters *counters, uint64_t *values,
			 uint32_t count, uint32_t flags);

/*
 * A rule of flow.h that names counters begins and ends with the command, which is
 * executed here, so that nothing is counted twice or not at all. EINVAL: counters
 * without a point, or of another context.
 */
int arnica_counters_begin(struct ibv_counters *counters,
			  struct arnica_flow *flow,
			  const struct arnica_hw_command *command,
			  struct arnica_hw_completion *answer)
	ARNICA_MUST_CHECK;
int arnica_counters_end(struct arnica_flow *flow) ARNICA_MUST_CHECK;

#endif
