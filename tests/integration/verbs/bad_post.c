/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Work requests that are refused when they are posted: the call returns an
 * errno value, *bad_wr is the first refused request, everything before it in
 * the list is carried out, and the queue goes on as if nothing had been asked.
 *
 * The man page promises "the value of errno on failure"; adapters differ
 * between EINVAL and ENOMEM for requests that are too large, so both pass.
 */
#include "vt.h"

static struct vt_end a, b;

/* The connection still carries a message after the refusal. */
static void check_still_works(void)
{
	vt_fill(a.buffer, 100, 42);
	vt_recv(&b, 7000, 4096, 100);
	vt_send(&a, 7001, 0, 100);
	vt_expect(a.send_cq, 7001, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 7000, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer + 4096, 100, 42, "message after the refusal");
	vt_poll_nothing(a.send_cq, 5);
	vt_poll_nothing(b.recv_cq, 5);
}

static void refused_send(struct ibv_send_wr *wr, int first, int second)
{
	struct ibv_send_wr *bad = NULL;
	int status = ibv_post_send(a.qp, wr, &bad);

	VT_ONE_OF(status, first, second);
	VT_CHECK(bad == wr);
	check_still_works();
	vt_pair_close(&a, &b);
}

static void open_pair(void)
{
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&a, &b, &wish, true);
}

static void unknown_opcode_is_refused(void)
{
	struct ibv_send_wr wr;
	struct ibv_sge sge;

	open_pair();
	sge = vt_sge(&a, 0, 64);
	wr = vt_send_wr(1, (enum ibv_wr_opcode)200, &sge);
	refused_send(&wr, EINVAL, EOPNOTSUPP);
}

static void opcode_of_other_transport_is_refused(void)
{
	struct ibv_send_wr wr;
	struct ibv_sge sge;

	open_pair();
	sge = vt_sge(&a, 0, 64);
	wr = vt_send_wr(1, IBV_WR_TSO, &sge);
	refused_send(&wr, EINVAL, EOPNOTSUPP);
}

static void too_many_send_sges_are_refused(void)
{
	struct ibv_sge sge[64];
	struct ibv_send_wr wr;

	open_pair();
	VT_CHECK(a.cap.max_send_sge < 64);
	for (int i = 0; i < 64; i++)
		sge[i] = vt_sge(&a, 0, 8);
	wr = vt_send_wr(1, IBV_WR_SEND, sge);
	wr.num_sge = (int)a.cap.max_send_sge + 1;
	refused_send(&wr, EINVAL, ENOMEM);
}

static void negative_number_of_sges_is_refused(void)
{
	struct ibv_send_wr wr;
	struct ibv_sge sge;

	open_pair();
	sge = vt_sge(&a, 0, 8);
	wr = vt_send_wr(1, IBV_WR_SEND, &sge);
	wr.num_sge = -1;
	refused_send(&wr, EINVAL, ENOMEM);
}

static void too_many_recv_sges_are_refused(void)
{
	struct ibv_recv_wr wr = { .wr_id = 1 }, *bad = NULL;
	struct ibv_sge sge[64];

	open_pair();
	VT_CHECK(b.cap.max_recv_sge < 64);
	for (int i = 0; i < 64; i++)
		sge[i] = vt_sge(&b, 0, 8);
	wr.sg_list = sge;
	wr.num_sge = (int)b.cap.max_recv_sge + 1;
	VT_ONE_OF(ibv_post_recv(b.qp, &wr, &bad), EINVAL, ENOMEM);
	VT_CHECK(bad == &wr);
	check_still_works();
	vt_pair_close(&a, &b);
}

static void inline_data_too_long_is_refused(void)
{
	struct ibv_send_wr wr;
	struct ibv_sge sge;

	open_pair();
	sge = vt_sge(&a, 0, a.cap.max_inline_data + 1);
	wr = vt_send_wr(1, IBV_WR_SEND, &sge);
	wr.send_flags |= IBV_SEND_INLINE;
	refused_send(&wr, EINVAL, ENOMEM);
}

static void inline_sum_of_sges_too_long_is_refused(void)
{
	struct ibv_send_wr wr;
	struct ibv_sge sge[2];

	open_pair();
	sge[0] = vt_sge(&a, 0, a.cap.max_inline_data);
	sge[1] = vt_sge(&a, 0, 1);
	wr = vt_send_wr(1, IBV_WR_SEND, sge);
	wr.num_sge = 2;
	wr.send_flags |= IBV_SEND_INLINE;
	refused_send(&wr, EINVAL, ENOMEM);
}

static void inline_lengths_that_overflow_are_refused(void)
{
	struct ibv_send_wr wr;
	struct ibv_sge sge[2];

	open_pair();
	sge[0] = vt_sge(&a, 0, 0xffffffffu);
	sge[1] = vt_sge(&a, 0, 9);
	wr = vt_send_wr(1, IBV_WR_SEND, sge);
	wr.num_sge = 2;
	wr.send_flags |= IBV_SEND_INLINE;
	refused_send(&wr, EINVAL, ENOMEM);
}

static void inline_read_is_refused_or_not_inline(void)
{
	struct ibv_send_wr wr, *bad = NULL;
	struct ibv_sge sge;
	int status;

	open_pair();
	vt_fill(b.buffer, 16, 9);
	sge = vt_sge(&a, 0, 16);
	wr = vt_send_wr(1, IBV_WR_RDMA_READ, &sge);
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
	wr.wr.rdma.rkey = b.mr->rkey;
	wr.send_flags |= IBV_SEND_INLINE;
	status = ibv_post_send(a.qp, &wr, &bad);
	if (status == 0) {
		vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
		vt_check_fill(a.buffer, 16, 9, "read data");
	} else {
		VT_EQUAL(status, EINVAL);
	}
	check_still_works();
	vt_pair_close(&a, &b);
}

/* Fills the send queue of an unready receiver to its brim. */
static void full_send_queue_is_refused(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_send_wr wr, *bad = NULL;
	struct ibv_sge sge;
	uint32_t depth;

	wish.send_depth = 5;
	vt_pair_open(&a, &b, &wish, true);
	depth = a.cap.max_send_wr;
	VT_CHECK(depth >= 5);
	for (uint32_t i = 0; i < depth; i++)
		vt_send(&a, i, 0, 32);
	sge = vt_sge(&a, 0, 32);
	wr = vt_send_wr(99, IBV_WR_SEND, &sge);
	for (int i = 0; i < 3; i++) {
		VT_EQUAL(ibv_post_send(a.qp, &wr, &bad), ENOMEM);
		VT_CHECK(bad == &wr);
	}
	VT_CHECK(depth <= b.cap.max_recv_wr);
	for (uint32_t i = 0; i < depth; i++)
		vt_recv(&b, i, 64 * i, 64);
	for (uint32_t i = 0; i < depth; i++) {
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	}
	check_still_works();
	vt_pair_close(&a, &b);
}

/* Entries of polled completions only are free: an unsignaled request keeps its
 * place until a later completion was polled. */
static void unpolled_completions_keep_the_send_queue_full(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_send_wr wr, *bad = NULL;
	struct ibv_sge sge;
	uint32_t depth;

	wish.send_depth = 4;
	vt_pair_open(&a, &b, &wish, true);
	depth = a.cap.max_send_wr;
	for (uint32_t i = 0; i < depth; i++)
		vt_rdma(&a, i, IBV_WR_RDMA_WRITE, 0, 16,
			(uintptr_t)b.buffer, b.mr->rkey);
	sge = vt_sge(&a, 0, 16);
	wr = vt_send_wr(99, IBV_WR_RDMA_WRITE, &sge);
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
	wr.wr.rdma.rkey = b.mr->rkey;
	VT_EQUAL(ibv_post_send(a.qp, &wr, &bad), ENOMEM);
	vt_expect(a.send_cq, 0, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_post_send(a.qp, &wr, &bad), 0);
	VT_EQUAL(ibv_post_send(a.qp, &wr, &bad), ENOMEM);
	for (uint32_t i = 1; i < depth; i++)
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 99, IBV_WC_SUCCESS);
	check_still_works();
	vt_pair_close(&a, &b);
}

static void full_receive_queue_is_refused(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_recv_wr wr = { .wr_id = 99 }, *bad = NULL;
	struct ibv_sge sge;
	uint32_t depth;

	wish.recv_depth = 3;
	vt_pair_open(&a, &b, &wish, true);
	depth = b.cap.max_recv_wr;
	for (uint32_t i = 0; i < depth; i++)
		vt_recv(&b, i, 64 * i, 64);
	sge = vt_sge(&b, 0, 64);
	wr.sg_list = &sge;
	wr.num_sge = 1;
	VT_EQUAL(ibv_post_recv(b.qp, &wr, &bad), ENOMEM);
	VT_CHECK(bad == &wr);
	for (uint32_t i = 0; i < depth; i++) {
		vt_send(&a, i, 0, 16);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	}
	check_still_works();
	vt_pair_close(&a, &b);
}

/* The good head of a list is executed, the rest is not even looked at. */
static void list_stops_at_its_first_bad_request(void)
{
	struct ibv_send_wr wr[4], *bad = NULL;
	struct ibv_sge sge;

	open_pair();
	sge = vt_sge(&a, 0, 24);
	vt_fill(a.buffer, 24, 3);
	for (int i = 0; i < 4; i++) {
		wr[i] = vt_send_wr((uint64_t)i, IBV_WR_SEND, &sge);
		wr[i].next = i < 3 ? &wr[i + 1] : NULL;
		vt_recv(&b, (uint64_t)i, 64 * (size_t)i, 64);
	}
	wr[2].opcode = (enum ibv_wr_opcode)77;
	VT_ONE_OF(ibv_post_send(a.qp, wr, &bad), EINVAL, EOPNOTSUPP);
	VT_CHECK(bad == &wr[2]);
	for (uint64_t i = 0; i < 2; i++) {
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
		vt_check_fill(b.buffer + 64 * i, 24, 3, "head of the list");
	}
	vt_poll_nothing(a.send_cq, 20);
	vt_poll_nothing(b.recv_cq, 5);
	vt_send(&a, 8, 0, 24);
	vt_send(&a, 9, 0, 24);
	vt_expect(a.send_cq, 8, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 9, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 3, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static void receive_list_stops_at_its_first_bad_request(void)
{
	struct ibv_recv_wr wr[3] = { 0 }, *bad = NULL;
	struct ibv_sge sge[64];

	open_pair();
	for (int i = 0; i < 64; i++)
		sge[i] = vt_sge(&b, 0, 64);
	for (int i = 0; i < 3; i++) {
		wr[i].wr_id = (uint64_t)i;
		wr[i].sg_list = sge;
		wr[i].num_sge = 1;
		wr[i].next = i < 2 ? &wr[i + 1] : NULL;
	}
	wr[1].num_sge = 64;
	VT_ONE_OF(ibv_post_recv(b.qp, wr, &bad), EINVAL, ENOMEM);
	VT_CHECK(bad == &wr[1]);
	vt_send(&a, 0, 0, 16);
	vt_expect(a.send_cq, 0, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 0, IBV_WC_SUCCESS);
	check_still_works();
	vt_pair_close(&a, &b);
}

/* An atomic operation works on exactly eight bytes. The refusal may come when
 * it is posted, or as a completion with an error of the requester. */
static void atomic_of_wrong_size_is_an_error(void)
{
	struct ibv_send_wr wr, *bad = NULL;
	struct ibv_sge sge;
	int status;

	open_pair();
	sge = vt_sge(&a, 0, 4);
	wr = vt_send_wr(1, IBV_WR_ATOMIC_FETCH_AND_ADD, &sge);
	wr.wr.atomic.remote_addr = (uintptr_t)b.buffer;
	wr.wr.atomic.rkey = b.mr->rkey;
	wr.wr.atomic.compare_add = 5;
	status = ibv_post_send(a.qp, &wr, &bad);
	if (status == 0) {
		struct ibv_wc wc = vt_poll(a.send_cq);

		VT_ONE_OF(wc.status, IBV_WC_LOC_LEN_ERR,
			  IBV_WC_LOC_QP_OP_ERR);
	} else {
		VT_EQUAL(status, EINVAL);
	}
	for (int i = 0; i < 8; i++)
		VT_EQUAL(b.buffer[i], 0);
	vt_pair_close(&a, &b);
}

static const struct vt_case cases[] = {
	VT_CASE(unknown_opcode_is_refused),
	VT_CASE(opcode_of_other_transport_is_refused),
	VT_CASE(too_many_send_sges_are_refused),
	VT_CASE(negative_number_of_sges_is_refused),
	VT_CASE(too_many_recv_sges_are_refused),
	VT_CASE(inline_data_too_long_is_refused),
	VT_CASE(inline_sum_of_sges_too_long_is_refused),
	VT_CASE(inline_lengths_that_overflow_are_refused),
	VT_CASE(inline_read_is_refused_or_not_inline),
	VT_CASE(full_send_queue_is_refused),
	VT_CASE(unpolled_completions_keep_the_send_queue_full),
	VT_CASE(full_receive_queue_is_refused),
	VT_CASE(list_stops_at_its_first_bad_request),
	VT_CASE(receive_list_stops_at_its_first_bad_request),
	VT_CASE(atomic_of_wrong_size_is_an_error),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
