/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Making sockets: which options they have, and why. */
#include "link/udp_state.h"

#include <errno.h>
#include <netinet/udp.h>
#include <unistd.h>

#include "domain/proc.h"
#include "domain/wake.h"
#include "transport/remote.h"

/* linux/in6.h has them, and cannot be included beside netinet/in.h. */
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_FLOWINFO_SEND
#define IPV6_FLOWINFO_SEND 33
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* A peer that we did not write does not know how much fits in here. */
#define BUFFER_BYTES (16 << 20)

#define FIRST_PORT 0xc000u
#define NUM_PORTS 0x4000u
#define PORT_ATTEMPTS 64u

static int make(int family, int *fd)
{
	*fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return errno;
	*fd = adev_fd_high(*fd);
	return 0;
}

/* For options that the socket works without. */
static void wish(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void ask_for_buffer(int fd, int force, int option)
{
	const int bytes = BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)))
		wish(fd, SOL_SOCKET, option, bytes);
}

void adev_udp_socket_ask_room(int fd)
{
	ask_for_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
}

int adev_udp_socket_receive(int *fd, int *family)
{
	int error = make(AF_INET6, fd);

	*family = AF_INET6;
	if (error == EAFNOSUPPORT) {
		*family = AF_INET;
		error = make(AF_INET, fd);
	}
	if (error)
		return error;
	if (*family == AF_INET6) {
		wish(*fd, SOL_IPV6, IPV6_V6ONLY, 0);
		wish(*fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
		wish(*fd, SOL_IPV6, IPV6_RECVTCLASS, 1);
		wish(*fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
		wish(*fd, SOL_IPV6, IPV6_FLOWINFO, 1);
		/* Peers may leave the checksum to the ICRC, over IPv6 too. */
		wish(*fd, SOL_UDP, UDP_NO_CHECK6_RX, 1);
	} else {
		wish(*fd, SOL_IP, IP_PKTINFO, 1);
	}
	/* Packets of IPv4 bring these in a socket of either family. */
	wish(*fd, SOL_IP, IP_RECVTOS, 1);
	wish(*fd, SOL_IP, IP_RECVTTL, 1);
	adev_udp_socket_own_groups(*fd);
	wish(*fd, SOL_UDP, UDP_GRO, 1);
	wish(*fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	adev_udp_socket_ask_room(*fd);
	return 0;
}

int adev_udp_socket_bind(int fd, int family, uint16_t port)
{
	const struct sockaddr_in6 any6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};
	const struct sockaddr_in any4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	int result;

	if (family == AF_INET6)
		result = bind(fd, (const void *)&any6, sizeof(any6));
	else
		result = bind(fd, (const void *)&any4, sizeof(any4));
	return result ? errno : 0;
}

/* Unconnected and with DO, so that the kernel sends identification 0 and DF,
 * which the ICRC covers. Segments are numbered from 0. */
int adev_udp_socket_make_sender(int family, int *fd)
{
	/* Members of this host get what is sent to a group from memory. */
	const int loops = adev_remote_is_forced();
	int error = make(family, fd);

	if (error)
		return error;
	if (family == AF_INET6) {
		wish(*fd, SOL_IPV6, IPV6_V6ONLY, 1);
		wish(*fd, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
		wish(*fd, SOL_IPV6, IPV6_FLOWINFO_SEND, 1);
		wish(*fd, SOL_IPV6, IPV6_MULTICAST_LOOP, loops);
	} else {
		wish(*fd, SOL_IP, IP_MULTICAST_LOOP, loops);
		wish(*fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	}
	ask_for_buffer(*fd, SO_SNDBUFFORCE, SO_SNDBUF);
	/* What somebody sends to this port has no reader. */
	wish(*fd, SOL_SOCKET, SO_RCVBUF, 0);
	return 0;
}

static int make_bound(int family, uint16_t port, int *fd)
{
	int error = adev_udp_socket_make_sender(family, fd);

	if (error)
		return error;
	error = adev_udp_socket_bind(*fd, family, port);
	if (error) {
		close(*fd);
		*fd = -1;
	}
	return error;
}

static bool family_is_missing(int error)
{
	return error == EAFNOSUPPORT || error == EPERM || error == EACCES;
}

static int try_port(struct adev_udp_sender *sender)
{
	int error4, error6;

	error4 = make_bound(AF_INET, sender->port, &sender->fd4);
	if (error4 && !family_is_missing(error4))
		return error4;
	error6 = make_bound(AF_INET6, sender->port, &sender->fd6);
	if (error6 && (error4 || !family_is_missing(error6))) {
		adev_udp_socket_close(sender);
		return error6;
	}
	return 0;
}

int adev_udp_socket_send(struct adev_udp_sender *sender)
{
	uint32_t start = (uint32_t)adev_proc_random();
	int error = EADDRINUSE;
	uint32_t i;

	sender->fd4 = -1;
	sender->fd6 = -1;
	adev_udp_home_init(&sender->home);
	for (i = 0; i < PORT_ATTEMPTS && error == EADDRINUSE; i++) {
		sender->port = (uint16_t)(FIRST_PORT +
					  (start + i * 7) % NUM_PORTS);
		error = try_port(sender);
	}
	return error;
}

void adev_udp_socket_close(struct adev_udp_sender *sender)
{
	if (sender->fd4 >= 0)
		close(sender->fd4);
	if (sender->fd6 >= 0)
		close(sender->fd6);
	sender->fd4 = -1;
	sender->fd6 = -1;
	adev_udp_home_close(&sender->home);
}
