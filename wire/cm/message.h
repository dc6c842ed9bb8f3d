/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Messages of connection management (IBTA 12.6, 12.11) as values: a MAD of 256
 * bytes, whose header of 24 bytes names class 7, version 2, and by its
 * attribute the message. Parsing checks everything once; what a field may hold
 * beyond its bits is the state machine's to say. Numbers are values in the
 * machine's order, private data are bytes.
 *
 *  0         4        6        8            16     18     20     24      256
 *  +---------+--------+--------+------------+------+------+------+-------+
 *  | 1 7 2 3 | status | 0      | transaction| attr | 0    | mod. | data  |
 *  +---------+--------+--------+------------+------+------+------+-------+
 */
#ifndef ROCE_CM_MESSAGE_H
#define ROCE_CM_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define ROCE_MAD_BYTES 256u
#define ROCE_MAD_HEADER_BYTES 24u
#define ROCE_GSI_QPN 1u
#define ROCE_GSI_QKEY 0x80010000u /* IBTA 3.5.3 (C3-42) */

enum roce_cm_attribute {
	ROCE_CM_REQ = 0x10,
	ROCE_CM_MRA = 0x11,
	ROCE_CM_REJ = 0x12,
	ROCE_CM_REP = 0x13,
	ROCE_CM_RTU = 0x14,
	ROCE_CM_DREQ = 0x15,
	ROCE_CM_DREP = 0x16,
	ROCE_CM_SIDR_REQ = 0x17,
	ROCE_CM_SIDR_REP = 0x18,
};

enum roce_cm_transport { /* of REQ */
			 ROCE_CM_RC = 0,
			 ROCE_CM_UC = 1,
			 ROCE_CM_RD = 2,
			 ROCE_CM_EXTENDED = 3, /* see extended_transport */
};

#define ROCE_CM_EXTENDED_XRC 1u

/* Which message is rejected, or acknowledged (MRA). */
enum roce_cm_answered {
	ROCE_CM_OF_REQ = 0,
	ROCE_CM_OF_REP = 1,
	ROCE_CM_OF_OTHER = 2,
};

/* Reasons of REJ that are given here (IBTA table 109). */
enum roce_cm_reason {
	ROCE_CM_NO_QP = 1,
	ROCE_CM_NO_RESOURCES = 3,
	ROCE_CM_TIMEOUT = 4,
	ROCE_CM_UNSUPPORTED = 5,
	ROCE_CM_INVALID_COMM_ID = 6,
	ROCE_CM_INVALID_SERVICE_ID = 8,
	ROCE_CM_INVALID_TRANSPORT = 9,
	ROCE_CM_STALE = 10,
	ROCE_CM_DUPLICATE_COMM_ID = 30,
	ROCE_CM_CONSUMER = 28,
};

enum roce_cm_sidr_status { /* IBTA table 121 */
			   ROCE_CM_SIDR_VALID = 0,
			   ROCE_CM_SIDR_NO_SERVICE = 1,
			   ROCE_CM_SIDR_REJECTED = 2,
			   ROCE_CM_SIDR_NO_QP = 3,
};

#define ROCE_CM_INFO_BYTES 72u /* additional information of REJ, SIDR_REP */

struct roce_cm_path {
	uint16_t local_lid, remote_lid;
	uint8_t local_gid[16], remote_gid[16];
	uint32_t flow_label; /* 20 bits */
	uint8_t packet_rate; /* 6 bits, a code */
	uint8_t traffic_class;
	uint8_t hop_limit;
	uint8_t sl; /* 4 bits */
	bool subnet_local;
	uint8_t ack_timeout; /* 5 bits, a code */
};

struct roce_cm_req { /* IBTA table 106; local_comm_id is the message's */
	uint64_t service_id;
	uint64_t ca_guid;
	uint32_t qkey;
	uint32_t qpn;		     /* 24 bits */
	uint8_t responder_resources; /* of the sender's queue pair */
	uint32_t local_eecn;	     /* 24 bits */
	uint8_t initiator_depth;
	uint32_t remote_eecn;		 /* 24 bits */
	uint8_t remote_response_timeout; /* 5 bits, a code */
	uint8_t transport;		 /* enum roce_cm_transport */
	bool flow_control;
	uint32_t psn;			/* 24 bits */
	uint8_t local_response_timeout; /* 5 bits, a code */
	uint8_t retry_count;		/* 3 bits */
	uint16_t pkey;
	uint8_t path_mtu; /* 4 bits, enum ibv_mtu */
	bool rdc_exists;
	uint8_t rnr_retry;	/* 3 bits */
	uint8_t max_cm_retries; /* 4 bits */
	bool srq;
	uint8_t extended_transport; /* 3 bits */
	struct roce_cm_path primary;
	struct roce_cm_path alternate; /* zeros: none */
	bool sap_supported;
	uint8_t private_data[92];
};

struct roce_cm_mra {		 /* table 107 */
	uint8_t answered;	 /* enum roce_cm_answered */
	uint8_t service_timeout; /* 5 bits, a code */
	uint8_t private_data[222];
};

struct roce_cm_rej {	    /* table 108 */
	uint8_t answered;   /* enum roce_cm_answered */
	uint8_t info_bytes; /* of info that are valid */
	uint16_t reason;    /* enum roce_cm_reason, and others */
	uint8_t info[ROCE_CM_INFO_BYTES];
	uint8_t private_data[148];
};

struct roce_cm_rep { /* table 110 */
	uint32_t qkey;
	uint32_t qpn;	     /* 24 bits */
	uint32_t local_eecn; /* 24 bits; of an XRC target: its QP number */
	uint32_t psn;	     /* 24 bits */
	uint8_t responder_resources;
	uint8_t initiator_depth;
	uint8_t ack_delay; /* 5 bits, a code */
	uint8_t failover;  /* 2 bits */
	bool flow_control;
	uint8_t rnr_retry; /* 3 bits */
	bool srq;
	uint64_t ca_guid;
	uint8_t private_data[196];
};

struct roce_cm_rtu { /* table 111; DREP is the same (113) */
	uint8_t private_data[224];
};

struct roce_cm_dreq {	     /* table 112 */
	uint32_t remote_qpn; /* 24 bits: of the receiver of this */
	uint8_t private_data[220];
};

struct roce_cm_sidr_req { /* table 119 */
	uint32_t request_id;
	uint16_t pkey;
	uint64_t service_id;
	uint8_t private_data[216];
};

struct roce_cm_sidr_rep {    /* table 120 */
	uint32_t request_id; /* of the SIDR_REQ */
	uint8_t status;	     /* enum roce_cm_sidr_status */
	uint8_t info_bytes;  /* of info that are valid */
	uint32_t qpn;	     /* 24 bits */
	uint64_t service_id;
	uint32_t qkey;
	uint8_t info[ROCE_CM_INFO_BYTES];
	uint8_t private_data[136];
};

struct roce_cm_message {
	uint16_t attribute; /* enum roce_cm_attribute */
	uint64_t transaction;
	uint32_t local_comm_id;	 /* the sender's; SIDR: zero */
	uint32_t remote_comm_id; /* the receiver's; REQ, SIDR: zero */
	union {
		struct roce_cm_req req;
		struct roce_cm_mra mra;
		struct roce_cm_rej rej;
		struct roce_cm_rep rep;
		struct roce_cm_rtu rtu;
		struct roce_cm_dreq dreq;
		struct roce_cm_rtu drep;
		struct roce_cm_sidr_req sidr_req;
		struct roce_cm_sidr_rep sidr_rep;
	};
};

enum roce_cm_verdict {
	ROCE_CM_OK = 0,
	ROCE_CM_BAD_CLASS,     /* another class, or version */
	ROCE_CM_BAD_METHOD,    /* not Send */
	ROCE_CM_BAD_ATTRIBUTE, /* none of those above */
	ROCE_CM_BAD_LENGTH,    /* more information than there is room for */
};

/* Reserved bits are not looked at, as the standard asks (IBTA 1.5). */
enum roce_cm_verdict roce_cm_parse(const uint8_t bytes[ROCE_MAD_BYTES],
				   struct roce_cm_message *message)
	__attribute__((warn_unused_result));

/* Every byte is written. The values must fit their fields. */
void roce_cm_emit(const struct roce_cm_message *message,
		  uint8_t bytes[ROCE_MAD_BYTES]);

/*
 * Whom a message is for, for those who hand it on: the id that it is found by,
 * and the kind of that. Says no more of the message than its header, and checks
 * as much of it.
 */
enum roce_cm_key {
	ROCE_CM_KEY_NONE,
	ROCE_CM_KEY_SERVICE, /* REQ, SIDR_REQ: the service id */
	ROCE_CM_KEY_COMM_ID, /* the others: the receiver's id */
};
enum roce_cm_key roce_cm_find_key(const uint8_t bytes[ROCE_MAD_BYTES],
				  uint64_t *key)
	__attribute__((warn_unused_result));

#endif
