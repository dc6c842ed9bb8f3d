/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The scheduler of a function: what a command sets (ARNICA_HW_CMD_SET_SCHEDULER)
 * and tells (QUERY_SCHEDULER), and what the adapter counts, for tools.
 */
#ifndef ARNICA_HW_SCHEDULER_H
#define ARNICA_HW_SCHEDULER_H

#include <arnica/hw/endian.h>
#include <arnica/hw/format.h>

#define ARNICA_HW_CLASSES 16u /* a service level each */
#define ARNICA_HW_MAX_ENGINES 16u
#define ARNICA_HW_MAX_GATHERS 8u
#define ARNICA_HW_ENGINE_DESCRIPTORS 16u
#define ARNICA_HW_ENGINE_BYTES 8192u

enum arnica_hw_policy {
	ARNICA_HW_POLICY_STRICT = 0,
	ARNICA_HW_POLICY_WEIGHTED = 1,
};

/*
 *   0  +----------+-------------+-------------+----------+
 *      | policy   | num_engines | num_gathers | reserved |
 *  16  +----------+-------------+-------------+----------+
 *      | class_weight[16]                                |
 *  32  | watermark[16]                                   |
 *  48  | class_engines[16]                               |
 * 112  | engine_weight[16]                               |
 * 128  +-------------------------------------------------+
 */
struct arnica_hw_scheduler {
	arnica_le32 policy;      /* enum arnica_hw_policy */
	arnica_le32 num_engines; /* execution engines; at least num_gathers */
	arnica_le32 num_gathers; /* gather engines */
	arnica_le32 reserved0;
	uint8_t class_weight[ARNICA_HW_CLASSES]; /* at least 1 */
	/* Fewer descriptors than so many in an engine's buffer: it fetches. 1 to
	 * ARNICA_HW_ENGINE_DESCRIPTORS. */
	uint8_t watermark[ARNICA_HW_CLASSES];
	/* Engines of the class, a bit for each; at least one that exists. */
	arnica_le32 class_engines[ARNICA_HW_CLASSES];
	uint8_t engine_weight[ARNICA_HW_MAX_ENGINES]; /* at least 1 */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_scheduler, 128);
ARNICA_FORMAT_FIELD(struct arnica_hw_scheduler, class_weight, 16);
ARNICA_FORMAT_FIELD(struct arnica_hw_scheduler, class_engines, 48);
ARNICA_FORMAT_FIELD(struct arnica_hw_scheduler, engine_weight, 112);

/* Of an execution engine. */
struct arnica_hw_engine_counters {
	uint64_t qpn;     /* that it has now; zero: idle */
	uint64_t class;
	uint64_t turns;
	uint64_t bytes;
	uint64_t fetches; /* accesses to descriptors */
	uint64_t fetched; /* descriptors */
};

struct arnica_hw_gather_counters {
	uint64_t turns;
	uint64_t bytes;
};

struct arnica_hw_class_counters {
	uint64_t scheduled; /* QPs, now */
	uint64_t entered;   /* times that a QP came into the queue */
	uint64_t bytes;     /* moved by engines */
	uint64_t ahead;     /* by doorbells that need not wait */
};

struct arnica_hw_sched_counters {
	struct arnica_hw_engine_counters engines[ARNICA_HW_MAX_ENGINES];
	struct arnica_hw_gather_counters gathers[ARNICA_HW_MAX_GATHERS];
	struct arnica_hw_class_counters classes[ARNICA_HW_CLASSES];
	/* What is set, as in struct arnica_hw_scheduler. */
	uint64_t policy, num_engines, num_gathers;
	uint64_t class_weight[ARNICA_HW_CLASSES];
	uint64_t watermark[ARNICA_HW_CLASSES];
	uint64_t engine_weight[ARNICA_HW_MAX_ENGINES];
};

#endif
