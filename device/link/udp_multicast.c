/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Multicast groups on the network. The receiving socket joins a group on every
 * interface that has a GID: the kernel tells the network, and hands each packet
 * of the group to all sockets of port 4791 that have joined, so that each
 * function of the domain gets its own copy.
 *
 * A socket has a limit of groups of IPv4 (net.ipv4.igmp_max_memberships, 20).
 * Further ones are joined by sockets that are good for nothing else; then the
 * receiving socket has to take the packets of all groups that the host has
 * joined, and what nobody is attached to is dropped behind it.
 */
#include "link/udp_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/function.h"
#include "domain/gid.h"
#include "domain/port.h"
#include "domain/wake.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

/* ARNICA_HW_MAX_MCAST_GRP on each interface, by twenties, is less. */
#define MAX_HELPERS 1024u

struct adev_udp_helpers {
	uint32_t count;
	int fds[MAX_HELPERS];
};

static int level_of(const struct group_req *request)
{
	return request->gr_group.ss_family == AF_INET ? SOL_IP : SOL_IPV6;
}

static struct group_req request_for(const uint8_t gid[16], uint32_t interface)
{
	struct group_req request = { .gr_interface = interface };
	struct sockaddr_in *ipv4 = (void *)&request.gr_group;
	struct sockaddr_in6 *ipv6 = (void *)&request.gr_group;

	if (adev_gid_is_ipv4(gid)) {
		ipv4->sin_family = AF_INET;
		memcpy(&ipv4->sin_addr, gid + 12, 4);
	} else {
		ipv6->sin6_family = AF_INET6;
		memcpy(&ipv6->sin6_addr, gid, 16);
	}
	return request;
}

static int apply(int fd, int option, const struct group_req *request)
{
	return setsockopt(fd, level_of(request), option, request,
			  sizeof(*request)) ?
		       errno :
		       0;
}

static void take_all(int fd, int value)
{
	(void)setsockopt(fd, SOL_IP, IP_MULTICAST_ALL, &value, sizeof(value));
	(void)setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_ALL, &value,
			 sizeof(value));
}

void adev_udp_socket_own_groups(int fd)
{
	take_all(fd, 0);
}

/* In a new socket, when the others are full. */
static int join_more(struct adev_udp *udp, const struct group_req *request)
{
	struct adev_udp_helpers *helpers = udp->helpers;
	int fd, error;

	if (!helpers) {
		helpers = calloc(1, sizeof(*helpers));
		if (!helpers)
			return ENOMEM;
		udp->helpers = helpers;
	}
	if (helpers->count == MAX_HELPERS)
		return ENOBUFS;
	fd = socket(request->gr_group.ss_family,
		    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	fd = adev_fd_high(fd);
	error = apply(fd, MCAST_JOIN_GROUP, request);
	if (error) {
		close(fd);
		return error;
	}
	helpers->fds[helpers->count++] = fd;
	take_all(udp->receive_fd, 1);
	return 0;
}

static int join_one(struct adev_udp *udp, const struct group_req *request)
{
	int error = apply(udp->receive_fd, MCAST_JOIN_GROUP, request);
	uint32_t i;

	for (i = 0; error == ENOBUFS && udp->helpers &&
		    i < udp->helpers->count;
	     i++)
		error = apply(udp->helpers->fds[i], MCAST_JOIN_GROUP, request);
	if (error == ENOBUFS)
		error = join_more(udp, request);
	/* It has joined before. */
	return error == EADDRINUSE ? 0 : error;
}

static void part_one(struct adev_udp *udp, const struct group_req *request)
{
	uint32_t i;

	if (!apply(udp->receive_fd, MCAST_LEAVE_GROUP, request))
		return;
	for (i = 0; udp->helpers && i < udp->helpers->count; i++)
		if (!apply(udp->helpers->fds[i], MCAST_LEAVE_GROUP, request))
			return;
}

/* The interfaces of the port, each once: from GID *at on; zero: no more. */
static uint32_t next_interface(const struct arnica_bus_port *port, uint32_t *at)
{
	for (; *at < port->num_gids; ++*at) {
		uint32_t index = port->gids[*at].interface_index, i;

		for (i = 0; i < *at; i++)
			if (port->gids[i].interface_index == index)
				break;
		if (!index || i < *at)
			continue;
		++*at;
		return index;
	}
	return 0;
}

void adev_udp_join(void *lower, const uint8_t gid[16])
{
	struct adev_udp *udp = lower;
	uint32_t interface, at = 0, joined = 0;
	struct arnica_bus_port port;

	/* Of these no packets come from outside. */
	if (adev_gid_is_host_only(gid) || udp->receive_fd < 0)
		return;
	adev_port_read(&port);
	while ((interface = next_interface(&port, &at))) {
		const struct group_req request = request_for(gid, interface);

		joined += !join_one(udp, &request);
	}
	if (!joined)
		adev_count(udp->counters, wire_not_joined);
}

void adev_udp_part(void *lower, const uint8_t gid[16])
{
	struct adev_udp *udp = lower;
	struct arnica_bus_port port;
	uint32_t interface, at = 0;

	if (udp->receive_fd < 0)
		return;
	adev_port_read(&port);
	while ((interface = next_interface(&port, &at))) {
		const struct group_req request = request_for(gid, interface);

		part_one(udp, &request);
	}
}

void adev_udp_part_all(struct adev_udp *udp)
{
	struct adev_udp_helpers *helpers = udp->helpers;

	while (helpers && helpers->count)
		close(helpers->fds[--helpers->count]);
	free(helpers);
	udp->helpers = NULL;
}
