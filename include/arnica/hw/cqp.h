/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Control queue (CQP): commands that create, change and destroy objects.
 *
 * The control queue is a ring of ARNICA_HW_CQP_DEPTH slots; its place is in
 * the answer of arnica_bus_attach(). The host writes a command into slot
 * `index % depth`, with `index` counting from zero, its opcode last and with
 * release, and rings the CQP doorbell. A slot whose opcode is not zero is
 * posted; the device makes it zero again before it stores the completion.
 * The device executes commands in order and writes the completion beside the
 * command; `sequence` (index + 1) is stored last, with release. A slot may be
 * used again when its completion was seen.
 *
 * Statuses are named after the errors that the man pages promise, and map to
 * errno one to one. Handles are local to the function. The host's own rings
 * and records are named by offset and length in the segment; the host maps them
 * with arnica_bus_map().
 */
#ifndef ARNICA_HW_CQP_H
#define ARNICA_HW_CQP_H

#include "cqp_answers.h"
#include "cqp_flow.h"
#include "cqp_memory.h"
#include "endian.h"
#include "format.h"
#include <arnica/hw/scheduler.h>

#define ARNICA_HW_CQP_DEPTH 32u

enum arnica_hw_command_opcode {
	ARNICA_HW_CMD_QUERY_DEVICE = 1,
	ARNICA_HW_CMD_QUERY_PORT = 2,
	ARNICA_HW_CMD_ALLOC_PD = 3,
	ARNICA_HW_CMD_DEALLOC_PD = 4,
	ARNICA_HW_CMD_REG_MR = 5,
	ARNICA_HW_CMD_REREG_MR = 6,
	ARNICA_HW_CMD_DEREG_MR = 7,
	ARNICA_HW_CMD_CREATE_CQ = 8,
	ARNICA_HW_CMD_RESIZE_CQ = 9,
	ARNICA_HW_CMD_DESTROY_CQ = 10,
	ARNICA_HW_CMD_CREATE_QP = 11,
	ARNICA_HW_CMD_MODIFY_QP = 12,
	ARNICA_HW_CMD_QUERY_QP = 13,
	ARNICA_HW_CMD_DESTROY_QP = 14,
	ARNICA_HW_CMD_CREATE_AH = 15,
	ARNICA_HW_CMD_DESTROY_AH = 16,
	ARNICA_HW_CMD_ALLOC_DM = 17,
	ARNICA_HW_CMD_FREE_DM = 18,
	ARNICA_HW_CMD_ADVISE_MR = 19,
	ARNICA_HW_CMD_ATTACH_MCAST = 20,
	ARNICA_HW_CMD_DETACH_MCAST = 21,
	ARNICA_HW_CMD_MODIFY_CQ = 22,
	ARNICA_HW_CMD_CREATE_SRQ = 24,
	ARNICA_HW_CMD_MODIFY_SRQ = 25,
	ARNICA_HW_CMD_QUERY_SRQ = 26,
	ARNICA_HW_CMD_DESTROY_SRQ = 27,
	ARNICA_HW_CMD_GROW_SRQ = 28,
	ARNICA_HW_CMD_GROW_RING = 29,
	ARNICA_HW_CMD_ALLOC_MW = 32,
	ARNICA_HW_CMD_DEALLOC_MW = 33,
	ARNICA_HW_CMD_ALLOC_NULL_MR = 34, /* ended by DEREG_MR */
	ARNICA_HW_CMD_ALLOC_MR = 35, /* ended by DEREG_MR */
	ARNICA_HW_CMD_BEGIN_MR = 36, /* ended by DEREG_MR */
	ARNICA_HW_CMD_QUERY_BEGUN = 37, /* an object; handle: of BEGIN_MR */
	ARNICA_HW_CMD_OPEN_XRCD = 40,
	ARNICA_HW_CMD_CLOSE_XRCD = 41,
	ARNICA_HW_CMD_OPEN_QP = 42,
	ARNICA_HW_CMD_CLOSE_QP = 43,
	ARNICA_HW_CMD_CREATE_MKEY = 48,
	ARNICA_HW_CMD_DESTROY_MKEY = 49,
	ARNICA_HW_CMD_SET_MKEY = 50,
	ARNICA_HW_CMD_SET_MIRROR = 51,
	ARNICA_HW_CMD_QUERY_STAG = 52, /* an object; handle: the STag */
	/* What stands under a handle, for another context of the function. */
	ARNICA_HW_CMD_QUERY_PD = 56,
	ARNICA_HW_CMD_QUERY_MR = 57,
	ARNICA_HW_CMD_QUERY_DM = 58,
	ARNICA_HW_CMD_SET_SCHEDULER = 60,
	ARNICA_HW_CMD_QUERY_SCHEDULER = 61,
	/* The same of another process's function, see arnica_bus_import(). */
	ARNICA_HW_CMD_IMPORT_PD = 72,
	ARNICA_HW_CMD_IMPORT_MR = 73,
	ARNICA_HW_CMD_IMPORT_DM = 74,
	ARNICA_HW_CMD_UNIMPORT_MR = 75, /* answer: how often it still is */
	ARNICA_HW_CMD_UNIMPORT_DM = 76,
	ARNICA_HW_CMD_CREATE_FLOW = 64, /* cqp_flow.h */
	ARNICA_HW_CMD_DESTROY_FLOW = 65,
	ARNICA_HW_CMD_CREATE_RWQ_TABLE = 66,
	ARNICA_HW_CMD_DESTROY_RWQ_TABLE = 67,
	ARNICA_HW_CMD_QUERY_FLOW = 68,
};

/* name, number, errno, text */
#define ARNICA_HW_COMMAND_STATUS_LIST(X)                                       \
	X(OK, 0, 0, "done")                                                    \
	X(INVALID, 1, EINVAL, "invalid attribute or state transition")         \
	X(NO_MEMORY, 2, ENOMEM, "out of memory, or a quota is used up")        \
	X(BUSY, 3, EBUSY, "object is in use")                                  \
	X(NOT_SUPPORTED, 4, EOPNOTSUPP, "not supported by this adapter")       \
	X(NO_OBJECT, 5, EINVAL, "no such object")                              \
	X(FAULT, 6, EFAULT, "address range is not accessible")                 \
	X(PERMISSION, 7, EPERM, "not permitted")                               \
	X(UNREACHABLE, 8, ENETUNREACH, "no path to the destination")           \
	X(IO, 9, EIO, "the function is gone")                                  \
	X(NO_SUCH_COMMAND, 10, EOPNOTSUPP, "unknown command")                  \
	X(NO_FILES, 11, EMFILE, "too many open files")                         \
	X(NO_KEY, 12, ENOENT, "no region has this key")                        \
	X(NO_DOMAIN, 16, EAGAIN, "nobody has this XRC domain open")

enum arnica_hw_command_status {
#define ARNICA_HW_COMMAND_STATUS_ENUM(name, number, error, text)               \
	ARNICA_HW_COMMAND_##name = number,
	ARNICA_HW_COMMAND_STATUS_LIST(ARNICA_HW_COMMAND_STATUS_ENUM)
#undef ARNICA_HW_COMMAND_STATUS_ENUM
};

/* DEALLOC_PD, DEREG_MR, DEALLOC_MW, DESTROY_*, FREE_DM, QUERY_*, UNIMPORT_* */
struct arnica_hw_cmd_object {
	arnica_le32 handle;
	arnica_le32 reserved0; /* zero */
};

struct arnica_hw_cmd_query_port {
	arnica_le32 port; /* from 1 */
	arnica_le32 reserved0;
};

enum arnica_hw_cq_flags {
	ARNICA_HW_CQ_TIMESTAMP = 1 << 0, /* fill in CQE timestamps */
	ARNICA_HW_CQ_IGNORE_OVERRUN = 1 << 1,
};

#define ARNICA_HW_NO_CHANNEL 0xffffffffu

struct arnica_hw_cmd_create_cq { /* CREATE_CQ, RESIZE_CQ */
	arnica_le32 handle;    /* RESIZE: the CQ; CREATE: zero */
	arnica_le32 cqe;       /* entries, at least one */
	arnica_le32 channel;   /* arnica_bus_channel_index(), or NO_CHANNEL */
	arnica_le32 vector;    /* completion vector */
	arnica_le64 user_data; /* the 8 bytes of its completion events */
	arnica_le32 flags;     /* enum arnica_hw_cq_flags */
	arnica_le32 reserved0; /* zero */
};

/*
 * Moderation: an armed CQ has its event when so many completions have come, or
 * so long after the first of them. Off when one of both is zero: then the first
 * completion brings it.
 */
struct arnica_hw_cmd_modify_cq { /* MODIFY_CQ */
	arnica_le32 handle;
	arnica_le32 count;     /* at most MAX_MODERATION_COUNT */
	arnica_le32 period_us; /* at most MAX_MODERATION_US */
	arnica_le32 reserved0; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cmd_modify_cq, 16);

enum arnica_hw_qp_type { /* numbers of enum ibv_qp_type */
	ARNICA_HW_QP_RC = 2,
	ARNICA_HW_QP_UC = 3,
	ARNICA_HW_QP_UD = 4,
	ARNICA_HW_QP_RAW_PACKET = 8, /* for those who have the right to */
	ARNICA_HW_QP_XRC_SEND = 9,
	ARNICA_HW_QP_XRC_RECV = 10, /* no queues: messages go to SRQs */
	/* None of verbs: what an XRC SRQ has of a queue pair. Its number is the
	 * SRQ's, in its receive ring the SRQ's entries complete, whichever
	 * XRC_RECV queue pair received the message. */
	ARNICA_HW_QP_XRC_SRQ = 0x100,
	/* Of verbs' WQ: a receive queue, in state RESET, RTR or ERR. */
	ARNICA_HW_QP_WQ = 0x101,
	ARNICA_HW_QP_RSS = 0x102, /* no queues: frames go to WQs */
};

enum arnica_hw_qp_flags {
	/* UD: what it sends to a group that it is attached to does not come back
	 * to it. */
	ARNICA_HW_QP_BLOCK_SELF_MCAST = 1 << 0,
	ARNICA_HW_QP_REGISTERS = 1 << 1, /* its send queue takes REG_* */
	/* A registration that is refused ends what follows it in the send
	 * queue (SQD), and not the connection. */
	ARNICA_HW_QP_DRAINS = 1 << 2,
};

struct arnica_hw_cmd_create_qp {
	arnica_le32 type; /* enum arnica_hw_qp_type */
	arnica_le32 pd;
	arnica_le32 send_cq;
	arnica_le32 recv_cq;
	arnica_le32 send_depth; /* work requests; zero is legal */
	arnica_le32 recv_depth;
	arnica_le32 send_sge;
	arnica_le32 recv_sge;
	arnica_le32 inline_bytes;
	arnica_le32 srq; /* handle + 1: receives are of this SRQ; else zero */
	arnica_le64 user_data; /* names the QP in async events */
	arnica_le32 flags;     /* enum arnica_hw_qp_flags */
	/* XRC_RECV, XRC_SRQ: handle + 1 of the XRC domain; else zero. An
	 * XRC_RECV, and an RSS, has no PD and no CQs: zeros. */
	arnica_le32 xrcd;
	struct arnica_hw_rss rss; /* zero for other types */
};

enum arnica_hw_xrcd_flags {
	ARNICA_HW_XRCD_CREATE = 1 << 0, /* if there is none */
	ARNICA_HW_XRCD_EXCLUSIVE = 1 << 1, /* with CREATE: only then */
	ARNICA_HW_XRCD_PRIVATE = 1 << 2, /* of no file, a new one */
};

/* Those who name the same file (while it exists) have the same XRC domain. */
struct arnica_hw_cmd_open_xrcd {
	arnica_le64 device; /* PRIVATE: zero, as is the next */
	arnica_le64 inode;
	arnica_le32 flags;     /* enum arnica_hw_xrcd_flags */
	arnica_le32 reserved0; /* zero */
};

/* An XRC_RECV queue pair that belongs to the domain, of whatever function. It
 * stays until everybody has closed it who opened or created it. */
struct arnica_hw_cmd_open_qp {
	arnica_le32 xrcd; /* handle */
	arnica_le32 qpn;
};

struct arnica_hw_cmd_create_srq {
	arnica_le32 pd;    /* of the memory that its entries name */
	arnica_le32 depth; /* work requests, at least one */
	arnica_le32 sge;
	arnica_le32 reserved0; /* zero */
	arnica_le64 user_data; /* names the SRQ in async events */
};

enum arnica_hw_srq_mask {
	ARNICA_HW_SRQ_LIMIT = 1 << 0,
	ARNICA_HW_SRQ_DEPTH = 1 << 1,
};

/* All of it or nothing. */
struct arnica_hw_cmd_modify_srq {
	arnica_le32 handle;
	arnica_le32 limit; /* event when fewer are left; zero: none wanted */
	/* Work requests, at least one; of no more slots than the SRQ and the
	 * completion rings of its QPs have. */
	arnica_le32 depth;
	arnica_le32 mask; /* enum arnica_hw_srq_mask */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cmd_modify_srq, 16);

/*
 * GROW_SRQ: more slots for an SRQ, up to its capacity. Entries and words stay
 * where they are; the ring of numbers stands elsewhere afterwards, with what is
 * posted: the host posts nothing meanwhile. GROW_RING: the same for the
 * completion ring of a QP with an SRQ; the host polls nothing of it meanwhile.
 * What has as many slots already stays as it is. BUSY: somebody who is stopped
 * has the QP in his hands.
 */
struct arnica_hw_cmd_grow {
	arnica_le32 handle; /* of the SRQ; of the QP */
	arnica_le32 slots;  /* a power of two */
};

enum arnica_hw_qp_state { /* numbers of enum ibv_qp_state */
	ARNICA_HW_QPS_RESET = 0,
	ARNICA_HW_QPS_INIT = 1,
	ARNICA_HW_QPS_RTR = 2,
	ARNICA_HW_QPS_RTS = 3,
	ARNICA_HW_QPS_SQD = 4,
	ARNICA_HW_QPS_SQE = 5,
	ARNICA_HW_QPS_ERR = 6,
};

/* Attributes of a QP; enumerations as in struct ibv_qp_attr. */
struct arnica_hw_qp_attributes {
	arnica_le32 mask; /* modify: enum ibv_qp_attr_mask; query: zero */
	arnica_le32 state;
	arnica_le32 current_state;
	arnica_le32 path_mtu; /* enum ibv_mtu, 1 (256) to 5 (4096) */
	arnica_le32 path_mig_state;
	arnica_le32 qkey;
	arnica_le32 rq_psn; /* 24 bits */
	arnica_le32 sq_psn; /* 24 bits */
	arnica_le32 dest_qpn;
	arnica_le32 access; /* remote rights of the QP */
	arnica_le32 pkey_index;
	arnica_le32 en_sqd_async_notify;
	arnica_le32 sq_draining;
	arnica_le32 max_rd_atomic;
	arnica_le32 max_dest_rd_atomic;
	arnica_le32 min_rnr_timer; /* 5-bit code */
	arnica_le32 port;
	arnica_le32 timeout;   /* 5-bit code, 0 = for ever */
	arnica_le32 retry_cnt; /* 3 bits */
	arnica_le32 rnr_retry; /* 3 bits, 7 = for ever */
	/* address vector */
	arnica_le32 is_global; /* zero: no GRH */
	arnica_le32 dlid;
	arnica_le32 sl; /* 0 to 15: class of service */
	arnica_le32 src_path_bits;
	arnica_le32 static_rate;
	arnica_le32 sgid_index;
	arnica_le32 hop_limit;
	arnica_le32 traffic_class;
	arnica_le32 flow_label;
	/* kbit/s, MIN_RATE_LIMIT to MAX_RATE_LIMIT; zero: none */
	arnica_le32 rate_limit;
	uint8_t dgid[16]; /* network order */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_qp_attributes, 136);

struct arnica_hw_cmd_modify_qp {
	arnica_le32 handle;
	/* With a rate_limit: bytes that may go at once; zero: the adapter's
	 * choice. */
	arnica_le32 max_burst;
	struct arnica_hw_qp_attributes attributes;
};

struct arnica_hw_cmd_create_ah {
	arnica_le32 pd;
	arnica_le32 port;
	struct arnica_hw_qp_attributes attributes; /* address vector only */
};

struct arnica_hw_cmd_mcast { /* ATTACH_MCAST, DETACH_MCAST */
	arnica_le32 qp;        /* its handle */
	arnica_le32 reserved0; /* zero */
	uint8_t gid[16];       /* of the group, network order */
};

struct arnica_hw_command {
	arnica_le32 opcode;    /* enum arnica_hw_command_opcode */
	arnica_le32 reserved0; /* zero */
	union {
		uint8_t bytes[248];
		struct arnica_hw_cmd_object object;
		struct arnica_hw_cmd_query_port query_port;
		struct arnica_hw_cmd_reg_mr reg_mr;
		struct arnica_hw_cmd_import import;
		struct arnica_hw_cmd_alloc_mw alloc_mw;
		struct arnica_hw_cmd_alloc_null_mr alloc_null_mr;
		struct arnica_hw_cmd_alloc_mr alloc_mr;
		struct arnica_hw_cmd_create_mkey create_mkey;
		struct arnica_hw_cmd_set_mkey set_mkey;
		struct arnica_hw_cmd_set_mirror set_mirror;
		struct arnica_hw_scheduler scheduler;
		struct arnica_hw_cmd_create_cq create_cq;
		struct arnica_hw_cmd_modify_cq modify_cq;
		struct arnica_hw_cmd_create_qp create_qp;
		struct arnica_hw_cmd_modify_qp modify_qp;
		struct arnica_hw_cmd_create_ah create_ah;
		struct arnica_hw_cmd_mcast mcast;
		struct arnica_hw_cmd_alloc_dm alloc_dm;
		struct arnica_hw_cmd_advise_mr advise_mr;
		struct arnica_hw_cmd_create_srq create_srq;
		struct arnica_hw_cmd_modify_srq modify_srq;
		struct arnica_hw_cmd_grow grow;
		struct arnica_hw_cmd_open_xrcd open_xrcd;
		struct arnica_hw_cmd_open_qp open_qp;
		struct arnica_hw_cmd_create_flow create_flow;
		struct arnica_hw_cmd_create_rwq_table create_rwq_table;
	};
};
ARNICA_FORMAT_SIZE(struct arnica_hw_command, 256);

struct arnica_hw_completion {
	union {
		uint8_t bytes[240];
		struct arnica_hw_device_caps device;
		struct arnica_hw_port_attributes port;
		struct arnica_hw_res_handle object;
		struct arnica_hw_res_mr mr;
		struct arnica_hw_res_region region;
		struct arnica_hw_res_stag stag;
		struct arnica_hw_res_begun begun;
		struct arnica_hw_res_cq cq;
		struct arnica_hw_res_qp qp;
		struct arnica_hw_res_dm dm;
		struct arnica_hw_res_srq srq;
		struct arnica_hw_res_srq_limit srq_limit;
		struct arnica_hw_res_grown grown;
		struct arnica_hw_res_events events;
		struct arnica_hw_res_flow flow;
		struct arnica_hw_scheduler scheduler;
		struct arnica_hw_qp_attributes attributes;
	};
	arnica_le32 status; /* enum arnica_hw_command_status */
	arnica_le32 reserved0;
	arnica_le32 reserved1;
	arnica_atomic_le32 sequence; /* stored last: index plus 1 */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_completion, 256);
ARNICA_FORMAT_FIELD(struct arnica_hw_completion, status, 240);
ARNICA_FORMAT_FIELD(struct arnica_hw_completion, sequence, 252);

struct arnica_hw_cqp_slot {
	struct arnica_hw_command command;
	struct arnica_hw_completion completion;
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cqp_slot, 512);

#endif
