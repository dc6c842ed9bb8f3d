/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Captures: the IP and UDP headers that a packet had, from its path. */
#include <string.h>

#include "domain/gid.h"
#include "link/capture_state.h"

#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define UDP_BYTES 8u
#define IPV4_DONT_FRAGMENT 0x4000u
#define PROTOCOL_UDP 17u
#define DEFAULT_HOP_LIMIT 64u

static bool is_ipv4(const struct adev_path *path)
{
	return adev_gid_is_ipv4(path->source) &&
	       adev_gid_is_ipv4(path->destination);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Ones' complement sum of 16-bit words; an odd byte is the upper half. */
static uint32_t sum(uint32_t before, const uint8_t *bytes, uint32_t length)
{
	uint64_t total = before;
	uint32_t i;

	for (i = 0; i + 1 < length; i += 2)
		total += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (i < length)
		total += (uint32_t)bytes[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

static uint8_t hop_limit(const struct adev_path *path)
{
	return path->hop_limit ? path->hop_limit : DEFAULT_HOP_LIMIT;
}

/* Both return the sum over the addresses, which the UDP checksum covers. */
static uint32_t put_ipv4(const struct adev_capture_packet *packet, uint8_t *at)
{
	const struct adev_path *path = packet->path;

	memset(at, 0, IPV4_BYTES);
	at[0] = 0x45; /* version 4, five words */
	at[1] = path->traffic_class;
	put16(at + 2, IPV4_BYTES + UDP_BYTES + packet->bytes);
	put16(at + 4, packet->ip_id);
	put16(at + 6, IPV4_DONT_FRAGMENT);
	at[8] = hop_limit(path);
	at[9] = PROTOCOL_UDP;
	memcpy(at + 12, path->source + 12, 4);
	memcpy(at + 16, path->destination + 12, 4);
	put16(at + 10, ~sum(0, at, IPV4_BYTES) & 0xffff);
	return sum(0, at + 12, 8);
}

static uint32_t put_ipv6(const struct adev_capture_packet *packet, uint8_t *at)
{
	const struct adev_path *path = packet->path;
	uint32_t class = path->traffic_class;

	at[0] = (uint8_t)(0x60 | class >> 4);
	at[1] = (uint8_t)(class << 4 | (path->flow_label >> 16 & 0xf));
	put16(at + 2, path->flow_label & 0xffff);
	put16(at + 4, UDP_BYTES + packet->bytes);
	at[6] = PROTOCOL_UDP;
	at[7] = hop_limit(path);
	memcpy(at + 8, path->source, 16);
	memcpy(at + 24, path->destination, 16);
	return sum(0, at + 8, 32);
}

uint32_t adev_capture_header_bytes(const struct adev_path *path)
{
	return (is_ipv4(path) ? IPV4_BYTES : IPV6_BYTES) + UDP_BYTES;
}

void adev_capture_headers(const struct adev_capture_packet *packet,
			  uint8_t *payload)
{
	uint8_t *udp = payload - UDP_BYTES;
	uint32_t length = UDP_BYTES + packet->bytes;
	uint32_t checksum;

	checksum = is_ipv4(packet->path) ? put_ipv4(packet, udp - IPV4_BYTES) :
					   put_ipv6(packet, udp - IPV6_BYTES);
	put16(udp, packet->path->source_port);
	put16(udp + 2, ROCE_UDP_PORT);
	put16(udp + 4, length);
	put16(udp + 6, 0);
	checksum = ~sum(checksum + PROTOCOL_UDP + length, udp, length) & 0xffff;
	put16(udp + 6, checksum ? checksum : 0xffff); /* zero would be none */
}
