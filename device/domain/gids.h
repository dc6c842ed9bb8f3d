/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The GID table, from the interfaces: for each but loopback its link-local
 * address (or the one that its MAC would give), its IPv4 addresses mapped, and
 * its IPv6 addresses. Where that yields nothing, the loopback's 127.0.0.1.
 */
#ifndef ADEV_DOMAIN_GIDS_H
#define ADEV_DOMAIN_GIDS_H

#include "arnica/hw/bus.h"
#include "domain/interfaces.h"

/* The last slot stays empty: programs look for the end of the table there. */
#define ADEV_GIDS_MAX (ARNICA_HW_GID_TABLE_LEN - 1u)

/* Sets gids, num_gids and network_interface. */
void adev_gids_fill(const struct adev_interfaces *found,
		    struct arnica_bus_identity *identity);

#endif
