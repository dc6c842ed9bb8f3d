/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/trust.h"

#include <string.h>

static struct adev_trust_source *find(struct adev_trust *trust,
				      const uint8_t source[16])
{
	struct adev_trust_source *found;
	uint64_t words[2];

	memcpy(words, source, sizeof(words));
	words[0] = (words[0] ^ words[1]) * 0x9e3779b97f4a7c15ull;
	found = &trust->sources[words[0] >> 56];
	if (memcmp(found->address, source, sizeof(found->address))) {
		memset(found, 0, sizeof(*found));
		memcpy(found->address, source, sizeof(found->address));
	}
	return found;
}

/* Zero, the segment's own number, or further on in a datagram that the network
 * took apart: what was put together here is the middle of it. */
static bool is_predicted(const struct adev_trust_source *from, uint16_t segment,
			 uint16_t ip_id)
{
	if (ip_id == 0 || ip_id == segment)
		return true;
	return ip_id < ADEV_TRUST_SEGMENTS &&
	       (ip_id > from->last || from->proof < ADEV_TRUST_PROOF);
}

bool adev_trust_accepts(struct adev_trust *trust, const uint8_t source[16],
			uint16_t segment, uint16_t ip_id)
{
	struct adev_trust_source *from = find(trust, source);

	if (is_predicted(from, segment, ip_id)) {
		from->doubt = 0;
		from->last = ip_id;
		/* A small number proves nothing: rdma_rxe counts on, and comes
		 * by all of them. */
		if (!ip_id && !segment && from->proof < ADEV_TRUST_PROOF)
			from->proof++;
		return true;
	}
	if (from->proof == ADEV_TRUST_PROOF && ++from->doubt < ADEV_TRUST_DOUBT)
		return false;
	from->proof = 0;
	from->doubt = 0;
	return true;
}
