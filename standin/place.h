/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From a path that a program names to the place where it is: somewhere in the
 * sysfs tree, the device file, or not ours after all.
 */
#ifndef STANDIN_PLACE_H
#define STANDIN_PLACE_H

#include <limits.h>

#include "adapter.h"
#include "match.h"

enum standin_place_kind {
	STANDIN_PLACE_FOREIGN, /* path is the caller's own */
	STANDIN_PLACE_TREE,    /* path is below the tree's root */
	STANDIN_PLACE_DEVICE,  /* the device file; path is its node in the tree
				*/
	STANDIN_PLACE_MANAGER, /* rdma_cm, likewise */
};

struct standin_place {
	enum standin_place_kind kind;
	char path[PATH_MAX + STANDIN_ROOT_BYTES];
};

/*
 * Finds the place of `path`, for which standin_match_maybe() was true; relative
 * paths are looked up from `folder`. Where the place is not FOREIGN, path is
 * absolute. ENODEV and others: there is no adapter; ENAMETOOLONG.
 */
int standin_place_find(int folder, const char *path,
		       struct standin_place *place) ARNICA_MUST_CHECK;

#endif
