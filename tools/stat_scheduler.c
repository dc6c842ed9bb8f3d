/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tables of the scheduler. */
#include "stat_scheduler.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_classes(const struct arnica_hw_sched_counters *counters,
			  uint64_t total, bool all)
{
	uint32_t i;

	printf("  %-7s %6s %9s %6s %10s %16s %6s %14s\n", "class", "weight",
	       "watermark", "queued", "entered", "bytes", "share", "ahead");
	for (i = 0; i < ARNICA_HW_CLASSES; i++) {
		const struct arnica_hw_class_counters *class =
			&counters->classes[i];

		if (all || class->entered || class->ahead)
			printf("  %-7" PRIu32 " %6" PRIu64 " %9" PRIu64
			       " %6" PRIu64 " %10" PRIu64 " %16" PRIu64
			       " %5.1f%% %14" PRIu64 "\n",
			       i, counters->class_weight[i],
			       counters->watermark[i], class->scheduled,
			       class->entered, class->bytes,
			       share(class->bytes, total), class->ahead);
	}
}

static void print_engines(const struct arnica_hw_sched_counters *counters,
			  uint64_t total, bool all)
{
	uint32_t i;

	printf("  %-7s %6s %9s %6s %10s %16s %6s %8s %10s\n", "engine",
	       "weight", "qp", "class", "turns", "bytes", "share", "fetches",
	       "fetched");
	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++) {
		const struct arnica_hw_engine_counters *engine =
			&counters->engines[i];

		if (i >= counters->num_engines && !engine->turns)
			continue;
		if (!all && !engine->turns && !engine->qpn)
			continue;
		printf("  %-7" PRIu32 " %6" PRIu64 " %#9" PRIx64 " %6" PRIu64
		       " %10" PRIu64 " %16" PRIu64 " %5.1f%% %8" PRIu64
		       " %10" PRIu64 "\n",
		       i, counters->engine_weight[i], engine->qpn,
		       engine->class, engine->turns, engine->bytes,
		       share(engine->bytes, total), engine->fetches,
		       engine->fetched);
	}
}

static void print_gathers(const struct arnica_hw_sched_counters *counters,
			  uint64_t total, bool all)
{
	uint32_t i;

	printf("  %-7s %35s %16s %6s\n", "gather", "turns", "bytes", "share");
	for (i = 0; i < ARNICA_HW_MAX_GATHERS; i++) {
		const struct arnica_hw_gather_counters *gather =
			&counters->gathers[i];

		if (gather->turns || (all && i < counters->num_gathers))
			printf("  %-7" PRIu32 " %35" PRIu64 " %16" PRIu64
			       " %5.1f%%\n",
			       i, gather->turns, gather->bytes,
			       share(gather->bytes, total));
	}
}

void tool_print_scheduler(const struct arnica_hw_sched_counters *counters,
			  bool all)
{
	uint64_t total = 0;
	uint32_t i;
	bool any = all;

	for (i = 0; i < ARNICA_HW_CLASSES; i++) {
		total += counters->classes[i].bytes;
		any |= counters->classes[i].entered ||
		       counters->classes[i].ahead;
	}
	if (!any)
		return;
	printf("  scheduler: %s, %" PRIu64 " execution engines, %" PRIu64
	       " gather engines\n",
	       counters->policy == ARNICA_HW_POLICY_WEIGHTED ? "weighted" :
								"strict",
	       counters->num_engines, counters->num_gathers);
	print_classes(counters, total, all);
	print_engines(counters, total, all);
	print_gathers(counters, total, all);
}
