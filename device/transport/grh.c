/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* IP headers in place of a GRH (IBTA annex A17.4.1; RFC 791, RFC 8200). */
#include "transport/grh.h"

#include <string.h>

#include "domain/gid.h"

#define IPV4_OFFSET 20u
#define IPV4_BYTES 20u
#define IPV4_VERSION_LENGTH 0x45u
#define IPV4_DONT_FRAGMENT 0x4000u
#define IPV6_VERSION 0x60000000u
#define UDP_HEADER_BYTES 8u
#define UDP_PROTOCOL 17u
#define DEFAULT_HOP_LIMIT 64u /* of a system that was not told otherwise */

static void put16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* RFC 1071, of a header whose checksum is zero. */
static uint32_t checksum(const uint8_t header[IPV4_BYTES])
{
	uint32_t i, sum = 0;

	for (i = 0; i < IPV4_BYTES; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static void emit_ipv4(const struct adev_grh *grh, uint8_t hop_limit,
		      uint8_t *header)
{
	header[0] = IPV4_VERSION_LENGTH;
	header[1] = grh->traffic_class;
	put16(header + 2, IPV4_BYTES + UDP_HEADER_BYTES + grh->udp_bytes);
	put16(header + 6, IPV4_DONT_FRAGMENT);
	header[8] = hop_limit;
	header[9] = UDP_PROTOCOL;
	memcpy(header + 12, grh->source + 12, 4);
	memcpy(header + 16, grh->destination + 12, 4);
	put16(header + 10, checksum(header));
}

static void emit_ipv6(const struct adev_grh *grh, uint8_t hop_limit,
		      uint8_t *header)
{
	uint32_t first = IPV6_VERSION | (uint32_t)grh->traffic_class << 20 |
			 (grh->flow_label & 0xfffff);

	put16(header, first >> 16);
	put16(header + 2, first & 0xffff);
	put16(header + 4, UDP_HEADER_BYTES + grh->udp_bytes);
	header[6] = UDP_PROTOCOL;
	header[7] = hop_limit;
	memcpy(header + 8, grh->source, 16);
	memcpy(header + 24, grh->destination, 16);
}

void adev_grh_emit(const struct adev_grh *grh,
		   uint8_t bytes[ARNICA_HW_GRH_BYTES])
{
	uint8_t hop_limit = grh->hop_limit ? grh->hop_limit : DEFAULT_HOP_LIMIT;

	memset(bytes, 0, ARNICA_HW_GRH_BYTES);
	if (adev_gid_is_ipv4(grh->source) && adev_gid_is_ipv4(grh->destination))
		emit_ipv4(grh, hop_limit, bytes + IPV4_OFFSET);
	else
		emit_ipv6(grh, hop_limit, bytes);
}
