/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sockets at home. Which source and hop limit a message shall have is told the
 * kernel with the message; one of the address itself, set to that hop limit,
 * needs not be told. A port has one for each family, of the first path that
 * leaves by it; what leaves by others goes through the socket of all addresses.
 *
 * It is not connected: to a connected socket's packets of IPv4 the kernel gives
 * identifications of its own, which the ICRC covers.
 */
#include "link/udp_state.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "domain/gid.h"

static int bind_to(int fd, bool is_ipv4, uint16_t port,
		   const struct adev_path *path)
{
	struct sockaddr_in name4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	struct sockaddr_in6 name6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};

	if (is_ipv4) {
		memcpy(&name4.sin_addr, path->source + 12, 4);
		return bind(fd, (const void *)&name4, sizeof(name4));
	}
	memcpy(&name6.sin6_addr, path->source, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&name6.sin6_addr))
		name6.sin6_scope_id = path->interface_index;
	return bind(fd, (const void *)&name6, sizeof(name6));
}

static int limit_hops(int fd, bool is_ipv4, int hop_limit)
{
	if (!hop_limit)
		return 0;
	return setsockopt(fd, is_ipv4 ? SOL_IP : SOL_IPV6,
			  is_ipv4 ? IP_TTL : IPV6_UNICAST_HOPS, &hop_limit,
			  sizeof(hop_limit));
}

static int share_port(int fd, int on)
{
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

/* A socket of the port of `wildcard_fd`, or -1. */
static int make_home(int wildcard_fd, uint16_t port,
		     const struct adev_path *path)
{
	bool is_ipv4 = adev_gid_is_ipv4(path->source);
	int fd;

	if (adev_udp_socket_make_sender(is_ipv4 ? AF_INET : AF_INET6, &fd))
		return -1;
	if (limit_hops(fd, is_ipv4, path->hop_limit) ||
	    share_port(wildcard_fd, 1))
		goto err_close;
	if (share_port(fd, 1) || bind_to(fd, is_ipv4, port, path))
		goto err_unshare;
	/* With each other, and nobody else. */
	(void)share_port(fd, 0);
	(void)share_port(wildcard_fd, 0);
	return fd;

err_unshare:
	(void)share_port(wildcard_fd, 0);
err_close:
	close(fd);
	return -1;
}

void adev_udp_home_init(struct adev_udp_home *home)
{
	atomic_init(&home->fd, ADEV_UDP_HOME_NONE);
}

void adev_udp_home_found(struct adev_udp_home *home, int wildcard_fd,
			 uint16_t port, const struct adev_path *path)
{
	int none = ADEV_UDP_HOME_NONE;
	int saved_errno = errno, fd;

	/* Others send through the other socket meanwhile; all of them, always,
	 * if there cannot be one. */
	if (!atomic_compare_exchange_strong(&home->fd, &none,
					    ADEV_UDP_HOME_CLAIMED))
		return;
	memcpy(home->source, path->source, sizeof(home->source));
	home->interface_index = path->interface_index;
	home->hop_limit = path->hop_limit;
	fd = make_home(wildcard_fd, port, path);
	if (fd >= 0)
		atomic_store_explicit(&home->fd, fd, memory_order_release);
	errno = saved_errno;
}

void adev_udp_home_close(struct adev_udp_home *home)
{
	int fd = atomic_exchange(&home->fd, ADEV_UDP_HOME_NONE);

	if (fd >= 0)
		close(fd);
}
