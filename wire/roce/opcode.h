/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * BTH opcodes (IBTA 9.2.1, table 38): the upper three bits name the transport,
 * the lower five the operation. roce_opcode_info() says which extension headers
 * follow the BTH, in which order, and whether a payload may follow them.
 */
#ifndef ROCE_OPCODE_H
#define ROCE_OPCODE_H

#include <stdint.h>

enum roce_transport {
	ROCE_RC = 0x00,
	ROCE_UC = 0x20,
	ROCE_RD = 0x40, /* not spoken: refused */
	ROCE_UD = 0x60,
	ROCE_CNP = 0x80,
	ROCE_XRC = 0xa0,
};

#define ROCE_TRANSPORT_MASK 0xe0u
#define ROCE_OPERATION_MASK 0x1fu

enum roce_operation {
	ROCE_SEND_FIRST = 0x00,
	ROCE_SEND_MIDDLE = 0x01,
	ROCE_SEND_LAST = 0x02,
	ROCE_SEND_LAST_IMM = 0x03,
	ROCE_SEND_ONLY = 0x04,
	ROCE_SEND_ONLY_IMM = 0x05,
	ROCE_WRITE_FIRST = 0x06,
	ROCE_WRITE_MIDDLE = 0x07,
	ROCE_WRITE_LAST = 0x08,
	ROCE_WRITE_LAST_IMM = 0x09,
	ROCE_WRITE_ONLY = 0x0a,
	ROCE_WRITE_ONLY_IMM = 0x0b,
	ROCE_READ_REQUEST = 0x0c,
	ROCE_READ_RESPONSE_FIRST = 0x0d,
	ROCE_READ_RESPONSE_MIDDLE = 0x0e,
	ROCE_READ_RESPONSE_LAST = 0x0f,
	ROCE_READ_RESPONSE_ONLY = 0x10,
	ROCE_ACKNOWLEDGE = 0x11,
	ROCE_ATOMIC_ACKNOWLEDGE = 0x12,
	ROCE_COMPARE_SWAP = 0x13,
	ROCE_FETCH_ADD = 0x14,
	ROCE_SEND_LAST_INV = 0x16,
	ROCE_SEND_ONLY_INV = 0x17,
	ROCE_ATOMIC_WRITE = 0x1d, /* annex A19; its answer: READ_RESPONSE_ONLY */
};

/* Congestion notification: 16 reserved bytes follow (IBTA A17.9.3). */
#define ROCE_CNP_OPCODE 0x81u
#define ROCE_CNP_PAYLOAD_BYTES 16u

enum roce_headers {
	ROCE_HAS_DETH = 0x0001,
	ROCE_HAS_RETH = 0x0002,
	ROCE_HAS_AETH = 0x0004,
	ROCE_HAS_ATOMIC = 0x0008,
	ROCE_HAS_ATOMIC_ACK = 0x0010,
	ROCE_HAS_IMM = 0x0020,
	ROCE_HAS_IETH = 0x0040,
	ROCE_HAS_XRCETH = 0x0080,
	ROCE_HAS_PAYLOAD = 0x0100,
	ROCE_IS_FIRST = 0x0200, /* starts a message or response (ONLY too) */
	ROCE_IS_LAST = 0x0400,  /* ends one (ONLY too) */
	ROCE_IS_REQUEST = 0x0800,
	ROCE_IS_KNOWN = 0x8000,
};

#define ROCE_HEADERS_MASK 0xffu /* the bits of extension headers */

/* By operation, as RC has them; by the bits of extension headers. */
extern const uint32_t roce_operations[ROCE_OPERATION_MASK + 1];
extern const uint8_t roce_info_sizes[ROCE_HEADERS_MASK + 1];

/* Of the other transports. */
uint32_t roce_opcode_info_not_rc(uint8_t opcode);

/* Bits of enum roce_headers; zero: no such opcode. */
static inline uint32_t roce_opcode_info(uint8_t opcode)
{
	return (opcode & ROCE_TRANSPORT_MASK) == ROCE_RC ?
		       roce_operations[opcode & ROCE_OPERATION_MASK] :
		       roce_opcode_info_not_rc(opcode);
}

/* Bytes of the BTH and of the extension headers that the bits name. */
static inline uint32_t roce_info_bytes(uint32_t info)
{
	return roce_info_sizes[info & ROCE_HEADERS_MASK];
}

/* The same by opcode; zero: no such opcode. */
uint32_t roce_header_bytes(uint8_t opcode);

#endif
