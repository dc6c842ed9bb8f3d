/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What kind of address a GID is. One of IPv4 is written ::ffff:a.b.c.d
 * (IBTA annex A17.4.1).
 */
#ifndef ADEV_DOMAIN_GID_H
#define ADEV_DOMAIN_GID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool adev_gid_is_ipv4(const uint8_t gid[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(gid, mapped, sizeof(mapped)) == 0;
}

/* 127/8, or ::1. */
static inline bool adev_gid_is_loopback(const uint8_t gid[16])
{
	static const uint8_t ipv6[16] = { [15] = 1 };

	return memcmp(gid, ipv6, sizeof(ipv6)) == 0 ||
	       (adev_gid_is_ipv4(gid) && gid[12] == 127);
}

/* A group: ff00::/8, or 224.0.0.0/4 (IBTA annex A17.9.4). */
static inline bool adev_gid_is_multicast(const uint8_t gid[16])
{
	return gid[0] == 0xff ||
	       (adev_gid_is_ipv4(gid) && gid[12] >> 4 == 0xe);
}

/* A group that packets never leave the host for: ff01::/16 (RFC 4291, 2.7). */
static inline bool adev_gid_is_host_only(const uint8_t gid[16])
{
	return gid[0] == 0xff && (gid[1] & 0xf) <= 1;
}

#endif
