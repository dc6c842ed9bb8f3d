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

static bool in_table(const struct arnica_bus_identity *identity,
		     const uint8_t gid[16])
{
	uint32_t i;

	for (i = 0; i < identity->num_gids; i++)
		if (!memcmp(identity->gids[i].raw, gid, 16))
			return true;
	return false;
}

/* The table is read anew: addresses come and go while programs run. */
static enum arnica_hw_command_status
find_path(const struct arnica_hw_qp_attributes *attributes,
	  struct adev_path *path, bool *here)
{
	bool global = arnica_from_le32(attributes->is_global);
	uint32_t sgid_index =
		global ? arnica_from_le32(attributes->sgid_index) : 0;
	struct arnica_bus_identity identity;
	const struct arnica_bus_gid *source;
	int error;

	if (sgid_index >= ARNICA_HW_GID_TABLE_LEN)
		return ARNICA_HW_COMMAND_INVALID;
	error = adev_identity_read(&identity);
	if (error)
		return adev_command_status(error);
	source = &identity.gids[sgid_index];
	if (sgid_index >= identity.num_gids ||
	    !memcmp(source->raw, no_gid, sizeof(no_gid)))
		return ARNICA_HW_COMMAND_INVALID;
	memset(path, 0, sizeof(*path));
	memcpy(path->source, source->raw, sizeof(path->source));
	path->interface_index = source->interface_index;
	path->flow_label = arnica_from_le32(attributes->flow_label);
	path->traffic_class =
		(uint8_t)arnica_from_le32(attributes->traffic_class);
	path->hop_limit = (uint8_t)arnica_from_le32(attributes->hop_limit);
	/* Without a GRH a packet can only go to the own port. */
	memcpy(path->destination, global ? attributes->dgid : source->raw,
	       sizeof(path->destination));
	*here = in_table(&identity, path->destination);
	return ARNICA_HW_COMMAND_OK;
}

enum arnica_hw_command_status
adev_address_resolve(uint32_t port,
		     const struct arnica_hw_qp_attributes *attributes,
		     struct adev_path *path, bool *here)
{
	if (port < 1 || port > ADEV_NUM_PORTS)
		return ARNICA_HW_COMMAND_INVALID;
	if (!fields_fit(attributes))
		return ARNICA_HW_COMMAND_INVALID;
	if (arnica_from_le32(attributes->is_global) ?
		    !memcmp(attributes->dgid, no_gid, sizeof(no_gid)) :
		    arnica_from_le32(attributes->dlid) != 0)
		return ARNICA_HW_COMMAND_INVALID;
	return find_path(attributes, path, here);
}
