/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which paths belong to the stand-in. Pure: looks at the characters only, never
 * past the first one that differs, so that it can run before every system call
 * of a program that has nothing to do with RDMA.
 *
 * Ours are /sys/class/infiniband and what starts with it (infiniband_verbs,
 * infiniband_mad, ...), /sys/class/misc/rdma_cm and /dev/infiniband. Doubled
 * slashes and "." are looked through.
 */
#ifndef STANDIN_MATCH_H
#define STANDIN_MATCH_H

#include <stdbool.h>
#include <stdint.h>

/* A path that is ours: tree folder `base`, followed by `rest` of the path. */
struct standin_match {
	const char *base; /* "/class/infiniband", "/dev/infiniband", ... */
	const char *rest; /* into the path; empty, "/...", or "_verbs..." */
};

/* True if the path is ours. The path must be absolute and readable. */
bool standin_match_path(const char *path, struct standin_match *match);

/* True for ".../rdma_cm" below /dev/infiniband, as the last component. */
bool standin_match_manager(const struct standin_match *match);

/* True for N of ".../uverbsN" with N = 0, as the last component. */
bool standin_match_device(const struct standin_match *match);

/* "uverbs" and digits: the name of a device file. */
bool standin_match_device_name(const char *name);

/*
 * True if a relative path could become ours when its folder is known: starts
 * with infiniband, class/infiniband, misc/rdma_cm, uverbs0 and the like.
 */
bool standin_match_relative(const char *path);

/* True if the path has a ".." component. */
bool standin_match_climbs(const char *path);

/*
 * The test that every wrapped call starts with: false means that the call goes
 * straight through. Addresses that cannot be a string of this process are left
 * to the kernel, which says EFAULT.
 */
static inline bool standin_match_maybe(const char *path)
{
	struct standin_match match;
	uintptr_t address = (uintptr_t)path;

	if (address < 4096 || (intptr_t)address < 0)
		return false;
	if (path[0] == '/')
		return standin_match_path(path, &match);
	return standin_match_relative(path);
}

#endif
