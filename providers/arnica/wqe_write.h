/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Writing work queue entries (wqe.h of the contract). ibv_post_send() and the
 * ibv_wr_* functions share these, so that both write the same bytes. Each
 * function fills one segment and checks nothing; limits are the caller's.
 */
#ifndef ARNICA_WQE_WRITE_H
#define ARNICA_WQE_WRITE_H

#include <infiniband/verbs.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "arnica/hw/cqp.h"
#include "arnica/hw/limits.h"
#include "arnica/hw/wqe.h"

static inline uint32_t arnica_wqe_operation(uint32_t opcode, uint32_t flags,
					    uint32_t num_sge)
{
	return opcode | flags << __builtin_ctz(ARNICA_HW_WQE_FLAGS_MASK) |
	       num_sge << __builtin_ctz(ARNICA_HW_WQE_NUM_SGE_MASK);
}

/* `immediate` as it stands in memory, network order. */
static inline void arnica_wqe_write_control(void *entry, uint32_t operation,
					    uint32_t index, uint32_t immediate,
					    uint32_t inline_bytes)
{
	struct arnica_hw_wqe_control control = {
		.operation = arnica_to_le32(operation),
		.index = arnica_to_le32(index),
		.immediate = { immediate },
		.inline_bytes = arnica_to_le32(inline_bytes),
	};

	memcpy(entry, &control, sizeof(control));
}

static inline void arnica_wqe_write_remote(void *entry, uint64_t address,
					   uint32_t rkey)
{
	struct arnica_hw_wqe_remote remote = {
		.address = arnica_to_le64(address),
		.rkey = arnica_to_le32(rkey),
	};

	memcpy((unsigned char *)entry + ARNICA_HW_WQE_REMOTE_OFFSET, &remote,
	       sizeof(remote));
}

/* XRC: which SRQ the request is for; after arnica_wqe_write_remote(). */
static inline void arnica_wqe_write_srqn(void *entry, uint32_t number)
{
	arnica_le32 word = arnica_to_le32(number & ARNICA_HW_QPN_MASK);

	memcpy((unsigned char *)entry + ARNICA_HW_WQE_REMOTE_OFFSET +
		       offsetof(struct arnica_hw_wqe_remote, xrc_srqn),
	       &word, sizeof(word));
}

static inline void arnica_wqe_write_datagram(void *entry, uint32_t ah,
					     uint32_t dest_qpn, uint32_t qkey)
{
	struct arnica_hw_wqe_datagram datagram = {
		.ah = arnica_to_le32(ah),
		.dest_qpn = arnica_to_le32(dest_qpn),
		.qkey = arnica_to_le32(qkey),
	};

	memcpy((unsigned char *)entry + ARNICA_HW_WQE_DATAGRAM_OFFSET,
	       &datagram, sizeof(datagram));
}

static inline void arnica_wqe_write_atomic(void *entry, uint64_t swap_or_add,
					   uint64_t compare)
{
	struct arnica_hw_wqe_atomic atomic = {
		.swap_or_add = arnica_to_le64(swap_or_add),
		.compare = arnica_to_le64(compare),
	};

	memcpy((unsigned char *)entry + ARNICA_HW_WQE_ATOMIC_OFFSET, &atomic,
	       sizeof(atomic));
}

/* `rkey` is the window's from then on. */
static inline void arnica_wqe_write_bind(void *entry, uint32_t rkey,
					 const struct ibv_mw_bind_info *info)
{
	const uint32_t known = IBV_ACCESS_REMOTE_WRITE |
			       IBV_ACCESS_REMOTE_READ |
			       IBV_ACCESS_REMOTE_ATOMIC |
			       IBV_ACCESS_ZERO_BASED |
			       ARNICA_HW_ACCESS_ONE_TOUCH;
	struct arnica_hw_wqe_bind bind = {
		.address = arnica_to_le64(info->addr),
		.length = arnica_to_le64(info->length),
		.rkey = arnica_to_le32(rkey),
		.lkey = arnica_to_le32(info->mr ? info->mr->lkey : 0),
		.access = arnica_to_le32(info->mw_access_flags & known),
	};

	memcpy((unsigned char *)entry + ARNICA_HW_WQE_BIND_OFFSET, &bind,
	       sizeof(bind));
}

static inline void arnica_wqe_write_mkey(void *entry, uint32_t key,
					 uint32_t access, uint64_t rows)
{
	struct arnica_hw_wqe_mkey mkey = {
		.key = arnica_to_le32(key),
		.access = arnica_to_le32(access),
		.rows = arnica_to_le64(rows),
	};

	memcpy((unsigned char *)entry + ARNICA_HW_WQE_MKEY_OFFSET, &mkey,
	       sizeof(mkey));
}

static inline void arnica_wqe_write_segment(void *place, uint64_t address,
					    uint32_t length, uint32_t lkey)
{
	struct arnica_hw_data_segment segment = {
		.address = arnica_to_le64(address),
		.length = arnica_to_le32(length),
		.lkey = arnica_to_le32(lkey),
	};

	memcpy(place, &segment, sizeof(segment));
}

static inline void arnica_wqe_write_segments(void *place,
					     const struct ibv_sge *sge,
					     uint32_t num_sge)
{
	unsigned char *bytes = place;
	uint32_t i;

	for (i = 0; i < num_sge; i++)
		arnica_wqe_write_segment(
			bytes + i * sizeof(struct arnica_hw_data_segment),
			sge[i].addr, sge[i].length, sge[i].lkey);
}

/* enum arnica_hw_opcode of a verbs opcode that this provider sends, or -1. */
static inline int arnica_wqe_opcode(enum ibv_wr_opcode opcode)
{
	switch (opcode) {
	case IBV_WR_SEND:
		return ARNICA_HW_OP_SEND;
	case IBV_WR_SEND_WITH_IMM:
		return ARNICA_HW_OP_SEND_IMM;
	case IBV_WR_RDMA_WRITE:
		return ARNICA_HW_OP_WRITE;
	case IBV_WR_RDMA_WRITE_WITH_IMM:
		return ARNICA_HW_OP_WRITE_IMM;
	case IBV_WR_RDMA_READ:
		return ARNICA_HW_OP_READ;
	case IBV_WR_ATOMIC_CMP_AND_SWP:
		return ARNICA_HW_OP_CAS;
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		return ARNICA_HW_OP_FETCH_ADD;
	case IBV_WR_SEND_WITH_INV:
		return ARNICA_HW_OP_SEND_INV;
	case IBV_WR_LOCAL_INV:
		return ARNICA_HW_OP_LOCAL_INV;
	case IBV_WR_BIND_MW:
		return ARNICA_HW_OP_BIND_MW;
	case IBV_WR_ATOMIC_WRITE:
		return ARNICA_HW_OP_ATOMIC_WRITE;
	default:
		return -1;
	}
}

/* The word of immediate data: a key is a number there, too. */
static inline uint32_t arnica_wqe_immediate(int opcode,
					    const struct ibv_send_wr *wr)
{
	if (opcode == ARNICA_HW_OP_SEND_INV || opcode == ARNICA_HW_OP_LOCAL_INV)
		return arnica_to_be32(wr->invalidate_rkey).raw;
	return wr->imm_data;
}

/* enum arnica_hw_wqe_flags of enum ibv_send_flags, but for INLINE. */
static inline uint32_t arnica_wqe_flags(unsigned int send_flags)
{
	return ((send_flags & IBV_SEND_SIGNALED) ? ARNICA_HW_WQE_SIGNALED : 0) |
	       ((send_flags & IBV_SEND_FENCE) ? ARNICA_HW_WQE_FENCE : 0) |
	       ((send_flags & IBV_SEND_SOLICITED) ? ARNICA_HW_WQE_SOLICITED :
						    0);
}

#endif
