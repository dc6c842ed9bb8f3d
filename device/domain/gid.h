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

#endif
