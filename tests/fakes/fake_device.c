/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * An adapter that only has an identity and pipes: what the stand-in needs of
 * libarnica-device.so. FAKE_DOMAIN names the folder of its domain, FAKE_NAME
 * the device; FAKE_ERROR makes the identity fail with that number; FAKE_PORT
 * is another version of the port.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/bus_mad.h"

#define FAKE_EXPORT __attribute__((visibility("default")))

static const struct arnica_bus_gid fake_gids[] = {
	{ .raw = { 0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 1 },
	  .interface_index = 1,
	  .interface_name = "lo" },
	{ .raw = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
	  .interface_index = 1,
	  .interface_name = "lo" },
	{ .raw = { 0 } },
	{ .raw = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7 } },
};

#define FAKE_PORT_FIRST 1u

static void fake_port(struct arnica_bus_port *port, uint64_t version)
{
	memset(port, 0, sizeof(*port));
	port->version = version;
	port->state = 4;
	port->phys_state = 5;
	port->num_gids = sizeof(fake_gids) / sizeof(*fake_gids);
	memcpy(port->gids, fake_gids, sizeof(fake_gids));
	port->gids[0].raw[15] = (uint8_t)version;
	strcpy(port->interface_name, "lo");
}

FAKE_EXPORT int arnica_bus_identity(struct arnica_bus_identity *identity)
{
	const char *domain = getenv("FAKE_DOMAIN");
	const char *name = getenv("FAKE_NAME");
	const char *error = getenv("FAKE_ERROR");

	if (error)
		return atoi(error);
	memset(identity, 0, sizeof(*identity));
	identity->node_guid = 0x020000fffe000001ull;
	identity->vendor_id = 0x02a12c;
	identity->vendor_part_id = 1;
	fake_port(&identity->port, FAKE_PORT_FIRST);
	snprintf(identity->device_name, sizeof(identity->device_name), "%s",
		 name ? name : "arnica0");
	snprintf(identity->domain_path, sizeof(identity->domain_path), "%s",
		 domain ? domain : "/tmp");
	return 0;
}

/* FAKE_PORT is its version, and the last octet of its first GID. */
FAKE_EXPORT bool arnica_bus_port_changed(struct arnica_bus_port *port)
{
	const char *text = getenv("FAKE_PORT");
	uint64_t version = text ? (uint64_t)atoi(text) : FAKE_PORT_FIRST;

	if (port->version == version)
		return false;
	fake_port(port, version);
	return true;
}

/* This adapter makes nobody's memory its own. */
FAKE_EXPORT bool arnica_bus_memory_concerned(const void *start, size_t bytes)
{
	(void)start;
	(void)bytes;
	return false;
}

FAKE_EXPORT int arnica_bus_memory_advise(void *start, size_t bytes, int advice)
{
	(void)start;
	(void)bytes;
	(void)advice;
	return ENOSYS;
}

FAKE_EXPORT int arnica_bus_memory_moving(void *start, size_t bytes)
{
	(void)start;
	(void)bytes;
	return ENOSYS;
}

static int fake_pipe(int *fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return errno;
	close(ends[1]);
	*fd = ends[0];
	return 0;
}

FAKE_EXPORT int arnica_bus_channel_open(int device_fd, int *fd)
{
	(void)device_fd;
	return fake_pipe(fd);
}

FAKE_EXPORT int arnica_bus_async_open(int device_fd, int *fd)
{
	(void)device_fd;
	return fake_pipe(fd);
}

/* Nobody opens a function of it, and so nobody uses its QP 1. */
FAKE_EXPORT int arnica_bus_attach(int device_fd, struct arnica_bus **bus)
{
	(void)device_fd;
	(void)bus;
	return ENOSYS;
}

FAKE_EXPORT void arnica_bus_detach(struct arnica_bus *bus)
{
	(void)bus;
}

FAKE_EXPORT int arnica_bus_mads_open(struct arnica_bus *bus, int event_fd,
				     struct arnica_bus_comm_ids *ids)
{
	(void)bus;
	(void)event_fd;
	(void)ids;
	return ENOSYS;
}

FAKE_EXPORT int arnica_bus_mad_send(struct arnica_bus *bus,
				    const struct arnica_bus_mad *mad)
{
	(void)bus;
	(void)mad;
	return ENOSYS;
}

FAKE_EXPORT int arnica_bus_mad_take(struct arnica_bus *bus,
				    struct arnica_bus_mad *mad)
{
	(void)bus;
	(void)mad;
	return ENOSYS;
}

FAKE_EXPORT uint32_t arnica_bus_mads_ended(struct arnica_bus *bus)
{
	(void)bus;
	return 0;
}

FAKE_EXPORT int arnica_bus_mad_peer(struct arnica_bus *bus,
				    const uint8_t gid[16], uint32_t comm_id,
				    uint64_t *generation)
{
	(void)bus;
	(void)gid;
	(void)comm_id;
	(void)generation;
	return ENOENT;
}

FAKE_EXPORT bool arnica_bus_mad_peer_lives(struct arnica_bus *bus,
					   uint32_t comm_id,
					   uint64_t generation)
{
	(void)bus;
	(void)comm_id;
	(void)generation;
	return false;
}

FAKE_EXPORT int arnica_bus_service_take(
	struct arnica_bus *bus, const struct arnica_bus_service *service,
	uint32_t *handle)
{
	(void)bus;
	(void)service;
	(void)handle;
	return ENOSYS;
}

FAKE_EXPORT int arnica_bus_service_listen(struct arnica_bus *bus,
					  uint32_t handle)
{
	(void)bus;
	(void)handle;
	return ENOSYS;
}

FAKE_EXPORT int arnica_bus_service_give(struct arnica_bus *bus, uint32_t handle)
{
	(void)bus;
	(void)handle;
	return ENOSYS;
}
