/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Fuzzing of the packet format: whatever arrives in a UDP datagram is refused,
 * or is what emitting its values gives again. libFuzzer hands in memory of
 * exactly the size it says, so that AddressSanitizer sees reading on.
 */
#undef NDEBUG /* it is by them that a target fails */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cm/message.h"
#include "roce/icrc.h"
#include "roce/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Bits that nobody looks at: reserved ones, and those of the pad. */
static void clear_ignored(uint8_t *bytes, uint32_t info)
{
	bytes[4] &= 0xc0;
	bytes[8] &= 0x80;
	if (info & ROCE_HAS_XRCETH)
		bytes[12] = 0;
	if (info & ROCE_HAS_DETH)
		bytes[16] = 0;
}

static void check_round_trip(const uint8_t *bytes, uint32_t length,
			     const struct roce_packet *packet)
{
	uint8_t expected[ROCE_MAX_HEADER_BYTES], again[ROCE_MAX_HEADER_BYTES];
	uint32_t headers = roce_header_bytes(packet->opcode);

	assert(headers && headers <= sizeof(again));
	assert(packet->payload == bytes + headers);
	assert(length ==
	       roce_packet_bytes(packet->opcode, packet->payload_bytes));
	memcpy(expected, bytes, headers);
	clear_ignored(expected, roce_opcode_info(packet->opcode));
	assert(roce_emit(packet, again) == headers);
	assert(!memcmp(again, expected, headers));
}

/* A sealed packet is right, and tells any other identification. */
static void check_icrc(const uint8_t *bytes, uint32_t length)
{
	struct roce_envelope envelope = {
		.source = { [10] = 0xff, [11] = 0xff, 10, 9, 1, 1 },
		.destination = { [10] = 0xff, [11] = 0xff, 10, 9, 1, 2 },
		.source_port = 0xc001,
		.destination_port = ROCE_UDP_PORT,
		.dont_fragment = true,
	};
	uint8_t *copy = malloc(length);
	uint16_t id, right = (uint16_t)(bytes[length - 1] << 8 | bytes[2]);

	assert(copy);
	memcpy(copy, bytes, length);
	(void)!roce_icrc_check(&envelope, copy, length, &id);
	envelope.ip_id = right;
	roce_icrc_seal(&envelope, copy, length);
	assert(roce_icrc_check(&envelope, copy, length, &id) ==
	       ROCE_ICRC_EXACT);
	envelope.ip_id ^= 0x1234;
	assert(roce_icrc_check(&envelope, copy, length, &id) ==
	       ROCE_ICRC_SOME_ID);
	assert(id == right);
	envelope.source[0] = 0xfd;
	assert(roce_icrc_check(&envelope, copy, length, &id) ==
	       ROCE_ICRC_WRONG);
	free(copy);
}

/* The values of a MAD give a MAD of the same values, for the same receiver. */
static void check_mad(const uint8_t bytes[ROCE_MAD_BYTES])
{
	struct roce_cm_message message, values;
	uint8_t again[ROCE_MAD_BYTES];
	uint64_t key = 0, same = 1;

	if (roce_cm_parse(bytes, &message) != ROCE_CM_OK)
		return;
	roce_cm_emit(&message, again);
	assert(roce_cm_parse(again, &values) == ROCE_CM_OK);
	assert(!memcmp(&message, &values, sizeof(values)));
	assert(roce_cm_find_key(bytes, &key) == roce_cm_find_key(again, &same));
	assert(key == same);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct roce_packet packet;

	if (roce_parse(bytes, (uint32_t)size, &packet) != ROCE_OK)
		return 0;
	check_round_trip(bytes, (uint32_t)size, &packet);
	check_icrc(bytes, (uint32_t)size);
	if (packet.payload_bytes == ROCE_MAD_BYTES)
		check_mad(packet.payload);
	return 0;
}
