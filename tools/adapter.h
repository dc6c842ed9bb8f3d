/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Loads libarnica-device.so, for those subcommands that ask the adapter about
 * itself.
 */
#ifndef ARNICA_TOOLS_ADAPTER_H
#define ARNICA_TOOLS_ADAPTER_H

#include "arnica/hw/bus.h"

#include "locate.h"

/* 0 or a positive errno; a line on stderr, as from `command`, says what is
 * wrong. */
int tool_adapter_identity(const char *command, const struct tool_layout *layout,
			  struct arnica_bus_identity *identity)
	ARNICA_MUST_CHECK;

/* arnica_bus_counters() of the same library; NULL after a line on stderr. */
typedef int tool_counters_fn(int device_fd, pid_t pid,
			     arnica_bus_counter_fn *found, void *argument);
tool_counters_fn *tool_adapter_counters(const char *command,
					const struct tool_layout *layout);

/* arnica_bus_scheduler(), likewise. */
typedef int tool_scheduler_fn(int device_fd, pid_t pid,
			      struct arnica_hw_sched_counters *counters);
tool_scheduler_fn *tool_adapter_scheduler(const char *command,
					  const struct tool_layout *layout);

/* arnica_bus_table(), likewise. */
typedef int tool_table_fn(int device_fd, pid_t pid, arnica_bus_stag_fn *found,
			  void *argument);
tool_table_fn *tool_adapter_table(const char *command,
				  const struct tool_layout *layout);

/* arnica_bus_settings(), likewise. */
typedef int tool_settings_fn(const char **file, const char **why,
			     arnica_bus_setting_fn *found, void *argument);
tool_settings_fn *tool_adapter_settings(const char *command,
					const struct tool_layout *layout);

/* arnica_bus_share(), likewise. */
typedef int tool_share_fn(int device_fd, struct arnica_bus_share *share);
tool_share_fn *tool_adapter_share(const char *command,
				  const struct tool_layout *layout);

#endif
