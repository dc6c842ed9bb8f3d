/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Packets: bytes to values and back. The extension headers are walked in the
 * same order in both directions.
 *
 *        0               1               2               3
 *  0  +---------------+-+-+---+-------+-------------------------------+
 *     | opcode        |S|M|Pad| TVer  | P_Key                         |
 *  4  +-+-+-----------+-+-+---+-------+-------------------------------+
 *     |F|B| resv      | destination QP                                |
 *  8  +-+-+-----------+-----------------------------------------------+
 *     |A| resv        | PSN                                           |
 * 12  +-+-------------+-----------------------------------------------+
 */
#include "roce/packet.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "roce/bytes.h"

/* BTH, byte 1 */
#define SOLICITED 0x80u
#define MIGRATION 0x40u
#define PAD_SHIFT 4
#define PAD_MASK 0x30u
#define VERSION_MASK 0x0fu
/* BTH, byte 4 */
#define FECN 0x80u
#define BECN 0x40u
/* BTH, byte 8 */
#define ACK_REQUEST 0x80u

static void parse_bth(const uint8_t *bytes, struct roce_packet *packet)
{
	packet->opcode = bytes[0];
	packet->solicited = bytes[1] & SOLICITED;
	packet->migration = bytes[1] & MIGRATION;
	packet->pkey = (uint16_t)roce_get16(bytes + 2);
	packet->fecn = bytes[4] & FECN;
	packet->becn = bytes[4] & BECN;
	packet->dest_qpn = roce_get24(bytes + 5);
	packet->ack_request = bytes[8] & ACK_REQUEST;
	packet->psn = roce_get24(bytes + 9);
}

/* Returns where the payload begins. */
static const uint8_t *parse_extensions(uint32_t info, const uint8_t *at,
				       struct roce_packet *packet)
{
	if (info & ROCE_HAS_XRCETH) {
		packet->xrc_srqn = roce_get24(at + 1);
		at += 4;
	}
	if (info & ROCE_HAS_DETH) {
		packet->qkey = roce_get32(at);
		packet->source_qpn = roce_get24(at + 5);
		at += 8;
	}
	if (info & (ROCE_HAS_RETH | ROCE_HAS_ATOMIC)) {
		packet->address = roce_get64(at);
		packet->rkey = roce_get32(at + 8);
		at += 12;
	}
	if (info & ROCE_HAS_RETH) {
		packet->dma_length = roce_get32(at);
		at += 4;
	}
	if (info & ROCE_HAS_ATOMIC) {
		packet->swap_or_add = roce_get64(at);
		packet->compare = roce_get64(at + 8);
		at += 16;
	}
	if (info & ROCE_HAS_AETH) {
		packet->syndrome = at[0];
		packet->msn = roce_get24(at + 1);
		at += 4;
	}
	if (info & ROCE_HAS_ATOMIC_ACK) {
		packet->original = roce_get64(at);
		at += 8;
	}
	if (info & ROCE_HAS_IMM) {
		memcpy(&packet->immediate, at, 4);
		at += 4;
	}
	if (info & ROCE_HAS_IETH) {
		packet->invalidate = roce_get32(at);
		at += 4;
	}
	return at;
}

enum roce_verdict roce_parse(const void *bytes, uint32_t length,
			     struct roce_packet *packet)
{
	const uint8_t *bth = bytes;
	uint32_t info, headers, pad, rest;

	memset(packet, 0, sizeof(*packet));
	if (length < ROCE_BTH_BYTES + ROCE_ICRC_BYTES)
		return ROCE_BAD_LENGTH;
	if (bth[1] & VERSION_MASK)
		return ROCE_BAD_VERSION;
	info = roce_opcode_info(bth[0]);
	if (!info)
		return ROCE_BAD_OPCODE;
	headers = roce_info_bytes(info);
	/* The pad fills the last word (IBTA 9.2.3): all sizes are words. */
	if (length & 3 || length < headers + ROCE_ICRC_BYTES)
		return ROCE_BAD_LENGTH;
	rest = length - headers - ROCE_ICRC_BYTES;
	pad = (bth[1] & PAD_MASK) >> PAD_SHIFT;
	if (!(info & ROCE_HAS_PAYLOAD) && (rest || pad))
		return ROCE_BAD_PAYLOAD;
	if (pad && !rest)
		return ROCE_BAD_PAYLOAD;
	parse_bth(bth, packet);
	packet->payload = parse_extensions(info, bth + ROCE_BTH_BYTES, packet);
	packet->payload_bytes = rest - pad;
	return ROCE_OK;
}

static void emit_bth(const struct roce_packet *packet, uint8_t *bytes)
{
	uint32_t pad = roce_pad_bytes(packet->payload_bytes);
	uint32_t flags = (packet->solicited ? SOLICITED : 0) |
			 (packet->migration ? MIGRATION : 0) | pad << PAD_SHIFT;
	uint32_t congestion = (packet->fecn ? FECN : 0) |
			      (packet->becn ? BECN : 0);
	uint32_t ack_request = packet->ack_request ? ACK_REQUEST : 0;

	roce_put32(bytes, (uint32_t)packet->opcode << 24 | flags << 16 |
				  packet->pkey);
	roce_put32(bytes + 4, congestion << 24 | packet->dest_qpn);
	roce_put32(bytes + 8, ack_request << 24 | packet->psn);
}

static uint8_t *emit_extensions(uint32_t info, const struct roce_packet *packet,
				uint8_t *at)
{
	if (info & ROCE_HAS_XRCETH) {
		roce_put32(at, packet->xrc_srqn);
		at += 4;
	}
	if (info & ROCE_HAS_DETH) {
		roce_put32(at, packet->qkey);
		roce_put32(at + 4, packet->source_qpn);
		at += 8;
	}
	if (info & (ROCE_HAS_RETH | ROCE_HAS_ATOMIC)) {
		roce_put64(at, packet->address);
		roce_put32(at + 8, packet->rkey);
		at += 12;
	}
	if (info & ROCE_HAS_RETH) {
		roce_put32(at, packet->dma_length);
		at += 4;
	}
	if (info & ROCE_HAS_ATOMIC) {
		roce_put64(at, packet->swap_or_add);
		roce_put64(at + 8, packet->compare);
		at += 16;
	}
	if (info & ROCE_HAS_AETH) {
		at[0] = packet->syndrome;
		roce_put24(at + 1, packet->msn);
		at += 4;
	}
	if (info & ROCE_HAS_ATOMIC_ACK) {
		roce_put64(at, packet->original);
		at += 8;
	}
	if (info & ROCE_HAS_IMM) {
		memcpy(at, &packet->immediate, 4);
		at += 4;
	}
	if (info & ROCE_HAS_IETH) {
		roce_put32(at, packet->invalidate);
		at += 4;
	}
	return at;
}

uint32_t roce_emit(const struct roce_packet *packet, void *bytes)
{
	uint32_t info = roce_opcode_info(packet->opcode);
	uint8_t *begin = bytes;

	/* A field that overflows would change its neighbour. */
	assert(info);
	assert(!packet->payload_bytes || info & ROCE_HAS_PAYLOAD);
	assert(!((packet->dest_qpn | packet->psn | packet->xrc_srqn |
		  packet->source_qpn | packet->msn) &
		 ~ROCE_PSN_MASK));
	emit_bth(packet, begin);
	return (uint32_t)(emit_extensions(info, packet,
					  begin + ROCE_BTH_BYTES) -
			  begin);
}
