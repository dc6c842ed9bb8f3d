/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Null regions (ibv_alloc_null_mr(3)): a source of zeros, and a sink. */
#include "windows_vt.h"

static void null_region_as_source(size_t length)
{
	struct ibv_mr *null;
	struct ibv_sge sges[2];
	struct ibv_send_wr wr;

	open_with(vt_defaults());
	null = ibv_alloc_null_mr(a.pd);
	VT_CHECK(null);
	vt_fill(a.buffer, length, 3);
	sges[0] = vt_sge(&a, 0, length / 2);
	sges[1] = (struct ibv_sge){ .addr = 12345,
				    .length = (uint32_t)length,
				    .lkey = null->lkey };
	memset(b.buffer, GUARD, 2 * length);
	vt_recv(&b, 2, 0, 2 * length);
	wr = vt_send_wr(1, IBV_WR_SEND, sges);
	wr.num_sge = 2;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, length / 2, 3, "before the zeros");
	for (size_t i = 0; i < length; i++)
		VT_EQUAL(b.buffer[length / 2 + i], 0);
	VT_EQUAL(b.buffer[length / 2 + length], GUARD);
	VT_EQUAL(ibv_dereg_mr(null), 0);
	close_pair();
}

static void a_null_region_is_a_source_of_zeros(void)
{
	null_region_as_source(16);
}

static void a_null_region_is_a_long_source_of_zeros(void)
{
	null_region_as_source(100000);
}

/* The middle of a message is dropped, the rest arrives where it should. */
static void null_region_as_target(size_t length)
{
	struct ibv_mr *null;
	struct ibv_sge sges[3];
	struct ibv_recv_wr recv = { .wr_id = 2, .sg_list = sges, .num_sge = 3 };
	struct ibv_recv_wr *bad;

	open_with(vt_defaults());
	null = ibv_alloc_null_mr(b.pd);
	VT_CHECK(null);
	vt_fill(a.buffer, 3 * length, 3);
	sges[0] = vt_sge(&b, 0, length);
	sges[1] = (struct ibv_sge){ .addr = 0,
				    .length = (uint32_t)length,
				    .lkey = null->lkey };
	sges[2] = vt_sge(&b, length, length);
	VT_EQUAL(ibv_post_recv(b.qp, &recv, &bad), 0);
	vt_send(&a, 1, 0, 3 * length);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	VT_EQUAL(memcmp(b.buffer, a.buffer, length), 0);
	VT_EQUAL(memcmp(b.buffer + length, a.buffer + 2 * length, length), 0);
	VT_EQUAL(ibv_dereg_mr(null), 0);
	close_pair();
}

static void a_null_region_drops_what_it_gets(void)
{
	null_region_as_target(8);
}

static void a_null_region_drops_what_comes_by_eager_buffers(void)
{
	null_region_as_target(1000);
}

static void a_null_region_drops_a_long_message(void)
{
	null_region_as_target(100000);
}

static void a_read_into_a_null_region_leaves_nothing(void)
{
	struct ibv_mr *null;
	struct ibv_sge sge;
	struct ibv_send_wr wr;

	open_with(vt_defaults());
	null = ibv_alloc_null_mr(a.pd);
	VT_CHECK(null);
	sge = (struct ibv_sge){ .length = 100000, .lkey = null->lkey };
	wr = vt_send_wr(1, IBV_WR_RDMA_READ, &sge);
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
	wr.wr.rdma.rkey = b.mr->rkey;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	/* What was written there is not read from there. */
	wr.opcode = IBV_WR_RDMA_WRITE;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	for (size_t i = 0; i < 100000; i++)
		VT_EQUAL(b.buffer[i], 0);
	VT_CHECK(ibv_rereg_mr(null, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			      IBV_ACCESS_LOCAL_WRITE));
	VT_EQUAL(ibv_dereg_mr(null), 0);
	close_pair();
}

static void a_null_region_is_not_for_peers(void)
{
	struct ibv_mr *null;

	open_with(vt_defaults());
	null = ibv_alloc_null_mr(b.pd);
	VT_CHECK(null);
	refused(IBV_WR_RDMA_READ, 0, 8, null->lkey);
	VT_EQUAL(ibv_dereg_mr(null), 0);
	close_pair();
}

static const struct vt_case cases[] = {
	VT_CASE(a_null_region_is_a_source_of_zeros),
	VT_CASE(a_null_region_is_a_long_source_of_zeros),
	VT_CASE(a_null_region_drops_what_it_gets),
	VT_CASE(a_null_region_drops_what_comes_by_eager_buffers),
	VT_CASE(a_null_region_drops_a_long_message),
	VT_CASE(a_read_into_a_null_region_leaves_nothing),
	VT_CASE(a_null_region_is_not_for_peers),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
