/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the sysfs tree contains: the files that libibverbs, librdmacm,
 * perftest, UCX, libfabric and pyverbs read, as a kernel would print them.
 */
#ifndef STANDIN_TREE_CONTENT_H
#define STANDIN_TREE_CONTENT_H

#include "arnica/hw/bus.h"
#include "tree_build.h"

/* Part of the tree's name: to be raised with every change of the contents. */
#define STANDIN_TREE_CONTENT_VERSION 3u

/* `stamp` tells trees of different identities apart by the device folder's
 * modification time, by which libibverbs knows that a device was replaced. */
void standin_tree_fill(struct standin_build *build,
		       const struct arnica_bus_identity *identity,
		       uint64_t stamp);

#endif
