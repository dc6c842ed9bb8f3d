/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network interfaces and their addresses, in an order that is the same for
 * every process: by interface index, link-local first, then IPv4, then IPv6.
 * Ports of a bridge are left out: their addresses are the bridge's.
 */
#ifndef ADEV_DOMAIN_INTERFACES_H
#define ADEV_DOMAIN_INTERFACES_H

#include <stdbool.h>
#include <stdint.h>

#define ADEV_INTERFACES_MAX 256u
#define ADEV_ADDRESSES_MAX 1024u

struct adev_interface {
	int index;
	char name[16];
	uint32_t mtu; /* bytes of an IP packet; zero: not known */
	bool up;      /* somebody wants it to run */
	bool running; /* it does: up, and has its carrier (IFF_LOWER_UP, which
			 tells at once what IFF_RUNNING tells later) */
	bool loopback;
	bool has_mac; /* Ethernet, or alike */
	uint8_t mac[6];
};

enum adev_address_kind {
	ADEV_ADDRESS_LINK_LOCAL,
	ADEV_ADDRESS_IPV4,
	ADEV_ADDRESS_IPV6,
};

struct adev_address {
	int index; /* of the interface */
	enum adev_address_kind kind;
	uint8_t raw[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct adev_interfaces {
	uint32_t num_interfaces;
	uint32_t num_addresses;
	struct adev_interface interfaces[ADEV_INTERFACES_MAX];
	struct adev_address addresses[ADEV_ADDRESSES_MAX];
};

/* By netlink; where it is refused, by what was there before it. False: neither
 * is permitted here, and there are none. */
bool adev_interfaces_read(struct adev_interfaces *found);

/* The IPv4 address in IPv6 form. */
void adev_address_map_ipv4(uint8_t raw[16], const void *address);

#endif
