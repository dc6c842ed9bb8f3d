/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The connection manager behind /dev/infiniband/rdma_cm: what ib_cm, rdma_cm
 * and rdma_ucm of a kernel are to librdmacm. It is of one process: ids, their
 * events and their connections live here, and messages (MADs) to other
 * processes and hosts go through the adapter's QP 1.
 *
 * Everything is under one lock, standin_cm.lock, which commands (of the
 * program's threads) and the engine (a thread of its own, for messages and
 * timers) take. Nobody waits with it. What the world outside does is behind
 * struct standin_cm_world, so that tests run the machine without threads and
 * clocks.
 */
#ifndef STANDIN_CM_H
#define STANDIN_CM_H

#include <netinet/in.h>
#include <pthread.h>
#include <rdma/rdma_user_cm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/bus_mad.h"
#include "cm/message.h"
#include "end.h"

/* Newer than the oldest header that this is built with. */
#define STANDIN_CM_EVENT_STATUS_TIMEDOUT ((uint32_t)-110)

#define STANDIN_CM_MAX_IDS 65536u
#define STANDIN_CM_BUCKETS 1024u
#define STANDIN_CM_MAX_BACKLOG 1024u
#define STANDIN_CM_PKEY 0xffffu
#define STANDIN_CM_UD_QKEY 0x01234567u
#define STANDIN_CM_PORT 1u
#define STANDIN_CM_ENDED UINT64_MAX /* no function is this one */

/* As rdma_cm of a kernel: 4.096 us * 2^20, and so many repetitions. */
#define STANDIN_CM_RESPONSE_CODE 20u
#define STANDIN_CM_RETRIES 15u
#define STANDIN_CM_SERVICE_CODE 24u /* of MRA: what a program may take */
#define STANDIN_CM_ACK_CODE 17u	    /* of a RoCE path, for queue pairs */

/* Numbers of librdmacm's events. */
enum standin_cm_event_kind {
	STANDIN_CM_ADDR_RESOLVED,
	STANDIN_CM_ADDR_ERROR,
	STANDIN_CM_ROUTE_RESOLVED,
	STANDIN_CM_ROUTE_ERROR,
	STANDIN_CM_CONNECT_REQUEST,
	STANDIN_CM_CONNECT_RESPONSE,
	STANDIN_CM_CONNECT_ERROR,
	STANDIN_CM_UNREACHABLE,
	STANDIN_CM_REJECTED,
	STANDIN_CM_ESTABLISHED,
	STANDIN_CM_DISCONNECTED,
	STANDIN_CM_DEVICE_REMOVAL,
	STANDIN_CM_MULTICAST_JOIN,
	STANDIN_CM_MULTICAST_ERROR,
	STANDIN_CM_ADDR_CHANGE,
	STANDIN_CM_TIMEWAIT_EXIT,
};

/* Of an id, as a program sees it. */
enum standin_cm_state {
	STANDIN_CM_IDLE,
	STANDIN_CM_BOUND,
	STANDIN_CM_ADDRESS,
	STANDIN_CM_ROUTE,
	STANDIN_CM_CONNECT,
	STANDIN_CM_DISCONNECT,
	STANDIN_CM_LISTEN,
};

/* Of its connection (IBTA 12.9.5, 12.9.6), or of its datagram request. */
enum standin_cm_link {
	STANDIN_CM_NONE,
	STANDIN_CM_REQ_SENT, /* an MRA changes its timer, not its state */
	STANDIN_CM_REQ_RECEIVED,
	STANDIN_CM_REP_SENT,
	STANDIN_CM_REP_RECEIVED,
	STANDIN_CM_LINKED,
	STANDIN_CM_DREQ_SENT,
	STANDIN_CM_DREQ_RECEIVED,
	STANDIN_CM_TIMEWAIT,
	STANDIN_CM_SIDR_SENT,
	STANDIN_CM_SIDR_RECEIVED,
	STANDIN_CM_SIDR_ANSWERED,
};

union standin_cm_address {
	sa_family_t family; /* zero: none yet */
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct standin_cm_id;

struct standin_cm_group { /* joined */
	struct standin_cm_group *next;
	struct standin_cm_id *id;
	uint64_t uid;
	uint32_t number;
	uint32_t events_reported;
	uint8_t gid[16];
};

struct standin_cm_event {
	struct standin_cm_event *next;
	struct standin_cm_id *id;	/* whose events are counted */
	struct standin_cm_id *made;	/* by CONNECT_REQUEST; else NULL */
	struct standin_cm_group *group; /* of multicast; else NULL */
	struct rdma_ucm_event_resp answer;
};

/* One open("/dev/infiniband/rdma_cm"): the program has one end of a pair of
 * sockets, and this is the other. */
struct standin_cm_file {
	struct standin_cm_file *next;
	struct standin_cm_end own;
	uint64_t inode;	   /* of the program's end */
	uint32_t slot;	   /* in the table of inodes */
	uint32_t queued;   /* events */
	uint32_t signaled; /* bytes that tell of them */
	struct standin_cm_event *first, **last;
};

struct standin_cm_link_data {
	enum standin_cm_link state;
	uint32_t local_id, remote_id; /* SIDR: the request id is local_id */
	uint64_t transaction;
	uint64_t remote_guid;
	/* Of this host, and the id that the peer has in it, which an MRA says
	 * before remote_id counts; zero: elsewhere, or not known yet. */
	uint64_t remote_function;
	uint32_t peer_id;
	uint32_t local_qpn, remote_qpn;
	uint32_t local_psn, remote_psn; /* the one that we, that they expect */
	uint8_t responder_resources, initiator_depth;
	uint8_t retry_count, rnr_retry;
	uint8_t path_mtu;
	uint8_t ack_code;
	uint8_t retries; /* of a message, at most */
	bool active;
	/* What is repeated: by the timer, or as the answer to a duplicate. */
	struct arnica_bus_mad last;
	uint64_t due; /* ns; zero: no timer */
	uint64_t interval;
	uint32_t left;
};

struct standin_cm_id {
	uint32_t number;
	uint64_t uid;
	struct standin_cm_file *file;
	uint16_t ps;
	uint8_t qp_type; /* enum ibv_qp_type */
	enum standin_cm_state state;
	uint32_t events_reported;
	uint32_t backlog; /* of a listener: requests that may still wait */

	union standin_cm_address source, destination;
	bool has_device; /* then the three below are valid */
	uint32_t gid_index;
	uint8_t local_gid[16], remote_gid[16];

	bool shares, ipv6_only, has_service;
	uint32_t service;
	uint8_t traffic_class, ack_code; /* zero: not set */
	uint32_t qkey;

	struct standin_cm_link_data link;
	struct standin_cm_id *same_local, *same_remote;	 /* in a bucket */
	struct standin_cm_id *timer_next, **timer_place; /* armed */
};

/* What is done elsewhere: by the adapter, the kernel and the clock. */
struct standin_cm_world {
	int (*start)(struct arnica_bus_comm_ids *ids);
	int (*send)(const struct arnica_bus_mad *mad);
	int (*service_take)(const struct arnica_bus_service *service,
			    uint32_t *handle);
	int (*service_listen)(uint32_t handle);
	int (*service_give)(uint32_t handle);
	void (*port)(struct arnica_bus_port *port);
	uint64_t (*node_guid)(void);
	uint64_t (*now)(void); /* ns */
	/* The function of a peer on this host. ESRCH: it has ended; others: the
	 * peer is elsewhere. */
	int (*function)(const uint8_t gid[16], uint32_t comm_id,
			uint64_t *function);
	/* Does that one still run? */
	bool (*lives)(uint32_t comm_id, uint64_t function);
	void (*wake)(void); /* a timer is due earlier than before */
};

struct standin_cm {
	pthread_mutex_t lock; /* that says when it is this thread's already */
	const struct standin_cm_world *world;
	bool started; /* QP 1 is there; ids are valid */
	bool ended;   /* the process does */
	struct arnica_bus_comm_ids ids;
	uint32_t next_comm_id;
	uint64_t next_transaction;
	uint32_t next_group;
	struct standin_cm_file *files;
	bool files_lost; /* the program has closed our end of one */
	bool peers_here; /* some of this host, which may end without a word */
	bool peer_lost;	 /* one had ended when its message was taken */
	struct standin_cm_group *groups;
	struct standin_cm_id **table;	 /* by number */
	uint32_t table_size, table_free; /* no number below table_free is */
	struct standin_cm_id *by_local[STANDIN_CM_BUCKETS];
	struct standin_cm_id *by_remote[STANDIN_CM_BUCKETS];
	struct standin_cm_id *timers;
};

extern struct standin_cm standin_cm;

#endif
