/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The GID table, from the interfaces. A GID is an address of an interface: for
 * each but loopback its link-local address (or the one that its MAC would
 * give), its IPv4 addresses mapped, and its IPv6 addresses.
 *
 * A GID keeps its slot as long as the interface has the address, whether it is
 * up or not. One that is gone leaves an empty slot. New ones, of interfaces
 * that are up, take the first empty slots in the order of `found`. So the table
 * follows from the one before and from what was found, and from nothing else.
 */
#ifndef ADEV_DOMAIN_GIDS_H
#define ADEV_DOMAIN_GIDS_H

#include "arnica/hw/bus.h"
#include "domain/interfaces.h"

/* The last slot stays empty: programs look for the end of the table there. */
#define ADEV_GIDS_MAX (ARNICA_HW_GID_TABLE_LEN - 1u)

/*
 * Brings gids and num_gids up to what was found. `fresh`: the table was empty
 * because nobody used it, and gets the loopback's 127.0.0.1 too when no other
 * interface with a GID is running.
 */
void adev_gids_update(const struct adev_interfaces *found, bool fresh,
		      struct arnica_bus_port *port);

/* The interface of that index; NULL. */
const struct adev_interface *
adev_interfaces_find(const struct adev_interfaces *found, uint32_t index);

bool adev_gid_is_empty(const struct arnica_bus_gid *gid);

#endif
