/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t standin_cm_mapped[12] = { [10] = 0xff, [11] = 0xff };

bool standin_cm_address_read(union standin_cm_address *address,
			     const void *bytes, size_t length)
{
	union standin_cm_address read;

	memset(&read, 0, sizeof(read));
	memcpy(&read, bytes, length < sizeof(read) ? length : sizeof(read));
	if (length < sizeof(read.family) || !standin_cm_address_size(&read) ||
	    length < standin_cm_address_size(&read))
		return false;
	memset(address, 0, sizeof(*address));
	memcpy(address, &read, standin_cm_address_size(&read));
	return true;
}

size_t standin_cm_address_size(const union standin_cm_address *address)
{
	return address->family == AF_INET  ? sizeof(address->v4) :
	       address->family == AF_INET6 ? sizeof(address->v6) :
					     0;
}

uint16_t standin_cm_address_port(const union standin_cm_address *address)
{
	return ntohs(address->family == AF_INET ? address->v4.sin_port :
						  address->v6.sin6_port);
}

void standin_cm_address_set_port(union standin_cm_address *address,
				 uint16_t port)
{
	if (address->family == AF_INET)
		address->v4.sin_port = htons(port);
	else
		address->v6.sin6_port = htons(port);
}

bool standin_cm_address_is_any(const union standin_cm_address *address)
{
	if (address->family == AF_INET)
		return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

static bool standin_cm_address_is_loopback(
	const union standin_cm_address *address)
{
	if (address->family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

void standin_cm_address_to_gid(const union standin_cm_address *address,
			       uint8_t gid[16])
{
	if (address->family == AF_INET6) {
		memcpy(gid, &address->v6.sin6_addr, 16);
		return;
	}
	memcpy(gid, standin_cm_mapped, sizeof(standin_cm_mapped));
	memcpy(gid + 12, &address->v4.sin_addr, 4);
}

void standin_cm_address_from_gid(union standin_cm_address *address,
				 const uint8_t gid[16], uint16_t port)
{
	memset(address, 0, sizeof(*address));
	if (!memcmp(gid, standin_cm_mapped, sizeof(standin_cm_mapped))) {
		address->family = AF_INET;
		memcpy(&address->v4.sin_addr, gid + 12, 4);
	} else {
		address->family = AF_INET6;
		memcpy(&address->v6.sin6_addr, gid, 16);
	}
	standin_cm_address_set_port(address, port);
}

static bool standin_cm_gid_is_empty(const struct arnica_bus_gid *gid)
{
	static const uint8_t zeros[16];

	return !memcmp(gid->raw, zeros, sizeof(zeros));
}

static bool standin_cm_gid_is_ipv4(const struct arnica_bus_gid *gid)
{
	return !memcmp(gid->raw, standin_cm_mapped, sizeof(standin_cm_mapped));
}

static bool standin_cm_gid_is_local(const struct arnica_bus_gid *gid)
{
	return gid->raw[0] == 0xfe && (gid->raw[1] & 0xc0) == 0x80;
}

/* The slot of an address; a link-local one is of the interface that its scope
 * says. NO_GID: none. */
static uint32_t standin_cm_gid_find(const struct arnica_bus_port *port,
				    const union standin_cm_address *address)
{
	uint8_t gid[16];
	uint32_t i;

	standin_cm_address_to_gid(address, gid);
	for (i = 0; i < port->num_gids; i++) {
		const struct arnica_bus_gid *slot = &port->gids[i];

		if (memcmp(slot->raw, gid, sizeof(gid)) != 0)
			continue;
		if (!standin_cm_gid_is_local(slot) ||
		    slot->interface_index == address->v6.sin6_scope_id)
			return i;
	}
	return ARNICA_HW_NO_GID;
}

/* What loopback stands for: of the same family if there is one. */
static uint32_t standin_cm_gid_first(const struct arnica_bus_port *port,
				     sa_family_t family)
{
	uint32_t found = ARNICA_HW_NO_GID;
	uint32_t i;

	for (i = 0; i < port->num_gids; i++) {
		const struct arnica_bus_gid *slot = &port->gids[i];

		if (standin_cm_gid_is_empty(slot) ||
		    standin_cm_gid_is_local(slot))
			continue;
		if (standin_cm_gid_is_ipv4(slot) == (family == AF_INET))
			return i;
		if (found == ARNICA_HW_NO_GID)
			found = i;
	}
	return found;
}

int standin_cm_address_bind(struct standin_cm_id *id)
{
	struct arnica_bus_port port;
	uint32_t index;

	memset(&port, 0, sizeof(port));
	standin_cm.world->port(&port);
	index = standin_cm_gid_find(&port, &id->source);
	if (index == ARNICA_HW_NO_GID &&
	    standin_cm_address_is_loopback(&id->source))
		index = standin_cm_gid_first(&port, id->source.family);
	if (index == ARNICA_HW_NO_GID)
		return ENODEV;
	id->gid_index = index;
	memcpy(id->local_gid, port.gids[index].raw, sizeof(id->local_gid));
	/* From loopback one gets to loopback only, which is the same GID. */
	if (standin_cm_address_is_loopback(&id->destination))
		memcpy(id->remote_gid, id->local_gid, sizeof(id->remote_gid));
	else if (id->destination.family)
		standin_cm_address_to_gid(&id->destination, id->remote_gid);
	id->has_device = true;
	return 0;
}

static int standin_cm_address_socket(const union standin_cm_address *address,
				     int *fd)
{
	union standin_cm_address any = *address;

	*fd = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return errno;
	standin_cm_address_set_port(&any, 0);
	if (bind(*fd, &any.any, (socklen_t)standin_cm_address_size(&any))) {
		close(*fd);
		return EADDRNOTAVAIL;
	}
	return 0;
}

int standin_cm_address_is_own(const union standin_cm_address *address)
{
	int saved = errno;
	int fd;
	int error = standin_cm_address_socket(address, &fd);

	if (!error)
		close(fd);
	errno = saved;
	return error;
}

static int standin_cm_address_ask(int fd, const union standin_cm_address *to,
				  union standin_cm_address *from)
{
	union standin_cm_address target = *to;
	socklen_t size = sizeof(*from);

	/* Nothing is sent; a route does not depend on the port. */
	if (!standin_cm_address_port(&target))
		standin_cm_address_set_port(&target, 4791);
	if (connect(fd, &target.any,
		    (socklen_t)standin_cm_address_size(&target)))
		return errno;
	memset(from, 0, sizeof(*from));
	return getsockname(fd, &from->any, &size) ? errno : 0;
}

int standin_cm_address_route(struct standin_cm_id *id)
{
	uint16_t port = standin_cm_address_port(&id->source);
	union standin_cm_address source = id->source;
	union standin_cm_address found;
	int saved = errno;
	int error;
	int fd;

	/* A destination of zeros is this host. */
	if (standin_cm_address_is_any(&id->destination)) {
		if (id->destination.family == AF_INET)
			id->destination.v4.sin_addr.s_addr = htonl(
				INADDR_LOOPBACK);
		else
			id->destination.v6.sin6_addr = in6addr_loopback;
	}
	if (!source.family)
		source.family = id->destination.family;
	error = standin_cm_address_socket(&source, &fd);
	if (!error) {
		error = standin_cm_address_ask(fd, &id->destination, &found);
		close(fd);
	}
	errno = saved;
	if (error)
		return error;
	if (standin_cm_address_is_any(&source))
		id->source = found;
	if (found.family == AF_INET6)
		id->source.v6.sin6_scope_id = found.v6.sin6_scope_id;
	standin_cm_address_set_port(&id->source, port);
	return 0;
}
