/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion queue entries and completion rings.
 *
 * Each work queue has a completion ring of its own (docs/adr/0002): as many
 * entries as the work queue has slots, written by one writer at a time (the
 * thread that executes the queue), read by the host. A CQ is the set of the
 * rings of its work queues. A writer that is killed or stopped while it writes
 * an entry therefore holds up its own queue only.
 *
 * An entry becomes valid when `sequence` holds its free-running index plus one;
 * it is stored last, with release (label P1, partner C1 in the host's poll).
 * The order of entries in a ring is the order of completion of its queue.
 *
 *   0 +-----------------------------------------------------------+
 *     | data (32): payload of a short message, or, with flag       |
 *     | EAGER, the location of the payload                         |
 *  32 +---------------------------+-------------------------------+
 *     | timestamp (ns)            | byte_len      | immediate      |
 *  48 +-------------+-------------+---------------+---------------+
 *     | wqe_index   | source or   | info          | sequence       |
 *     |             | vendor_error|               |                |
 *  64 +-------------+-------------+---------------+---------------+
 */
#ifndef ARNICA_HW_CQE_H
#define ARNICA_HW_CQE_H

#include "endian.h"
#include "format.h"

#define ARNICA_HW_CQE_INLINE_BYTES 32u

/*
 * What precedes the payload of a datagram in its receive buffer: the GRH of
 * the packet. Over IPv6 that is the IPv6 header; over IPv4 20 bytes of zero and
 * then the IPv4 header (IBTA annex A17.4.1).
 */
#define ARNICA_HW_GRH_BYTES 40u

/* word `info`
 *
 *  31            16 15     8 7      0
 *  +---------------+--------+--------+
 *  | flags (16)    | opcode | status |
 *  +---------------+--------+--------+
 */
#define ARNICA_HW_CQE_STATUS_MASK ARNICA_GENMASK32(7, 0)
#define ARNICA_HW_CQE_OPCODE_MASK ARNICA_GENMASK32(15, 8)
#define ARNICA_HW_CQE_FLAGS_MASK ARNICA_GENMASK32(31, 16)

/* word `source`, of a datagram that was received, or of a message that came to an
 * XRC SRQ: then it is the number of the XRC_RECV QP that received it, and there
 * is no kind. The table of P_Keys has one
 * entry, and a RoCE port one address, so their indexes need no room. A packet
 * has no service level: in its place is the kind of the packet (IBTA A17.4.5.1),
 * with the numbers of other adapters for Ethernet, which UCX reads.
 *
 *  31  28 27  24 23                    0
 *  +------+------+----------------------+
 *  | zero | kind | QPN of the sender    |
 *  +------+------+----------------------+
 */
#define ARNICA_HW_CQE_SOURCE_QPN_MASK ARNICA_GENMASK32(23, 0)
#define ARNICA_HW_CQE_SOURCE_KIND_MASK ARNICA_GENMASK32(27, 24)

enum arnica_hw_packet_kind {
	ARNICA_HW_PACKET_UDP_IPV6 = 9, /* UDP: bit 3 */
	ARNICA_HW_PACKET_UDP_IPV4 = 10,
};

/* Completion statuses: name, number, text. The host maps them to ibv_wc_status
 * by name; the numbers are those of enum ibv_wc_status, so that a dump of a
 * ring can be read with the man page at hand. */
#define ARNICA_HW_STATUS_LIST(X)                                               \
	X(SUCCESS, 0, "success")                                               \
	X(LOC_LEN_ERR, 1, "local length error")                                \
	X(LOC_QP_OP_ERR, 2, "local QP operation error")                        \
	X(LOC_EEC_OP_ERR, 3, "local EE context operation error")               \
	X(LOC_PROT_ERR, 4, "local protection error")                           \
	X(WR_FLUSH_ERR, 5, "work request flushed")                             \
	X(MW_BIND_ERR, 6, "memory window bind error")                          \
	X(BAD_RESP_ERR, 7, "bad response")                                     \
	X(LOC_ACCESS_ERR, 8, "local access error")                             \
	X(REM_INV_REQ_ERR, 9, "remote invalid request")                        \
	X(REM_ACCESS_ERR, 10, "remote access error")                           \
	X(REM_OP_ERR, 11, "remote operation error")                            \
	X(RETRY_EXC_ERR, 12, "transport retry counter exceeded")               \
	X(RNR_RETRY_EXC_ERR, 13, "receiver not ready, retries exceeded")       \
	X(FATAL_ERR, 19, "fatal error")                                        \
	X(GENERAL_ERR, 21, "general error")

enum arnica_hw_status {
#define ARNICA_HW_STATUS_ENUM(name, number, text) ARNICA_HW_STATUS_##name = number,
	ARNICA_HW_STATUS_LIST(ARNICA_HW_STATUS_ENUM)
#undef ARNICA_HW_STATUS_ENUM
};

/* Opcode of a completion of a receive queue; a send queue's completion carries
 * the enum arnica_hw_opcode of its entry. */
enum arnica_hw_receive_opcode {
	ARNICA_HW_RECV = 0x80,
	ARNICA_HW_RECV_RDMA_WITH_IMM = 0x81,
};

enum arnica_hw_cqe_flags {
	ARNICA_HW_CQE_IMM = 0x0001,   /* immediate holds immediate data */
	ARNICA_HW_CQE_INV = 0x0002,   /* immediate holds the invalidated key */
	ARNICA_HW_CQE_GRH = 0x0004,   /* datagram: 40 bytes precede the data */
	ARNICA_HW_CQE_DATA = 0x0010,  /* payload in `data`: the host scatters it */
	ARNICA_HW_CQE_EAGER = 0x0020, /* payload in the eager ring: likewise */
	ARNICA_HW_CQE_XRC = 0x0040, /* source holds the receiving QP's number */
};

struct arnica_hw_cqe {
	union {
		uint8_t data[ARNICA_HW_CQE_INLINE_BYTES];
		struct {
			arnica_le32 eager_offset; /* in the queue's eager ring */
			arnica_le32 eager_end;    /* free-running: free up to it */
			uint8_t reserved0[24];    /* zero */
		};
	};
	arnica_le64 timestamp;    /* ns of CLOCK_MONOTONIC; zero unless asked */
	arnica_le32 byte_len;     /* receive, read, atomic: bytes placed */
	arnica_be32 immediate;    /* see flags IMM and INV */
	arnica_le32 wqe_index;    /* free-running index of the completed entry */
	union {
		arnica_le32 vendor_error; /* on failure: cause, for arnica dump */
		arnica_le32 source; /* with GRH or XRC: masks above; else zero */
	};
	arnica_le32 info;         /* status, opcode, flags: masks above */
	arnica_atomic_le32 sequence; /* stored last: index in the ring plus 1 */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cqe, 64);
ARNICA_FORMAT_FIELD(struct arnica_hw_cqe, timestamp, 32);
ARNICA_FORMAT_FIELD(struct arnica_hw_cqe, wqe_index, 48);
ARNICA_FORMAT_FIELD(struct arnica_hw_cqe, sequence, 60);

#endif
