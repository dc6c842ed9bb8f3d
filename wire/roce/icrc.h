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
	uint16_t ip_id;	    /* IPv4 identification; IPv6: ignored */
	bool dont_fragment; /* IPv4: DF is set */
};

/*
 * What comes before the UDP payload, which is the same for all packets of a
 * flow that are of one length: where the CRC of the payload goes on from.
 */
struct roce_icrc_lead {
	uint32_t crc; /* with the IP identification zero */
	bool has_id;  /* IPv4 */
};

struct roce_icrc_lead roce_icrc_lead(const struct roce_envelope *envelope,
				     uint32_t length);

/* Leads that were computed a moment ago. Zero before its first use; for one
 * thread at a time. */
#define ROCE_ICRC_MEMO_ENTRIES 16u

struct roce_icrc_memo {
	struct roce_icrc_entry {
		struct roce_envelope envelope;
		uint32_t length; /* zero: nothing here */
		struct roce_icrc_lead lead;
	} entries[ROCE_ICRC_MEMO_ENTRIES];
};

/* The same as roce_icrc_lead(). */
struct roce_icrc_lead roce_icrc_recall(struct roce_icrc_memo *memo,
				       const struct roce_envelope *envelope,
				       uint32_t length);

/* ICRC of a UDP payload of `length` bytes, the last four of which (the place
 * of the ICRC) are not read. The lead is that of this length. */
uint32_t roce_icrc(struct roce_icrc_lead lead, uint16_t ip_id,
		   const void *payload, uint32_t length);

/* Writes it to the last four bytes. */
void roce_icrc_write(struct roce_icrc_lead lead, uint16_t ip_id, void *payload,
		     uint32_t length);

/* The same for a packet that is one of its kind. */
void roce_icrc_seal(const struct roce_envelope *envelope, void *payload,
		    uint32_t length);

enum roce_icrc_match {
	ROCE_ICRC_WRONG,
	ROCE_ICRC_EXACT,   /* with the IP identification that was expected */
	ROCE_ICRC_SOME_ID, /* with exactly one other identification, *found */
};

/*
 * Compares the stored ICRC. Over IPv4 a socket does not see the identification:
 * the CRC being linear, the difference says which one would make it right.
 * About one corrupted packet in 2^16 has one (and DF as given).
 */
enum roce_icrc_match roce_icrc_compare(struct roce_icrc_lead lead,
				       uint16_t ip_id, const void *payload,
				       uint32_t length, uint16_t *found)
	__attribute__((warn_unused_result));

/* The same for a packet that is one of its kind. */
enum roce_icrc_match roce_icrc_check(const struct roce_envelope *envelope,
				     const void *payload, uint32_t length,
				     uint16_t *ip_id)
	__attribute__((warn_unused_result));

#endif
