/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sockets at home. Which source and hop limit a message shall have is told the
 * kernel with the message; a socket of the address itself, set to that hop
 * limit, needs not be told. A port has one, of the first connection that leaves
 * by it; what others send goes through the socket of all addresses.
 *
 * It is not connected: to a connected socket's packets the kernel gives
 * identifications of its own, which the ICRC covers. And it is of IPv4 only: of
 * a socket that is bound to an address of IPv6 the kernel does not ask with
 * each packet whether the host still has the address.
 */
#include "link/udp_state.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "domain/gid.h"

/* A program that may have fewer descriptors than that needs them itself. */
#define ENOUGH_DESCRIPTORS 1024u

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int bind_to(int fd, uint16_t port, const struct adev_path *path)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};

	memcpy(&name.sin_addr, path->source + 12, 4);
	return bind(fd, (const void *)&name, sizeof(name));
}

/* Binds a socket to the port that another one of ours has for all addresses.
 * SO_REUSEPORT: nobody but this user could have it as well meanwhile. */
static int share_port(int fd, int wildcard_fd, uint16_t port,
		      const struct adev_path *path)
{
	int result = set(wildcard_fd, SOL_SOCKET, SO_REUSEPORT, 1);

	if (!result)
		result = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!result)
		result = bind_to(fd, port, path);
	(void)set(fd, SOL_SOCKET, SO_REUSEPORT, 0);
	(void)set(wildcard_fd, SOL_SOCKET, SO_REUSEPORT, 0);
	return result;
}

/* A socket, or -1. */
static int make_home(const struct adev_udp_sender *sender,
		     const struct adev_path *path)
{
	int fd;

	if (adev_udp_socket_make_sender(AF_INET, &fd))
		return -1;
	if ((path->hop_limit && set(fd, SOL_IP, IP_TTL, path->hop_limit)) ||
	    share_port(fd, sender->fd4, sender->port, path)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool may_have_home(const struct adev_udp_sender *sender,
			  const struct adev_path *path)
{
	struct rlimit limit;

	return sender->fd4 >= 0 && adev_gid_is_ipv4(path->source) &&
	       adev_gid_is_ipv4(path->destination) &&
	       !getrlimit(RLIMIT_NOFILE, &limit) &&
	       limit.rlim_cur >= ENOUGH_DESCRIPTORS;
}

void adev_udp_home_init(struct adev_udp_home *home)
{
	atomic_init(&home->fd, ADEV_UDP_HOME_NONE);
}

void adev_udp_connected(void *lower, const struct adev_path *path)
{
	struct adev_udp *udp = lower;
	struct adev_udp_sender *sender = adev_udp_sender_of(udp, path);
	struct adev_udp_home *home = &sender->home;
	int none = ADEV_UDP_HOME_NONE, fd;

	if (!may_have_home(sender, path) ||
	    !atomic_compare_exchange_strong(&home->fd, &none,
					    ADEV_UDP_HOME_CLAIMED))
		return;
	memcpy(home->source, path->source, sizeof(home->source));
	home->hop_limit = path->hop_limit;
	fd = make_home(sender, path);
	/* Others look at it as soon as it is there. Without one the next
	 * connection tries. */
	atomic_store_explicit(&home->fd, fd < 0 ? ADEV_UDP_HOME_NONE : fd,
			      memory_order_release);
}

void adev_udp_home_close(struct adev_udp_home *home)
{
	int fd = atomic_exchange(&home->fd, ADEV_UDP_HOME_NONE);

	if (fd >= 0)
		close(fd);
}
