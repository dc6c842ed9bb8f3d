/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ethernet frames: the fields that flow rules look at. A frame is what
 * anybody sent; what is not whole counts as not there.
 */
#ifndef ADEV_TRANSPORT_FRAME_H
#define ADEV_TRANSPORT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/cqp_flow.h>

#define ADEV_FRAME_HEADER_BYTES 14u
#define ADEV_FRAME_VLAN_BYTES 4u
/* The largest that there is: of an interface whose MTU is 65536 (lo). */
#define ADEV_FRAME_MAX_BYTES (65536u + ADEV_FRAME_HEADER_BYTES + ADEV_FRAME_VLAN_BYTES)

struct adev_frame_fields {
	uint32_t headers; /* enum arnica_hw_flow_headers: those it has */
	struct arnica_hw_flow_fields fields; /* zero where it has none */
};

/* False: it is shorter than the header of Ethernet. */
bool adev_frame_parse(const uint8_t *bytes, uint32_t length,
		      struct adev_frame_fields *frame);

/* Has it a VLAN tag? Of at least ADEV_FRAME_HEADER_BYTES. */
bool adev_frame_is_tagged(const uint8_t *bytes);

static inline bool adev_mac_is_multicast(const uint8_t mac[6])
{
	return mac[0] & 1;
}

#endif
