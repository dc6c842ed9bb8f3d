/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Address vectors: fields, and the GID that they start from. */
#include "front/address.h"

#include <string.h>

#include "front/command.h"
#include "transport/remote.h"

#define MAX_SERVICE_LEVEL 15u
#define MAX_FLOW_LABEL 0xfffffu
#define MAX_OCTET 0xffu

static const uint8_t no_gid[16];

static bool fields_fit(const struct arnica_hw_qp_attributes *attributes)
{
	return arnica_from_le32(attributes->sl) <= MAX_SERVICE_LEVEL &&
	       arnica_from_le32(attributes->hop_limit) <= MAX_OCTET &&
	       arnica_from_le32(attributes->traffic_class) <= MAX_OCTET &&
	       arnica_from_le32(attributes->flow_label) <= MAX_FLOW_LABEL;
}

enum arnica_hw_command_status
adev_address_resolve(uint32_t port,
		     const struct arnica_hw_qp_attributes *attributes,
		     struct adev_path *path, bool *here)
{
	int error;

	if (port < 1 || port > ADEV_NUM_PORTS)
		return ARNICA_HW_COMMAND_INVALID;
	if (!fields_fit(attributes))
		return ARNICA_HW_COMMAND_INVALID;
	if (arnica_from_le32(attributes->is_global) ?
		    !memcmp(attributes->dgid, no_gid, sizeof(no_gid)) :
		    arnica_from_le32(attributes->dlid) != 0)
		return ARNICA_HW_COMMAND_INVALID;
	error = adev_remote_path(attributes, path);
	*here = !error && adev_remote_is_here(attributes);
	return adev_command_status(error);
}
