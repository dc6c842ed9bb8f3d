/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opcode table. The operations mean the same on all transports; a transport has
 * a subset of them, and adds a header of its own to requests (IBTA table 38).
 */
#include "roce/opcode.h"

#include "roce/packet.h"

#define DATA ((uint32_t)(ROCE_HAS_PAYLOAD | ROCE_IS_KNOWN))
#define REQUEST ((uint32_t)(ROCE_IS_REQUEST | ROCE_IS_KNOWN))
#define FIRST ((uint32_t)ROCE_IS_FIRST)
#define LAST ((uint32_t)ROCE_IS_LAST)
#define ONLY (FIRST | LAST)

const uint32_t roce_operations[ROCE_OPERATION_MASK + 1] = {
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
	[ROCE_ACKNOWLEDGE] = ROCE_IS_KNOWN | ONLY | ROCE_HAS_AETH,
	[ROCE_ATOMIC_ACKNOWLEDGE] = ROCE_IS_KNOWN | ONLY | ROCE_HAS_AETH |
				    ROCE_HAS_ATOMIC_ACK,
	[ROCE_COMPARE_SWAP] = REQUEST | ONLY | ROCE_HAS_ATOMIC,
	[ROCE_FETCH_ADD] = REQUEST | ONLY | ROCE_HAS_ATOMIC,
	[ROCE_SEND_LAST_INV] = REQUEST | DATA | LAST | ROCE_HAS_IETH,
	[ROCE_SEND_ONLY_INV] = REQUEST | DATA | ONLY | ROCE_HAS_IETH,
	[ROCE_ATOMIC_WRITE] = REQUEST | DATA | ONLY | ROCE_HAS_RETH,
};

/* UC: sends and writes without invalidation. */
#define UC_LAST_OPERATION ROCE_WRITE_ONLY_IMM

uint32_t roce_opcode_info_not_rc(uint8_t opcode)
{
	uint32_t operation = opcode & ROCE_OPERATION_MASK;
	uint32_t info = roce_operations[operation];

	if (opcode == ROCE_CNP_OPCODE)
		return DATA | ONLY;
	if (!info)
		return 0;
	switch (opcode & ROCE_TRANSPORT_MASK) {
	case ROCE_UC:
		return operation > UC_LAST_OPERATION ? 0 : info;
	case ROCE_UD:
		return operation == ROCE_SEND_ONLY ||
				       operation == ROCE_SEND_ONLY_IMM ?
			       info | ROCE_HAS_DETH :
			       0;
	case ROCE_XRC:
		return info & ROCE_IS_REQUEST ? info | ROCE_HAS_XRCETH : info;
	default:
		return 0;
	}
}

/* In the order of the bits, from ROCE_HAS_DETH to ROCE_HAS_XRCETH. */
#define IF(bits, bit, bytes) ((bits) >> (bit) & 1 ? (bytes) : 0)
#define BYTES(bits)                                                            \
	(ROCE_BTH_BYTES + IF(bits, 0, 8) + IF(bits, 1, 16) + IF(bits, 2, 4) +  \
	 IF(bits, 3, 28) + IF(bits, 4, 8) + IF(bits, 5, 4) + IF(bits, 6, 4) +  \
	 IF(bits, 7, 4))
#define BYTES4(bits)                                                           \
	BYTES(bits), BYTES((bits) + 1), BYTES((bits) + 2), BYTES((bits) + 3)
#define BYTES16(bits)                                                          \
	BYTES4(bits), BYTES4((bits) + 4), BYTES4((bits) + 8),                  \
		BYTES4((bits) + 12)
#define BYTES64(bits)                                                          \
	BYTES16(bits), BYTES16((bits) + 16), BYTES16((bits) + 32),             \
		BYTES16((bits) + 48)

const uint8_t roce_info_sizes[ROCE_HEADERS_MASK + 1] = {
	BYTES64(0), BYTES64(64), BYTES64(128), BYTES64(192)
};

uint32_t roce_header_bytes(uint8_t opcode)
{
	uint32_t info = roce_opcode_info(opcode);

	return info ? roce_info_bytes(info) : 0;
}
