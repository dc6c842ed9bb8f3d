/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pcapng.h"

#include <string.h>

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum option {
	OPTION_END = 0,
	OPTION_APPLICATION = 4,	   /* of a section */
	OPTION_INTERFACE_NAME = 2, /* of an interface */
	OPTION_TIME_UNIT = 9,	   /* of an interface: negative power of ten */
	OPTION_FLAGS = 2,	   /* of a packet */
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define SECTION_BYTES 44u
#define INTERFACE_BYTES 44u
#define NANOSECONDS 9u
#define SNAP_LENGTH 262144u /* the most that readers accept */
#define FLAG_CRC_ERROR (1u << 24)

_Static_assert(SECTION_BYTES + INTERFACE_BYTES == ARNICA_PCAPNG_HEAD_BYTES,
	       "the head is a section and an interface");

static uint8_t *put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
	return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value & 0xffff), value >> 16);
}

/* `length` bytes and their pad. */
static uint8_t *put_option(uint8_t *at, enum option code, const void *value,
			   uint32_t length)
{
	uint32_t padded = (length + 3u) & ~3u;

	at = put16(put16(at, code), length);
	memset(at, 0, padded);
	memcpy(at, value, length);
	return at + padded;
}

static uint8_t *put_end(uint8_t *at, uint32_t block_bytes)
{
	at = put16(put16(at, OPTION_END), 0);
	return put32(at, block_bytes);
}

void arnica_pcapng_head(uint8_t bytes[ARNICA_PCAPNG_HEAD_BYTES])
{
	const uint8_t unit = NANOSECONDS;
	uint8_t *at = bytes;

	at = put32(put32(at, BLOCK_SECTION), SECTION_BYTES);
	at = put32(at, BYTE_ORDER_MAGIC);
	at = put16(put16(at, 1), 0);		       /* version 1.0 */
	at = put32(put32(at, UINT32_MAX), UINT32_MAX); /* length unknown */
	at = put_option(at, OPTION_APPLICATION, "arnica", 6);
	at = put_end(at, SECTION_BYTES);

	at = put32(put32(at, BLOCK_INTERFACE), INTERFACE_BYTES);
	at = put16(put16(at, ARNICA_PCAPNG_LINKTYPE_RAW), 0);
	at = put32(at, SNAP_LENGTH);
	at = put_option(at, OPTION_TIME_UNIT, &unit, 1);
	at = put_option(at, OPTION_INTERFACE_NAME, "arnica0", 7);
	put_end(at, INTERFACE_BYTES);
}

bool arnica_pcapng_is_head(const uint8_t bytes[ARNICA_PCAPNG_HEAD_BYTES])
{
	uint8_t head[ARNICA_PCAPNG_HEAD_BYTES];

	arnica_pcapng_head(head);
	return !memcmp(bytes, head, sizeof(head));
}

uint32_t arnica_pcapng_wrap(const struct arnica_pcapng_packet *packet,
			    uint8_t *block)
{
	uint32_t block_bytes = arnica_pcapng_block_bytes(packet->bytes);
	uint32_t flags = packet->direction;
	uint8_t value[4], *at = block;

	if (packet->crc_error)
		flags |= FLAG_CRC_ERROR;
	at = put32(put32(at, BLOCK_PACKET), block_bytes);
	at = put32(at, 0); /* interface */
	at = put32(at, (uint32_t)(packet->time_ns >> 32));
	at = put32(at, (uint32_t)packet->time_ns);
	at = put32(put32(at, packet->bytes), packet->bytes);
	at += packet->bytes;
	memset(at, 0, -packet->bytes & 3u);
	at += -packet->bytes & 3u;
	put32(value, flags);
	at = put_option(at, OPTION_FLAGS, value, sizeof(value));
	put_end(at, block_bytes);
	return block_bytes;
}
