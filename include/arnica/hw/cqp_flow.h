/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flow rules: which Ethernet frames a raw packet queue pair receives; and how
 * one of these spreads them over many receive queues. Part of the control queue
 * (cqp.h).
 *
 * A rule names fields of a frame as they stand in it, in network order, and a
 * mask of the bits that count. A field that the frame does not have cannot
 * match: a rule with a mask for it names the header that has it, too.
 */
#ifndef ARNICA_HW_CQP_FLOW_H
#define ARNICA_HW_CQP_FLOW_H

#include "endian.h"
#include "format.h"

struct arnica_hw_flow_fields {
	uint8_t destination_mac[6];
	uint8_t source_mac[6];
	uint8_t ether_type[2]; /* behind the VLAN tag, if there is one */
	uint8_t vlan_tag[2];
	uint8_t source[16]; /* of IPv4: the first four bytes */
	uint8_t destination[16];
	uint8_t flow_label[4]; /* of IPv6: 20 bits */
	uint8_t protocol;      /* behind the extension headers of IPv6 */
	uint8_t traffic_class;
	uint8_t hop_limit;
	uint8_t reserved0; /* zero */
	uint8_t source_port[2];
	uint8_t destination_port[2];
};
ARNICA_FORMAT_SIZE(struct arnica_hw_flow_fields, 60);

enum arnica_hw_flow_headers { /* that a frame must have */
	ARNICA_HW_FLOW_VLAN = 1 << 0,
	ARNICA_HW_FLOW_IPV4 = 1 << 1,
	ARNICA_HW_FLOW_IPV6 = 1 << 2,
	/* Of a whole datagram: fragments are taken to have none. */
	ARNICA_HW_FLOW_TCP = 1 << 3,
	ARNICA_HW_FLOW_UDP = 1 << 4,
};

enum arnica_hw_flow_type { /* numbers of enum ibv_flow_attr_type */
	ARNICA_HW_FLOW_NORMAL = 0,
	ARNICA_HW_FLOW_ALL_DEFAULT = 1,
	ARNICA_HW_FLOW_MC_DEFAULT = 2,
	ARNICA_HW_FLOW_SNIFFER = 3,
};

enum arnica_hw_flow_flags { /* numbers of enum ibv_flow_flags */
	/* Rules behind it get the frame as well. */
	ARNICA_HW_FLOW_DONT_TRAP = 1 << 1,
	ARNICA_HW_FLOW_EGRESS = 1 << 2,
};

/* The answer is a handle (struct arnica_hw_res_handle), by which DESTROY_FLOW
 * ends it. */
struct arnica_hw_cmd_create_flow {
	arnica_le32 qp;       /* its handle */
	arnica_le32 type;     /* enum arnica_hw_flow_type */
	arnica_le32 priority; /* the lowest number is asked first */
	arnica_le32 flags;    /* enum arnica_hw_flow_flags */
	arnica_le32 headers;  /* enum arnica_hw_flow_headers */
	arnica_le32 reserved0; /* zero */
	struct arnica_hw_flow_fields value;
	struct arnica_hw_flow_fields mask;
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cmd_create_flow, 144);

/* What a rule has matched since it was made, whether there was a receive for it or
 * not. DESTROY_FLOW says it for the last time. */
struct arnica_hw_res_flow { /* QUERY_FLOW, DESTROY_FLOW */
	arnica_le64 packets;
	arnica_le64 bytes; /* of whole frames */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_res_flow, 16);

/*
 * Receive queues by themselves (ARNICA_HW_QP_WQ) stand in tables. A queue pair
 * that spreads (ARNICA_HW_QP_RSS) has a table and nothing else: the Toeplitz
 * hash of some fields of a frame says which entry gets it.
 */
struct arnica_hw_cmd_create_rwq_table { /* DESTROY_RWQ_TABLE: an object */
	arnica_le64 queues; /* arnica_le32[count], their handles, in the caller's
			       address space */
	arnica_le32 count;  /* a power of two */
	arnica_le32 reserved0; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_cmd_create_rwq_table, 16);

enum arnica_hw_hash_fields { /* numbers of enum ibv_rx_hash_fields */
	ARNICA_HW_HASH_SOURCE_IPV4 = 1 << 0,
	ARNICA_HW_HASH_DESTINATION_IPV4 = 1 << 1,
	ARNICA_HW_HASH_SOURCE_IPV6 = 1 << 2,
	ARNICA_HW_HASH_DESTINATION_IPV6 = 1 << 3,
	ARNICA_HW_HASH_SOURCE_TCP = 1 << 4,
	ARNICA_HW_HASH_DESTINATION_TCP = 1 << 5,
	ARNICA_HW_HASH_SOURCE_UDP = 1 << 6,
	ARNICA_HW_HASH_DESTINATION_UDP = 1 << 7,
};
#define ARNICA_HW_HASH_FIELDS 0xffu

#define ARNICA_HW_HASH_KEY_BYTES 40u

struct arnica_hw_rss {
	arnica_le32 table;  /* handle + 1; zero in all other types */
	arnica_le32 fields; /* enum arnica_hw_hash_fields */
	uint8_t key[ARNICA_HW_HASH_KEY_BYTES];
};
ARNICA_FORMAT_SIZE(struct arnica_hw_rss, 48);

#endif
