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

tool_counters_fn *tool_adapter_counters(const char *command,
					const struct tool_layout *layout)
{
	tool_counters_fn *counters;

	*(void **)&counters = find_symbol(command, layout,
					  "arnica_bus_counters");
	return counters;
}

tool_scheduler_fn *tool_adapter_scheduler(const char *command,
					  const struct tool_layout *layout)
{
	tool_scheduler_fn *scheduler;

	*(void **)&scheduler = find_symbol(command, layout,
					   "arnica_bus_scheduler");
	return scheduler;
}

tool_table_fn *tool_adapter_table(const char *command,
				  const struct tool_layout *layout)
{
	tool_table_fn *table;

	*(void **)&table = find_symbol(command, layout, "arnica_bus_table");
	return table;
}

tool_settings_fn *tool_adapter_settings(const char *command,
					const struct tool_layout *layout)
{
	tool_settings_fn *settings;

	*(void **)&settings = find_symbol(command, layout,
					  "arnica_bus_settings");
	return settings;
}

tool_share_fn *tool_adapter_share(const char *command,
				  const struct tool_layout *layout)
{
	tool_share_fn *share;

	*(void **)&share = find_symbol(command, layout, "arnica_bus_share");
	return share;
}
