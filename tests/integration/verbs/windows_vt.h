/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * For tests of memory windows: `b` owns the memory and binds, `a` comes through
 * the window. Static, because each program is a table of cases of its own.
 */
#ifndef WINDOWS_VT_H
#define WINDOWS_VT_H

#include "vt.h"

#define GUARD 0xa5
#define OFFSET 4096u /* where windows begin in b's buffer, unless said */
#define LENGTH 1024u

static struct vt_end a, b;
static struct ibv_mw *window;
static struct ibv_mr *extra_mr; /* of a case that needs a second region */

static inline void open_with(struct vt_wish wish)
{
	wish.mr_access = VT_ALL_ACCESS | IBV_ACCESS_MW_BIND;
	vt_pair_open(&a, &b, &wish, false);
	memset(b.buffer, GUARD, 3 * OFFSET);
}

static inline void open_pair(enum ibv_mw_type type)
{
	open_with(vt_defaults());
	window = ibv_alloc_mw(b.pd, type);
	VT_CHECK(window);
	VT_EQUAL(window->type, type);
}

static inline void close_pair(void)
{
	if (extra_mr)
		VT_EQUAL(ibv_dereg_mr(extra_mr), 0);
	if (window)
		VT_EQUAL(ibv_dealloc_mw(window), 0);
	vt_pair_close(&a, &b);
}

static inline struct ibv_mw_bind_info range(size_t offset, size_t length,
				     unsigned int access)
{
	return (struct ibv_mw_bind_info){
		.mr = b.mr,
		.addr = (uintptr_t)b.buffer + offset,
		.length = length,
		.mw_access_flags = access,
	};
}

static inline struct ibv_send_wr bind_wr(uint64_t id, uint32_t rkey,
				  struct ibv_mw_bind_info info)
{
	return (struct ibv_send_wr){
		.wr_id = id,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { .mw = window, .rkey = rkey, .bind_info = info },
	};
}

static inline struct ibv_send_wr inv_wr(uint64_t id, enum ibv_wr_opcode opcode,
				 uint32_t rkey)
{
	return (struct ibv_send_wr){
		.wr_id = id,
		.opcode = opcode,
		.send_flags = IBV_SEND_SIGNALED,
		.invalidate_rkey = rkey,
	};
}

static inline void completes(struct ibv_send_wr wr, enum ibv_wc_opcode opcode)
{
	struct ibv_wc wc;

	VT_EQUAL(vt_post_send(&b, &wr), 0);
	wc = vt_poll(b.send_cq);
	VT_EQUAL(wc.wr_id, wr.wr_id);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, opcode);
}

/* Binds the window of type 2 under a new key. */
static inline uint32_t bind_2(size_t offset, size_t length, unsigned int access)
{
	uint32_t rkey = ibv_inc_rkey(window->rkey);

	completes(bind_wr(7, rkey, range(offset, length, access)),
		  IBV_WC_BIND_MW);
	window->rkey = rkey;
	return rkey;
}

/* Binds the window of type 1: by the verb. */
static inline uint32_t bind_1(size_t offset, size_t length, unsigned int access)
{
	struct ibv_mw_bind bind = {
		.wr_id = 8,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_info = range(offset, length, access),
	};
	uint32_t before = window->rkey;
	struct ibv_wc wc;

	VT_EQUAL(ibv_bind_mw(b.qp, window, &bind), 0);
	VT_EQUAL(window->rkey, ibv_inc_rkey(before));
	wc = vt_poll(b.send_cq);
	VT_EQUAL(wc.wr_id, 8);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, IBV_WC_BIND_MW);
	return window->rkey;
}

static inline void access_is(enum ibv_wc_status status,
			     enum ibv_wr_opcode opcode, size_t offset,
			     size_t length, uint32_t rkey)
{
	vt_rdma(&a, 1, opcode, 0, length, (uintptr_t)b.buffer + offset, rkey);
	vt_expect(a.send_cq, 1, status);
}

static inline void allowed(enum ibv_wr_opcode opcode, size_t offset,
			   size_t length, uint32_t rkey)
{
	access_is(IBV_WC_SUCCESS, opcode, offset, length, rkey);
}

static inline void check_untouched(void)
{
	for (size_t i = 0; i < 3 * OFFSET; i++)
		VT_EQUAL(b.buffer[i], GUARD);
}

/* The last thing that a connection does. */
static inline void refused(enum ibv_wr_opcode opcode, size_t offset,
			   size_t length, uint32_t rkey)
{
	access_is(IBV_WC_REM_ACCESS_ERR, opcode, offset, length, rkey);
	vt_event(b.context, IBV_EVENT_QP_ACCESS_ERR);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_ERR);
}

static inline void send_invalidating(uint32_t rkey, size_t length)
{
	struct ibv_sge sge = vt_sge(&a, 0, length);
	struct ibv_send_wr wr = inv_wr(3, IBV_WR_SEND_WITH_INV, rkey);

	wr.sg_list = &sge;
	wr.num_sge = length ? 1 : 0;
	vt_recv(&b, 2, 0, 8192);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
}

#endif
