/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The part of the tree that changes while it is in use: GIDs, state, rate, and
 * the network interface. Each file is replaced as a whole, so a reader sees the
 * old content or the new one. Which version of the port the tree shows stands
 * in a symbolic link in its root, which is written last.
 */
#ifndef STANDIN_TREE_PORT_H
#define STANDIN_TREE_PORT_H

#include "adapter.h"
#include "tree_build.h"

/* Where the device is plugged in, in the tree. */
#define STANDIN_SLOT "devices/platform/arnica.0"

void standin_tree_put_port(struct standin_build *build, const char *device_name,
			   const struct arnica_bus_port *port);

/* Brings the tree up to the present port, when it shows another. What cannot be
 * written stays as it is. */
void standin_tree_follow_port(const struct standin_adapter *adapter);

#endif
