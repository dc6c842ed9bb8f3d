/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Invariant CRC, in two parts. The IP and UDP headers are rebuilt with ones in
 * place of what routers change, which makes the lead; then the UDP payload is
 * read where it lies, once, and not changed.
 *
 * What the second part has to differ in from plain bytes goes into its start,
 * as the CRC is linear: a change of the bytes before, or of the first few,
 * changes the start by an amount that only the change determines. So the lead
 * is of use for any IP identification, and the byte of the BTH that counts as
 * ones is read as it is.
 */
#include "roce/icrc.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "roce/bytes.h"
#include "roce/crc.h"
#include "roce/packet.h"

#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define UDP_BYTES 8u
#define PROTOCOL_UDP 17
#define MASKED 0xff
#define DONT_FRAGMENT 0x4000u
#define MAX_LENGTH (0xffffu - IPV4_BYTES - UDP_BYTES)

/* The CRC of the eight bytes of ones that stand for the LRH: they are always
 * the same. */
#define CRC_OF_ONES 0x2144df1cu

/* Bytes between the IP identification and the UDP payload. */
#define BYTES_AFTER_ID (IPV4_BYTES - 6 + UDP_BYTES)

static bool is_ipv4(const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(address, mapped, sizeof(mapped));
}

static uint32_t emit_ipv4(const struct roce_envelope *envelope,
			  uint32_t udp_bytes, uint8_t *at)
{
	at[0] = 0x45;	/* version 4, no options */
	at[1] = MASKED; /* DSCP, ECN */
	roce_put16(at + 2, IPV4_BYTES + udp_bytes);
	roce_put16(at + 4, 0); /* identification: lead_of_id() */
	roce_put16(at + 6, envelope->dont_fragment ? DONT_FRAGMENT : 0);
	at[8] = MASKED; /* time to live */
	at[9] = PROTOCOL_UDP;
	memset(at + 10, MASKED, 2); /* checksum */
	memcpy(at + 12, envelope->source + 12, 4);
	memcpy(at + 16, envelope->destination + 12, 4);
	return IPV4_BYTES;
}

static uint32_t emit_ipv6(const struct roce_envelope *envelope,
			  uint32_t udp_bytes, uint8_t *at)
{
	at[0] = 0x60 | (MASKED & 0x0f);
	memset(at + 1, MASKED, 3); /* rest of traffic class, flow label */
	roce_put16(at + 4, udp_bytes);
	at[6] = PROTOCOL_UDP;
	at[7] = MASKED; /* hop limit */
	memcpy(at + 8, envelope->source, 16);
	memcpy(at + 24, envelope->destination, 16);
	return IPV6_BYTES;
}

/*
 * Arithmetic of polynomials over GF(2) modulo the generator, reflected: x^0 is
 * the top bit. A CRC that goes on over n bytes multiplies its start by x^(8n).
 */
#define GENERATOR 0xedb88320u
#define X_TO_0 0x80000000u
#define X_TO_1 0x40000000u

static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;
	int i;

	for (i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = b >> 1 ^ (GENERATOR & -(b & 1));
	}
	return product;
}

/*
 * BTH byte 4 (FECN, BECN, resv8a) counts as ones. The start of a CRC is added
 * to the first four bytes, and what is left of it to the next ones: for a
 * change of byte 4 alone, the start changes by that times x^-32.
 */
#define MASKED_BYTE 4u
#define X_TO_MINUS_32 0x5b358fd3u
#define START_OF_ONES 0x0f6a70d9u /* 0xff times that */

static uint32_t start_of_byte(uint8_t byte)
{
	return __builtin_expect(byte != 0, 0) ? multiply(byte, X_TO_MINUS_32) :
						0;
}

/* What each bit of the IP identification adds to the lead: the identification
 * as two bytes, high one first, times x^(8 * (2 + BYTES_AFTER_ID)). */
static const uint32_t lead_of_id_bit[16] = {
	0x9b73ead4, 0xed96d3e9, 0x005ca193, 0x00b94326, 0x0172864c, 0x02e50c98,
	0x05ca1930, 0x0b943260, 0x81256527, 0xd93bcc0f, 0x69069e5f, 0xd20d3cbe,
	0x7f6b7f3d, 0xfed6fe7a, 0x26dcfab5, 0x4db9f56a,
};

static uint32_t lead_of_id(uint32_t ip_id)
{
	uint32_t lead = 0;

	for (; ip_id; ip_id &= ip_id - 1)
		lead ^= lead_of_id_bit[__builtin_ctz(ip_id)];
	return lead;
}

struct roce_icrc_lead roce_icrc_lead(const struct roce_envelope *envelope,
				     uint32_t length)
{
	const bool has_id = is_ipv4(envelope->source);
	uint8_t bytes[IPV6_BYTES + UDP_BYTES];
	uint32_t udp_bytes = UDP_BYTES + length;
	uint8_t *at = bytes;

	if (has_id)
		at += emit_ipv4(envelope, udp_bytes, at);
	else
		at += emit_ipv6(envelope, udp_bytes, at);
	roce_put16(at, envelope->source_port);
	roce_put16(at + 2, envelope->destination_port);
	roce_put16(at + 4, udp_bytes);
	memset(at + 6, MASKED, 2); /* checksum */
	at += UDP_BYTES;
	return (struct roce_icrc_lead){
		.crc = START_OF_ONES ^
		       roce_crc32(CRC_OF_ONES, bytes, (uint64_t)(at - bytes)),
		.has_id = has_id,
	};
}

static bool are_alike(const struct roce_envelope *one,
		      const struct roce_envelope *other)
{
	return !memcmp(one->source, other->source, 16) &&
	       !memcmp(one->destination, other->destination, 16) &&
	       one->source_port == other->source_port &&
	       one->destination_port == other->destination_port &&
	       one->dont_fragment == other->dont_fragment;
}

struct roce_icrc_lead roce_icrc_recall(struct roce_icrc_memo *memo,
				       const struct roce_envelope *envelope,
				       uint32_t length)
{
	struct roce_icrc_entry *entry =
		&memo->entries[length / 4 % ROCE_ICRC_MEMO_ENTRIES];

	if (entry->length == length && are_alike(&entry->envelope, envelope))
		return entry->lead;
	entry->envelope = *envelope;
	entry->length = length;
	entry->lead = roce_icrc_lead(envelope, length);
	return entry->lead;
}

uint32_t roce_icrc(struct roce_icrc_lead lead, uint16_t ip_id,
		   const void *payload, uint32_t length)
{
	const uint8_t *bytes = payload;
	uint32_t start;

	assert(length >= ROCE_BTH_BYTES + ROCE_ICRC_BYTES &&
	       length <= MAX_LENGTH);
	start = lead.crc ^ start_of_byte(bytes[MASKED_BYTE]);
	if (lead.has_id)
		start ^= lead_of_id(ip_id);
	return roce_crc32(start, bytes, length - ROCE_ICRC_BYTES);
}

/* Little-endian at the end (IBTA 9.2.8 sends the CRC's bits reflected). */
static uint32_t get_stored(const uint8_t *at)
{
	return __builtin_bswap32(roce_get32(at));
}

void roce_icrc_write(struct roce_icrc_lead lead, uint16_t ip_id, void *payload,
		     uint32_t length)
{
	uint32_t icrc = roce_icrc(lead, ip_id, payload, length);

	roce_put32((uint8_t *)payload + length - ROCE_ICRC_BYTES,
		   __builtin_bswap32(icrc));
}

void roce_icrc_seal(const struct roce_envelope *envelope, void *payload,
		    uint32_t length)
{
	roce_icrc_write(roce_icrc_lead(envelope, length), envelope->ip_id,
			payload, length);
}

/*
 * Which identification explains a difference.
 *
 * The difference d of two IDs, k bits before the end of what the CRC covers,
 * changes it by d * x^(k + 32). The generator is primitive, so x has the order
 * 2^32 - 1, and x^-(k + 32) = x^(2^32 - 1 - k - 32) takes the factor off again.
 * What remains is d if it is one of the 2^16 polynomials of degree below 16.
 */
static uint32_t power_of_x(uint32_t exponent)
{
	uint32_t result = X_TO_0, square = X_TO_1;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = multiply(result, square);
		square = multiply(square, square);
	}
	return result;
}

/*
 * The factor for a length. Computing it takes as long as the CRC of a large
 * packet, and few lengths are in use at a time: each entry keeps one, as
 * length << 32 | factor. An entry is one word, so that relaxed is enough.
 */
static uint32_t factor_of_length(uint32_t length)
{
	static _Atomic uint64_t entries[64];
	_Atomic uint64_t *entry = &entries[length / 4 % 64];
	uint64_t known = atomic_load_explicit(entry, memory_order_relaxed);
	uint32_t covered = BYTES_AFTER_ID + length - ROCE_ICRC_BYTES;
	uint32_t factor;

	if (known >> 32 == length)
		return (uint32_t)known;
	factor = power_of_x(0xffffffffu - 8 * covered - 32);
	atomic_store_explicit(entry, (uint64_t)length << 32 | factor,
			      memory_order_relaxed);
	return factor;
}

/* A polynomial of degree below 16: the bits of the first byte of the ID, lowest
 * first, are the highest powers. */
static uint16_t id_of_polynomial(uint32_t polynomial)
{
	return __builtin_bswap16((uint16_t)(polynomial >> 16));
}

enum roce_icrc_match roce_icrc_compare(struct roce_icrc_lead lead,
				       uint16_t ip_id, const void *payload,
				       uint32_t length, uint16_t *found)
{
	const uint8_t *bytes = payload;
	uint32_t difference, polynomial;

	if (length < ROCE_BTH_BYTES + ROCE_ICRC_BYTES || length > MAX_LENGTH)
		return ROCE_ICRC_WRONG;
	difference = roce_icrc(lead, ip_id, payload, length) ^
		     get_stored(bytes + length - ROCE_ICRC_BYTES);
	*found = ip_id;
	if (!difference)
		return ROCE_ICRC_EXACT;
	if (!lead.has_id)
		return ROCE_ICRC_WRONG;
	polynomial = multiply(difference, factor_of_length(length));
	if (polynomial & 0xffff)
		return ROCE_ICRC_WRONG;
	*found ^= id_of_polynomial(polynomial);
	return ROCE_ICRC_SOME_ID;
}

enum roce_icrc_match roce_icrc_check(const struct roce_envelope *envelope,
				     const void *payload, uint32_t length,
				     uint16_t *ip_id)
{
	return roce_icrc_compare(roce_icrc_lead(envelope, length),
				 envelope->ip_id, payload, length, ip_id);
}
