/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnica probe (hidden): what the doctor runs under `arnica run`. It does what
 * a verbs program does first: loads the system's libibverbs, lists the devices
 * and opens one. libibverbs is not linked, so that the arnica command works
 * where it is missing and can say so.
 *
 * It prints lines "key value" and exits 0, or one line on stderr and exits 1.
 */
#include <dlfcn.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

struct verbs_library {
	struct ibv_device **(*get_device_list)(int *num_devices);
	const char *(*get_device_name)(struct ibv_device *device);
	struct ibv_context *(*open_device)(struct ibv_device *device);
	int (*close_device)(struct ibv_context *context);
	struct ibv_pd *(*alloc_pd)(struct ibv_context *context);
	int (*dealloc_pd)(struct ibv_pd *pd);
};

/* The file name ends with the version: libibverbs.so.1.14.44.0. */
static void print_version(void *library)
{
	struct link_map *map;
	char *path;
	const char *name;

	if (dlinfo(library, RTLD_DI_LINKMAP, &map))
		return;
	path = realpath(map->l_name, NULL);
	if (!path)
		return;
	printf("library %s\n", path);
	name = strstr(path, ".so.1.");
	if (name)
		name = strchr(name + strlen(".so.1."), '.');
	if (name)
		printf("version %s\n", name + 1);
	free(path);
}

static int load_verbs(struct verbs_library *verbs)
{
	void *library = dlopen("libibverbs.so.1", RTLD_NOW);
	const struct {
		const char *name;
		void **entry;
	} symbols[] = {
		{ "ibv_get_device_list", (void **)&verbs->get_device_list },
		{ "ibv_get_device_name", (void **)&verbs->get_device_name },
		{ "ibv_open_device", (void **)&verbs->open_device },
		{ "ibv_close_device", (void **)&verbs->close_device },
		{ "ibv_alloc_pd", (void **)&verbs->alloc_pd },
		{ "ibv_dealloc_pd", (void **)&verbs->dealloc_pd },
	};

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return ENOENT;
	}
	print_version(library);
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		*symbols[i].entry = dlsym(library, symbols[i].name);
		if (!*symbols[i].entry) {
			fprintf(stderr, "%s\n", dlerror());
			return ENOENT;
		}
	}
	return 0;
}

static int open_one(const struct verbs_library *verbs,
		    struct ibv_device *device)
{
	const char *name = verbs->get_device_name(device);
	struct ibv_context *context = verbs->open_device(device);
	struct ibv_pd *pd;
	int err;

	if (!context) {
		err = errno;
		fprintf(stderr, "ibv_open_device: %s: %s\n", name,
			strerror(err));
		return err ? err : EIO;
	}
	printf("device %s\n", name);
	pd = verbs->alloc_pd(context);
	err = pd ? 0 : errno;
	if (pd)
		verbs->dealloc_pd(pd);
	else
		fprintf(stderr, "ibv_alloc_pd: %s: %s\n", name, strerror(err));
	verbs->close_device(context);
	return err;
}

int tool_command_probe(int argc, char **argv)
{
	struct verbs_library verbs;
	struct ibv_device **devices;
	int num_devices = 0;

	(void)argc;
	(void)argv;
	if (load_verbs(&verbs))
		return TOOL_EXIT_FAILED;
	devices = verbs.get_device_list(&num_devices);
	if (!devices || !num_devices) {
		fprintf(stderr, "ibv_get_device_list: %s\n",
			devices ? "no device" : strerror(errno));
		return TOOL_EXIT_FAILED;
	}
	return open_one(&verbs, devices[0]) ? TOOL_EXIT_FAILED : TOOL_EXIT_OK;
}
