/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian: a head
 * with one section and one interface, whose packets begin with their IP header
 * and whose times count nanoseconds, then one block for each packet.
 *
 * All files have the same head, so that several processes can append to one
 * file: whoever wrote the head, a packet block means the same.
 */
#ifndef ARNICA_UTIL_PCAPNG_H
#define ARNICA_UTIL_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARNICA_PCAPNG_LINKTYPE_RAW 101u
#define ARNICA_PCAPNG_HEAD_BYTES 88u

/* Bytes of a packet block around the packet: before it, and after it without
 * the pad. */
#define ARNICA_PCAPNG_BEFORE_BYTES 28u
#define ARNICA_PCAPNG_AFTER_BYTES 16u

enum arnica_pcapng_direction {
	ARNICA_PCAPNG_INBOUND = 1,
	ARNICA_PCAPNG_OUTBOUND = 2,
};

struct arnica_pcapng_packet {
	uint64_t time_ns; /* since 1970 */
	uint32_t bytes;
	enum arnica_pcapng_direction direction;
	bool crc_error; /* its checksum is known to be wrong */
};

/* The head of a file. */
void arnica_pcapng_head(uint8_t bytes[ARNICA_PCAPNG_HEAD_BYTES]);

/* Whether a file that begins so is one of ours. */
bool arnica_pcapng_is_head(const uint8_t bytes[ARNICA_PCAPNG_HEAD_BYTES]);

static inline uint32_t arnica_pcapng_block_bytes(uint32_t packet_bytes)
{
	return ARNICA_PCAPNG_BEFORE_BYTES + ((packet_bytes + 3u) & ~3u) +
	       ARNICA_PCAPNG_AFTER_BYTES;
}

/* Writes a whole block around a packet that lies, or will lie, at `block` +
 * ARNICA_PCAPNG_BEFORE_BYTES; returns arnica_pcapng_block_bytes(). */
uint32_t arnica_pcapng_wrap(const struct arnica_pcapng_packet *packet,
			    uint8_t *block);

#endif
