/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A RoCE v2 packet: the UDP payload without the ICRC, as values. Parsing checks
 * everything once; what is in the struct afterwards may be used unchecked.
 *
 *  0          12                          n                        end
 *  +----------+---------------------------+--------------+-----+------+
 *  | BTH (12) | extension headers, by     | payload      | pad | ICRC |
 *  |          | opcode (enum roce_headers)|              | 0-3 | (4)  |
 *  +----------+---------------------------+--------------+-----+------+
 *
 * Order of the extension headers: XRCETH or DETH, RETH or AtomicETH, AETH,
 * AtomicAckETH, ImmDt or IETH (IBTA 9.2).
 */
#ifndef ROCE_PACKET_H
#define ROCE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "roce/opcode.h"

#define ROCE_UDP_PORT 4791u
#define ROCE_BTH_BYTES 12u
#define ROCE_ICRC_BYTES 4u
#define ROCE_MAX_HEADER_BYTES 72u
#define ROCE_PSN_MASK 0xffffffu
#define ROCE_DEFAULT_PKEY 0xffffu

/* AETH syndromes (IBTA 9.7.5.2.2, tables 43 to 45). */
#define ROCE_SYNDROME_ACK 0x00u      /* low 5 bits: credits, 31 = no limit */
#define ROCE_SYNDROME_RNR_NAK 0x20u  /* low 5 bits: timer code */
#define ROCE_SYNDROME_NAK 0x60u      /* low 5 bits: enum roce_nak */
#define ROCE_SYNDROME_KIND_MASK 0xe0u
#define ROCE_SYNDROME_VALUE_MASK 0x1fu
#define ROCE_CREDITS_UNLIMITED 0x1fu

enum roce_nak {
	ROCE_NAK_SEQUENCE = 0,
	ROCE_NAK_INVALID_REQUEST = 1,
	ROCE_NAK_REMOTE_ACCESS = 2,
	ROCE_NAK_REMOTE_OPERATION = 3,
	ROCE_NAK_INVALID_RD = 4,
};

struct roce_packet {
	uint8_t opcode; /* enum roce_transport | enum roce_operation */
	bool solicited;
	bool migration; /* MigReq */
	bool fecn;
	bool becn;
	bool ack_request;
	uint16_t pkey;
	uint32_t dest_qpn; /* 24 bits */
	uint32_t psn;      /* 24 bits */

	/* Valid as roce_opcode_info() says; zero otherwise. */
	uint32_t xrc_srqn;     /* 24 bits */
	uint32_t qkey;         /* DETH */
	uint32_t source_qpn;   /* DETH, 24 bits */
	uint64_t address;      /* RETH, AtomicETH */
	uint32_t rkey;         /* RETH, AtomicETH */
	uint32_t dma_length;   /* RETH, bytes */
	uint64_t swap_or_add;  /* AtomicETH */
	uint64_t compare;      /* AtomicETH */
	uint8_t syndrome;      /* AETH */
	uint32_t msn;          /* AETH, 24 bits */
	uint64_t original;     /* AtomicAckETH */
	uint32_t immediate;    /* ImmDt: raw, in wire order */
	uint32_t invalidate;   /* IETH: key, a value */

	const uint8_t *payload; /* parse: into the frame; emit: not used */
	uint32_t payload_bytes; /* without the pad */
};

enum roce_verdict {
	ROCE_OK = 0,
	ROCE_BAD_LENGTH,  /* not whole words, or too short */
	ROCE_BAD_VERSION, /* TVer is not zero */
	ROCE_BAD_OPCODE,  /* none of the table */
	ROCE_BAD_PAYLOAD, /* where none may be, or a pad without one */
};

/* `length` counts the UDP payload with its ICRC, which is not looked at. */
enum roce_verdict roce_parse(const void *bytes, uint32_t length,
			     struct roce_packet *packet)
	__attribute__((warn_unused_result));

/*
 * Writes BTH and extension headers for a payload of packet->payload_bytes that
 * follows; returns how many bytes. The pad count is computed. The opcode must
 * be of the table.
 */
uint32_t roce_emit(const struct roce_packet *packet, void *bytes);

static inline uint32_t roce_pad_bytes(uint32_t payload_bytes)
{
	return -payload_bytes & 3u;
}

/* UDP payload of a packet: headers, payload, pad, ICRC. */
static inline uint32_t roce_packet_bytes(uint8_t opcode, uint32_t payload_bytes)
{
	return roce_header_bytes(opcode) + payload_bytes +
	       roce_pad_bytes(payload_bytes) + ROCE_ICRC_BYTES;
}

/* Distance from PSN b to PSN a in [-2^23, 2^23) (IBTA 9.7.1). */
static inline int32_t roce_psn_distance(uint32_t a, uint32_t b)
{
	return (int32_t)((a - b) << 8) >> 8;
}

static inline uint32_t roce_psn_add(uint32_t psn, uint32_t count)
{
	return (psn + count) & ROCE_PSN_MASK;
}

#endif
