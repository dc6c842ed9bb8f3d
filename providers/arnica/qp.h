/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Queue pairs: the send queue and the receive queue as the poster sees them,
 * and their completion rings as the poller does. The parts stand on lines of
 * their own, because poster and poller are often different threads.
 */
#ifndef ARNICA_QP_H
#define ARNICA_QP_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "arnica/hw/cqp.h"
#include "arnica/hw/records.h"
#include "doorbell.h"
#include "infiniband/arnicadv.h"
#include "ring.h"
#include "spinlock.h"

struct arnica_context;

/*
 * The send queue, posting side; all under `lock`, but for `open`. Between
 * wr_start and wr_complete the lock is held, and `built` says what was built.
 */
struct arnica_send_queue {
	struct arnica_spinlock lock;
	atomic_bool open; /* the state of the QP permits posting */
	bool signal_all;
	bool datagrams;	  /* UD: entries name their destination */
	bool xrc;	  /* entries name their SRQ */
	bool connected;	  /* RC or UC: neither, and SEND and WRITE are there */
	uint32_t opcodes; /* a bit for each enum arnica_hw_opcode of its type */
	uint32_t head; /* next entry to write, free-running */
	uint32_t depth;
	uint32_t mask;	/* slots - 1 */
	uint32_t shift; /* of the entry's bytes */
	uint32_t max_sge;
	uint32_t max_atomic_sge;
	uint32_t max_inline;
	unsigned char *entries;
	uint64_t *wr_ids;
	struct arnica_doorbell doorbell;
	/* ibv_wr_*: */
	int error;	      /* the first one, reported by wr_complete */
	uint32_t start_head;  /* where wr_abort goes back to */
	unsigned char *built; /* entry under construction, or NULL */
	uint32_t built_bytes;
	uint32_t built_opcode;
	uint32_t built_about_keys; /* entries of the batch: mirror.h */
	bool built_address; /* UD, XRC: the destination is there, too */
} __attribute__((aligned(64)));

struct arnica_receive_queue {
	struct arnica_spinlock lock;
	atomic_bool open; /* never, with an SRQ */
	bool barriers; /* who wants one has the poster pass it: N2 */
	uint32_t head;
	uint32_t depth;
	uint32_t mask;
	uint32_t shift;
	uint32_t max_sge;
	uint32_t room; /* segments that fit an entry */
	unsigned char *entries;
	uint64_t *wr_ids;
	struct arnica_hw_queue_record *record;
	struct arnica_doorbell doorbell;
} __attribute__((aligned(64)));

struct arnica_qp {
	union {
		struct ibv_qp base;
		struct ibv_qp_ex ex;
		unsigned char bytes[ARNICA_ABI_QP_BYTES];
	} verbs;
	struct arnica_send_queue send;
	struct arnica_receive_queue receive;
	struct arnica_ring send_ring;
	struct arnica_ring receive_ring;

	struct arnicadv_qp_ex direct; /* arnicadv_create_qp(); or zero */
	struct arnica_context *context;
	struct ibv_qp_cap cap;
	bool opened; /* not made here: qp_open.c */
	bool spreads; /* over work queues, and has none itself: rss.c */
	_Atomic uint32_t async_events; /* read by the application */
	struct arnica_qp *next;	       /* list of the context */
	struct arnica_qp **link;
};

static inline struct arnica_qp *arnica_qp_of(struct ibv_qp *qp)
{
	return (struct arnica_qp *)(void *)qp;
}

static inline struct arnica_qp *arnica_qp_of_ex(struct ibv_qp_ex *qp)
{
	return (struct arnica_qp *)(void *)qp;
}

static inline bool arnica_qp_type_is_xrc(enum ibv_qp_type type)
{
	return type == IBV_QPT_XRC_SEND || type == IBV_QPT_XRC_RECV;
}

/* What direct verbs ask for in addition. */
struct arnica_qp_extra {
	uint32_t flags;   /* enum arnica_hw_qp_flags */
	uint32_t opcodes; /* a bit for each enum arnica_hw_opcode */
	const struct arnica_hw_rss *rss; /* or NULL */
};

struct ibv_qp *arnica_qp_create_with(struct ibv_context *context,
				     struct ibv_qp_init_attr_ex *attr,
				     const struct arnica_qp_extra *extra);
struct ibv_qp *arnica_qp_create(struct ibv_pd *pd,
				struct ibv_qp_init_attr *attr);
struct ibv_qp *arnica_qp_create_ex(struct ibv_context *context,
				   struct ibv_qp_init_attr_ex *attr);
int arnica_qp_destroy(struct ibv_qp *qp);

/* qp_open.c */
struct ibv_qp *arnica_qp_open(struct ibv_context *context,
			      struct ibv_qp_open_attr *attr);
int arnica_qp_close(struct arnica_qp *qp);

/* A QP of a type that verbs do not have, from attributes that were checked; ends
 * by arnica_qp_destroy(). NULL, and errno. */
struct ibv_qp *arnica_qp_create_hidden(struct ibv_context *context,
				       const struct ibv_qp_init_attr_ex *attr,
				       const struct arnica_qp_extra *extra);
/* Moves one of them, which checks nothing on this side. */
int arnica_qp_move(struct arnica_qp *qp, enum ibv_qp_state state);

/* qp_modify.c */
int arnica_qp_modify(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask);
int arnica_qp_modify_rate_limit(struct ibv_qp *qp,
				struct ibv_qp_rate_limit_attr *limit);
/* Which queues accept work in a state. */
void arnica_qp_set_state(struct arnica_qp *qp, enum ibv_qp_state state);

/* qp_query.c */
/* Sends are refused so far. True: an error has ended the connection since, before
 * this side was ready to send, and what is posted now is flushed. */
bool arnica_qp_ask_open(struct arnica_qp *qp);
int arnica_qp_query(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
		    struct ibv_qp_init_attr *init_attr);

/* send.c, receive.c */
int arnica_send_post(struct ibv_qp *qp, struct ibv_send_wr *wr,
		     struct ibv_send_wr **bad_wr);
/* One IBV_WR_BIND_MW of a window of type 1. */
int arnica_send_bind(struct ibv_qp *qp, struct ibv_send_wr *wr);
int arnica_receive_post(struct ibv_qp *qp, struct ibv_recv_wr *wr,
			struct ibv_recv_wr **bad_wr);

/* The operations of a type of QP, by enum arnica_hw_opcode; zero: no such type
 * here. */
uint32_t arnica_send_opcodes(enum ibv_qp_type type);

/* send_wr.c: the ibv_wr_* functions of a QP. True when all `ops` (enum
 * ibv_qp_create_send_ops_flags) are there for this type. */
bool arnica_send_wr_supported(enum ibv_qp_type type, uint64_t ops);
void arnica_send_wr_init(struct arnica_qp *qp);

#endif
