/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/port_interface.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "domain/gid.h"
#include "domain/gids.h"
#include "domain/port.h"

/* Codes of ibv_query_port(3). */
#define WIDTH_1X 1u
#define WIDTH_4X 2u
#define WIDTH_8X 4u
#define SPEED_CODE_SDR 1u
#define SPEED_CODE_DDR 2u
#define SPEED_CODE_FDR10 8u
#define SPEED_CODE_EDR 32u
#define SPEED_CODE_HDR 64u
#define SPEED_CODE_NDR 128u

/* What a packet can have besides its payload, as kernels count it for every
 * RoCE port: GRH 40, UDP 8, BTH 12, XRC 4, atomic 28, ICRC 4. */
#define PACKET_OVERHEAD 96u

#define MTU_CODE_256 1u
#define MTU_CODE_4096 5u

uint32_t adev_port_path_mtu(uint32_t interface_mtu)
{
	uint32_t code;

	for (code = MTU_CODE_4096; code > MTU_CODE_256; code--)
		if ((128u << code) + PACKET_OVERHEAD <= interface_mtu)
			break;
	return code;
}

void adev_port_rate(uint32_t megabits, uint32_t *width, uint32_t *speed)
{
	static const struct {
		uint32_t megabits, width, speed;
	} rates[] = {
		{ 1000, WIDTH_1X, SPEED_CODE_SDR },
		{ 10000, WIDTH_1X, SPEED_CODE_FDR10 },
		{ 20000, WIDTH_4X, SPEED_CODE_DDR },
		{ 25000, WIDTH_1X, SPEED_CODE_EDR },
		{ 40000, WIDTH_4X, SPEED_CODE_FDR10 },
		{ 50000, WIDTH_1X, SPEED_CODE_HDR },
		{ 100000, WIDTH_4X, SPEED_CODE_EDR },
		{ 200000, WIDTH_4X, SPEED_CODE_HDR },
		{ 400000, WIDTH_4X, SPEED_CODE_NDR },
	};
	size_t i;

	*width = WIDTH_8X;
	*speed = SPEED_CODE_NDR;
	for (i = sizeof(rates) / sizeof(rates[0]); i-- > 0;) {
		if (megabits > rates[i].megabits)
			break;
		*width = rates[i].width;
		*speed = rates[i].speed;
	}
}

/* The kernel says first how many words its link modes have, and answers when
 * it is asked with that number. */
static bool ask_ethtool(int fd, const char *name, uint32_t *megabits)
{
	union {
		struct ethtool_link_settings settings;
		uint8_t room[sizeof(struct ethtool_link_settings) +
			     3 * 127 * sizeof(uint32_t)];
	} answer;
	struct ifreq request;
	int8_t words = 0;
	int i;

	memset(&request, 0, sizeof(request));
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	request.ifr_data = (void *)&answer;
	for (i = 0; i < 2; i++) {
		memset(&answer, 0, sizeof(answer));
		answer.settings.cmd = ETHTOOL_GLINKSETTINGS;
		answer.settings.link_mode_masks_nwords = words;
		if (ioctl(fd, SIOCETHTOOL, &request) != 0)
			return false;
		words = (int8_t)-answer.settings.link_mode_masks_nwords;
	}
	if (!answer.settings.speed ||
	    answer.settings.speed == (uint32_t)SPEED_UNKNOWN)
		return false;
	*megabits = answer.settings.speed;
	return true;
}

/* Of memory, and of what does not say, it is 100 Gb/s. */
static uint32_t read_speed(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t megabits = 100000;

	if (fd < 0)
		return megabits;
	(void)ask_ethtool(fd, name, &megabits);
	close(fd);
	return megabits;
}

enum rank { NONE, LOOPBACK, REAL, REAL_IPV4 };

/* The best interface with a GID: the highest rank, then the first slot. */
static const struct adev_interface *
best_interface(const struct adev_interfaces *found,
	       const struct arnica_bus_port *port, bool running)
{
	const struct adev_interface *best = NULL;
	enum rank best_rank = NONE;
	uint32_t i;

	for (i = 0; i < port->num_gids; i++) {
		const struct arnica_bus_gid *gid = &port->gids[i];
		const struct adev_interface *interface;
		enum rank rank;

		interface = adev_interfaces_find(found, gid->interface_index);
		if (adev_gid_is_empty(gid) || !interface ||
		    (running && !interface->running))
			continue;
		rank = interface->loopback	  ? LOOPBACK :
		       adev_gid_is_ipv4(gid->raw) ? REAL_IPV4 :
						    REAL;
		if (rank > best_rank) {
			best_rank = rank;
			best = interface;
		}
	}
	return best;
}

/* NULL: there is none, and the port keeps the name of the one it had. */
static const struct adev_interface *
choose(const struct adev_interfaces *found, const struct arnica_bus_port *port)
{
	const struct adev_interface *current = NULL;
	const struct adev_interface *best = best_interface(found, port, true);

	if (port->interface_index)
		current = adev_interfaces_find(found, port->interface_index);
	if (current && current->running &&
	    (!current->loopback || !best || best->loopback))
		return current;
	if (best)
		return best;
	return current ? current : best_interface(found, port, false);
}

void adev_port_interface_update(const struct adev_interfaces *found,
				struct arnica_bus_port *port)
{
	const struct adev_interface *chosen = choose(found, port);
	bool running = chosen && chosen->running;

	port->interface_index = 0;
	if (chosen) {
		port->interface_index = (uint32_t)chosen->index;
		port->interface_mtu = chosen->mtu;
		memcpy(port->interface_name, chosen->name,
		       sizeof(port->interface_name));
	}
	port->state = running ? ADEV_PORT_ACTIVE : ADEV_PORT_DOWN;
	port->phys_state = running ? ADEV_PHYS_LINK_UP : ADEV_PHYS_DISABLED;
	/* One that is down does not know its speed: the last one holds. */
	if (running || !port->active_width)
		adev_port_rate(read_speed(port->interface_name),
			       &port->active_width, &port->active_speed);
	port->active_mtu = adev_port_path_mtu(port->interface_mtu);
}
