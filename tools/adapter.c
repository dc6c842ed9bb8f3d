/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adapter.h"

/* A symbol of the adapter's library, which stays: it may have started threads.
 */
static void *find_symbol(const char *command, const struct tool_layout *layout,
			 const char *name)
{
	void *library = dlopen(layout->device, RTLD_NOW | RTLD_LOCAL);
	void *symbol = library ? dlsym(library, name) : NULL;

	if (!symbol)
		fprintf(stderr, "%s: %s\n", command, dlerror());
	return symbol;
}

int tool_adapter_identity(const char *command, const struct tool_layout *layout,
			  struct arnica_bus_identity *identity)
{
	int (*ask)(struct arnica_bus_identity * identity);
	int err;

	*(void **)&ask = find_symbol(command, layout, "arnica_bus_identity");
	if (!ask)
		return ENOENT;
	memset(identity, 0, sizeof(*identity));
	err = ask(identity);
	if (err)
		fprintf(stderr, "%s: the adapter has no identity: %s\n",
			command, strerror(err));
	return err;
}

/* A call of the adapter's library, or NULL when it was complained of. */
#define ADAPTER_CALL(name, type, symbol)                                       \
	type *name(const char *command, const struct tool_layout *layout)      \
	{                                                                      \
		type *call;                                                    \
                                                                               \
		*(void **)&call = find_symbol(command, layout, symbol);        \
		return call;                                                   \
	}

ADAPTER_CALL(tool_adapter_counters, tool_counters_fn, "arnica_bus_counters")
ADAPTER_CALL(tool_adapter_scheduler, tool_scheduler_fn, "arnica_bus_scheduler")
ADAPTER_CALL(tool_adapter_table, tool_table_fn, "arnica_bus_table")
ADAPTER_CALL(tool_adapter_settings, tool_settings_fn, "arnica_bus_settings")
ADAPTER_CALL(tool_adapter_share, tool_share_fn, "arnica_bus_share")
