/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Address vectors: fields, and the GID that they start from. */
#include "front/address.h"

#include <string.h>

#include "domain/identity.h"
#include "front/command.h"

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

/* The table is read anew: addresses come and go while programs run. */
static enum arnica_hw_command_status check_source(uint32_t sgid_index)
{
	struct arnica_bus_identity identity;
	int error;

	if (sgid_index >= ARNICA_HW_GID_TABLE_LEN)
		return ARNICA_HW_COMMAND_INVALID;
	error = adev_identity_read(&identity);
	if (error)
		return adev_command_status(error);
	if (sgid_index >= identity.num_gids ||
	    !memcmp(identity.gids[sgid_index].raw, no_gid, sizeof(no_gid)))
		return ARNICA_HW_COMMAND_INVALID;
	return ARNICA_HW_COMMAND_OK;
}

enum arnica_hw_command_status adev_address_check(
	uint32_t port, const struct arnica_hw_qp_attributes *attributes)
{
	if (port < 1 || port > ADEV_NUM_PORTS)
		return ARNICA_HW_COMMAND_INVALID;
	if (!arnica_from_le32(attributes->is_global) ||
	    !fields_fit(attributes) ||
	    !memcmp(attributes->dgid, no_gid, sizeof(no_gid)))
		return ARNICA_HW_COMMAND_INVALID;
	return check_source(arnica_from_le32(attributes->sgid_index));
}
