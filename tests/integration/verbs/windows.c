/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory windows as applications use them (IBTA 10.6.7): what they permit, to
 * whom, and what ends them. A refused access ends the connection, as with any
 * wrong key.
 */
#include "windows_vt.h"

static void the_device_says_what_it_can(void)
{
	struct ibv_device_attr attr;
	unsigned int two;

	open_pair(IBV_MW_TYPE_1);
	VT_EQUAL(ibv_query_device(a.context, &attr), 0);
	VT_CHECK(attr.device_cap_flags & IBV_DEVICE_MEM_WINDOW);
	VT_CHECK(attr.device_cap_flags & IBV_DEVICE_MEM_MGT_EXTENSIONS);
	two = attr.device_cap_flags & (IBV_DEVICE_MEM_WINDOW_TYPE_2A |
				       IBV_DEVICE_MEM_WINDOW_TYPE_2B);
	VT_CHECK(two == IBV_DEVICE_MEM_WINDOW_TYPE_2A ||
		 two == IBV_DEVICE_MEM_WINDOW_TYPE_2B);
	VT_CHECK(attr.max_mw > 1000);
	close_pair();
}

static void a_window_is_used_by_all_operations(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, 65536,
		      IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
			      IBV_ACCESS_REMOTE_ATOMIC);
	vt_fill(a.buffer, 65536, 3);
	allowed(IBV_WR_RDMA_WRITE, OFFSET, 65536, rkey);
	vt_check_fill(b.buffer + OFFSET, 65536, 3, "written");
	memset(a.buffer, 0, 65536);
	allowed(IBV_WR_RDMA_READ, OFFSET, 65536, rkey);
	vt_check_fill(a.buffer, 65536, 3, "read");
	allowed(IBV_WR_ATOMIC_FETCH_AND_ADD, OFFSET + 65528, 8, rkey);
	vt_recv(&b, 4, 0, 64);
	allowed(IBV_WR_RDMA_WRITE_WITH_IMM, OFFSET, 64, rkey);
	vt_expect(b.recv_cq, 4, IBV_WC_SUCCESS);
	close_pair();
}

static void a_window_ends_where_it_ends(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	refused(IBV_WR_RDMA_WRITE, OFFSET + LENGTH - 7, 8, rkey);
	check_untouched();
	close_pair();
}

static void a_window_begins_where_it_begins(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_1);
	rkey = bind_1(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	refused(IBV_WR_RDMA_WRITE, OFFSET - 1, 8, rkey);
	check_untouched();
	close_pair();
}

static void a_right_that_was_not_given_is_missing(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH,
		      IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC);
	refused(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	check_untouched();
	close_pair();
}

static void a_window_may_begin_at_zero(void)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr;
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH,
		      IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_ZERO_BASED);
	vt_fill(a.buffer, 64, 5);
	sge = vt_sge(&a, 0, 64);
	wr = vt_send_wr(1, IBV_WR_RDMA_WRITE, &sge);
	wr.wr.rdma.remote_addr = 100;
	wr.wr.rdma.rkey = rkey;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer + OFFSET + 100, 64, 5, "at an offset");
	refused(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	close_pair();
}

/* Another queue pair of b's process, in the same PD or in one of its own. */
static void through_the_other(enum ibv_mw_type type, bool same_pd,
			      enum ibv_wc_status status)
{
	struct vt_end c, d;
	struct vt_address of_c, of_d;
	uint32_t rkey;

	open_pair(type);
	vt_end_open(&c, &a.wish);
	vt_end_open_in(&d, &b, &b.wish);
	if (same_pd) {
		struct ibv_qp_init_attr attr = { .send_cq = d.send_cq,
						 .recv_cq = d.recv_cq,
						 .qp_type = IBV_QPT_RC };

		VT_EQUAL(ibv_destroy_qp(d.qp), 0);
		d.qp = ibv_create_qp(b.pd, &attr);
		VT_CHECK(d.qp);
	}
	of_c = vt_address_of(&c);
	of_d = vt_address_of(&d);
	vt_connect(&c, &of_d);
	vt_connect(&d, &of_c);
	rkey = type == IBV_MW_TYPE_1 ?
		       bind_1(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE) :
		       bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	vt_rdma(&c, 1, IBV_WR_RDMA_WRITE, 0, 8, (uintptr_t)b.buffer + OFFSET,
		rkey);
	vt_expect(c.send_cq, 1, status);
	allowed(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	vt_end_close(&d);
	vt_end_close(&c);
	close_pair();
}

static void type_2_is_for_its_queue_pair(void)
{
	through_the_other(IBV_MW_TYPE_2, true, IBV_WC_REM_ACCESS_ERR);
}

static void type_1_is_for_all_of_its_domain(void)
{
	through_the_other(IBV_MW_TYPE_1, true, IBV_WC_SUCCESS);
}

static void type_1_is_for_no_other_domain(void)
{
	through_the_other(IBV_MW_TYPE_1, false, IBV_WC_REM_ACCESS_ERR);
}

static void local_invalidation_ends_the_key(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	allowed(IBV_WR_RDMA_WRITE, OFFSET, 0, rkey);
	completes(inv_wr(9, IBV_WR_LOCAL_INV, rkey), IBV_WC_LOCAL_INV);
	refused(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	check_untouched();
	close_pair();
}

static void a_window_is_bound_again_under_another_key(void)
{
	uint32_t first, second;

	open_pair(IBV_MW_TYPE_2);
	first = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	completes(inv_wr(9, IBV_WR_LOCAL_INV, first), IBV_WC_LOCAL_INV);
	second = bind_2(2 * OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ);
	VT_EQUAL(first >> 8, second >> 8);
	allowed(IBV_WR_RDMA_READ, 2 * OFFSET, LENGTH, second);
	refused(IBV_WR_RDMA_WRITE, OFFSET, 8, first);
	check_untouched();
	close_pair();
}

static void type_1_is_bound_again_and_unbound(void)
{
	uint32_t first, second;

	open_pair(IBV_MW_TYPE_1);
	first = bind_1(OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ);
	second = bind_1(2 * OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ);
	VT_CHECK(first != second);
	allowed(IBV_WR_RDMA_READ, 2 * OFFSET, LENGTH, second);
	VT_EQUAL(ibv_dereg_mr(b.mr), EBUSY);
	(void)bind_1(0, 0, 0);
	refused(IBV_WR_RDMA_READ, 2 * OFFSET, 8, second);
	close_pair();
}

static void a_rebind_ends_the_key_before(void)
{
	uint32_t first;

	open_pair(IBV_MW_TYPE_1);
	first = bind_1(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	(void)bind_1(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	refused(IBV_WR_RDMA_WRITE, OFFSET, 8, first);
	check_untouched();
	close_pair();
}

static void a_region_stays_while_a_window_stands_on_it(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	VT_EQUAL(ibv_dereg_mr(b.mr), EBUSY);
	VT_CHECK(ibv_rereg_mr(b.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			      VT_ALL_ACCESS));
	allowed(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	completes(inv_wr(9, IBV_WR_LOCAL_INV, rkey), IBV_WC_LOCAL_INV);
	close_pair(); /* deregisters the region */
}

static void a_window_ends_with_its_queue_pair(void)
{
	open_pair(IBV_MW_TYPE_2);
	(void)bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	VT_EQUAL(ibv_dereg_mr(b.mr), EBUSY);
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	VT_EQUAL(ibv_dereg_mr(b.mr), 0);
	b.qp = NULL;
	b.mr = NULL;
	close_pair();
}

static void deallocation_ends_the_key(void)
{
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_1);
	rkey = bind_1(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	VT_EQUAL(ibv_dealloc_mw(window), 0);
	window = NULL;
	refused(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	check_untouched();
	close_pair();
}

static void the_peer_takes_a_window_back(size_t length)
{
	struct ibv_wc wc;
	uint32_t rkey;

	open_pair(IBV_MW_TYPE_2);
	rkey = bind_2(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	vt_fill(a.buffer, length, 9);
	send_invalidating(rkey, length);
	wc = vt_poll(a.send_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, IBV_WC_SEND);
	wc = vt_poll(b.recv_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, IBV_WC_RECV);
	VT_EQUAL(wc.wc_flags, IBV_WC_WITH_INV);
	VT_EQUAL(wc.invalidated_rkey, rkey);
	VT_EQUAL(wc.byte_len, length);
	vt_check_fill(b.buffer, length, 9, "sent");
	/* Free again: it can be bound, and the old key is nobody's. */
	(void)bind_2(2 * OFFSET, LENGTH, IBV_ACCESS_REMOTE_READ);
	refused(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	close_pair();
}

static void a_short_send_takes_a_window_back(void)
{
	the_peer_takes_a_window_back(16);
}

static void a_long_send_takes_a_window_back(void)
{
	the_peer_takes_a_window_back(8192);
}

static void an_empty_send_takes_a_window_back(void)
{
	the_peer_takes_a_window_back(0);
}

/* One list: nothing of it needs to be waited for, and all completes in its
 * order. */
static void requests_keep_their_order(void)
{
	struct ibv_send_wr list[6], *bad;
	struct ibv_sge sge;
	uint32_t first, second;
	int i;

	open_pair(IBV_MW_TYPE_2);
	sge = vt_sge(&b, 0, 64);
	first = ibv_inc_rkey(window->rkey);
	second = ibv_inc_rkey(first);
	list[0] = vt_send_wr(0, IBV_WR_SEND, &sge);
	list[1] = bind_wr(1, first, range(OFFSET, 64, IBV_ACCESS_REMOTE_READ));
	list[2] = vt_send_wr(2, IBV_WR_RDMA_READ, &sge);
	list[2].wr.rdma.remote_addr = (uintptr_t)a.buffer;
	list[2].wr.rdma.rkey = a.mr->rkey;
	list[3] = inv_wr(3, IBV_WR_LOCAL_INV, first);
	list[3].send_flags |= IBV_SEND_FENCE;
	list[4] = bind_wr(4, second, range(OFFSET, 64, IBV_ACCESS_REMOTE_READ));
	list[5] = vt_send_wr(5, IBV_WR_SEND, &sge);
	for (i = 0; i < 6; i++)
		list[i].next = i < 5 ? &list[i + 1] : NULL;
	vt_recv(&a, 10, 0, 64);
	vt_recv(&a, 11, 64, 64);
	VT_EQUAL(ibv_post_send(b.qp, list, &bad), 0);
	for (i = 0; i < 6; i++)
		vt_expect(b.send_cq, (uint64_t)i, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 10, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 11, IBV_WC_SUCCESS);
	allowed(IBV_WR_RDMA_READ, OFFSET, 64, second);
	close_pair();
}

static void work_requests_of_the_extended_interface(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_mw_bind_info info;
	struct ibv_qp_ex *ex;
	struct ibv_wc wc;
	uint32_t rkey;

	wish.extended = true;
	open_with(wish);
	window = ibv_alloc_mw(b.pd, IBV_MW_TYPE_2);
	VT_CHECK(window);
	info = range(OFFSET, LENGTH, IBV_ACCESS_REMOTE_WRITE);
	rkey = ibv_inc_rkey(window->rkey);
	ex = ibv_qp_to_qp_ex(b.qp);
	ibv_wr_start(ex);
	ex->wr_flags = IBV_SEND_SIGNALED;
	ex->wr_id = 1;
	ibv_wr_bind_mw(ex, window, rkey, &info);
	ex->wr_id = 2;
	ibv_wr_local_inv(ex, rkey);
	ex->wr_id = 3;
	rkey = ibv_inc_rkey(rkey);
	ibv_wr_bind_mw(ex, window, rkey, &info);
	VT_EQUAL(ibv_wr_complete(ex), 0);
	for (uint64_t id = 1; id <= 3; id++)
		vt_expect(b.send_cq, id, IBV_WC_SUCCESS);
	allowed(IBV_WR_RDMA_WRITE, OFFSET, 8, rkey);
	vt_recv(&b, 4, 0, 64);
	ex = ibv_qp_to_qp_ex(a.qp);
	ibv_wr_start(ex);
	ex->wr_flags = IBV_SEND_SIGNALED;
	ex->wr_id = 5;
	ibv_wr_send_inv(ex, rkey);
	ibv_wr_set_sge(ex, a.mr->lkey, (uintptr_t)a.buffer, 8);
	VT_EQUAL(ibv_wr_complete(ex), 0);
	vt_expect(a.send_cq, 5, IBV_WC_SUCCESS);
	wc = vt_poll(b.recv_cq);
	VT_EQUAL(wc.wr_id, 4);
	VT_EQUAL(wc.invalidated_rkey, rkey);
	ibv_wr_start(ibv_qp_to_qp_ex(b.qp));
	ibv_wr_bind_mw(ibv_qp_to_qp_ex(b.qp), window, rkey + 256, &info);
	VT_EQUAL(ibv_wr_complete(ibv_qp_to_qp_ex(b.qp)), EINVAL);
	close_pair();
}

static const struct vt_case cases[] = {
	VT_CASE(the_device_says_what_it_can),
	VT_CASE(a_window_is_used_by_all_operations),
	VT_CASE(a_window_ends_where_it_ends),
	VT_CASE(a_window_begins_where_it_begins),
	VT_CASE(a_right_that_was_not_given_is_missing),
	VT_CASE(a_window_may_begin_at_zero),
	VT_CASE(type_2_is_for_its_queue_pair),
	VT_CASE(type_1_is_for_all_of_its_domain),
	VT_CASE(type_1_is_for_no_other_domain),
	VT_CASE(local_invalidation_ends_the_key),
	VT_CASE(a_window_is_bound_again_under_another_key),
	VT_CASE(type_1_is_bound_again_and_unbound),
	VT_CASE(a_rebind_ends_the_key_before),
	VT_CASE(a_region_stays_while_a_window_stands_on_it),
	VT_CASE(a_window_ends_with_its_queue_pair),
	VT_CASE(deallocation_ends_the_key),
	VT_CASE(a_short_send_takes_a_window_back),
	VT_CASE(a_long_send_takes_a_window_back),
	VT_CASE(an_empty_send_takes_a_window_back),
	VT_CASE(requests_keep_their_order),
	VT_CASE(work_requests_of_the_extended_interface),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
