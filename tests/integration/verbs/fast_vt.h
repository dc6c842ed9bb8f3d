/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * For tests of registration by work requests: `b` registers, `a` is its peer.
 * Static, because each program is a table of cases of its own.
 */
#ifndef FAST_VT_H
#define FAST_VT_H

#include <infiniband/arnicadv.h>

#include "vt.h"

#define GUARD 0xa5
#define OFFSET 4096u /* where regions begin in b's buffer, unless said */
#define LENGTH 8192u
#define WRITE (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE)

static struct vt_end a, b;
static struct ibv_mr *region;

/* Puts a queue pair that registers in the place of the end's own. */
static inline void make_registering(struct vt_end *end,
				    enum arnicadv_reg_error reg_error)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = end->send_cq,
		.recv_cq = end->recv_cq,
		.cap = { .max_send_wr = 64, .max_recv_wr = 64,
			 .max_send_sge = 4, .max_recv_sge = 4,
			 .max_inline_data = 64 },
		.qp_type = end->wish.type,
		.comp_mask = IBV_QP_INIT_ATTR_PD |
			     IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = end->pd,
		.send_ops_flags = IBV_QP_EX_WITH_SEND |
				  IBV_QP_EX_WITH_RDMA_WRITE |
				  IBV_QP_EX_WITH_LOCAL_INV |
				  IBV_QP_EX_WITH_BIND_MW,
	};
	struct arnicadv_qp_init_attr direct = {
		.comp_mask = ARNICADV_QP_INIT_ATTR_SEND_OPS_FLAGS |
			     ARNICADV_QP_INIT_ATTR_REG_ERROR,
		.send_ops_flags = ARNICADV_QP_EX_WITH_REG_MR |
				  ARNICADV_QP_EX_WITH_REG_MR_SEND,
		.reg_error = reg_error,
	};

	VT_EQUAL(ibv_destroy_qp(end->qp), 0);
	end->qp = arnicadv_create_qp(end->context, &attr, &direct);
	VT_CHECK(end->qp);
}

static inline void open_registering(enum ibv_qp_type type,
				    enum arnicadv_reg_error reg_error)
{
	struct arnicadv_mr_init_attr attr = { .max_ranges = 64 };
	struct vt_wish wish = vt_defaults();

	wish.type = type;
	wish.mr_access = VT_ALL_ACCESS;
	vt_end_open(&b, &wish);
	make_registering(&b, reg_error);
	memset(b.buffer, GUARD, 3 * LENGTH);
	region = arnicadv_alloc_mr(b.pd, &attr);
	VT_CHECK(region);
}

static inline void open_pair_of(enum ibv_qp_type type,
				enum arnicadv_reg_error reg_error)
{
	struct vt_address of_a, of_b;

	open_registering(type, reg_error);
	vt_end_open(&a, &b.wish);
	of_a = vt_address_of(&a);
	of_b = vt_address_of(&b);
	vt_connect(&a, &of_b);
	vt_connect(&b, &of_a);
}

static inline void open_pair(void)
{
	open_pair_of(IBV_QPT_RC, ARNICADV_REG_ERROR_ERR);
}

static inline void close_pair(void)
{
	if (region)
		VT_EQUAL(ibv_dereg_mr(region), 0);
	vt_pair_close(&a, &b);
}

static struct arnicadv_range whole;

/* LENGTH bytes of b's buffer under the next key. */
static inline struct arnicadv_reg_attr wish_for(unsigned int access)
{
	whole = (struct arnicadv_range){
		.addr = (uintptr_t)b.buffer + OFFSET,
		.length = LENGTH,
	};
	return (struct arnicadv_reg_attr){
		.rkey = ibv_inc_rkey(region->rkey),
		.access = access,
		.iova = whole.addr,
		.length = LENGTH,
		.num_entries = 1,
		.ranges = &whole,
	};
}

static inline int post_reg(uint64_t id, const struct arnicadv_reg_attr *attr)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(b.qp);

	ibv_wr_start(ex);
	ex->wr_id = id;
	ex->wr_flags = IBV_SEND_SIGNALED;
	arnicadv_wr_reg_mr(arnicadv_qp_ex_from_ibv_qp_ex(ex), region, attr);
	return ibv_wr_complete(ex);
}

static inline void register_as(const struct arnicadv_reg_attr *attr)
{
	struct ibv_wc wc;

	VT_EQUAL(post_reg(11, attr), 0);
	wc = vt_poll(b.send_cq);
	VT_EQUAL(wc.wr_id, 11);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, ARNICADV_WC_REG_MR);
	region->rkey = attr->rkey;
	region->lkey = attr->rkey;
}

static inline void register_whole(unsigned int access)
{
	const struct arnicadv_reg_attr attr = wish_for(access);

	register_as(&attr);
}

static inline void end_region(uint32_t rkey, enum ibv_wc_status status)
{
	struct ibv_send_wr wr = {
		.wr_id = 12,
		.opcode = IBV_WR_LOCAL_INV,
		.send_flags = IBV_SEND_SIGNALED,
		.invalidate_rkey = rkey,
	};

	VT_EQUAL(vt_post_send(&b, &wr), 0);
	vt_expect(b.send_cq, 12, status);
}

static inline void access_is(enum ibv_wc_status status,
			     enum ibv_wr_opcode opcode, uint64_t address,
			     size_t length, uint32_t rkey)
{
	vt_rdma(&a, 1, opcode, 0, length, address, rkey);
	vt_expect(a.send_cq, 1, status);
}

/* The last thing that a connection does. */
static inline void refused(enum ibv_wr_opcode opcode, uint64_t address,
			   size_t length, uint32_t rkey)
{
	access_is(IBV_WC_REM_ACCESS_ERR, opcode, address, length, rkey);
	vt_event(b.context, IBV_EVENT_QP_ACCESS_ERR);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_ERR);
}

#endif
