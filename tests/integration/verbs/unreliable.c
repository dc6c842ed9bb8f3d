/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Unreliable connections (UC): messages arrive, or are lost without a word; the
 * sender's own errors stop its send queue and nothing else.
 */
#include <unistd.h>

#include "vt.h"

static struct vt_end a, b;

static void open_pair(bool extended)
{
	struct vt_wish wish = vt_defaults();

	wish.type = IBV_QPT_UC;
	wish.extended = extended;
	vt_pair_open(&a, &b, &wish, false);
}

/* With ARNICA_LOOPBACK=off packets take the wire, which may lose some of a long
 * message. */
static bool on_the_wire(void)
{
	const char *text = getenv("ARNICA_LOOPBACK");

	return text && !strcmp(text, "off");
}

/* That a message was sent does not say that it arrived: a receive does. */
static void write_and_tell(uint64_t id, size_t length, size_t place)
{
	struct ibv_sge sge = vt_sge(&a, 0, length);
	struct ibv_send_wr wr =
		vt_send_wr(id, IBV_WR_RDMA_WRITE_WITH_IMM, &sge);

	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer + place;
	wr.wr.rdma.rkey = b.mr->rkey;
	vt_recv(&b, id, 0, 0);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, id, IBV_WC_SUCCESS);
}

static void sends_and_writes_of_all_lengths_arrive(void)
{
	static const size_t lengths[] = { 0, 1, 32, 33, 4096, 8193, 400000 };
	uint64_t count = on_the_wire() ? 6 : 7;
	struct ibv_wc wc;

	open_pair(false);
	for (uint64_t i = 0; i < count; i++) {
		vt_fill(a.buffer, lengths[i], i);
		vt_recv(&b, i, 0, 400000);
		vt_send(&a, i, 0, lengths[i]);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		wc = vt_poll(b.recv_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.byte_len, lengths[i]);
		VT_EQUAL(wc.wc_flags, 0);
		VT_EQUAL(wc.src_qp, 0);
		vt_check_fill(b.buffer, lengths[i], i, "sent");
		write_and_tell(i, lengths[i], 500000);
		vt_check_fill(b.buffer + 500000, lengths[i], i, "written");
	}
	vt_pair_close(&a, &b);
}

static void immediate_data_arrives(void)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr;
	struct ibv_wc wc;

	open_pair(false);
	sge = vt_sge(&a, 0, 10);
	wr = vt_send_wr(1, IBV_WR_SEND_WITH_IMM, &sge);
	wr.imm_data = htobe32(0x01020304);
	vt_recv(&b, 1, 0, 100);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	wc = vt_poll(b.recv_cq);
	VT_EQUAL(wc.opcode, IBV_WC_RECV);
	VT_EQUAL(wc.wc_flags, IBV_WC_WITH_IMM);
	VT_EQUAL(be32toh(wc.imm_data), 0x01020304);
	wr = vt_send_wr(2, IBV_WR_RDMA_WRITE_WITH_IMM, &sge);
	wr.imm_data = htobe32(0x05060708);
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer + 4096;
	wr.wr.rdma.rkey = b.mr->rkey;
	vt_recv(&b, 2, 0, 100);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	wc = vt_poll(b.recv_cq);
	VT_EQUAL(wc.wr_id, 2);
	VT_EQUAL(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	VT_EQUAL(wc.byte_len, 10);
	VT_EQUAL(be32toh(wc.imm_data), 0x05060708);
	vt_pair_close(&a, &b);
}

static void extended_sends_do_the_same(void)
{
	struct ibv_qp_ex *qp;

	open_pair(true);
	qp = ibv_qp_to_qp_ex(a.qp);
	VT_CHECK(qp);
	vt_fill(a.buffer, 60, 7);
	vt_recv(&b, 0, 0, 100);
	ibv_wr_start(qp);
	qp->wr_flags = IBV_SEND_SIGNALED;
	qp->wr_id = 1;
	ibv_wr_rdma_write(qp, b.mr->rkey, (uintptr_t)b.buffer + 1000);
	ibv_wr_set_inline_data(qp, a.buffer, 60);
	qp->wr_id = 2;
	ibv_wr_send(qp);
	ibv_wr_set_sge(qp, a.mr->lkey, (uintptr_t)a.buffer, 60);
	VT_EQUAL(ibv_wr_complete(qp), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 0, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, 60, 7, "sent");
	vt_check_fill(b.buffer + 1000, 60, 7, "written");
	ibv_wr_start(qp);
	ibv_wr_rdma_read(qp, b.mr->rkey, (uintptr_t)b.buffer);
	VT_EQUAL(ibv_wr_complete(qp), EINVAL);
	vt_pair_close(&a, &b);
}

static void operations_of_rc_are_refused(void)
{
	static const enum ibv_wr_opcode opcodes[] = {
		IBV_WR_RDMA_READ, IBV_WR_ATOMIC_CMP_AND_SWP,
		IBV_WR_ATOMIC_FETCH_AND_ADD, IBV_WR_TSO
	};

	open_pair(false);
	for (int i = 0; i < 4; i++) {
		struct ibv_sge sge = vt_sge(&a, 0, 8);
		struct ibv_send_wr wr = vt_send_wr(1, opcodes[i], &sge);

		VT_EQUAL(vt_post_send(&a, &wr), EINVAL);
	}
	VT_EQUAL(vt_state(a.qp), IBV_QPS_RTS);
	vt_pair_close(&a, &b);
}

static void what_the_peer_cannot_take_is_lost_in_silence(void)
{
	open_pair(false);
	vt_send(&a, 1, 0, 100); /* no receive */
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_recv(&b, 2, 0, 50);
	vt_send(&a, 3, 0, 51); /* too long: the receive stays */
	vt_expect(a.send_cq, 3, IBV_WC_SUCCESS);
	vt_rdma(&a, 4, IBV_WR_RDMA_WRITE, 0, 8, (uintptr_t)b.buffer,
		b.mr->rkey + 1);
	vt_expect(a.send_cq, 4, IBV_WC_SUCCESS);
	vt_poll_nothing(b.recv_cq, 20);
	vt_fill(a.buffer, 50, 5);
	vt_send(&a, 5, 0, 50);
	vt_expect(a.send_cq, 5, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, 50, 5, "sent afterwards");
	VT_EQUAL(vt_state(a.qp), IBV_QPS_RTS);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_RTS);
	vt_pair_close(&a, &b);
}

static void an_error_of_the_sender_is_sqe(void)
{
	struct ibv_qp_attr back = { .qp_state = IBV_QPS_RTS,
				    .cur_qp_state = IBV_QPS_SQE };
	struct ibv_sge sge;
	struct ibv_send_wr wr;

	open_pair(false);
	sge = vt_sge(&a, 0, 8);
	sge.lkey ^= 0x100;
	wr = vt_send_wr(1, IBV_WR_SEND, &sge);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, 1, IBV_WC_LOC_PROT_ERR);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_SQE);
	vt_send(&a, 2, 0, 8);
	vt_expect(a.send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	/* It still receives. */
	vt_recv(&a, 3, 0, 100);
	vt_send(&b, 4, 0, 8);
	vt_expect(a.recv_cq, 3, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_modify_qp(a.qp, &back, IBV_QP_STATE | IBV_QP_CUR_STATE),
		 0);
	vt_recv(&b, 5, 0, 100);
	vt_send(&a, 6, 0, 8);
	vt_expect(a.send_cq, 6, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 5, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static void to_err_flushes_both_queues(void)
{
	open_pair(false);
	vt_recv(&a, 1, 0, 100);
	vt_recv(&a, 2, 0, 100);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_ERR), 0);
	vt_expect(a.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	vt_expect(a.recv_cq, 2, IBV_WC_WR_FLUSH_ERR);
	vt_send(&a, 3, 0, 8);
	vt_expect(a.send_cq, 3, IBV_WC_WR_FLUSH_ERR);
	/* To the other side it is as if nobody were there. */
	vt_send(&b, 4, 0, 8);
	vt_expect(b.send_cq, 4, IBV_WC_SUCCESS);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_RTS);
	vt_pair_close(&a, &b);
}

static void die_after_connecting(int fd, void *argument)
{
	const struct vt_wish *wish = argument;

	vt_end_open(&b, wish);
	(void)vt_meet(fd, &b);
	vt_sync(fd);
	_exit(0); /* without closing anything */
}

/* RC ends with an error there; UC does not notice. */
static void a_peer_that_died_is_no_error(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_peer peer;

	wish.type = IBV_QPT_UC;
	peer = vt_fork(die_after_connecting, &wish);
	vt_end_open(&a, &wish);
	(void)vt_meet(peer.fd, &a);
	vt_sync(peer.fd);
	vt_join(&peer);
	for (uint64_t i = 0; i < 50; i++) {
		vt_send(&a, i, 0, 8);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		usleep(2000);
	}
	VT_EQUAL(vt_state(a.qp), IBV_QPS_RTS);
	vt_end_close(&a);
}

int main(int argc, char **argv)
{
	const struct vt_case cases[] = {
		VT_CASE(sends_and_writes_of_all_lengths_arrive),
		VT_CASE(immediate_data_arrives),
		VT_CASE(extended_sends_do_the_same),
		VT_CASE(operations_of_rc_are_refused),
		VT_CASE(what_the_peer_cannot_take_is_lost_in_silence),
		VT_CASE(an_error_of_the_sender_is_sqe),
		VT_CASE(to_err_flushes_both_queues),
		VT_CASE(a_peer_that_died_is_no_error),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
