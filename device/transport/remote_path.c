/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What an address vector says: is it this host, and which way is it there? */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "domain/directory.h"
#include "domain/gid.h"
#include "domain/port.h"
#include "settings.h"
#include "transport/remote.h"

static bool ecn, evens;
static pthread_once_t read_once = PTHREAD_ONCE_INIT;

static void read_settings(void)
{
	ecn = !arnica_setting_is_off(ARNICA_SETTING(ECN));
	evens = !arnica_setting_is_off(ARNICA_SETTING(EVEN_WRITES));
}

bool adev_remote_ecn(void)
{
	pthread_once(&read_once, read_settings);
	return ecn;
}

bool adev_remote_evens(void)
{
	pthread_once(&read_once, read_settings);
	return evens;
}

bool adev_remote_is_forced(void)
{
	return arnica_setting_is_off(ARNICA_SETTING(LOOPBACK));
}

bool adev_remote_multicasts(const struct adev_path *path)
{
	return !adev_gid_is_host_only(path->destination) &&
	       (adev_remote_is_forced() ||
		!adev_gid_is_loopback(path->source));
}

bool adev_remote_is_here(const struct arnica_hw_qp_attributes *vector)
{
	if (adev_remote_is_forced())
		return false;
	return !arnica_from_le32(vector->is_global) ||
	       adev_port_is_local(vector->dgid);
}

bool adev_remote_is_asked_by(const struct adev_directory *directory,
			     uint32_t peer)
{
	uint32_t function, lease;
	uint64_t generation;

	return !adev_directory_find(directory, peer, &function, &generation,
				    &lease) &&
	       adev_directory_forces_wire(directory, function, generation);
}

bool adev_remote_has_neighbours(void)
{
	struct arnica_bus_port port;
	uint32_t i;

	if (adev_remote_is_forced())
		return true;
	adev_port_read(&port);
	for (i = 0; i < port.num_gids; i++)
		if (port.gids[i].interface_index &&
		    !adev_gid_is_loopback(port.gids[i].raw))
			return true;
	return false;
}

/* Without a GRH nobody says which address: one that packets can have. ENOENT:
 * there is none at present. */
static int any_source(struct arnica_bus_gid *source)
{
	struct arnica_bus_port port;
	int error = ENOENT;
	uint32_t i;

	adev_port_read(&port);
	for (i = port.num_gids; i-- > 0;) {
		/* The first of IPv4, or else the last of others. */
		if (!port.gids[i].interface_index ||
		    (!error && !adev_gid_is_ipv4(port.gids[i].raw)))
			continue;
		*source = port.gids[i];
		error = 0;
	}
	return error;
}

int adev_remote_path(const struct arnica_hw_qp_attributes *vector,
		     struct adev_path *path)
{
	bool global = arnica_from_le32(vector->is_global);
	struct arnica_bus_gid source;

	if (global ? adev_port_gid(arnica_from_le32(vector->sgid_index),
				   &source) :
		     any_source(&source))
		return EINVAL;
	memset(path, 0, sizeof(*path));
	memcpy(path->source, source.raw, 16);
	memcpy(path->destination, global ? vector->dgid : path->source, 16);
	path->interface_index = source.interface_index;
	if (global) {
		path->flow_label = arnica_from_le32(vector->flow_label);
		path->traffic_class =
			(uint8_t)arnica_from_le32(vector->traffic_class);
		path->hop_limit = (uint8_t)arnica_from_le32(vector->hop_limit);
	}
	return 0;
}
