/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "cm/ip.h"

#include <string.h>

#include "roce/bytes.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* By the port: 40 bits that are 1 and the protocol (A11.2), or that of IPoIB.
 * With the space of IB there may be a header or not. */
bool roce_cm_service_has_ip(uint64_t service_id)
{
	uint64_t space = service_id >> 16;

	return space == ROCE_CM_PS_IPOIB || space == ROCE_CM_PS_TCP ||
	       space == ROCE_CM_PS_UDP;
}

/* An IPv4 address stands in the last four bytes of its field. */
static void get_address(uint8_t version, const uint8_t *at, uint8_t gid[16])
{
	memcpy(gid, at, 16);
	if (version == 4)
		memcpy(gid, mapped, sizeof(mapped));
}

static void put_address(uint8_t version, const uint8_t gid[16], uint8_t *at)
{
	memcpy(at, gid, 16);
	if (version == 4)
		memset(at, 0, sizeof(mapped));
}

bool roce_cm_ip_parse(const uint8_t bytes[ROCE_CM_IP_BYTES],
		      struct roce_cm_ip *ip)
{
	memset(ip, 0, sizeof(*ip));
	ip->version = bytes[1] >> 4;
	ip->source_port = (uint16_t)roce_get16(bytes + 2);
	get_address(ip->version, bytes + 4, ip->source);
	get_address(ip->version, bytes + 20, ip->destination);
	return bytes[0] == 0 && (ip->version == 4 || ip->version == 6);
}

void roce_cm_ip_emit(const struct roce_cm_ip *ip,
		     uint8_t bytes[ROCE_CM_IP_BYTES])
{
	bytes[0] = 0;
	bytes[1] = (uint8_t)(ip->version << 4);
	roce_put16(bytes + 2, ip->source_port);
	put_address(ip->version, ip->source, bytes + 4);
	put_address(ip->version, ip->destination, bytes + 20);
}
