/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Device memory: copies in and out, regions over it as source and target of
 * every kind of request, and what is refused. Between two processes, too.
 */
#include "vt.h"

#define BYTES 65536u

static struct vt_end a, b;

static struct ibv_dm *alloc_dm(struct ibv_context *context, size_t length)
{
	struct ibv_alloc_dm_attr attr = { .length = length };

	return ibv_alloc_dm(context, &attr);
}

static void copies_keep_to_words_inside(void)
{
	struct ibv_context *context = vt_open();
	struct ibv_dm *dm = alloc_dm(context, 100);
	uint8_t in[100], out[100];

	VT_CHECK(dm);
	vt_fill(in, 100, 1);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 0, in, 100), 0);
	VT_EQUAL(ibv_memcpy_from_dm(out, dm, 4, 96), 0);
	VT_EQUAL(memcmp(in + 4, out, 96), 0);
	VT_CHECK(ibv_memcpy_to_dm(dm, 2, in, 4) != 0);
	VT_CHECK(ibv_memcpy_to_dm(dm, 0, in, 3) != 0);
	VT_CHECK(ibv_memcpy_to_dm(dm, 0, in, 104) != 0);
	VT_CHECK(ibv_memcpy_from_dm(out, dm, 100, 4) != 0);
	VT_CHECK(ibv_memcpy_from_dm(out, dm, UINT64_MAX - 3, 4) != 0);
	VT_EQUAL(ibv_free_dm(dm), 0);
	VT_EQUAL(ibv_close_device(context), 0);
}

static void sizes_are_bounded(void)
{
	struct ibv_context *context = vt_open();
	struct ibv_device_attr_ex attr;
	struct ibv_dm *dm;

	VT_EQUAL(ibv_query_device_ex(context, NULL, &attr), 0);
	VT_CHECK(attr.max_dm_size >= 1u << 20);
	dm = alloc_dm(context, attr.max_dm_size);
	VT_CHECK(dm);
	VT_EQUAL(ibv_free_dm(dm), 0);
	VT_CHECK(!alloc_dm(context, attr.max_dm_size + 1));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!alloc_dm(context, 0));
	VT_EQUAL(errno, EINVAL);
	VT_EQUAL(ibv_close_device(context), 0);
}

static void bad_regions_are_refused(void)
{
	struct ibv_context *context = vt_open();
	struct ibv_dm *dm = alloc_dm(context, 4096);
	struct ibv_pd *pd = ibv_alloc_pd(context);
	struct ibv_mr *mr;

	VT_CHECK(!ibv_reg_dm_mr(pd, dm, 0, 4096, IBV_ACCESS_LOCAL_WRITE));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!ibv_reg_dm_mr(pd, dm, 0, 4097, IBV_ACCESS_ZERO_BASED));
	VT_CHECK(!ibv_reg_dm_mr(pd, dm, 4096, 1, IBV_ACCESS_ZERO_BASED));
	VT_CHECK(!ibv_reg_dm_mr(pd, dm, UINT64_MAX, 2, IBV_ACCESS_ZERO_BASED));
	mr = ibv_reg_dm_mr(pd, dm, 4096, 0, IBV_ACCESS_ZERO_BASED);
	VT_CHECK(mr);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	mr = ibv_reg_dm_mr(pd, dm, 4000, 96, IBV_ACCESS_ZERO_BASED);
	VT_CHECK(mr);
	VT_EQUAL(ibv_free_dm(dm), EBUSY);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_free_dm(dm), 0);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	VT_EQUAL(ibv_close_device(context), 0);
}

/* Posts one request whose local side is device memory. */
static void post(struct vt_end *end, enum ibv_wr_opcode opcode,
		 struct ibv_mr *mr, uint64_t offset, uint32_t length,
		 uint64_t remote, uint32_t rkey)
{
	struct ibv_sge sge = { .addr = offset, .length = length,
			       .lkey = mr->lkey };
	struct ibv_send_wr wr = vt_send_wr(1, opcode, &sge);

	wr.wr.rdma.remote_addr = remote;
	wr.wr.rdma.rkey = rkey;
	if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr.wr.atomic.remote_addr = remote;
		wr.wr.atomic.rkey = rkey;
		wr.wr.atomic.compare_add = 5;
	}
	VT_EQUAL(vt_post_send(end, &wr), 0);
	vt_expect(end->send_cq, 1, IBV_WC_SUCCESS);
}

/* The other side: device memory that it tells of, and a buffer. */
static void target(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	uint8_t out[BYTES], in[BYTES];
	struct vt_end end;
	struct ibv_dm *dm;
	struct ibv_mr *mr;
	struct ibv_sge sge;
	struct ibv_recv_wr wr = { .wr_id = 9, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	(void)unused;
	vt_end_open(&end, &wish);
	dm = alloc_dm(end.context, 2 * BYTES);
	mr = ibv_reg_dm_mr(end.pd, dm, BYTES, BYTES,
			   VT_ALL_ACCESS | IBV_ACCESS_ZERO_BASED);
	VT_CHECK(mr);
	vt_fill(in, BYTES, 3);
	VT_EQUAL(ibv_memcpy_to_dm(dm, BYTES, in, BYTES), 0);
	sge = (struct ibv_sge){ .addr = 64, .length = 256, .lkey = mr->lkey };
	vt_meet(fd, &end);
	VT_EQUAL(ibv_post_recv(end.qp, &wr, &bad), 0);
	vt_tell(fd, &mr->rkey, sizeof(mr->rkey));
	vt_sync(fd); /* written, added, sent */
	vt_expect(end.recv_cq, 9, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_memcpy_from_dm(out, dm, BYTES, BYTES), 0);
	vt_check_fill(out + 64, 256, 7, "sent into device memory");
	vt_check_fill(out + 4096, BYTES - 4096, 8, "written to device memory");
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_free_dm(dm), 0);
	vt_end_close(&end);
}

static void every_request_uses_it(void)
{
	struct vt_peer peer = vt_fork(target, NULL);
	struct vt_wish wish = vt_defaults();
	uint8_t data[BYTES], expected[BYTES];
	uint64_t word, before;
	struct vt_end end;
	struct ibv_dm *dm;
	struct ibv_mr *mr;
	uint32_t rkey;

	vt_end_open(&end, &wish);
	dm = alloc_dm(end.context, BYTES);
	mr = ibv_reg_dm_mr(end.pd, dm, 0, BYTES,
			   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ZERO_BASED);
	VT_CHECK(mr);
	vt_meet(peer.fd, &end);
	vt_hear(peer.fd, &rkey, sizeof(rkey));
	post(&end, IBV_WR_RDMA_READ, mr, 0, BYTES, 0, rkey);
	VT_EQUAL(ibv_memcpy_from_dm(data, dm, 0, BYTES), 0);
	vt_check_fill(data, BYTES, 3, "read from device memory");
	post(&end, IBV_WR_ATOMIC_FETCH_AND_ADD, mr, 8, 8, 16, rkey);
	vt_fill(expected, BYTES, 3);
	memcpy(&before, expected + 16, 8);
	VT_EQUAL(ibv_memcpy_from_dm(&word, dm, 8, 8), 0);
	VT_EQUAL(word, before);
	vt_fill(data, 256, 7);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 0, data, 256), 0);
	post(&end, IBV_WR_SEND, mr, 0, 256, 0, 0);
	vt_fill(data, BYTES - 4096, 8);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 4096, data, BYTES - 4096), 0);
	post(&end, IBV_WR_RDMA_WRITE, mr, 4096, BYTES - 4096, 4096, rkey);
	vt_sync(peer.fd);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_free_dm(dm), 0);
	vt_end_close(&end);
	vt_join(&peer);
}

static void bounds_of_a_region_hold(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_dm *dm;
	struct ibv_mr *mr;

	vt_pair_open(&a, &b, &wish, false);
	dm = alloc_dm(b.context, BYTES);
	mr = ibv_reg_dm_mr(b.pd, dm, 4096, 4096,
			   VT_ALL_ACCESS | IBV_ACCESS_ZERO_BASED);
	VT_CHECK(mr);
	vt_rdma(&a, 1, IBV_WR_RDMA_WRITE, 0, 4096, 0, mr->rkey);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_rdma(&a, 2, IBV_WR_RDMA_WRITE, 0, 4096, 4, mr->rkey);
	vt_expect(a.send_cq, 2, IBV_WC_REM_ACCESS_ERR);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_free_dm(dm), 0);
	vt_pair_close(&a, &b);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(copies_keep_to_words_inside),
		VT_CASE(sizes_are_bounded),
		VT_CASE(bad_regions_are_refused),
		VT_CASE(every_request_uses_it),
		VT_CASE(bounds_of_a_region_hold),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
