/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Answers of the control queue: what a completion carries beside its status, by
 * command.
 */
#ifndef ARNICA_HW_CQP_ANSWERS_H
#define ARNICA_HW_CQP_ANSWERS_H

#include "endian.h"
#include "format.h"

enum arnica_hw_device_flags {
	ARNICA_HW_DEVICE_WINDOWS = 1 << 0, /* of type 1 */
	/* Of type 2, held to a queue pair (2A), or to a queue pair and its
	 * protection domain (2B): one of both. */
	ARNICA_HW_DEVICE_WINDOWS_2A = 1 << 1,
	ARNICA_HW_DEVICE_WINDOWS_2B = 1 << 2,
	/* LOCAL_INV and SEND_INV */
	ARNICA_HW_DEVICE_INVALIDATION = 1 << 3,
	ARNICA_HW_DEVICE_XRC = 1 << 4,
};

struct arnica_hw_device_caps {
	arnica_le64 node_guid; /* value, not bytes: print as %016x */
	arnica_le64 max_mr_size;
	arnica_le64 page_size_cap; /* mask of page sizes */
	arnica_le32 max_qp;
	arnica_le32 max_qp_wr;
	arnica_le32 max_sge;
	arnica_le32 max_inline;
	arnica_le32 max_cq;
	arnica_le32 max_cqe;
	arnica_le32 max_mr;
	arnica_le32 max_pd;
	arnica_le32 max_ah;
	arnica_le32 max_qp_rd_atom; /* as a responder */
	arnica_le32 max_qp_init_rd_atom;
	arnica_le32 max_res_rd_atom;
	arnica_le32 num_ports;
	arnica_le32 max_pkeys;
	arnica_le32 local_ca_ack_delay;
	arnica_le32 num_comp_vectors;
	arnica_le32 max_message_bytes;
	arnica_le32 vendor_id;
	arnica_le32 vendor_part_id;
	arnica_le32 hw_version;
	char firmware_version[32];
	arnica_le64 max_dm_bytes; /* of one range of device memory */
	arnica_le32 max_srq;
	arnica_le32 max_srq_wr;
	arnica_le32 max_srq_sge;
	arnica_le32 max_mw; /* regions and windows share one table */
	arnica_le32 flags;  /* enum arnica_hw_device_flags */
	arnica_le32 max_mcast_grp;
	arnica_le32 max_mcast_qp; /* attached to one group */
	arnica_le32 max_mcast_attach; /* of all groups together */
	arnica_le32 max_moderation_count; /* of MODIFY_CQ */
	arnica_le32 max_moderation_us;
};

struct arnica_hw_port_attributes {
	arnica_le32 state;      /* enum ibv_port_state */
	arnica_le32 phys_state; /* 5 link up, 3 disabled */
	arnica_le32 max_mtu;    /* enum ibv_mtu */
	arnica_le32 active_mtu;
	arnica_le32 gid_table_len;
	arnica_le32 pkey_table_len;
	arnica_le32 max_message_bytes;
	arnica_le32 active_width;
	arnica_le32 active_speed;
	arnica_le32 reserved0;
};

struct arnica_hw_res_handle { /* ALLOC_PD, CREATE_{AH,FLOW,RWQ_TABLE}, OPEN_* */
	arnica_le32 handle;
	arnica_le32 reserved0;
};

/* REG_MR, REREG_MR, BEGIN_MR, ALLOC_NULL_MR, ALLOC_M*, CREATE_MKEY */
struct arnica_hw_res_mr {
	arnica_le32 handle;
	arnica_le32 stag; /* lkey and rkey; ALLOC_M*: its first key */
};

struct arnica_hw_res_region { /* QUERY_MR, IMPORT_MR */
	arnica_le32 stag; /* lkey and rkey */
	arnica_le32 pd;
	arnica_le64 length; /* bytes */
	arnica_le64 iova;   /* address by which work requests name it */
	arnica_le32 access; /* enum arnica_hw_access, as it may be used here */
	arnica_le32 reserved0;
};
ARNICA_FORMAT_SIZE(struct arnica_hw_res_region, 32);

struct arnica_hw_res_stag { /* QUERY_STAG: of the entry that it names */
	arnica_le32 stag;   /* the valid or pending one; zero: none is */
	arnica_le32 kind;   /* enum arnica_hw_stag_kind; valid with one */
	arnica_le32 pd;
	arnica_le32 access; /* enum arnica_hw_access */
	arnica_le64 iova;
	arnica_le64 length;
	arnica_le32 qpn; /* windows of type 2 */
	arnica_le32 state; /* enum arnica_hw_stag_state; valid with a key */
};

struct arnica_hw_res_begun { /* QUERY_BEGUN */
	arnica_le32 state;  /* enum arnica_hw_stag_state */
	arnica_le32 status; /* FREE: why, enum arnica_hw_command_status */
};

struct arnica_hw_res_cq {
	arnica_le32 handle;
	arnica_le32 cqe;           /* entries granted */
	arnica_le64 record_offset; /* struct arnica_hw_cq_record */
};

struct arnica_hw_res_queue { /* one work queue */
	arnica_le64 entries_offset; /* the queue; zero when depth is zero */
	arnica_le64 ring_offset;    /* its completion ring */
	arnica_le64 record_offset;  /* struct arnica_hw_queue_record */
	arnica_le64 eager_offset;   /* receive: eager ring; send: zero */
	arnica_le32 entry_bytes;    /* stride, a power of two */
	arnica_le32 slots;          /* power of two >= depth; ring slots too */
	arnica_le32 depth;          /* work requests that may be outstanding */
	arnica_le32 max_sge;
	arnica_le32 eager_bytes; /* a power of two, or zero */
	arnica_le32 reserved0;
};

struct arnica_hw_res_qp {
	arnica_le32 handle; /* also the queue index in doorbells */
	arnica_le32 qpn;    /* 24 bits, random */
	arnica_le32 inline_bytes;
	arnica_le32 reserved0;
	struct arnica_hw_res_queue send;
	struct arnica_hw_res_queue receive;
};

/*
 * With an SRQ the receive queue of a QP has no entries of its own, depth zero,
 * and a completion ring with as many slots as the SRQ. Where an SRQ has room to
 * grow, entries and words go on behind `slots`, up to `capacity`.
 */
struct arnica_hw_res_srq {
	arnica_le32 handle;
	arnica_le32 number;         /* 24 bits, for doorbells */
	arnica_le64 entries_offset; /* the entries */
	arnica_le64 words_offset;   /* arnica_atomic_le64[slots], see records.h */
	arnica_le64 ring_offset;    /* arnica_atomic_le32[slots] */
	arnica_le64 record_offset;  /* struct arnica_hw_srq_record */
	arnica_le32 entry_bytes;    /* stride, a power of two */
	arnica_le32 slots;          /* power of two >= depth */
	arnica_le32 depth;          /* work requests that may be outstanding */
	arnica_le32 max_sge;
	arnica_le32 capacity;       /* power of two >= slots */
	arnica_le32 reserved0;
};

struct arnica_hw_res_grown { /* GROW_SRQ, GROW_RING */
	arnica_le64 ring_offset; /* where the ring is now */
	arnica_le32 slots;       /* at least what was asked for */
	arnica_le32 reserved0;
};

struct arnica_hw_res_srq_limit { /* QUERY_SRQ */
	arnica_le32 limit; /* zero: not armed, or the event has come */
	arnica_le32 reserved0;
};

struct arnica_hw_res_dm { /* ALLOC_DM, QUERY_DM, IMPORT_DM */
	arnica_le32 handle;
	arnica_le32 reserved0;
	/* In the segment; IMPORT_DM: for arnica_bus_map_imported(). */
	arnica_le64 offset;
	arnica_le64 length; /* bytes, as it was allocated */
};

/* How many events of the object the application has read, and so acknowledges;
 * those that it had not were taken back. */
struct arnica_hw_res_events { /* DESTROY_CQ, DESTROY_QP, DESTROY_SRQ */
	arnica_le32 completion_events;
	arnica_le32 async_events;
};

/* Where the adapter cannot look into its channels: the host knows only of those
 * that it was handed. */
#define ARNICA_HW_EVENTS_UNKNOWN UINT32_MAX

#endif
