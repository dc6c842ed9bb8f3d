/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adapter.h"

int tool_adapter_identity(const char *command, const struct tool_layout *layout,
			  struct arnica_bus_identity *identity)
{
	void *library = dlopen(layout->device, RTLD_NOW | RTLD_LOCAL);
	int (*ask)(struct arnica_bus_identity * identity) = NULL;
	int err;

	if (library)
		*(void **)&ask = dlsym(library, "arnica_bus_identity");
	if (!ask) {
		fprintf(stderr, "%s: %s\n", command, dlerror());
		return ENOENT;
	}
	memset(identity, 0, sizeof(*identity));
	err = ask(identity);
	if (err)
		fprintf(stderr, "%s: the adapter has no identity: %s\n",
			command, strerror(err));
	/* The library stays: it may have started threads. */
	return err;
}
