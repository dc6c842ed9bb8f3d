/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The provider as libibverbs sees it: it registers when it is loaded, and
 * serves the devices named arnica*. Layouts are measured when the first such
 * device turns up, so that a library that is not understood costs nobody a
 * message but those who wanted this device.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "calibrate.h"
#include "context.h"
#include "infiniband/arnicadv.h"

/* In every release: where a device found in sysfs notes its match. */
#define SYSFS_DEV_MATCH_OFFSET 24

static void complain(const char *problem)
{
	fprintf(stderr,
		"arnica: %s (private interface %d): no arnica device is offered; see 'arnica doctor'\n",
		problem, arnica_calibration.abi);
}

/* The library has tried the table below; a match counts only when the library
 * is one that this provider understands. */
static bool match_device(void *sysfs_dev)
{
	static bool measured;
	static const char *problem;
	const void *match;

	memcpy(&match, (char *)sysfs_dev + SYSFS_DEV_MATCH_OFFSET,
	       sizeof(match));
	if (!match)
		return false;
	if (!measured) {
		measured = true;
		problem = arnica_calibrate_layout(&arnica_calibration);
		if (problem)
			complain(problem);
	}
	return !problem;
}

static struct arnica_abi_device *alloc_device(void *sysfs_dev)
{
	struct arnica_abi_device *device = calloc(1, sizeof(*device));

	(void)sysfs_dev;
	if (device)
		device->core_support = ARNICA_ABI_CORE_OPTIONAL_MR_ACCESS;
	return device;
}

static void uninit_device(struct arnica_abi_device *device)
{
	free(device);
}

static const struct arnica_abi_match matches[] = {
	{ .modalias = "rdma_device:*Narnica*",
	  .kind = ARNICA_ABI_MATCH_MODALIAS },
	{ .kind = ARNICA_ABI_MATCH_END },
};

static const struct arnica_abi_device_ops device_ops = {
	.name = "arnica",
	.match_min_abi_version = 0,
	.match_max_abi_version = UINT32_MAX,
	.match_table = matches,
	.match_device = match_device,
	.alloc_context = arnica_context_alloc,
	.import_context = arnica_context_import,
	.alloc_device = alloc_device,
	.uninit_device = uninit_device,
};

__attribute__((visibility("default"))) bool arnicadv_is_supported(
	struct ibv_device *device)
{
	const struct arnica_abi_device *abi_device =
		(const struct arnica_abi_device *)(const void *)device;

	return device && abi_device->ops == &device_ops;
}

__attribute__((constructor)) static void register_provider(void)
{
	const char *problem = arnica_calibrate_library(&arnica_calibration);

	if (problem)
		complain(problem);
	else
		arnica_calibration.register_driver(&device_ops);
}
