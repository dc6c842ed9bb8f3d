/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/gids.h"

#include <string.h>

static void add(struct arnica_bus_identity *identity, const uint8_t raw[16],
		const struct adev_interface *interface)
{
	struct arnica_bus_gid *gid;

	if (identity->num_gids == ADEV_GIDS_MAX)
		return;
	gid = &identity->gids[identity->num_gids++];
	memcpy(gid->raw, raw, sizeof(gid->raw));
	gid->interface_index = (uint32_t)interface->index;
	memcpy(gid->interface_name, interface->name,
	       sizeof(gid->interface_name));
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

static void add_interface(const struct adev_interfaces *found,
			  const struct adev_interface *interface,
			  struct arnica_bus_identity *identity)
{
	const struct adev_address *at = found->addresses;
	const struct adev_address *end = at + found->num_addresses;
	uint8_t raw[16];

	while (at < end && at->index < interface->index)
		at++;
	if (interface->has_mac && (at == end || at->index != interface->index ||
				   at->kind != ADEV_ADDRESS_LINK_LOCAL)) {
		make_link_local(interface->mac, raw);
		add(identity, raw, interface);
	}
	for (; at < end && at->index == interface->index; at++)
		add(identity, at->raw, interface);
}

static void add_loopback(const struct adev_interfaces *found,
			 struct arnica_bus_identity *identity)
{
	static const uint8_t address[4] = { 127, 0, 0, 1 };
	struct adev_interface loopback = { .index = 1, .name = "lo" };
	uint8_t raw[16];
	uint32_t i;

	for (i = 0; i < found->num_interfaces; i++)
		if (found->interfaces[i].loopback)
			loopback = found->interfaces[i];
	adev_address_map_ipv4(raw, address);
	add(identity, raw, &loopback);
}

/* Preferably an interface with an IPv4 address: that is what people type. */
static void choose_interface(struct arnica_bus_identity *identity)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint32_t chosen = 0;
	uint32_t i;

	for (i = identity->num_gids; i-- > 0;)
		if (memcmp(identity->gids[i].raw, mapped, sizeof(mapped)) == 0)
			chosen = i;
	memcpy(identity->network_interface,
	       identity->gids[chosen].interface_name,
	       sizeof(identity->network_interface));
}

void adev_gids_fill(const struct adev_interfaces *found,
		    struct arnica_bus_identity *identity)
{
	uint32_t i;

	memset(identity->gids, 0, sizeof(identity->gids));
	identity->num_gids = 0;
	for (i = 0; i < found->num_interfaces; i++)
		if (!found->interfaces[i].loopback)
			add_interface(found, &found->interfaces[i], identity);
	if (!identity->num_gids)
		add_loopback(found, identity);
	choose_interface(identity);
}
