/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Two processes: memory is registered and its key sent in one request; the peer
 * uses it and ends it with its answer. As a storage protocol does with each
 * command.
 */
#include "fast_vt.h"

#define ROUNDS 100
#define COMMAND 16u /* bytes */

struct command {
	uint64_t address;
	uint32_t rkey;
	uint32_t round;
};

static void serve_commands(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	(void)argument;
	vt_enter_peer_network();
	vt_end_open(&end, &wish);
	(void)vt_meet(fd, &end);
	vt_recv(&end, 0, 0, 64);
	vt_sync(fd);
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct ibv_sge sge = vt_sge(&end, 64, COMMAND);
		struct ibv_send_wr wr = {
			.wr_id = 2,
			.opcode = IBV_WR_SEND_WITH_INV,
			.send_flags = IBV_SEND_SIGNALED,
			.sg_list = &sge,
			.num_sge = 1,
		};
		struct command command;

		vt_expect(end.recv_cq, round, IBV_WC_SUCCESS);
		memcpy(&command, end.buffer, sizeof(command));
		VT_EQUAL(command.round, round);
		vt_recv(&end, round + 1, 0, 64);
		vt_fill(end.buffer + OFFSET, LENGTH, round);
		vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, OFFSET, LENGTH,
			command.address, command.rkey);
		wr.invalidate_rkey = command.rkey;
		VT_EQUAL(vt_post_send(&end, &wr), 0);
		vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
		vt_expect(end.send_cq, 2, IBV_WC_SUCCESS);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

static void issue(uint64_t round, bool inlined)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(b.qp);
	struct arnicadv_reg_attr attr = wish_for(WRITE);
	struct command command = { .address = 0x5000, .rkey = attr.rkey,
				   .round = (uint32_t)round };
	struct ibv_wc wc;

	attr.iova = command.address;
	memset(b.buffer + OFFSET, 0, LENGTH);
	memcpy(b.buffer, &command, sizeof(command));
	vt_recv(&b, round, 1024, 64);
	ibv_wr_start(ex);
	ex->wr_id = 7;
	ex->wr_flags = IBV_SEND_SIGNALED;
	arnicadv_wr_reg_mr_send(arnicadv_qp_ex_from_ibv_qp_ex(ex), region,
				&attr);
	if (inlined)
		ibv_wr_set_inline_data(ex, &command, sizeof(command));
	else
		ibv_wr_set_sge(ex, b.mr->lkey, (uintptr_t)b.buffer,
			       sizeof(command));
	VT_EQUAL(ibv_wr_complete(ex), 0);
	region->rkey = attr.rkey;
	wc = vt_poll(b.send_cq);
	VT_EQUAL(wc.wr_id, 7);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, IBV_WC_SEND);
	wc = vt_poll(b.recv_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.wc_flags & IBV_WC_WITH_INV, IBV_WC_WITH_INV);
	VT_EQUAL(wc.invalidated_rkey, attr.rkey);
	vt_check_fill(b.buffer + OFFSET, LENGTH, round, "lent memory");
}

static void memory_is_lent_with_the_message_that_names_it(void)
{
	struct vt_peer peer = vt_fork(serve_commands, NULL);

	open_registering(IBV_QPT_RC, ARNICADV_REG_ERROR_ERR);
	(void)vt_meet(peer.fd, &b);
	vt_sync(peer.fd);
	for (uint64_t round = 0; round < ROUNDS; round++)
		issue(round, round & 1);
	vt_sync(peer.fd);
	vt_join(&peer);
	VT_EQUAL(ibv_dereg_mr(region), 0);
	vt_end_close(&b);
}

/* It is sent out of the memory that the same request registers. */
static void what_is_sent_may_lie_in_the_region(void)
{
	struct ibv_qp_ex *ex;
	struct arnicadv_reg_attr attr;

	open_pair();
	ex = ibv_qp_to_qp_ex(b.qp);
	attr = wish_for(IBV_ACCESS_LOCAL_WRITE);
	vt_fill(b.buffer + OFFSET, LENGTH, 9);
	vt_recv(&a, 1, 0, LENGTH);
	ibv_wr_start(ex);
	ex->wr_id = 2;
	ex->wr_flags = IBV_SEND_SIGNALED;
	arnicadv_wr_reg_mr_send(arnicadv_qp_ex_from_ibv_qp_ex(ex), region,
				&attr);
	ibv_wr_set_sge(ex, attr.rkey, whole.addr, LENGTH);
	VT_EQUAL(ibv_wr_complete(ex), 0);
	vt_expect(b.send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 1, IBV_WC_SUCCESS);
	vt_check_fill(a.buffer, LENGTH, 9, "sent from the region");
	close_pair();
}

/* Nothing is sent of a request whose registration is refused. */
static void without_the_registration_nothing_is_sent(void)
{
	struct ibv_qp_ex *ex;
	struct arnicadv_reg_attr attr;

	open_pair_of(IBV_QPT_RC, ARNICADV_REG_ERROR_SQD);
	ex = ibv_qp_to_qp_ex(b.qp);
	register_whole(WRITE);
	attr = wish_for(WRITE);
	vt_recv(&a, 1, 0, LENGTH);
	ibv_wr_start(ex);
	ex->wr_id = 2;
	ex->wr_flags = IBV_SEND_SIGNALED;
	arnicadv_wr_reg_mr_send(arnicadv_qp_ex_from_ibv_qp_ex(ex), region,
				&attr);
	ibv_wr_set_sge(ex, b.mr->lkey, (uintptr_t)b.buffer, 8);
	VT_EQUAL(ibv_wr_complete(ex), 0);
	vt_expect(b.send_cq, 2, IBV_WC_MW_BIND_ERR);
	vt_poll_nothing(a.recv_cq, 20);
	VT_EQUAL(vt_state(b.qp), IBV_QPS_SQD);
	close_pair();
}

static const struct vt_case cases[] = {
	VT_CASE(memory_is_lent_with_the_message_that_names_it),
	VT_CASE(what_is_sent_may_lie_in_the_region),
	VT_CASE(without_the_registration_nothing_is_sent),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
