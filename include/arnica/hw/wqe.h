/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Work queue entries.
 *
 * A send queue is an array of entries of one stride (a power of two, granted
 * at creation, at most ARNICA_HW_MAX_WQE_BYTES). An entry is a control
 * segment, a remote segment (of a UD queue: a datagram segment), for atomic
 * operations an atomic segment, and then either data segments or inline data:
 *
 *  0          16         32                 32 or 48
 *  +----------+----------+------------------+------------------------------+
 *  | control  | remote or| atomic (only     | num_sge data segments of 16  |
 *  |          | datagram | CAS, FETCH_ADD)  | bytes, or inline_bytes bytes |
 *  +----------+----------+------------------+------------------------------+
 *
 * ATOMIC_WRITE has 8 bytes of data, which are stored in one go. BIND_MW has a
 * bind segment behind its control segment, LOCAL_INV nothing. REG_MR has a
 * registration segment; so has REG_SEND, and its data behind it. SET_MKEY has a
 * key segment, and then as many entries as num_sge says.
 *
 * A receive queue (or shared receive queue) is an array of entries that hold
 * data segments only; an entry with fewer segments than its stride has room
 * for ends with a segment whose lkey is ARNICA_HW_LKEY_END.
 *
 * The host writes entries, the device reads each field once, copies it and
 * checks the copy. Unused bytes are not read.
 */
#ifndef ARNICA_HW_WQE_H
#define ARNICA_HW_WQE_H

#include "endian.h"
#include "format.h"

enum arnica_hw_opcode {
	ARNICA_HW_OP_NOP = 0x00,
	ARNICA_HW_OP_SEND = 0x01,
	ARNICA_HW_OP_SEND_IMM = 0x02,
	ARNICA_HW_OP_SEND_INV = 0x03,
	ARNICA_HW_OP_WRITE = 0x04,
	ARNICA_HW_OP_WRITE_IMM = 0x05,
	ARNICA_HW_OP_READ = 0x06,
	ARNICA_HW_OP_CAS = 0x07,
	ARNICA_HW_OP_FETCH_ADD = 0x08,
	ARNICA_HW_OP_LOCAL_INV = 0x09,
	ARNICA_HW_OP_BIND_MW = 0x0a,
	ARNICA_HW_OP_REG_MR = 0x0b,
	ARNICA_HW_OP_REG_SEND = 0x0c, /* REG_MR, and then SEND */
	ARNICA_HW_OP_ATOMIC_WRITE = 0x0d,
	ARNICA_HW_OP_SET_MKEY = 0x10,
	ARNICA_HW_OP_COUNT
};

/* word `operation` of the control segment
 *
 *  31    24 23    16 15     8 7      0
 *  +-------+--------+--------+--------+
 *  | zero  | num_sge| flags  | opcode |
 *  +-------+--------+--------+--------+
 */
#define ARNICA_HW_WQE_OPCODE_MASK ARNICA_GENMASK32(7, 0)
#define ARNICA_HW_WQE_FLAGS_MASK ARNICA_GENMASK32(15, 8)
#define ARNICA_HW_WQE_NUM_SGE_MASK ARNICA_GENMASK32(23, 16)

enum arnica_hw_wqe_flags {
	ARNICA_HW_WQE_SIGNALED = 0x01,  /* report success with a CQE */
	ARNICA_HW_WQE_FENCE = 0x02,     /* wait for earlier ones that respond */
	ARNICA_HW_WQE_SOLICITED = 0x04, /* solicited event at the peer */
	ARNICA_HW_WQE_INLINE = 0x08,    /* data follows in place of segments */
};

struct arnica_hw_wqe_control {
	arnica_le32 operation;    /* opcode, flags, num_sge: masks above */
	arnica_le32 index;        /* free-running index of this entry */
	arnica_be32 immediate;    /* immediate data; *_INV: key to invalidate */
	arnica_le32 inline_bytes; /* with INLINE: number of bytes, else zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_wqe_control, 16);

struct arnica_hw_wqe_remote {
	arnica_le64 address;   /* in the peer's region; READ, WRITE, atomics */
	arnica_le32 rkey;      /* STag that the peer gave out */
	arnica_le32 xrc_srqn;  /* XRC, each opcode: number of the SRQ; else zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_wqe_remote, 16);

/* A controlled Q_Key stands for the Q_Key of the sending QP itself (IBTA
 * 10.2.5). */
#define ARNICA_HW_QKEY_CONTROLLED 0x80000000u

struct arnica_hw_wqe_datagram {
	arnica_le32 ah;        /* number that CREATE_AH answered */
	arnica_le32 dest_qpn;  /* 24 bits */
	arnica_le32 qkey;      /* what the destination must have */
	arnica_le32 reserved0; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_wqe_datagram, 16);

struct arnica_hw_wqe_atomic {
	arnica_le64 swap_or_add; /* CAS: new value; FETCH_ADD: addend */
	arnica_le64 compare;     /* CAS: expected value */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_wqe_atomic, 16);

/*
 * BIND_MW: from now on `rkey` names the window that its index part names, and
 * the window is this range of the region, with these rights. The low 8 bits of
 * the key are the host's. Length zero takes a type 1 window off its region.
 */
struct arnica_hw_wqe_bind {
	arnica_le64 address;   /* in the region, as requests name it */
	arnica_le64 length;    /* bytes */
	arnica_le32 rkey;      /* the window's key from now on */
	arnica_le32 lkey;      /* the region; length zero: not looked at */
	arnica_le32 access;    /* enum arnica_hw_access: REMOTE_*, ZERO_BASED,
				* ONE_TOUCH */
	arnica_le32 reserved0; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_wqe_bind, 32);

/*
 * REG_MR, REG_SEND: from now on `key` names the region that its index part
 * names (ALLOC_MR), and the region is this memory of the caller's process. The
 * low 8 bits of the key are the host's.
 */
struct arnica_hw_wqe_registration {
	arnica_le64 iova;     /* address by which requests name its first byte */
	arnica_le64 length;   /* bytes */
	arnica_le64 memory;   /* one range: its address; else of the list */
	arnica_le32 count;    /* 1; else entries of the list */
	arnica_le32 page_log; /* zero: the list has struct arnica_hw_range;
			       * else uint64_t addresses of such pages */
	arnica_le32 key;      /* the region's from now on */
	arnica_le32 access;   /* enum arnica_hw_access */
	arnica_le64 reserved0; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_wqe_registration, 48);

/* Why a registration was refused: vendor_error of its completion, which says
 * MW_BIND_ERR. */
enum arnica_hw_refusal {
	ARNICA_HW_REFUSAL_KEY = 1,    /* names no such region of the PD */
	ARNICA_HW_REFUSAL_IN_USE = 2, /* the region has memory already */
	ARNICA_HW_REFUSAL_ACCESS = 3, /* rights that it cannot have */
	ARNICA_HW_REFUSAL_RANGES = 4, /* wrong list or length, or too long */
	ARNICA_HW_REFUSAL_MEMORY = 5, /* not mapped, or not for that access */
};

/* Of a list in the caller's memory, in its own byte order; it stays as it is
 * until the request completes. */
struct arnica_hw_range {
	uint64_t address;
	uint64_t length; /* bytes */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_range, 16);

/*
 * SET_MKEY: from now on the bytes of the indirect key are those of its entries,
 * one after the other, `rows` times over. What it was before is no more.
 */
struct arnica_hw_wqe_mkey {
	arnica_le32 key;       /* the indirect key */
	arnica_le32 access;    /* enum arnica_hw_access: LOCAL_WRITE, REMOTE_* */
	arnica_le64 rows;      /* at least one */
	arnica_le64 reserved0; /* zero */
	arnica_le64 reserved1; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_wqe_mkey, 32);

/* A range of an indirect key: in each row `stride` bytes further on. */
struct arnica_hw_mkey_entry {
	arnica_le64 address; /* in the region, or in another indirect key */
	arnica_le64 stride;  /* with one row: not looked at */
	arnica_le32 length;  /* bytes, at least one */
	arnica_le32 lkey;
};
ARNICA_FORMAT_SIZE(struct arnica_hw_mkey_entry, 24);

#define ARNICA_HW_LKEY_END 0x00000100u /* ends a receive entry early */

struct arnica_hw_data_segment {
	arnica_le64 address; /* in the local region */
	arnica_le32 length;  /* bytes; zero means zero */
	arnica_le32 lkey;    /* STag of the region */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_data_segment, 16);

#define ARNICA_HW_WQE_REMOTE_OFFSET 16u
#define ARNICA_HW_WQE_DATAGRAM_OFFSET ARNICA_HW_WQE_REMOTE_OFFSET
#define ARNICA_HW_WQE_BIND_OFFSET 16u
#define ARNICA_HW_WQE_ATOMIC_OFFSET 32u
#define ARNICA_HW_WQE_HEADER_BYTES 32u
#define ARNICA_HW_WQE_ATOMIC_HEADER_BYTES 48u
#define ARNICA_HW_WQE_BIND_BYTES 48u /* the whole entry */
#define ARNICA_HW_WQE_REGISTRATION_OFFSET 16u
#define ARNICA_HW_WQE_REGISTRATION_BYTES 64u /* REG_MR: the whole entry */
#define ARNICA_HW_WQE_MKEY_OFFSET 16u
#define ARNICA_HW_WQE_MKEY_HEADER_BYTES 48u
#define ARNICA_HW_WQE_MKEY_MAX_ENTRIES 19u /* in the largest entry */

static inline bool arnica_hw_opcode_is_atomic(uint32_t opcode)
{
	return opcode == ARNICA_HW_OP_CAS || opcode == ARNICA_HW_OP_FETCH_ADD;
}

/* Its answer is a response of its own, not an acknowledgement that may stand for
 * several: counted by max_rd_atomic, and waited for by a fence. */
static inline bool arnica_hw_opcode_responds(uint32_t opcode)
{
	return opcode == ARNICA_HW_OP_READ ||
	       opcode == ARNICA_HW_OP_ATOMIC_WRITE ||
	       arnica_hw_opcode_is_atomic(opcode);
}

/* Done by the adapter alone: nothing is sent, and there is no data. */
static inline bool arnica_hw_opcode_is_local(uint32_t opcode)
{
	return opcode == ARNICA_HW_OP_LOCAL_INV ||
	       opcode == ARNICA_HW_OP_BIND_MW ||
	       opcode == ARNICA_HW_OP_REG_MR || opcode == ARNICA_HW_OP_SET_MKEY;
}

/* Changes what keys permit, beside what else it does. */
static inline bool arnica_hw_opcode_is_about_keys(uint32_t opcode)
{
	return arnica_hw_opcode_is_local(opcode) ||
	       opcode == ARNICA_HW_OP_REG_SEND;
}

/* Offset of the data segments or of the inline data of an entry; its end where
 * it can have neither. */
static inline uint32_t arnica_hw_wqe_data_offset(uint32_t opcode)
{
	if (opcode == ARNICA_HW_OP_BIND_MW)
		return ARNICA_HW_WQE_BIND_BYTES;
	if (opcode == ARNICA_HW_OP_REG_MR || opcode == ARNICA_HW_OP_REG_SEND)
		return ARNICA_HW_WQE_REGISTRATION_BYTES;
	if (opcode == ARNICA_HW_OP_SET_MKEY)
		return ARNICA_HW_WQE_MKEY_HEADER_BYTES;
	return arnica_hw_opcode_is_atomic(opcode) ?
		       ARNICA_HW_WQE_ATOMIC_HEADER_BYTES :
		       ARNICA_HW_WQE_HEADER_BYTES;
}

#endif
