/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The part of `arnica stat` that shows the scheduler of a function. */
#ifndef TOOL_STAT_SCHEDULER_H
#define TOOL_STAT_SCHEDULER_H

#include <stdbool.h>

#include <arnica/hw/scheduler.h>

/* Rows of classes, execution engines and gather engines that did something, or
 * of all. Nothing, when none did and not all are wanted. */
void tool_print_scheduler(const struct arnica_hw_sched_counters *counters,
			  bool all);

#endif
