/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections by IP address (IBTA annex A11): the service ids, and the header
 * that begins the private data of their REQs and SIDR_REQs.
 *
 *  0      1             2             4                20               36
 *  +------+------+------+-------------+----------------+----------------+
 *  | 0 0  | IPv  | rsvd | source port | source address | destination a. |
 *  +------+------+------+-------------+----------------+----------------+
 */
#ifndef ROCE_CM_IP_H
#define ROCE_CM_IP_H

#include <stdbool.h>
#include <stdint.h>

#define ROCE_CM_IP_BYTES 36u

enum roce_cm_port_space { /* numbers of rdma_cm */
			  ROCE_CM_PS_IPOIB = 0x0002,
			  ROCE_CM_PS_TCP = 0x0106,
			  ROCE_CM_PS_UDP = 0x0111,
			  ROCE_CM_PS_IB = 0x013f,
};

/* Addresses as GIDs: IPv4 as ::ffff:a.b.c.d. */
struct roce_cm_ip {
	uint8_t version; /* 4 or 6 */
	uint16_t source_port;
	uint8_t source[16];
	uint8_t destination[16];
};

static inline uint64_t roce_cm_service_id(uint32_t port_space, uint16_t port)
{
	return (uint64_t)port_space << 16 | port;
}

/* Do REQs of this service begin with the header? */
bool roce_cm_service_has_ip(uint64_t service_id);

/* False: no header, or of another version. */
bool roce_cm_ip_parse(const uint8_t bytes[ROCE_CM_IP_BYTES],
		      struct roce_cm_ip *ip)
	__attribute__((warn_unused_result));

void roce_cm_ip_emit(const struct roce_cm_ip *ip,
		     uint8_t bytes[ROCE_CM_IP_BYTES]);

#endif
