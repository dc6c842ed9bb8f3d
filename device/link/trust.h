/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How far the ICRC of a packet is to be believed whose IPv4 identification
 * cannot be seen. The CRC says which identification would make the packet
 * right; one corrupted packet in 2^16 has one. Sources whose identifications
 * were those that segmentation gives (a small number, most often zero or the
 * number of the segment) are expected to go on with that, so that of their
 * corrupted packets one in 2^25 passes at most. Sources that number their
 * packets otherwise (rdma_rxe) are believed with any.
 *
 * A table of bounded size, by source address; who is displaced starts anew.
 */
#ifndef ADEV_LINK_TRUST_H
#define ADEV_LINK_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#define ADEV_TRUST_SOURCES 256u
/* The kernel makes at most so many segments of one datagram. */
#define ADEV_TRUST_SEGMENTS 128u
/* So many datagrams that begin with zero, and no other number between them, prove
 * that a source is predictable. By chance: once in 2^128. */
#define ADEV_TRUST_PROOF 8u
/* So many in a row that were not as predicted prove that it is not. */
#define ADEV_TRUST_DOUBT 4u

struct adev_trust_source {
	uint8_t address[16];
	uint8_t proof; /* zeros in a row, up to ADEV_TRUST_PROOF */
	uint8_t doubt; /* once proved: others in a row */
	uint16_t last; /* identification of the last one */
};

struct adev_trust {
	struct adev_trust_source sources[ADEV_TRUST_SOURCES];
};

/* A packet whose ICRC is right with this identification; `segment` is its
 * number within what the kernel put together. False: take it as corrupted. */
bool adev_trust_accepts(struct adev_trust *trust, const uint8_t source[16],
			uint16_t segment, uint16_t ip_id);

#endif
