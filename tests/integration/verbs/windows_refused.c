/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Binds and invalidations that are refused: the one who makes the mistake gets
 * the completion, and its connection ends. And what is not even posted.
 */
#include "windows_vt.h"

/* Neither a region's key nor one that is no more. */
static void a_key_cannot_be_taken_back(bool region)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	completes(inv_wr(9, IBV_WR_LOCAL_INV, rkey), IBV_WC_LOCAL_INV);
	send_invalidating(region ? b.mr->rkey : rkey, 16);
	vt_expect(a.send_cq, 3, IBV_WC_REM_ACCESS_ERR);
	vt_expect(b.recv_cq, 2, IBV_WC_REM_INV_REQ_ERR);
	vt_wait_state(b.qp, IBV_QPS_ERR);
	close_pair();
}

static void a_region_is_not_taken_back(void)
{
	a_key_cannot_be_taken_back(true);
}

static void a_window_is_not_taken_back_twice(void)
{
	a_key_cannot_be_taken_back(false);
}

/* What the binder gets for a mistake; the peer does not learn of it. */
static void fails_at_home(struct ibv_send_wr wr)
{
	VT_EQUAL(vt_post_send(&b, &wr), 0);
	vt_expect(b.send_cq, wr.wr_id, IBV_WC_MW_BIND_ERR);
	vt_send(&b, 50, 0, 8);
	vt_expect(b.send_cq, 50, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_ERR);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_RTS);
	close_pair();
}

static void a_bind_beyond_the_region_fails(void)
{
	open_pair(IBV_MW_TYPE_2);
	fails_at_home(bind_wr(5, ibv_inc_rkey(window->rkey),
			      range(OFFSET, b.wish.buffer_bytes,
				    IBV_ACCESS_REMOTE_READ)));
}

static void a_bind_without_length_fails(void)
{
	open_pair(IBV_MW_TYPE_2);
	fails_at_home(bind_wr(5, ibv_inc_rkey(window->rkey),
			      range(OFFSET, 0, IBV_ACCESS_REMOTE_READ)));
}

static void a_second_bind_fails(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ);
	fails_at_home(bind_wr(5, ibv_inc_rkey(rkey),
			      range(OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ)));
}

static void bind_to_region_with(int region_rights, unsigned int rights)
{
	struct ibv_mw_bind_info info;

	open_pair(IBV_MW_TYPE_2);
	info = range(OFFSET, LENGTH, rights);
	extra_mr = ibv_reg_mr(b.pd, b.buffer, 3 * OFFSET, region_rights);
	VT_CHECK(extra_mr);
	info.mr = extra_mr;
	fails_at_home(bind_wr(5, ibv_inc_rkey(window->rkey), info));
}

static void a_bind_needs_the_right_to_bind(void)
{
	bind_to_region_with(VT_ALL_ACCESS, IBV_ACCESS_REMOTE_READ);
}

static void a_window_to_write_needs_local_write(void)
{
	bind_to_region_with(IBV_ACCESS_MW_BIND | IBV_ACCESS_REMOTE_READ,
			    IBV_ACCESS_REMOTE_WRITE);
}

static void an_unbound_window_is_not_invalidated(void)
{
	open_pair(IBV_MW_TYPE_2);
	fails_at_home(inv_wr(5, IBV_WR_LOCAL_INV, window->rkey));
}

static void a_region_is_not_invalidated(void)
{
	open_pair(IBV_MW_TYPE_2);
	fails_at_home(inv_wr(5, IBV_WR_LOCAL_INV, b.mr->rkey));
}

static void type_1_is_not_invalidated(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_1);
	rkey = bind_1(OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ);
	fails_at_home(inv_wr(5, IBV_WR_LOCAL_INV, rkey));
}

static void a_window_is_no_local_key(void)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr;
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ);
	sge = vt_sge(&b, OFFSET, 8);
	sge.lkey = rkey;
	wr = vt_send_wr(5, IBV_WR_SEND, &sge);
	VT_EQUAL(vt_post_send(&b, &wr), 0);
	vt_expect(b.send_cq, 5, IBV_WC_LOC_PROT_ERR);
	close_pair();
}

static void nonsense_is_not_posted(void)
{
	struct ibv_mw_bind bind = { .wr_id = 1 };
	struct ibv_send_wr wr;

	open_pair(IBV_MW_TYPE_1);
	/* Type 1 by the verb only, and each key for its own window. */
	wr = bind_wr(5, ibv_inc_rkey(window->rkey), range(0, 8, 0));
	VT_EQUAL(vt_post_send(&b, &wr), EINVAL);
	bind.bind_info = range(0, 8, IBV_ACCESS_ZERO_BASED);
	VT_EQUAL(ibv_bind_mw(b.qp, window, &bind), EINVAL);
	bind.bind_info = range(0, 8, 0);
	bind.bind_info.mr = NULL;
	VT_EQUAL(ibv_bind_mw(b.qp, window, &bind), EINVAL);
	bind.bind_info = range(0, 8, 0);
	bind.bind_info.mr = a.mr; /* of another PD */
	VT_EQUAL(ibv_bind_mw(b.qp, window, &bind), EPERM);
	VT_EQUAL(ibv_dealloc_mw(window), 0);
	window = ibv_alloc_mw(b.pd, IBV_MW_TYPE_2);
	VT_CHECK(window);
	wr = bind_wr(5, window->rkey + 256, range(0, 8, 0));
	VT_EQUAL(vt_post_send(&b, &wr), EINVAL);
	wr = bind_wr(5, window->rkey, range(0, 8, 1u << 10));
	VT_EQUAL(vt_post_send(&b, &wr), EINVAL);
	VT_EQUAL(ibv_bind_mw(b.qp, window, &bind), EINVAL);
	close_pair();
}

/* A refused bind fails after what was posted before it, and before what was
 * posted behind it. */
static void a_failure_keeps_its_place(void)
{
	struct ibv_send_wr list[3], *bad;
	struct ibv_sge sge;

	open_pair(IBV_MW_TYPE_2);
	sge = vt_sge(&b, 0, 64);
	list[0] = vt_send_wr(0, IBV_WR_SEND, &sge);
	list[1] = bind_wr(1, ibv_inc_rkey(window->rkey),
			  range(OFFSET, 0, IBV_ACCESS_REMOTE_READ));
	list[2] = vt_send_wr(2, IBV_WR_SEND, &sge);
	list[0].next = &list[1];
	list[1].next = &list[2];
	vt_recv(&a, 10, 0, 64);
	vt_recv(&a, 11, 64, 64);
	VT_EQUAL(ibv_post_send(b.qp, list, &bad), 0);
	vt_expect(b.send_cq, 0, IBV_WC_SUCCESS);
	vt_expect(b.send_cq, 1, IBV_WC_MW_BIND_ERR);
	vt_expect(b.send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	vt_expect(a.recv_cq, 10, IBV_WC_SUCCESS);
	vt_poll_nothing(a.recv_cq, 10);
	close_pair();
}

static const struct vt_case cases[] = {
	VT_CASE(a_region_is_not_taken_back),
	VT_CASE(a_window_is_not_taken_back_twice),
	VT_CASE(a_bind_beyond_the_region_fails),
	VT_CASE(a_bind_without_length_fails),
	VT_CASE(a_second_bind_fails),
	VT_CASE(a_bind_needs_the_right_to_bind),
	VT_CASE(a_window_to_write_needs_local_write),
	VT_CASE(an_unbound_window_is_not_invalidated),
	VT_CASE(a_region_is_not_invalidated),
	VT_CASE(type_1_is_not_invalidated),
	VT_CASE(a_window_is_no_local_key),
	VT_CASE(nonsense_is_not_posted),
	VT_CASE(a_failure_keeps_its_place),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
