/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The interface that the port follows, and what follows from it: state, MTU,
 * speed. GIDs can be of any interface; this one is shown as the device's own
 * (device/net), and stays it while it runs.
 */
#ifndef ADEV_DOMAIN_PORT_INTERFACE_H
#define ADEV_DOMAIN_PORT_INTERFACE_H

#include "arnica/hw/bus.h"
#include "domain/interfaces.h"

/* Numbers of enum ibv_port_state and of phys_state. */
#define ADEV_PHYS_DISABLED 3u
#define ADEV_PHYS_LINK_UP 5u

/*
 * Chooses the interface, for gids as they are now. The one that it was stays
 * while it runs, but a real one replaces the loopback. Otherwise it is a
 * running one that has a GID, preferably IPv4, which is what people type. With
 * none running it stays what it was, and the port is down.
 */
void adev_port_interface_update(const struct adev_interfaces *found,
				struct arnica_bus_port *port);

/* The path MTU (enum ibv_mtu) that fits an interface's MTU. */
uint32_t adev_port_path_mtu(uint32_t interface_mtu);

/* Codes of width and speed for an interface's speed in Mb/s. */
void adev_port_rate(uint32_t megabits, uint32_t *width, uint32_t *speed);

#endif
