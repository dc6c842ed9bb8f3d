/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flow rules of a function: which of its queue pairs gets a frame.
 *
 * Rules are asked in the order of their priority, the lowest number first, and
 * of one priority in the order in which they were made. The first that matches
 * has the frame, and with it the others of this priority that ask for exactly
 * the same; one that does not trap lets the frame go on. What no rule has goes to
 * the default rules, all of them. A queue pair gets a frame once.
 *
 * All of it with the lock of the raw packets (raw_packet.h).
 */
#ifndef ADEV_TRANSPORT_FLOW_H
#define ADEV_TRANSPORT_FLOW_H

#include "link/link.h"
#include "transport/frame.h"

struct adev_qp;
struct adev_rss;

/* A queue pair that has rules, or a receive queue that stands in tables. */
struct adev_flow_target {
	struct adev_qp *qp;
	struct adev_link own; /* its receive queue */
	uint64_t stuck; /* the lock of `own`: adev_datagram_take_in() */
	const struct adev_rss *rss; /* it spreads: rss.h; NULL: it does not */
	uint32_t uses; /* rules, and places in tables */
	uint64_t had; /* number of the last frame that it got */
	struct adev_flow_target *next;
};

struct adev_flow_rule {
	uint32_t handle;
	uint32_t type;
	uint32_t priority;
	uint32_t flags;
	uint32_t headers;
	struct arnica_hw_flow_fields value; /* nothing outside the mask */
	struct arnica_hw_flow_fields mask;
	struct adev_flow_target *target;
	uint64_t packets, bytes; /* that it has matched */
	struct adev_flow_rule *next; /* in the order in which they are asked */
};

struct adev_flows {
	struct adev_flow_rule *rules;
	struct adev_flow_target *targets;
	uint32_t num_rules;
	uint32_t next_handle;
	uint64_t num_frames;
};

/* The target of a QP, once more used; NULL: no memory. And once less. */
struct adev_flow_target *adev_flow_target_get(struct adev_flows *flows,
					      struct adev_qp *qp)
	ARNICA_MUST_CHECK;
void adev_flow_target_put(struct adev_flows *flows,
			  struct adev_flow_target *target);

/* Is the command a rule? 0; EINVAL; EOPNOTSUPP: one that is not offered. */
int adev_flow_check(const struct arnica_hw_cmd_create_flow *cmd)
	ARNICA_MUST_CHECK;

/* Enters a checked rule. NULL: there are too many, or no memory. */
struct adev_flow_rule *
adev_flow_add(struct adev_flows *flows, struct adev_qp *qp,
	      const struct arnica_hw_cmd_create_flow *cmd) ARNICA_MUST_CHECK;

struct adev_flow_rule *adev_flow_find(struct adev_flows *flows,
				      uint32_t handle);
void adev_flow_remove(struct adev_flows *flows, struct adev_flow_rule *rule);
void adev_flow_remove_all(struct adev_flows *flows);

/* The one address whose frames the rule takes, or NULL: those of any. */
const uint8_t *adev_flow_address(const struct adev_flow_rule *rule);

typedef void adev_flow_give(struct adev_flow_target *target, void *argument);

/* Calls `give` for each queue pair that gets the frame, of so many bytes; how
 * many. Each rule that had it counts it. */
uint32_t adev_flow_steer(struct adev_flows *flows,
			 const struct adev_frame_fields *frame, uint32_t bytes,
			 adev_flow_give *give, void *argument);

#endif
