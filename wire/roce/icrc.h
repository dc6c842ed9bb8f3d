/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Invariant CRC of RoCE v2 (IBTA annex A17.3.3): the reflected CRC-32 over
 * eight bytes of ones, the IP and UDP headers and the packet, with the fields
 * that routers change replaced by ones. Stored little-endian at the end of the
 * UDP payload.
 */
#ifndef ROCE_ICRC_H
#define ROCE_ICRC_H

#include <stdbool.h>
#include <stdint.h>

/* What of the headers before the BTH is covered. IPv4 addresses are written as
 * IPv4-mapped IPv6 addresses; both have to be of one family. */
struct roce_envelope {
	uint8_t source[16];
	uint8_t destination[16];
	uint16_t source_port;
	uint16_t destination_port;
	uint16_t ip_id;    /* IPv4 identification; IPv6: ignored */
	bool dont_fragment; /* IPv4: DF is set */
};

/* ICRC of a UDP payload of `length` bytes, the last four of which (the place
 * of the ICRC) are not read. */
uint32_t roce_icrc(const struct roce_envelope *envelope, const void *payload,
		   uint32_t length);

/* Writes it to the last four bytes. */
void roce_icrc_seal(const struct roce_envelope *envelope, void *payload,
		    uint32_t length);

enum roce_icrc_match {
	ROCE_ICRC_WRONG,
	ROCE_ICRC_EXACT,   /* with the IP identification of the envelope */
	ROCE_ICRC_SOME_ID, /* with exactly one other identification, *ip_id */
};

/*
 * Compares the stored ICRC. Over IPv4 a socket does not see the identification:
 * the CRC being linear, the difference says which one would make it right.
 * About one corrupted packet in 2^16 has one (and DF as given).
 */
enum roce_icrc_match roce_icrc_check(const struct roce_envelope *envelope,
				     const void *payload, uint32_t length,
				     uint16_t *ip_id)
	__attribute__((warn_unused_result));

#endif
