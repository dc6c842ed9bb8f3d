/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opcode table. The operations mean the same on all transports; a transport has
 * a subset of them, and adds a header of its own to requests (IBTA table 38).
 */
#include "roce/opcode.h"

#include "roce/packet.h"

#define DATA ((uint32_t)ROCE_HAS_PAYLOAD)
#define REQUEST ((uint32_t)ROCE_IS_REQUEST)
#define FIRST ((uint32_t)ROCE_IS_FIRST)
#define LAST ((uint32_t)ROCE_IS_LAST)
#define ONLY (FIRST | LAST)
#define NUM_OPERATIONS (ROCE_OPERATION_MASK + 1)

static const uint32_t operations[NUM_OPERATIONS] = {
	[ROCE_SEND_FIRST] = REQUEST | DATA | FIRST,
	[ROCE_SEND_MIDDLE] = REQUEST | DATA,
	[ROCE_SEND_LAST] = REQUEST | DATA | LAST,
	[ROCE_SEND_LAST_IMM] = REQUEST | DATA | LAST | ROCE_HAS_IMM,
	[ROCE_SEND_ONLY] = REQUEST | DATA | ONLY,
	[ROCE_SEND_ONLY_IMM] = REQUEST | DATA | ONLY | ROCE_HAS_IMM,
	[ROCE_WRITE_FIRST] = REQUEST | DATA | FIRST | ROCE_HAS_RETH,
	[ROCE_WRITE_MIDDLE] = REQUEST | DATA,
	[ROCE_WRITE_LAST] = REQUEST | DATA | LAST,
	[ROCE_WRITE_LAST_IMM] = REQUEST | DATA | LAST | ROCE_HAS_IMM,
	[ROCE_WRITE_ONLY] = REQUEST | DATA | ONLY | ROCE_HAS_RETH,
	[ROCE_WRITE_ONLY_IMM] = REQUEST | DATA | ONLY | ROCE_HAS_RETH |
				ROCE_HAS_IMM,
	[ROCE_READ_REQUEST] = REQUEST | ONLY | ROCE_HAS_RETH,
	[ROCE_READ_RESPONSE_FIRST] = DATA | FIRST | ROCE_HAS_AETH,
	[ROCE_READ_RESPONSE_MIDDLE] = DATA,
	[ROCE_READ_RESPONSE_LAST] = DATA | LAST | ROCE_HAS_AETH,
	[ROCE_READ_RESPONSE_ONLY] = DATA | ONLY | ROCE_HAS_AETH,
	[ROCE_ACKNOWLEDGE] = ONLY | ROCE_HAS_AETH,
	[ROCE_ATOMIC_ACKNOWLEDGE] = ONLY | ROCE_HAS_AETH | ROCE_HAS_ATOMIC_ACK,
	[ROCE_COMPARE_SWAP] = REQUEST | ONLY | ROCE_HAS_ATOMIC,
	[ROCE_FETCH_ADD] = REQUEST | ONLY | ROCE_HAS_ATOMIC,
	[ROCE_SEND_LAST_INV] = REQUEST | DATA | LAST | ROCE_HAS_IETH,
	[ROCE_SEND_ONLY_INV] = REQUEST | DATA | ONLY | ROCE_HAS_IETH,
	[ROCE_ATOMIC_WRITE] = REQUEST | DATA | ONLY | ROCE_HAS_RETH,
};

/* UC: sends and writes without invalidation. */
#define UC_LAST_OPERATION ROCE_WRITE_ONLY_IMM

uint32_t roce_opcode_info(uint8_t opcode)
{
	uint32_t operation = opcode & ROCE_OPERATION_MASK;
	uint32_t info = operations[operation];

	if (opcode == ROCE_CNP_OPCODE)
		return ROCE_IS_KNOWN | DATA | ONLY;
	if (!info)
		return 0;
	switch (opcode & ROCE_TRANSPORT_MASK) {
	case ROCE_RC:
		break;
	case ROCE_UC:
		if (operation > UC_LAST_OPERATION)
			return 0;
		break;
	case ROCE_UD:
		if (operation != ROCE_SEND_ONLY &&
		    operation != ROCE_SEND_ONLY_IMM)
			return 0;
		info |= ROCE_HAS_DETH;
		break;
	case ROCE_XRC:
		if (info & REQUEST)
			info |= ROCE_HAS_XRCETH;
		break;
	default:
		return 0;
	}
	return info | ROCE_IS_KNOWN;
}

uint32_t roce_info_bytes(uint32_t info)
{
	/* In the order of the bits, from ROCE_HAS_DETH to ROCE_HAS_XRCETH. */
	static const uint8_t sizes[] = { 8, 16, 4, 28, 8, 4, 4, 4 };
	uint32_t i, bytes = ROCE_BTH_BYTES;

	for (i = 0; i < sizeof(sizes); i++)
		if (info >> i & 1)
			bytes += sizes[i];
	return bytes;
}

uint32_t roce_header_bytes(uint8_t opcode)
{
	uint32_t info = roce_opcode_info(opcode);

	return info ? roce_info_bytes(info) : 0;
}
