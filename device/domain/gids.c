/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/gids.h"

#include <string.h>

/* What stands for the loopback interface where none can be seen. */
static const struct adev_interface assumed_loopback = {
	.index = 1,
	.name = "lo",
	.mtu = 65536,
	.up = true,
	.running = true,
	.loopback = true,
};

static const uint8_t no_gid[16];

bool adev_gid_is_empty(const struct arnica_bus_gid *gid)
{
	return memcmp(gid->raw, no_gid, sizeof(no_gid)) == 0;
}

const struct adev_interface *
adev_interfaces_find(const struct adev_interfaces *found, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < found->num_interfaces; i++)
		if ((uint32_t)found->interfaces[i].index == index)
			return &found->interfaces[i];
	if (!found->num_interfaces && index == 1)
		return &assumed_loopback;
	return NULL;
}

/* fe80:: and the modified EUI-64 of the MAC (RFC 4291, appendix A). */
static void make_link_local(const uint8_t mac[6], uint8_t raw[16])
{
	memset(raw, 0, 16);
	raw[0] = 0xfe;
	raw[1] = 0x80;
	memcpy(raw + 8, mac, 3);
	raw[8] ^= 2;
	raw[11] = 0xff;
	raw[12] = 0xfe;
	memcpy(raw + 13, mac + 3, 3);
}

static const struct adev_interface *
find_loopback(const struct adev_interfaces *found)
{
	uint32_t i;

	for (i = 0; i < found->num_interfaces; i++)
		if (found->interfaces[i].loopback)
			return &found->interfaces[i];
	return &assumed_loopback;
}

/* Every GID that an interface gives, in order, until `visit` says enough. */
typedef bool visitor(void *opaque, const struct adev_interface *interface,
		     const uint8_t raw[16]);

static bool visit_interface(const struct adev_interfaces *found,
			    const struct adev_interface *interface,
			    visitor *visit, void *opaque)
{
	const struct adev_address *at = found->addresses;
	const struct adev_address *end = at + found->num_addresses;
	uint8_t raw[16];

	while (at < end && at->index < interface->index)
		at++;
	if (interface->has_mac && (at == end || at->index != interface->index ||
				   at->kind != ADEV_ADDRESS_LINK_LOCAL)) {
		make_link_local(interface->mac, raw);
		if (visit(opaque, interface, raw))
			return true;
	}
	for (; at < end && at->index == interface->index; at++)
		if (visit(opaque, interface, at->raw))
			return true;
	return false;
}

static bool is_that(void *opaque, const struct adev_interface *interface,
		    const uint8_t raw[16])
{
	(void)interface;
	return memcmp(opaque, raw, 16) == 0;
}

static bool still_there(const struct adev_interfaces *found,
			struct arnica_bus_gid *gid)
{
	const struct adev_interface *interface =
		adev_interfaces_find(found, gid->interface_index);

	/* The loopback's address is not configured but true by definition. */
	return interface &&
	       (interface->loopback ||
		visit_interface(found, interface, is_that, gid->raw));
}

static void describe(struct arnica_bus_gid *gid,
		     const struct adev_interface *interface)
{
	gid->interface_index = (uint32_t)interface->index;
	gid->interface_mtu = interface->mtu;
	memcpy(gid->interface_name, interface->name,
	       sizeof(gid->interface_name));
}

static void drop_what_is_gone(const struct adev_interfaces *found,
			      struct arnica_bus_port *port)
{
	struct arnica_bus_gid *gid;
	uint32_t i;

	for (i = 0; i < ARNICA_HW_GID_TABLE_LEN; i++) {
		gid = &port->gids[i];
		if (i >= ADEV_GIDS_MAX || adev_gid_is_empty(gid) ||
		    !still_there(found, gid))
			memset(gid, 0, sizeof(*gid));
		else
			describe(gid, adev_interfaces_find(
					      found, gid->interface_index));
	}
}

/* A visitor: gives the GID a slot if it has none. */
static bool add(void *opaque, const struct adev_interface *interface,
		const uint8_t raw[16])
{
	struct arnica_bus_port *port = opaque;
	struct arnica_bus_gid *slot = NULL;
	uint32_t i;

	for (i = ADEV_GIDS_MAX; i-- > 0;) {
		struct arnica_bus_gid *gid = &port->gids[i];

		if (adev_gid_is_empty(gid))
			slot = gid;
		else if (memcmp(gid->raw, raw, 16) == 0 &&
			 gid->interface_index == (uint32_t)interface->index)
			return false;
	}
	if (!slot)
		return true; /* full: nothing more has room either */
	memcpy(slot->raw, raw, sizeof(slot->raw));
	describe(slot, interface);
	return false;
}

static bool any_runs(const struct adev_interfaces *found,
		     const struct arnica_bus_port *port)
{
	const struct adev_interface *interface;
	uint32_t i;

	for (i = 0; i < ADEV_GIDS_MAX; i++) {
		if (adev_gid_is_empty(&port->gids[i]))
			continue;
		interface = adev_interfaces_find(found,
						 port->gids[i].interface_index);
		if (interface && interface->running)
			return true;
	}
	return false;
}

static void add_loopback(const struct adev_interfaces *found,
			 struct arnica_bus_port *port)
{
	static const uint8_t address[4] = { 127, 0, 0, 1 };
	uint8_t raw[16];

	adev_address_map_ipv4(raw, address);
	(void)add(port, find_loopback(found), raw);
}

void adev_gids_update(const struct adev_interfaces *found, bool fresh,
		      struct arnica_bus_port *port)
{
	uint32_t i;

	drop_what_is_gone(found, port);
	for (i = 0; i < found->num_interfaces; i++) {
		const struct adev_interface *interface = &found->interfaces[i];

		if (interface->up && !interface->loopback &&
		    visit_interface(found, interface, add, port))
			break;
	}
	if (fresh && !any_runs(found, port))
		add_loopback(found, port);
	port->num_gids = 0;
	for (i = 0; i < ADEV_GIDS_MAX; i++)
		if (!adev_gid_is_empty(&port->gids[i]))
			port->num_gids = i + 1;
}
