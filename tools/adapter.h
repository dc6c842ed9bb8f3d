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

#endif
