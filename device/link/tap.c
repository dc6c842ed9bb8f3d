/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The tap's sockets and their interface; sending. */
#include "link/tap_state.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "domain/port.h"
#include "domain/wake.h"
#include "transport/frame.h"

int adev_tap_socket(int *fd)
{
	/* No protocol: it receives nothing until it is bound to one. */
	*fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd >= 0) {
		*fd = adev_fd_high(*fd);
		return 0;
	}
	switch (errno) {
	case EPERM:
	case EACCES:
		return EPERM;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return errno;
	default:
		return EOPNOTSUPP;
	}
}

bool adev_tap_mark(int fd)
{
	const int mark = (int)ADEV_TAP_MARK;

	return !setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

/* ARPHRD_*; zero: there is no such interface. */
static uint32_t kind_of(int fd, const char name[IFNAMSIZ])
{
	struct ifreq request;

	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return 0;
	return request.ifr_hwaddr.sa_family;
}

static void look(struct adev_tap *tap)
{
	struct arnica_bus_port port;
	uint32_t kind, index;

	adev_port_read(&port);
	kind = kind_of(tap->send_fd, port.interface_name);
	index = kind == ARPHRD_ETHER || kind == ARPHRD_LOOPBACK ?
			port.interface_index :
			0;
	atomic_store(&tap->loopback, kind == ARPHRD_LOOPBACK);
	atomic_store(&tap->mtu, port.interface_mtu);
	atomic_store(&tap->interface_index, index);
	atomic_store(&tap->version, port.version);
}

void adev_tap_look(struct adev_tap *tap)
{
	if (atomic_load_explicit(&tap->version, memory_order_relaxed) ==
	    adev_port_version())
		return;
	pthread_mutex_lock(&tap->lock);
	look(tap);
	pthread_mutex_unlock(&tap->lock);
}

int adev_tap_open(struct adev_tap *tap)
{
	int error;

	memset(tap, 0, sizeof(*tap));
	tap->receive_fd = -1;
	error = adev_tap_socket(&tap->send_fd);
	if (error)
		return error;
	/* Where that is refused (before Linux 5.17 it takes CAP_NET_ADMIN) those
	 * who listen take in everything that leaves; see tap_receive.c. */
	(void)adev_tap_mark(tap->send_fd);
	adev_port_sync();
	look(tap);
	if (!atomic_load(&tap->interface_index)) {
		close(tap->send_fd);
		return EOPNOTSUPP;
	}
	pthread_mutex_init(&tap->lock, NULL);
	return 0;
}

void adev_tap_close(struct adev_tap *tap)
{
	if (tap->receive_fd >= 0)
		close(tap->receive_fd);
	close(tap->send_fd);
	pthread_mutex_destroy(&tap->lock);
}

int adev_tap_send(struct adev_tap *tap, const uint8_t *bytes, uint32_t length)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
	uint32_t most;

	adev_tap_look(tap);
	most = atomic_load(&tap->mtu) + ADEV_FRAME_HEADER_BYTES +
	       (adev_frame_is_tagged(bytes) ? ADEV_FRAME_VLAN_BYTES : 0);
	if (length > most)
		return EMSGSIZE;
	to.sll_ifindex = (int)atomic_load(&tap->interface_index);
	memcpy(&to.sll_protocol, bytes + 12, 2);
	memcpy(to.sll_addr, bytes, 6);
	if (!to.sll_ifindex)
		return ENETDOWN;
	if (sendto(tap->send_fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const void *)&to, sizeof(to)) >= 0)
		return 0;
	switch (errno) {
	case EMSGSIZE:
		return EMSGSIZE;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
	case EINTR:
		return EAGAIN;
	default:
		return ENETDOWN;
	}
}
