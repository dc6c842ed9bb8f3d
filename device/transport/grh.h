/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The 40 bytes that precede a datagram in its receive buffer: the IP header of
 * the packet that carried it, or that would have carried it. Applications read
 * the sender's address there (ibv_init_ah_from_wc(3)).
 */
#ifndef ADEV_TRANSPORT_GRH_H
#define ADEV_TRANSPORT_GRH_H

#include <stdint.h>

#include <arnica/hw/cqe.h>

/* What the header tells. Addresses are GIDs: IPv4 as ::ffff:a.b.c.d. */
struct adev_grh {
	const uint8_t *source;
	const uint8_t *destination;
	uint32_t flow_label;
	uint8_t traffic_class;
	uint8_t hop_limit;
	uint32_t udp_bytes; /* UDP payload: BTH to ICRC */
};

void adev_grh_emit(const struct adev_grh *grh,
		   uint8_t bytes[ARNICA_HW_GRH_BYTES]);

#endif
