/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * For tests of indirect keys: a process of its own owns the memory and a key,
 * and does what it is told; the test is its peer. Static, because each program
 * is a table of cases of its own.
 */
#ifndef KEYS_VT_H
#define KEYS_VT_H

#include <infiniband/arnicadv.h>

#include "vt.h"

#define GUARD 0xa5
#define SECOND_BYTES (1u << 16)
#define LOOK_BYTES (1u << 17) /* of the buffer that are looked at */

/* Memory with keys, on either side. */
struct side {
	struct vt_end end;
	uint8_t *second; /* a buffer beside the end's */
	struct ibv_mr *second_mr;
	struct arnicadv_mkey *mkey, *inner;
};

/* What the owner makes of its keys at the start of a case. */
typedef void layout_fn(struct side *side);

enum order {
	ORDER_LOOK,  /* tells the contents of both buffers */
	ORDER_RECV,  /* posts a receive of `length` by the key at `offset` */
	ORDER_POLL,  /* tells the next completion's status */
	ORDER_DEREG, /* deregisters the second buffer */
	ORDER_CLEAR, /* writes GUARD all over */
	ORDER_LAYOUT, /* calls a layout function again */
	ORDER_REFUSED, /* waits for the event of a refused access */
	ORDER_END,
};

struct message {
	enum order order;
	uint64_t offset, length;
	layout_fn *layout; /* the same program: the same address */
};

struct contents {
	uint8_t first[LOOK_BYTES], second[SECOND_BYTES];
};

static struct side mine;
static struct vt_peer peer;
static struct vt_address address;
static uint32_t peer_key;
static struct contents theirs, expected;

static inline struct arnicadv_mkey *make_key(struct side *side,
					     uint32_t max_entries)
{
	struct arnicadv_mkey_init_attr attr = {
		.pd = side->end.pd,
		.max_entries = max_entries,
	};
	struct arnicadv_mkey *mkey = arnicadv_create_mkey(&attr);

	VT_CHECK(mkey);
	return mkey;
}

static inline void open_side(struct side *side, const struct vt_wish *wish)
{
	vt_end_open(&side->end, wish);
	side->second = malloc(SECOND_BYTES);
	VT_CHECK(side->second);
	side->second_mr = ibv_reg_mr(side->end.pd, side->second, SECOND_BYTES,
				     IBV_ACCESS_LOCAL_WRITE);
	VT_CHECK(side->second_mr);
	side->mkey = make_key(side, 64);
	side->inner = make_key(side, 64);
	memset(side->end.buffer, GUARD, LOOK_BYTES);
	memset(side->second, GUARD, SECOND_BYTES);
}

static inline void close_side(struct side *side)
{
	VT_EQUAL(arnicadv_destroy_mkey(side->mkey), 0);
	VT_EQUAL(arnicadv_destroy_mkey(side->inner), 0);
	if (side->second_mr)
		VT_EQUAL(ibv_dereg_mr(side->second_mr), 0);
	vt_end_close(&side->end);
	free(side->second);
}

static inline void post_receive(struct side *side, const struct message *message)
{
	struct ibv_sge sge = {
		.addr = message->offset,
		.length = (uint32_t)message->length,
		.lkey = side->mkey->lkey,
	};
	struct ibv_recv_wr wr = { .wr_id = 9, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	VT_EQUAL(ibv_post_recv(side->end.qp, &wr, &bad), 0);
}

static inline void obey(int fd, struct side *side, const struct message *message)
{
	struct ibv_wc wc;

	switch (message->order) {
	case ORDER_LOOK:
		vt_tell(fd, side->end.buffer, LOOK_BYTES);
		vt_tell(fd, side->second, SECOND_BYTES);
		return;
	case ORDER_RECV:
		post_receive(side, message);
		break;
	case ORDER_POLL:
		wc = vt_poll(side->end.recv_cq);
		vt_tell(fd, &wc, sizeof(wc));
		return;
	case ORDER_DEREG:
		VT_EQUAL(ibv_dereg_mr(side->second_mr), 0);
		side->second_mr = NULL;
		break;
	case ORDER_CLEAR:
		memset(side->end.buffer, GUARD, LOOK_BYTES);
		memset(side->second, GUARD, SECOND_BYTES);
		break;
	case ORDER_LAYOUT:
		message->layout(side);
		break;
	case ORDER_REFUSED:
		vt_event(side->end.context, IBV_EVENT_QP_ACCESS_ERR);
		VT_EQUAL(vt_state(side->end.qp), IBV_QPS_ERR);
		break;
	case ORDER_END:
		break;
	}
	vt_sync(fd);
}

static inline void own(int fd, void *wish)
{
	struct message message;
	struct side side = { 0 };

	open_side(&side, wish);
	vt_meet(fd, &side.end);
	vt_tell(fd, &side.mkey->rkey, sizeof(side.mkey->rkey));
	do {
		vt_hear(fd, &message, sizeof(message));
		obey(fd, &side, &message);
	} while (message.order != ORDER_END);
	close_side(&side);
}

static inline void tell(struct message message)
{
	vt_tell(peer.fd, &message, sizeof(message));
	if (message.order != ORDER_LOOK && message.order != ORDER_POLL)
		vt_sync(peer.fd);
}

static inline void order(enum order order)
{
	tell((struct message){ .order = order });
}

/* Both sides, connected; the owner's key is laid out. */
static inline void begin_with(struct vt_wish wish, layout_fn *layout)
{
	peer = vt_fork(own, &wish);
	open_side(&mine, &wish);
	address = vt_meet(peer.fd, &mine.end);
	vt_hear(peer.fd, &peer_key, sizeof(peer_key));
	memset(&expected, GUARD, sizeof(expected));
	if (layout)
		tell((struct message){ ORDER_LAYOUT, 0, 0, layout });
}

static inline void begin(layout_fn *layout)
{
	begin_with(vt_defaults(), layout);
}

static inline void finish(void)
{
	order(ORDER_END);
	close_side(&mine);
	vt_join(&peer);
}

/* The owner's memory is as expected, and nothing else has changed. */
static inline void check_theirs(const char *what)
{
	order(ORDER_LOOK);
	vt_hear(peer.fd, theirs.first, LOOK_BYTES);
	vt_hear(peer.fd, theirs.second, SECOND_BYTES);
	for (size_t i = 0; i < LOOK_BYTES; i++)
		if (theirs.first[i] != expected.first[i])
			vt_fail(__FILE__, __LINE__, "%s: byte %zu is %02x, not %02x",
				what, i, theirs.first[i], expected.first[i]);
	for (size_t i = 0; i < SECOND_BYTES; i++)
		if (theirs.second[i] != expected.second[i])
			vt_fail(__FILE__, __LINE__,
				"%s: byte %zu of the second is %02x, not %02x",
				what, i, theirs.second[i], expected.second[i]);
}

static inline struct ibv_sge first_range(const struct side *side, size_t offset,
					 uint32_t length)
{
	return (struct ibv_sge){ (uintptr_t)side->end.buffer + offset, length,
				 side->end.mr->lkey };
}

static inline struct ibv_sge second_range(const struct side *side,
					  size_t offset, uint32_t length)
{
	return (struct ibv_sge){ (uintptr_t)side->second + offset, length,
				 side->second_mr->lkey };
}

/* An RDMA request on a plain buffer of ours, by a key of theirs. */
static inline void remote_is(enum ibv_wc_status status,
			     enum ibv_wr_opcode opcode, uint64_t offset,
			     size_t length)
{
	vt_rdma(&mine.end, 1, opcode, 0, length, offset, peer_key);
	vt_expect(mine.end.send_cq, 1, status);
}

/* The last thing that a connection does: nothing has changed there. */
static inline void remote_refused(enum ibv_wr_opcode opcode, uint64_t offset,
				  size_t length)
{
	remote_is(IBV_WC_REM_ACCESS_ERR, opcode, offset, length);
	order(ORDER_REFUSED);
	check_theirs("refused");
}

#endif
