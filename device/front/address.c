/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Address vectors: fields, and the GID that they start from. */
#include "front/address.h"

#include <string.h>

#include "domain/gid.h"
#include "domain/port.h"
#include "domain/port_interface.h"
#include "front/command.h"
#include "transport/remote.h"

#define MAX_SERVICE_LEVEL 15u
#define MAX_OCTET 0xffu
#define LARGEST_MTU_BYTES 4096u

static const uint8_t no_gid[16];

static bool fields_fit(const struct arnica_hw_qp_attributes *attributes)
{
	return arnica_from_le32(attributes->sl) <= MAX_SERVICE_LEVEL &&
	       arnica_from_le32(attributes->hop_limit) <= MAX_OCTET &&
	       arnica_from_le32(attributes->traffic_class) <= MAX_OCTET &&
	       arnica_from_le32(attributes->flow_label) <= ARNICA_HW_FLOW_LABEL_MASK;
}

/* On this host packets cross no interface. */
static uint32_t mtu_bytes(const struct arnica_hw_qp_attributes *attributes,
			  bool here)
{
	struct arnica_bus_gid source;
	struct arnica_bus_port port;

	if (here)
		return LARGEST_MTU_BYTES;
	if (!adev_port_gid(arnica_from_le32(attributes->sgid_index), &source) &&
	    source.interface_mtu)
		return 128u << adev_port_path_mtu(source.interface_mtu);
	adev_port_read(&port);
	return 128u << port.active_mtu;
}

enum arnica_hw_command_status
adev_address_resolve(uint32_t port,
		     const struct arnica_hw_qp_attributes *attributes,
		     struct adev_way *way)
{
	int error;

	if (port < 1 || port > ADEV_NUM_PORTS || !fields_fit(attributes))
		return ARNICA_HW_COMMAND_INVALID;
	if (!arnica_from_le32(attributes->is_global) ||
	    !memcmp(attributes->dgid, no_gid, sizeof(no_gid)))
		return ARNICA_HW_COMMAND_INVALID;
	error = adev_remote_path(attributes, &way->path);
	if (error)
		return adev_command_status(error);
	way->here = adev_remote_is_here(attributes);
	way->group = adev_gid_is_multicast(attributes->dgid);
	way->wire = !way->here;
	if (way->group) {
		way->here = !adev_remote_is_forced();
		way->wire = adev_remote_multicasts(&way->path);
	}
	way->mtu_bytes = mtu_bytes(attributes, !way->wire);
	return ARNICA_HW_COMMAND_OK;
}
