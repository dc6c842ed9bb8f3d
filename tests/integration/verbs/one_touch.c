/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Windows and regions for one message of the peer: the first one has it, with
 * all its packets, and then the key is invalid.
 */
#include "fast_vt.h"

#define LONG 262144u

static struct ibv_mw *window;

static void open_window(enum ibv_mw_type type)
{
	struct vt_wish wish = vt_defaults();

	wish.mr_access = VT_ALL_ACCESS | IBV_ACCESS_MW_BIND;
	vt_pair_open(&a, &b, &wish, false);
	window = ibv_alloc_mw(b.pd, type);
	VT_CHECK(window);
}

static void close_window(void)
{
	VT_EQUAL(ibv_dealloc_mw(window), 0);
	vt_pair_close(&a, &b);
}

static struct ibv_mw_bind_info one_touch(size_t length)
{
	return (struct ibv_mw_bind_info){
		.mr = b.mr,
		.addr = (uintptr_t)b.buffer,
		.length = length,
		.mw_access_flags = IBV_ACCESS_REMOTE_WRITE |
				   IBV_ACCESS_REMOTE_READ |
				   IBV_ACCESS_REMOTE_ATOMIC |
				   (unsigned int)ARNICADV_ACCESS_ONE_TOUCH,
	};
}

static void bind_2(size_t length)
{
	struct ibv_send_wr wr = {
		.wr_id = 7,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { .mw = window,
			     .rkey = ibv_inc_rkey(window->rkey),
			     .bind_info = one_touch(length) },
	};

	VT_EQUAL(vt_post_send(&b, &wr), 0);
	vt_expect(b.send_cq, 7, IBV_WC_SUCCESS);
	window->rkey = wr.bind_mw.rkey;
}

static void bind_1(size_t length)
{
	struct ibv_mw_bind bind = {
		.wr_id = 8,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_info = one_touch(length),
	};

	VT_EQUAL(ibv_bind_mw(b.qp, window, &bind), 0);
	vt_expect(b.send_cq, 8, IBV_WC_SUCCESS);
}

/* Each round is a bind and one message; the window is free after it. */
static void rounds(void (*bind)(size_t length))
{
	for (uint64_t round = 0; round < 6; round++) {
		size_t length = round & 1 ? 64 : LONG;

		bind(length);
		vt_fill(a.buffer, length, round);
		access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE,
			  (uintptr_t)b.buffer, length, window->rkey);
		vt_check_fill(b.buffer, length, round, "written once");
		bind(length);
		memset(a.buffer, 0, length);
		access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ,
			  (uintptr_t)b.buffer, length, window->rkey);
		vt_check_fill(a.buffer, length, round, "read once");
		bind(length);
		access_is(IBV_WC_SUCCESS, IBV_WR_ATOMIC_FETCH_AND_ADD,
			  (uintptr_t)b.buffer, 8, window->rkey);
	}
}

static void type_2_is_bound_anew_after_each_message(void)
{
	open_window(IBV_MW_TYPE_2);
	rounds(bind_2);
	close_window();
}

static void so_is_type_1(void)
{
	open_window(IBV_MW_TYPE_1);
	rounds(bind_1);
	close_window();
}

static void second_is_refused(enum ibv_mw_type type, enum ibv_wr_opcode first,
			      enum ibv_wr_opcode second)
{
	open_window(type);
	if (type == IBV_MW_TYPE_2)
		bind_2(LONG);
	else
		bind_1(LONG);
	access_is(IBV_WC_SUCCESS, first, (uintptr_t)b.buffer, 8, window->rkey);
	refused(second, (uintptr_t)b.buffer, 8, window->rkey);
	close_window();
}

static void a_second_write_is_refused(void)
{
	second_is_refused(IBV_MW_TYPE_2, IBV_WR_RDMA_WRITE, IBV_WR_RDMA_WRITE);
}

static void a_second_read_is_refused(void)
{
	second_is_refused(IBV_MW_TYPE_2, IBV_WR_RDMA_READ, IBV_WR_RDMA_READ);
}

static void a_read_after_a_write_is_refused(void)
{
	second_is_refused(IBV_MW_TYPE_1, IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ);
}

static void an_atomic_after_an_atomic_is_refused(void)
{
	second_is_refused(IBV_MW_TYPE_1, IBV_WR_ATOMIC_FETCH_AND_ADD,
			  IBV_WR_ATOMIC_FETCH_AND_ADD);
}

/* Posted together: the second must not slip in behind the first. */
static void not_even_a_message_on_the_heels_of_the_first(void)
{
	struct ibv_sge sge[2];
	struct ibv_send_wr wr[2];

	open_window(IBV_MW_TYPE_2);
	bind_2(LONG);
	vt_fill(a.buffer, LONG, 1);
	sge[0] = vt_sge(&a, 0, LONG);
	sge[1] = vt_sge(&a, 8, 8);
	for (int i = 0; i < 2; i++) {
		wr[i] = vt_send_wr(i + 1, IBV_WR_RDMA_WRITE, &sge[i]);
		wr[i].wr.rdma.remote_addr = (uintptr_t)b.buffer;
		wr[i].wr.rdma.rkey = window->rkey;
	}
	wr[0].next = &wr[1];
	VT_EQUAL(vt_post_send(&a, &wr[0]), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 2, IBV_WC_REM_ACCESS_ERR);
	vt_event(b.context, IBV_EVENT_QP_ACCESS_ERR);
	vt_check_fill(b.buffer, LONG, 1, "of the first");
	close_window();
}

/* A message of no bytes touches nothing. */
static void an_empty_message_is_no_touch(void)
{
	open_window(IBV_MW_TYPE_2);
	bind_2(64);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, (uintptr_t)b.buffer, 0,
		  window->rkey);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, (uintptr_t)b.buffer, 8,
		  window->rkey);
	close_window();
}

/* Memory that a touched window stood on may go. */
static void the_region_is_free_after_the_touch(void)
{
	open_window(IBV_MW_TYPE_2);
	bind_2(64);
	VT_EQUAL(ibv_dereg_mr(b.mr), EBUSY);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, (uintptr_t)b.buffer, 8,
		  window->rkey);
	VT_EQUAL(ibv_dereg_mr(b.mr), 0);
	b.mr = ibv_reg_mr(b.pd, b.buffer, LONG, VT_ALL_ACCESS);
	VT_CHECK(b.mr);
	close_window();
}

static void a_region_may_be_for_one_message(void)
{
	uint64_t start;

	open_pair();
	start = (uintptr_t)b.buffer + OFFSET;
	for (int round = 0; round < 5; round++) {
		register_whole(VT_ALL_ACCESS |
			       (unsigned int)ARNICADV_ACCESS_ONE_TOUCH);
		vt_fill(a.buffer, LENGTH, round);
		access_is(IBV_WC_SUCCESS,
			  round & 1 ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
			  start, LENGTH, region->rkey);
	}
	refused(IBV_WR_RDMA_READ, start, 8, region->rkey);
	close_pair();
}

/* The owner is told, too, that it was used. */
static void a_touched_region_cannot_be_ended_again(void)
{
	open_pair_of(IBV_QPT_RC, ARNICADV_REG_ERROR_SQD);
	register_whole(VT_ALL_ACCESS | (unsigned int)ARNICADV_ACCESS_ONE_TOUCH);
	end_region(region->rkey, IBV_WC_SUCCESS);
	register_whole(VT_ALL_ACCESS | (unsigned int)ARNICADV_ACCESS_ONE_TOUCH);
	access_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE,
		  (uintptr_t)b.buffer + OFFSET, 8, region->rkey);
	end_region(region->rkey, IBV_WC_MW_BIND_ERR);
	close_pair();
}

static const struct vt_case cases[] = {
	VT_CASE(type_2_is_bound_anew_after_each_message),
	VT_CASE(so_is_type_1),
	VT_CASE(a_second_write_is_refused),
	VT_CASE(a_second_read_is_refused),
	VT_CASE(a_read_after_a_write_is_refused),
	VT_CASE(an_atomic_after_an_atomic_is_refused),
	VT_CASE(not_even_a_message_on_the_heels_of_the_first),
	VT_CASE(an_empty_message_is_no_touch),
	VT_CASE(the_region_is_free_after_the_touch),
	VT_CASE(a_region_may_be_for_one_message),
	VT_CASE(a_touched_region_cannot_be_ended_again),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
