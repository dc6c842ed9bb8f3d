/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The sysfs tree of the adapter: which folder it is in, and that it is there.
 *
 * The name of the tree follows from the identity and from the version of the
 * contents, so that processes with one identity share one tree. It is built
 * aside and renamed into place: whoever sees the name sees all of it. Only the
 * files of the port change later, see tree_port.h.
 */
#ifndef STANDIN_TREE_H
#define STANDIN_TREE_H

#include "adapter.h"
#include "arnica/hw/bus.h"

/* Number of the identity, from the fields that the tree shows. */
uint64_t standin_tree_hash(const struct arnica_bus_identity *identity);

/*
 * Finds or builds the tree in identity->domain_path. ENAMETOOLONG, ENOSPC,
 * EROFS, EACCES, ...: a line on stderr says which folder.
 */
int standin_tree_provide(const struct arnica_bus_identity *identity,
			 char root[STANDIN_ROOT_BYTES]) ARNICA_MUST_CHECK;

#endif
