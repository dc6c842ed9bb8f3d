/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What an address vector says: is it this host, and which way is it there? */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "domain/identity.h"
#include "transport/remote.h"

static const uint8_t no_gid[16];
static const uint8_t ipv4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool switched_off(const char *name)
{
	const char *text = secure_getenv(name);

	return text && !strcmp(text, "off");
}

static bool ecn;

static void read_ecn(void)
{
	ecn = !switched_off("ARNICA_ECN");
}

bool adev_remote_ecn(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_ecn);
	return ecn;
}

bool adev_remote_is_here(const struct arnica_hw_qp_attributes *vector)
{
	struct arnica_bus_identity identity;
	uint32_t i;

	if (switched_off("ARNICA_LOOPBACK"))
		return false;
	if (!arnica_from_le32(vector->is_global))
		return true;
	if (adev_identity_read(&identity))
		return false;
	for (i = 0; i < identity.num_gids; i++)
		if (!memcmp(identity.gids[i].raw, vector->dgid, 16))
			return true;
	return false;
}

/* Without a GRH nobody says which address: one that packets can have. */
static uint32_t any_source(const struct arnica_bus_identity *identity)
{
	uint32_t i;

	for (i = 0; i < identity->num_gids; i++)
		if (!memcmp(identity->gids[i].raw, ipv4_prefix,
			    sizeof(ipv4_prefix)))
			return i;
	return 0;
}

int adev_remote_path(const struct arnica_hw_qp_attributes *vector,
		     struct adev_path *path)
{
	bool global = arnica_from_le32(vector->is_global);
	struct arnica_bus_identity identity;
	uint32_t source;
	int error;

	error = adev_identity_read(&identity);
	if (error)
		return error == EINVAL ? EIO : error;
	source = global ? arnica_from_le32(vector->sgid_index) :
			  any_source(&identity);
	if (source >= identity.num_gids ||
	    !memcmp(identity.gids[source].raw, no_gid, sizeof(no_gid)))
		return EINVAL;
	memset(path, 0, sizeof(*path));
	memcpy(path->source, identity.gids[source].raw, 16);
	memcpy(path->destination, global ? vector->dgid : path->source, 16);
	path->interface_index = identity.gids[source].interface_index;
	if (global) {
		path->flow_label = arnica_from_le32(vector->flow_label);
		path->traffic_class =
			(uint8_t)arnica_from_le32(vector->traffic_class);
		path->hop_limit = (uint8_t)arnica_from_le32(vector->hop_limit);
	}
	return 0;
}
