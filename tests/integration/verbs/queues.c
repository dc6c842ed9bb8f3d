/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sizes of queues: the smallest, odd ones, the largest that the device names
 * and one more, and many turns around each ring. Messages of no bytes.
 */
#include "vt.h"

static struct vt_end a, b;

/* `total` messages with as many in flight as the smaller queue takes. */
static void run_around(uint32_t send_depth, uint32_t recv_depth, uint32_t cqe,
		       uint32_t total, uint32_t bytes, bool one_context)
{
	struct vt_wish wish = vt_defaults();
	uint32_t window, sent = 0, done = 0, received = 0, posted = 0;

	wish.send_depth = send_depth;
	wish.recv_depth = recv_depth;
	wish.cqe = cqe;
	vt_pair_open(&a, &b, &wish, one_context);
	VT_CHECK(a.cap.max_send_wr >= send_depth);
	VT_CHECK(b.cap.max_recv_wr >= recv_depth);
	window = cqe < recv_depth ? cqe : recv_depth;
	while (received < total) {
		while (posted < total && posted - received < window)
			vt_recv(&b, posted, posted % window * bytes, bytes),
				posted++;
		while (sent < posted && sent - done < send_depth &&
		       sent - done < cqe) {
			vt_fill(a.buffer + sent % send_depth * bytes, bytes,
				sent);
			vt_send(&a, sent, sent % send_depth * bytes, bytes);
			sent++;
		}
		while (done < sent)
			vt_expect(a.send_cq, done++, IBV_WC_SUCCESS);
		while (received < sent) {
			struct ibv_wc wc = vt_poll(b.recv_cq);

			VT_STATUS(&wc, IBV_WC_SUCCESS);
			VT_EQUAL(wc.wr_id, received);
			VT_EQUAL(wc.byte_len, bytes);
			VT_EQUAL(wc.opcode, IBV_WC_RECV);
			VT_EQUAL(wc.qp_num, b.qp->qp_num);
			vt_check_fill(b.buffer + received % window * bytes,
				      bytes, received, "message");
			received++;
		}
	}
	vt_poll_nothing(a.send_cq, 1);
	vt_poll_nothing(b.recv_cq, 1);
	vt_pair_close(&a, &b);
}

static void queues_of_one_entry_turn_around(void)
{
	run_around(1, 1, 1, 5000, 24, false);
}

static void queues_of_odd_sizes_turn_around(void)
{
	run_around(3, 5, 7, 5000, 40, true);
}

static void small_queues_of_long_messages_turn_around(void)
{
	run_around(4, 4, 8, 500, 20000, false);
}

static void queues_of_many_entries_turn_around(void)
{
	run_around(500, 300, 600, 20000, 100, false);
}

/* More than 2^16 entries pass each ring. */
static void indexes_wrap_past_sixteen_bits(void)
{
	run_around(16, 16, 32, 70000, 8, true);
}

/* Unsignaled sends give their entries back with the next signaled one. */
static void unsignaled_sends_turn_around(void)
{
	struct vt_wish wish = vt_defaults();
	const uint32_t depth = 8;

	wish.send_depth = depth;
	vt_pair_open(&a, &b, &wish, false);
	for (uint32_t i = 0; i < 8000; i++) {
		struct ibv_sge sge = vt_sge(&a, 0, 32);
		struct ibv_send_wr wr = vt_send_wr(i, IBV_WR_RDMA_WRITE, &sge);

		wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
		wr.wr.rdma.rkey = b.mr->rkey;
		if (i % depth != depth - 1)
			wr.send_flags = 0;
		VT_EQUAL(vt_post_send(&a, &wr), 0);
		if (i % depth == depth - 1)
			vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
	}
	vt_poll_nothing(a.send_cq, 1);
	vt_pair_close(&a, &b);
}

static struct ibv_qp *try_qp(const struct vt_end *end, struct ibv_qp_cap cap)
{
	struct ibv_qp_init_attr attr = { .send_cq = end->send_cq,
					 .recv_cq = end->recv_cq,
					 .cap = cap,
					 .qp_type = IBV_QPT_RC };

	errno = 0;
	return ibv_create_qp(end->pd, &attr);
}

static void accepts(const struct vt_end *end, struct ibv_qp_cap cap,
		    const char *what)
{
	struct ibv_qp *qp = try_qp(end, cap);

	if (!qp)
		vt_fail(__FILE__, __LINE__, "%s is refused: %s", what,
			strerror(errno));
	VT_EQUAL(ibv_destroy_qp(qp), 0);
}

static void refuses(const struct vt_end *end, struct ibv_qp_cap cap,
		    const char *what)
{
	if (try_qp(end, cap))
		vt_fail(__FILE__, __LINE__, "%s is accepted", what);
	if (errno != EINVAL && errno != ENOMEM)
		vt_fail(__FILE__, __LINE__, "%s: errno is %s", what,
			strerror(errno));
}

static void largest_queue_pair_is_accepted_and_no_larger(void)
{
	const struct ibv_qp_cap small = { 1, 1, 1, 1, 0 };
	struct vt_wish wish = vt_defaults();
	struct ibv_device_attr device;
	struct ibv_qp_cap cap;

	vt_end_open(&a, &wish);
	VT_EQUAL(ibv_query_device(a.context, &device), 0);
	VT_CHECK(device.max_sge >= 30);
	cap = small;
	cap.max_send_wr = (uint32_t)device.max_qp_wr;
	accepts(&a, cap, "the largest send queue");
	cap.max_send_wr++;
	refuses(&a, cap, "a larger send queue");
	cap = small;
	cap.max_recv_wr = (uint32_t)device.max_qp_wr;
	accepts(&a, cap, "the largest receive queue");
	cap.max_recv_wr++;
	refuses(&a, cap, "a larger receive queue");
	cap = small;
	cap.max_send_sge = cap.max_recv_sge = (uint32_t)device.max_sge;
	accepts(&a, cap, "the longest gather list");
	cap.max_send_sge++;
	refuses(&a, cap, "a longer gather list");
	cap.max_send_sge = 1;
	cap.max_recv_sge++;
	refuses(&a, cap, "a longer scatter list");
	cap = small;
	cap.max_inline_data = 256;
	accepts(&a, cap, "256 bytes of inline data");
	cap.max_inline_data = 1 << 20;
	refuses(&a, cap, "a mebibyte of inline data");
	cap = (struct ibv_qp_cap){ 0 };
	accepts(&a, cap, "a queue pair without queues");
	vt_end_close(&a);
}

static void largest_completion_queue_is_accepted_and_no_larger(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_device_attr device;
	struct ibv_cq *cq;

	vt_end_open(&a, &wish);
	VT_EQUAL(ibv_query_device(a.context, &device), 0);
	cq = ibv_create_cq(a.context, device.max_cqe, NULL, NULL, 0);
	VT_CHECK(cq);
	VT_CHECK(cq->cqe >= device.max_cqe);
	VT_EQUAL(ibv_destroy_cq(cq), 0);
	errno = 0;
	VT_CHECK(!ibv_create_cq(a.context, device.max_cqe + 1, NULL, NULL, 0));
	VT_EQUAL(errno, EINVAL);
	errno = 0;
	VT_CHECK(!ibv_create_cq(a.context, 0, NULL, NULL, 0));
	VT_EQUAL(errno, EINVAL);
	errno = 0;
	VT_CHECK(!ibv_create_cq(a.context, 10, NULL, NULL,
				a.context->num_comp_vectors));
	VT_EQUAL(errno, EINVAL);
	vt_end_close(&a);
}

static void completion_queue_is_resized_with_completions_in_it(void)
{
	struct vt_wish wish = vt_defaults();

	wish.cqe = 16;
	vt_pair_open(&a, &b, &wish, true);
	for (int round = 0; round < 4; round++) {
		for (uint64_t i = 0; i < 8; i++)
			vt_recv(&b, i, 64 * i, 64);
		for (uint64_t i = 0; i < 8; i++) {
			vt_fill(a.buffer, 48, i);
			vt_send(&a, i, 0, 48);
			vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		}
		VT_EQUAL(ibv_resize_cq(b.recv_cq, round % 2 ? 16 : 200), 0);
		VT_CHECK(b.recv_cq->cqe >= (round % 2 ? 16 : 200));
		for (uint64_t i = 0; i < 8; i++) {
			vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
			vt_check_fill(b.buffer + 64 * i, 48, i, "message");
		}
	}
	VT_EQUAL(ibv_resize_cq(b.recv_cq, 0), EINVAL);
	vt_pair_close(&a, &b);
}

static void messages_of_no_bytes_complete(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_recv_wr empty = { .wr_id = 3 }, *bad;
	struct ibv_send_wr wr;
	struct ibv_wc wc;
	struct ibv_sge sge;

	vt_pair_open(&a, &b, &wish, false);
	memset(b.buffer, 0x77, 256);
	vt_recv(&b, 1, 0, 64);
	vt_recv(&b, 2, 64, 64);
	VT_EQUAL(ibv_post_recv(b.qp, &empty, &bad), 0);
	vt_recv(&b, 4, 128, 64);
	wr = vt_send_wr(1, IBV_WR_SEND, NULL);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	sge = vt_sge(&a, 0, 0);
	wr = vt_send_wr(2, IBV_WR_SEND_WITH_IMM, &sge);
	wr.imm_data = htobe32(0x1234);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	wr = vt_send_wr(3, IBV_WR_SEND, NULL);
	wr.send_flags |= IBV_SEND_INLINE;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	wr = vt_send_wr(4, IBV_WR_RDMA_WRITE_WITH_IMM, NULL);
	wr.imm_data = htobe32(0x5678);
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
	wr.wr.rdma.rkey = b.mr->rkey;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	for (uint64_t i = 1; i <= 4; i++)
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
	for (uint64_t i = 1; i <= 4; i++) {
		wc = vt_poll(b.recv_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, i);
		VT_EQUAL(wc.byte_len, 0);
		VT_EQUAL(!!(wc.wc_flags & IBV_WC_WITH_IMM), i == 2 || i == 4);
		if (i == 2)
			VT_EQUAL(be32toh(wc.imm_data), 0x1234);
		if (i == 4)
			VT_EQUAL(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	}
	for (int i = 0; i < 256; i++)
		VT_EQUAL(b.buffer[i], 0x77);
	vt_pair_close(&a, &b);
}

/* Reads and atomics beyond max_rd_atomic wait; they do not fail. */
static void reads_beyond_the_limit_wait_their_turn(void)
{
	struct vt_wish wish = vt_defaults();

	wish.rd_atomic = 1;
	wish.send_depth = 40;
	vt_pair_open(&a, &b, &wish, false);
	vt_fill(b.buffer, 40 * 1000, 8);
	for (uint64_t i = 0; i < 40; i++)
		vt_rdma(&a, i, IBV_WR_RDMA_READ, 1000 * i, 1000,
			(uintptr_t)b.buffer + 1000 * i, b.mr->rkey);
	for (uint64_t i = 0; i < 40; i++)
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
	vt_check_fill(a.buffer, 40 * 1000, 8, "read data");
	vt_pair_close(&a, &b);
}

/* The sum of a list may not pass the largest message of the port. */
static void message_that_is_too_long_is_an_error(void)
{
	enum { PIECES = 29 };
	struct vt_wish wish = vt_defaults();
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge[PIECES];
	struct ibv_port_attr port;
	uint32_t piece;
	int status;

	wish.send_sge = PIECES;
	wish.buffer_bytes = 80u << 20;
	vt_pair_open(&a, &b, &wish, false);
	VT_EQUAL(ibv_query_port(a.context, 1, &port), 0);
	VT_CHECK(port.max_msg_sz >= 1u << 30);
	piece = port.max_msg_sz / PIECES + 1;
	VT_CHECK(piece <= wish.buffer_bytes);
	for (int i = 0; i < PIECES; i++)
		sge[i] = vt_sge(&a, 0, piece);
	wr = vt_send_wr(1, IBV_WR_SEND, sge);
	wr.num_sge = PIECES;
	vt_recv(&b, 2, 0, 4096);
	status = ibv_post_send(a.qp, &wr, &bad);
	if (status == 0)
		vt_expect(a.send_cq, 1, IBV_WC_LOC_LEN_ERR);
	else
		VT_EQUAL(status, EINVAL);
	vt_poll_nothing(b.recv_cq, 10);
	vt_pair_close(&a, &b);
}

static const struct vt_case cases[] = {
	VT_CASE(queues_of_one_entry_turn_around),
	VT_CASE(queues_of_odd_sizes_turn_around),
	VT_CASE(small_queues_of_long_messages_turn_around),
	VT_CASE(queues_of_many_entries_turn_around),
	VT_CASE(indexes_wrap_past_sixteen_bits),
	VT_CASE(unsignaled_sends_turn_around),
	VT_CASE(largest_queue_pair_is_accepted_and_no_larger),
	VT_CASE(largest_completion_queue_is_accepted_and_no_larger),
	VT_CASE(completion_queue_is_resized_with_completions_in_it),
	VT_CASE(messages_of_no_bytes_complete),
	VT_CASE(reads_beyond_the_limit_wait_their_turn),
	VT_CASE(message_that_is_too_long_is_an_error),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
