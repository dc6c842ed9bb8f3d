/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads a frame once, from its front to the ports; each header is looked at
 * only when all of it is there.
 */
#include "transport/frame.h"

#include <string.h>

#define TYPE_OFFSET 12u
#define TYPE_IPV4 0x0800u
#define TYPE_IPV6 0x86ddu
#define TYPE_VLAN 0x8100u

#define IPV4_BYTES 20u
#define IPV4_FRAGMENT 0x3fffu /* offset, and "more fragments" */
#define IPV6_BYTES 40u
/* Extension headers that are passed over; packets with more have no ports. */
#define MAX_EXTENSIONS 8u

enum protocol {
	HOP_BY_HOP = 0,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAGMENT = 44,
	DESTINATION_OPTIONS = 60,
};

/* What is left of a frame. */
struct rest {
	const uint8_t *at;
	uint32_t bytes;
};

static uint32_t read16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static void skip(struct rest *rest, uint32_t bytes)
{
	rest->at += bytes;
	rest->bytes -= bytes;
}

static void parse_ports(struct rest rest, struct adev_frame_fields *frame)
{
	uint8_t protocol = frame->fields.protocol;
	uint32_t header = protocol == TCP ? 20 : 8;

	if ((protocol != TCP && protocol != UDP) || rest.bytes < header)
		return;
	frame->headers |= protocol == TCP ? ARNICA_HW_FLOW_TCP :
					    ARNICA_HW_FLOW_UDP;
	memcpy(frame->fields.source_port, rest.at, 2);
	memcpy(frame->fields.destination_port, rest.at + 2, 2);
}

static void parse_ipv4(struct rest rest, struct adev_frame_fields *frame)
{
	struct arnica_hw_flow_fields *fields = &frame->fields;
	uint32_t header;

	if (rest.bytes < IPV4_BYTES || rest.at[0] >> 4 != 4)
		return;
	header = 4u * (rest.at[0] & 15);
	if (header < IPV4_BYTES || header > rest.bytes)
		return;
	frame->headers |= ARNICA_HW_FLOW_IPV4;
	fields->traffic_class = rest.at[1];
	fields->hop_limit = rest.at[8];
	fields->protocol = rest.at[9];
	memcpy(fields->source, rest.at + 12, 4);
	memcpy(fields->destination, rest.at + 16, 4);
	if (read16(rest.at + 6) & IPV4_FRAGMENT)
		return;
	skip(&rest, header);
	parse_ports(rest, frame);
}

/* Passes over the extension headers; false: no ports can be found. */
static bool skip_extensions(struct rest *rest, uint8_t *protocol)
{
	uint32_t i, bytes;

	for (i = 0; i < MAX_EXTENSIONS; i++) {
		if (*protocol == FRAGMENT)
			return false;
		if (*protocol != HOP_BY_HOP && *protocol != ROUTING &&
		    *protocol != DESTINATION_OPTIONS)
			return true;
		if (rest->bytes < 8)
			return false;
		bytes = 8u * (rest->at[1] + 1u);
		if (bytes > rest->bytes)
			return false;
		*protocol = rest->at[0];
		skip(rest, bytes);
	}
	return false;
}

static void parse_ipv6(struct rest rest, struct adev_frame_fields *frame)
{
	struct arnica_hw_flow_fields *fields = &frame->fields;

	if (rest.bytes < IPV6_BYTES || rest.at[0] >> 4 != 6)
		return;
	frame->headers |= ARNICA_HW_FLOW_IPV6;
	fields->traffic_class = (uint8_t)(read16(rest.at) >> 4);
	fields->flow_label[1] = rest.at[1] & 15;
	fields->flow_label[2] = rest.at[2];
	fields->flow_label[3] = rest.at[3];
	fields->protocol = rest.at[6];
	fields->hop_limit = rest.at[7];
	memcpy(fields->source, rest.at + 8, 16);
	memcpy(fields->destination, rest.at + 24, 16);
	skip(&rest, IPV6_BYTES);
	if (skip_extensions(&rest, &fields->protocol))
		parse_ports(rest, frame);
}

bool adev_frame_is_tagged(const uint8_t *bytes)
{
	return read16(bytes + TYPE_OFFSET) == TYPE_VLAN;
}

bool adev_frame_parse(const uint8_t *bytes, uint32_t length,
		      struct adev_frame_fields *frame)
{
	struct arnica_hw_flow_fields *fields = &frame->fields;
	struct rest rest = { bytes, length };

	memset(frame, 0, sizeof(*frame));
	if (length < ADEV_FRAME_HEADER_BYTES)
		return false;
	memcpy(fields->destination_mac, bytes, 6);
	memcpy(fields->source_mac, bytes + 6, 6);
	memcpy(fields->ether_type, bytes + TYPE_OFFSET, 2);
	skip(&rest, ADEV_FRAME_HEADER_BYTES);
	if (adev_frame_is_tagged(bytes) &&
	    rest.bytes >= ADEV_FRAME_VLAN_BYTES) {
		frame->headers |= ARNICA_HW_FLOW_VLAN;
		memcpy(fields->vlan_tag, rest.at, 2);
		memcpy(fields->ether_type, rest.at + 2, 2);
		skip(&rest, ADEV_FRAME_VLAN_BYTES);
	}
	if (read16(fields->ether_type) == TYPE_IPV4)
		parse_ipv4(rest, frame);
	else if (read16(fields->ether_type) == TYPE_IPV6)
		parse_ipv6(rest, frame);
	return true;
}
