/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/interfaces_found.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
/* After the other one: it adds what that lacks. */
#include <linux/if.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONF_BYTES (64u << 10)

static void name_request(struct ifreq *request, const char *name)
{
	memset(request, 0, sizeof(*request));
	memcpy(request->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
}

/* Ports of a bridge, as the kernel shows them to whoever may look. */
static bool has_master(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/master", name);
	return access(path, F_OK) == 0;
}

static void take_interface(struct adev_interfaces *found, int fd,
			   const char *name)
{
	struct adev_interface *added;
	struct ifreq request;
	unsigned int flags;
	int index;

	name_request(&request, name);
	if (ioctl(fd, SIOCGIFINDEX, &request) != 0)
		return;
	index = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &request) != 0 || has_master(name))
		return;
	/* What netlink calls IFF_LOWER_UP has no room here. */
	flags = (unsigned short)request.ifr_flags;
	if (flags & IFF_RUNNING)
		flags |= IFF_LOWER_UP;
	added = adev_interfaces_add(found, index, name, flags);
	if (!added)
		return;
	if (ioctl(fd, SIOCGIFMTU, &request) == 0)
		added->mtu = (uint32_t)request.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &request) == 0)
		adev_interface_set_mac(added, request.ifr_hwaddr.sa_family,
				       request.ifr_hwaddr.sa_data, 6);
}

/* Two lines of heading, then one that begins with "name:" for each. */
static bool read_interfaces(struct adev_interfaces *found, int fd)
{
	FILE *file = fopen("/proc/net/dev", "re");
	char line[512], name[IFNAMSIZ];
	bool any = false;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (!strchr(line, ':') ||
		    sscanf(line, " %15[^: ]:", name) != 1)
			continue;
		take_interface(found, fd, name);
		any = true;
	}
	fclose(file);
	return any;
}

static void take_ipv4(struct adev_interfaces *found, int fd,
		      const struct ifreq *at)
{
	const struct sockaddr_in *address = (const void *)&at->ifr_addr;
	char name[IFNAMSIZ];
	struct ifreq request;

	/* A label of the interface's: "eth0:1". */
	memcpy(name, at->ifr_name, sizeof(name));
	name[sizeof(name) - 1] = 0;
	name[strcspn(name, ":")] = 0;
	name_request(&request, name);
	if (address->sin_family == AF_INET &&
	    ioctl(fd, SIOCGIFINDEX, &request) == 0)
		adev_interfaces_add_address(found, request.ifr_ifindex, AF_INET,
					    &address->sin_addr);
}

static void read_ipv4(struct adev_interfaces *found, int fd)
{
	struct ifconf conf = { .ifc_len = CONF_BYTES };
	struct ifreq *at;

	conf.ifc_buf = malloc(CONF_BYTES);
	if (!conf.ifc_buf)
		return;
	if (ioctl(fd, SIOCGIFCONF, &conf) == 0)
		for (at = conf.ifc_req;
		     (char *)(at + 1) <= conf.ifc_buf + conf.ifc_len; at++)
			take_ipv4(found, fd, at);
	free(conf.ifc_buf);
}

static bool read_hex(const char *text, uint8_t raw[16])
{
	unsigned int byte;
	int i;

	for (i = 0; i < 16; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		raw[i] = (uint8_t)byte;
	}
	return true;
}

/* Address, index, prefix length, scope, flags and name, in hexadecimal. */
static void read_ipv6(struct adev_interfaces *found)
{
	FILE *file = fopen("/proc/net/if_inet6", "re");
	unsigned int index, flags;
	char line[128], text[33];
	uint8_t raw[16];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%32s %x %*x %*x %x", text, &index, &flags) ==
			    3 &&
		    !(flags & (IFA_F_TEMPORARY | IFA_F_DADFAILED)) &&
		    read_hex(text, raw))
			adev_interfaces_add_address(found, (int)index, AF_INET6,
						    raw);
	if (file)
		fclose(file);
}

bool adev_interfaces_read_plainly(struct adev_interfaces *found)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known;

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	known = read_interfaces(found, fd);
	if (known) {
		read_ipv4(found, fd);
		read_ipv6(found);
	}
	close(fd);
	return known;
}
