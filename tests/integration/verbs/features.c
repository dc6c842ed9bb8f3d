/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the device offers beyond plain sends: regions with addresses of their
 * own, re-registration, the ibv_wr_* calls, extended completion queues, and the
 * tables that programs read.
 */
#include <unistd.h>

#include "vt.h"

static struct vt_end a, b;

static void open_pair(bool extended)
{
	struct vt_wish wish = vt_defaults();

	wish.extended = extended;
	vt_pair_open(&a, &b, &wish, false);
}

static void region_is_named_by_its_own_addresses(void)
{
	const uint64_t iova = 0x123450000000ull;
	struct ibv_mr *mr;
	struct ibv_sge sge;
	struct ibv_send_wr wr;

	open_pair(false);
	mr = ibv_reg_mr_iova(b.pd, b.buffer, 65536, iova, VT_ALL_ACCESS);
	VT_CHECK(mr);
	vt_fill(a.buffer, 5000, 1);
	vt_rdma(&a, 1, IBV_WR_RDMA_WRITE, 0, 5000, iova + 100, mr->rkey);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer + 100, 5000, 1, "written by iova");
	vt_recv(&a, 2, 65536, 8000);
	sge = (struct ibv_sge){ .addr = iova + 100, .length = 5000,
				.lkey = mr->lkey };
	wr = vt_send_wr(3, IBV_WR_SEND, &sge);
	VT_EQUAL(vt_post_send(&b, &wr), 0);
	vt_expect(b.send_cq, 3, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(a.buffer + 65536, 5000, 1, "sent by iova");
	vt_rdma(&a, 4, IBV_WR_RDMA_WRITE, 0, 8, (uintptr_t)b.buffer, mr->rkey);
	vt_expect(a.send_cq, 4, IBV_WC_REM_ACCESS_ERR);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	vt_pair_close(&a, &b);
}

static void zero_based_region_starts_at_zero(void)
{
	struct ibv_mr *mr;

	open_pair(false);
	mr = ibv_reg_mr(b.pd, b.buffer + 10, 65536,
			VT_ALL_ACCESS | IBV_ACCESS_ZERO_BASED);
	VT_CHECK(mr);
	vt_fill(b.buffer + 10, 65536, 4);
	vt_rdma(&a, 1, IBV_WR_RDMA_READ, 0, 1000, 64000, mr->rkey);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	VT_CHECK(!memcmp(a.buffer, b.buffer + 10 + 64000, 1000));
	vt_rdma(&a, 2, IBV_WR_RDMA_READ, 0, 1000, 65000, mr->rkey);
	vt_expect(a.send_cq, 2, IBV_WC_REM_ACCESS_ERR);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	vt_pair_close(&a, &b);
}

static void region_changes_its_rights_place_and_domain(void)
{
	struct ibv_mr *mr;
	struct ibv_pd *pd;
	uint32_t rkey;

	open_pair(false);
	mr = ibv_reg_mr(b.pd, b.buffer, 4096, IBV_ACCESS_LOCAL_WRITE);
	VT_CHECK(mr);
	rkey = mr->rkey; /* whoever got it goes on using it */
	VT_EQUAL(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			      VT_ALL_ACCESS), 0);
	vt_fill(a.buffer, 4096, 9);
	vt_rdma(&a, 1, IBV_WR_RDMA_WRITE, 0, 4096, (uintptr_t)b.buffer,
		mr->rkey);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, 4096, 9, "written with the new right");
	VT_EQUAL(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL,
			      b.buffer + 8192, 8192, 0), 0);
	VT_CHECK(mr->addr == b.buffer + 8192 && mr->length == 8192);
	vt_rdma(&a, 2, IBV_WR_RDMA_WRITE, 0, 4096,
		(uintptr_t)b.buffer + 8192 + 4096, mr->rkey);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer + 8192 + 4096, 4096, 9, "at the new place");
	pd = ibv_alloc_pd(b.context);
	VT_EQUAL(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_PD, pd, NULL, 0, 0), 0);
	vt_rdma(&a, 3, IBV_WR_RDMA_WRITE, 0, 8, (uintptr_t)b.buffer + 8192,
		mr->rkey);
	vt_expect(a.send_cq, 3, IBV_WC_REM_ACCESS_ERR);
	VT_EQUAL(mr->rkey, rkey);
	VT_EQUAL(ibv_dealloc_pd(pd), EBUSY);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	vt_pair_close(&a, &b);
}

/* Each call of the ibv_wr_* family that RC has, as one batch. */
static void extended_sends_do_what_they_say(void)
{
	struct ibv_qp_ex *qp;
	struct ibv_data_buf pieces[2];
	struct ibv_sge sges[2];
	uint64_t *word, before;

	open_pair(true);
	qp = ibv_qp_to_qp_ex(a.qp);
	VT_CHECK(qp);
	vt_fill(a.buffer, 60, 21);
	for (uint64_t i = 0; i < 4; i++)
		vt_recv(&b, i, 4096 * (1 + i), 4096);
	word = (uint64_t *)(void *)(b.buffer + 256);
	*word = before = 1000;
	pieces[0] = (struct ibv_data_buf){ a.buffer, 20 };
	pieces[1] = (struct ibv_data_buf){ a.buffer + 20, 40 };
	sges[0] = vt_sge(&a, 0, 13);
	sges[1] = vt_sge(&a, 13, 47);

	ibv_wr_start(qp);
	qp->wr_flags = IBV_SEND_SIGNALED;
	qp->wr_id = 0;
	ibv_wr_send(qp);
	ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer, 60);
	qp->wr_id = 1;
	ibv_wr_send_imm(qp, htobe32(77));
	ibv_wr_set_inline_data(qp, a.buffer, 60);
	qp->wr_id = 2;
	ibv_wr_rdma_write_imm(qp, b.mr->rkey, (uintptr_t)b.buffer,
			      htobe32(78));
	ibv_wr_set_inline_data_list(qp, 2, pieces);
	qp->wr_id = 3;
	ibv_wr_rdma_write(qp, b.mr->rkey, (uintptr_t)b.buffer + 100);
	ibv_wr_set_sge_list(qp, 2, sges);
	qp->wr_id = 4;
	ibv_wr_rdma_read(qp, b.mr->rkey, (uintptr_t)b.buffer + 100);
	ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer + 9000, 60);
	qp->wr_id = 5;
	ibv_wr_atomic_fetch_add(qp, b.mr->rkey, (uintptr_t)word, 5);
	ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer + 9600, 8);
	qp->wr_id = 6;
	ibv_wr_atomic_cmp_swp(qp, b.mr->rkey, (uintptr_t)word, 1005, 4711);
	ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer + 9608, 8);
	VT_EQUAL(ibv_wr_complete(qp), 0);

	for (uint64_t i = 0; i <= 6; i++)
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
	for (uint64_t i = 0; i < 3; i++) {
		struct ibv_wc wc = vt_poll(b.recv_cq);

		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.byte_len, 60);
		if (i)
			VT_EQUAL(be32toh(wc.imm_data), 76 + i);
	}
	vt_check_fill(b.buffer + 4096, 60, 21, "sent");
	vt_check_fill(b.buffer + 8192, 60, 21, "sent inline");
	vt_check_fill(b.buffer, 60, 21, "written inline");
	vt_check_fill(b.buffer + 100, 60, 21, "written");
	vt_check_fill(a.buffer + 9000, 60, 21, "read");
	VT_EQUAL(*(uint64_t *)(void *)(a.buffer + 9600), before);
	VT_EQUAL(*(uint64_t *)(void *)(a.buffer + 9608), 1005);
	VT_EQUAL(*word, 4711);
	vt_pair_close(&a, &b);
}

static void aborted_batch_sends_nothing(void)
{
	struct ibv_qp_ex *qp;

	open_pair(true);
	qp = ibv_qp_to_qp_ex(a.qp);
	vt_recv(&b, 1, 0, 64);
	for (int i = 0; i < 200; i++) {
		ibv_wr_start(qp);
		qp->wr_id = 5;
		qp->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_send(qp);
		ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer, 8);
		ibv_wr_abort(qp);
	}
	vt_poll_nothing(a.send_cq, 5);
	vt_poll_nothing(b.recv_cq, 5);
	vt_send(&a, 6, 0, 8);
	vt_expect(a.send_cq, 6, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 1, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

/* A mistake spoils the whole batch, and the next one starts afresh. */
static void overfull_batch_is_refused_as_a_whole(void)
{
	struct ibv_qp_ex *qp;

	open_pair(true);
	qp = ibv_qp_to_qp_ex(a.qp);
	ibv_wr_start(qp);
	for (uint32_t i = 0; i < a.cap.max_send_wr + 1; i++) {
		qp->wr_id = i;
		qp->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_rdma_write(qp, b.mr->rkey, (uintptr_t)b.buffer);
		ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer, 8);
	}
	VT_EQUAL(ibv_wr_complete(qp), ENOMEM);
	vt_poll_nothing(a.send_cq, 5);
	vt_recv(&b, 1, 0, 64);
	vt_send(&a, 6, 0, 8);
	vt_expect(a.send_cq, 6, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static struct ibv_cq_ex *extended_cq(struct ibv_context *context)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = 64,
		.wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_IMM |
			    IBV_WC_EX_WITH_QP_NUM | IBV_WC_EX_WITH_SRC_QP |
			    IBV_WC_EX_WITH_SLID | IBV_WC_EX_WITH_SL |
			    IBV_WC_EX_WITH_DLID_PATH_BITS,
	};
	struct ibv_cq_ex *cq = ibv_create_cq_ex(context, &attr);

	VT_CHECK(cq);
	return cq;
}

static void extended_completions_tell_all(void)
{
	struct ibv_poll_cq_attr none = { 0 };
	struct vt_wish wish = vt_defaults();
	struct vt_address to_a, to_b;
	struct ibv_qp_init_attr attr;
	struct ibv_cq_ex *cq;
	struct ibv_sge sge;
	struct ibv_send_wr wr;
	int status;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	cq = extended_cq(b.context);
	VT_EQUAL(ibv_start_poll(cq, &none), ENOENT);
	attr = (struct ibv_qp_init_attr){ .send_cq = b.send_cq,
					  .recv_cq = ibv_cq_ex_to_cq(cq),
					  .cap = b.cap,
					  .qp_type = IBV_QPT_RC };
	b.qp = ibv_create_qp(b.pd, &attr);
	VT_CHECK(b.qp);
	to_a = vt_address_of(&a);
	to_b = vt_address_of(&b);
	vt_connect(&a, &to_b);
	vt_connect(&b, &to_a);
	vt_recv(&b, 40, 0, 512);
	vt_recv(&b, 41, 512, 512);
	vt_recv(&b, 42, 1024, 512);
	vt_fill(a.buffer, 300, 3);
	sge = vt_sge(&a, 0, 300);
	wr = vt_send_wr(1, IBV_WR_SEND_WITH_IMM, &sge);
	wr.imm_data = htobe32(0xabcdef01);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_send(&a, 2, 0, 20);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	while ((status = ibv_start_poll(cq, &none)) == ENOENT)
		;
	VT_EQUAL(status, 0);
	VT_EQUAL(cq->wr_id, 40);
	VT_EQUAL(cq->status, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_wc_read_opcode(cq), IBV_WC_RECV);
	VT_EQUAL(ibv_wc_read_byte_len(cq), 300);
	VT_EQUAL(ibv_wc_read_wc_flags(cq) & IBV_WC_WITH_IMM, IBV_WC_WITH_IMM);
	VT_EQUAL(be32toh(ibv_wc_read_imm_data(cq)), 0xabcdef01);
	VT_EQUAL(ibv_wc_read_qp_num(cq), b.qp->qp_num);
	VT_EQUAL(ibv_wc_read_vendor_err(cq), 0);
	vt_check_fill(b.buffer, 300, 3, "message");
	while ((status = ibv_next_poll(cq)) == ENOENT)
		;
	VT_EQUAL(status, 0);
	VT_EQUAL(cq->wr_id, 41);
	VT_EQUAL(ibv_wc_read_byte_len(cq), 20);
	VT_EQUAL(ibv_wc_read_wc_flags(cq) & IBV_WC_WITH_IMM, 0);
	VT_EQUAL(ibv_next_poll(cq), ENOENT);
	ibv_end_poll(cq);
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_ERR), 0);
	while ((status = ibv_start_poll(cq, &none)) == ENOENT)
		;
	VT_EQUAL(status, 0);
	VT_EQUAL(cq->wr_id, 42);
	VT_EQUAL(cq->status, IBV_WC_WR_FLUSH_ERR);
	ibv_end_poll(cq);
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	b.qp = NULL;
	VT_EQUAL(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
	vt_pair_close(&a, &b);
}

static void tables_end_where_they_should(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_port_attr port;
	union ibv_gid gid;
	uint16_t pkey;

	vt_end_open(&a, &wish);
	VT_EQUAL(ibv_query_port(a.context, 1, &port), 0);
	VT_EQUAL(port.state, IBV_PORT_ACTIVE);
	VT_EQUAL(port.link_layer, IBV_LINK_LAYER_ETHERNET);
	VT_EQUAL(ibv_query_port(a.context, 0, &port), EINVAL);
	VT_EQUAL(ibv_query_port(a.context, 2, &port), EINVAL);
	VT_EQUAL(ibv_query_port(a.context, 1, &port), 0);
	for (int i = 0; i < port.gid_tbl_len; i++)
		VT_EQUAL(ibv_query_gid(a.context, 1, i, &gid), 0);
	VT_CHECK(ibv_query_gid(a.context, 1, port.gid_tbl_len, &gid) != 0);
	VT_EQUAL(ibv_query_pkey(a.context, 1, 0, &pkey), 0);
	VT_EQUAL(be16toh(pkey), 0xffff);
	VT_CHECK(ibv_query_pkey(a.context, 1, port.pkey_tbl_len, &pkey) != 0);
	vt_end_close(&a);
}

static void transports_that_are_not_there_are_not_supported(void)
{
	static const enum ibv_qp_type types[] = { IBV_QPT_DRIVER };
	struct vt_wish wish = vt_defaults();

	vt_end_open(&a, &wish);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct ibv_qp_init_attr attr = { .send_cq = a.send_cq,
						 .recv_cq = a.recv_cq,
						 .cap = { 1, 1, 1, 1, 0 },
						 .qp_type = types[i] };

		errno = 0;
		VT_CHECK(!ibv_create_qp(a.pd, &attr));
		VT_ONE_OF(errno, EOPNOTSUPP, EINVAL);
	}
	vt_end_close(&a);
}

static const struct vt_case cases[] = {
	VT_CASE(region_is_named_by_its_own_addresses),
	VT_CASE(zero_based_region_starts_at_zero),
	VT_CASE(region_changes_its_rights_place_and_domain),
	VT_CASE(extended_sends_do_what_they_say),
	VT_CASE(aborted_batch_sends_nothing),
	VT_CASE(overfull_batch_is_refused_as_a_whole),
	VT_CASE(extended_completions_tell_all),
	VT_CASE(tables_end_where_they_should),
	VT_CASE(transports_that_are_not_there_are_not_supported),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
