/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Shared receive queues: who takes an entry, who gets it back, and the events.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

#define ENDS 3
#define LONG_BYTES 70000u

/* The SRQ is of `owner`'s PD; the ends b[], which have PDs of their own, receive
 * from it what the ends a[] send. */
static struct vt_end owner, a[ENDS], b[ENDS];
static struct ibv_srq *srq;

static struct ibv_srq *create(struct ibv_pd *pd, uint32_t depth, uint32_t sge)
{
	struct ibv_srq_init_attr attr = { .srq_context = &owner,
					  .attr = { .max_wr = depth,
						    .max_sge = sge } };
	struct ibv_srq *made = ibv_create_srq(pd, &attr);

	if (made) {
		VT_CHECK(attr.attr.max_wr >= depth);
		VT_CHECK(attr.attr.max_sge >= sge);
	}
	return made;
}

static void open_with(struct vt_wish wish, uint32_t depth, int ends)
{
	vt_end_open(&owner, &wish);
	srq = create(owner.pd, depth, 3);
	VT_CHECK(srq);
	for (int i = 0; i < ends; i++)
		vt_pair_open_srq(&a[i], &b[i], &owner, srq, &wish);
}

static void open_ends(uint32_t depth, int ends)
{
	open_with(vt_defaults(), depth, ends);
}

static void close_ends(int ends)
{
	for (int i = 0; i < ends; i++)
		vt_pair_close(&a[i], &b[i]);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	vt_end_close(&owner);
}

static int try_post(uint64_t id, size_t offset, size_t length)
{
	struct ibv_sge sge = vt_sge(&owner, offset, length);
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad = NULL;
	int error = ibv_post_srq_recv(srq, &wr, &bad);

	if (error)
		VT_CHECK(bad == &wr);
	return error;
}

static void post(uint64_t id)
{
	VT_EQUAL(try_post(id, id * 100000, LONG_BYTES), 0);
}

static void arm(uint32_t limit)
{
	struct ibv_srq_attr attr = { .srq_limit = limit };

	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_LIMIT), 0);
}

static uint32_t armed(void)
{
	struct ibv_srq_attr attr;

	VT_EQUAL(ibv_query_srq(srq, &attr), 0);
	return attr.srq_limit;
}

/* From end i to its peer, which takes entry `id`. */
static void pass(int i, uint64_t id)
{
	vt_send(&a[i], id, 0, 8);
	vt_expect(a[i].send_cq, id, IBV_WC_SUCCESS);
	vt_expect(b[i].recv_cq, id, IBV_WC_SUCCESS);
}

static void no_event(void)
{
	VT_CHECK(!vt_readable(owner.context->async_fd, 100));
}

static void queues_are_made_as_promised_and_no_larger(void)
{
	struct ibv_device_attr device;
	struct ibv_srq_attr attr;
	struct ibv_sge sges[4] = { 0 };
	struct ibv_recv_wr wr = { .sg_list = sges, .num_sge = 4 }, *bad;

	open_ends(7, 0);
	VT_EQUAL(ibv_query_device(owner.context, &device), 0);
	VT_CHECK(device.max_srq > 0 && device.max_srq_wr > 0 &&
		 device.max_srq_sge > 0);
	VT_CHECK(!create(owner.pd, (uint32_t)device.max_srq_wr + 1, 1));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!create(owner.pd, 1, (uint32_t)device.max_srq_sge + 1));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!create(owner.pd, 0, 1));
	VT_EQUAL(errno, EINVAL);
	VT_EQUAL(ibv_query_srq(srq, &attr), 0);
	VT_CHECK(attr.max_wr >= 7 && attr.max_sge >= 3);
	VT_EQUAL(attr.srq_limit, 0);
	for (uint32_t i = 0; i < attr.max_wr; i++)
		VT_EQUAL(try_post(i, 0, 8), 0);
	VT_EQUAL(try_post(99, 0, 8), ENOMEM);
	VT_EQUAL(attr.max_sge, 3);
	VT_EQUAL(ibv_post_srq_recv(srq, &wr, &bad), EINVAL);
	VT_CHECK(bad == &wr);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	srq = create(owner.pd, (uint32_t)device.max_srq_wr,
		     (uint32_t)device.max_srq_sge);
	VT_CHECK(srq);
	close_ends(0);
}

static void extended_creation_makes_the_same(void)
{
	struct ibv_srq_init_attr_ex attr = {
		.attr = { .max_wr = 5, .max_sge = 1 },
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD,
		.srq_type = IBV_SRQT_BASIC,
	};
	struct ibv_srq *made;
	uint32_t number;

	open_ends(4, 0);
	attr.pd = owner.pd;
	made = ibv_create_srq_ex(owner.context, &attr);
	VT_CHECK(made);
	VT_CHECK(ibv_get_srq_num(made, &number) != 0);
	VT_EQUAL(ibv_destroy_srq(made), 0);
	attr.srq_type = IBV_SRQT_TM;
	VT_CHECK(!ibv_create_srq_ex(owner.context, &attr));
	VT_EQUAL(errno, EOPNOTSUPP);
	close_ends(0);
}

static void queue_pairs_have_no_receive_queue_of_their_own(void)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	struct ibv_recv_wr wr = { 0 }, *bad;

	open_ends(4, 1);
	VT_EQUAL(ibv_query_qp(b[0].qp, &attr, IBV_QP_CAP, &init), 0);
	VT_EQUAL(attr.cap.max_recv_wr, 0);
	VT_CHECK(init.srq == srq);
	VT_EQUAL(ibv_post_recv(b[0].qp, &wr, &bad), EINVAL);
	VT_CHECK(bad == &wr);
	VT_EQUAL(ibv_destroy_srq(srq), EBUSY);
	VT_EQUAL(ibv_destroy_qp(b[0].qp), 0);
	b[0].qp = NULL;
	close_ends(1);
}

static void entries_are_taken_in_order_by_whoever_needs_one(void)
{
	static const uint32_t lengths[] = { 0, 1, 32, 33, 4096, 8193,
					    LONG_BYTES };
	struct ibv_wc wc;

	open_ends(4, ENDS);
	for (uint64_t i = 0; i < 7; i++) {
		int end = (int)i % ENDS;

		VT_EQUAL(try_post(i, i * 100000, LONG_BYTES), 0);
		vt_fill(a[end].buffer, lengths[i], i);
		vt_send(&a[end], i, 0, lengths[i]);
		vt_expect(a[end].send_cq, i, IBV_WC_SUCCESS);
		wc = vt_poll(b[end].recv_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, i);
		VT_EQUAL(wc.qp_num, b[end].qp->qp_num);
		VT_EQUAL(wc.byte_len, lengths[i]);
		vt_check_fill(owner.buffer + i * 100000, lengths[i], i, "sent");
	}
	close_ends(ENDS);
}

/* Completions are polled in another order than entries were taken in. */
static void entries_come_back_in_any_order(void)
{
	open_ends(3, ENDS);
	for (uint64_t round = 0; round < 600; round++) {
		for (uint64_t i = 0; i < 3; i++)
			post(i);
		VT_EQUAL(try_post(9, 0, 8), ENOMEM);
		for (int i = 0; i < 3; i++) {
			vt_send(&a[i], 0, 0, 8);
			vt_expect(a[i].send_cq, 0, IBV_WC_SUCCESS);
		}
		for (uint64_t i = 0; i < 3; i++) {
			uint64_t which = (i + round) % 3;

			vt_expect(b[which].recv_cq, which, IBV_WC_SUCCESS);
		}
	}
	close_ends(ENDS);
}

static void writes_with_immediate_data_take_one(void)
{
	struct ibv_sge sge;
	struct ibv_send_wr wr;
	struct ibv_wc wc;

	open_ends(4, 1);
	post(5);
	sge = vt_sge(&a[0], 0, 10);
	wr = vt_send_wr(2, IBV_WR_RDMA_WRITE_WITH_IMM, &sge);
	wr.imm_data = htobe32(0x05060708);
	wr.wr.rdma.remote_addr = (uintptr_t)b[0].buffer + 4096;
	wr.wr.rdma.rkey = b[0].mr->rkey;
	VT_EQUAL(vt_post_send(&a[0], &wr), 0);
	wc = vt_poll(b[0].recv_cq);
	VT_EQUAL(wc.wr_id, 5);
	VT_EQUAL(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	VT_EQUAL(be32toh(wc.imm_data), 0x05060708);
	vt_expect(a[0].send_cq, 2, IBV_WC_SUCCESS);
	close_ends(1);
}

static void an_empty_queue_makes_senders_wait(void)
{
	struct ibv_wc wc;
	int first;

	open_ends(4, 2);
	vt_send(&a[0], 0, 0, 8);
	vt_send(&a[1], 1, 0, 8);
	vt_poll_nothing(a[0].send_cq, 50);
	vt_poll_nothing(a[1].send_cq, 50);
	post(3);
	wc = vt_poll_of(a[0].send_cq, a[1].send_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	first = (int)wc.wr_id;
	vt_expect(b[first].recv_cq, 3, IBV_WC_SUCCESS);
	vt_poll_nothing(a[!first].send_cq, 50);
	post(4);
	vt_expect(a[!first].send_cq, (uint64_t)!first, IBV_WC_SUCCESS);
	vt_expect(b[!first].recv_cq, 4, IBV_WC_SUCCESS);
	close_ends(2);
}

static void who_may_not_wait_fails(void)
{
	struct vt_wish wish = vt_defaults();

	wish.rnr_retry = 0;
	open_with(wish, 4, 2);
	vt_send(&a[0], 1, 0, 8);
	vt_expect(a[0].send_cq, 1, IBV_WC_RNR_RETRY_EXC_ERR);
	post(2);
	pass(1, 2);
	close_ends(2);
}

static void the_limit_event_comes_once_for_each_arming(void)
{
	struct ibv_srq_attr attr = { .srq_limit = 9 };
	struct ibv_async_event event;

	open_ends(8, 2);
	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_LIMIT), EINVAL);
	for (uint64_t i = 0; i < 5; i++)
		post(i);
	arm(3);
	VT_EQUAL(armed(), 3);
	pass(0, 0);
	pass(1, 1);
	no_event(); /* three are left, which is not fewer */
	VT_EQUAL(armed(), 3);
	pass(0, 2);
	event = vt_event(owner.context, IBV_EVENT_SRQ_LIMIT_REACHED);
	VT_CHECK(event.element.srq == srq);
	VT_EQUAL(armed(), 0);
	pass(1, 3);
	no_event();
	arm(2); /* there is one */
	vt_event(owner.context, IBV_EVENT_SRQ_LIMIT_REACHED);
	no_event();
	post(1);
	arm(2);
	arm(0);
	pass(0, 4);
	pass(0, 1);
	no_event();
	close_ends(2);
}

/* Destroying waits for the acknowledgement of what was read, and nothing else:
 * an event that nobody reads goes with the queue. */
static void an_event_that_nobody_reads_is_taken_back(void)
{
	open_ends(4, 0);
	arm(1);
	VT_CHECK(vt_readable(owner.context->async_fd, 5000));
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	no_event();
	srq = create(owner.pd, 4, 1);
	VT_CHECK(srq);
	close_ends(0);
}

static void the_last_wqe_event_comes_once_and_entries_stay(void)
{
	struct ibv_async_event event;
	struct vt_address to_a, to_b;

	open_ends(4, 2);
	post(1);
	post(2);
	VT_EQUAL(vt_set_state(b[0].qp, IBV_QPS_ERR), 0);
	event = vt_event(owner.context, IBV_EVENT_QP_LAST_WQE_REACHED);
	VT_CHECK(event.element.qp == b[0].qp);
	vt_send(&b[0], 7, 0, 8); /* flushed */
	vt_expect(b[0].send_cq, 7, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(vt_set_state(b[0].qp, IBV_QPS_ERR), 0);
	no_event();
	vt_poll_nothing(b[0].recv_cq, 20);
	pass(1, 1);
	VT_EQUAL(vt_set_state(b[0].qp, IBV_QPS_RESET), 0);
	VT_EQUAL(vt_set_state(a[0].qp, IBV_QPS_RESET), 0);
	to_a = vt_address_of(&a[0]);
	to_b = vt_address_of(&b[0]);
	vt_connect(&a[0], &to_b);
	vt_connect(&b[0], &to_a);
	pass(0, 2);
	VT_EQUAL(vt_set_state(b[0].qp, IBV_QPS_ERR), 0);
	vt_event(owner.context, IBV_EVENT_QP_LAST_WQE_REACHED);
	no_event();
	close_ends(2);
}

static void an_entry_that_is_wrong_ends_one_connection(void)
{
	struct ibv_sge sge;
	struct ibv_recv_wr wr = { .wr_id = 1, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	open_ends(4, 2);
	sge = vt_sge(&owner, 0, 100);
	sge.lkey ^= 0x5500;
	VT_EQUAL(ibv_post_srq_recv(srq, &wr, &bad), 0);
	post(2);
	vt_send(&a[0], 1, 0, 8);
	vt_expect(a[0].send_cq, 1, IBV_WC_REM_OP_ERR);
	vt_expect(b[0].recv_cq, 1, IBV_WC_LOC_PROT_ERR);
	vt_event(owner.context, IBV_EVENT_QP_LAST_WQE_REACHED);
	pass(1, 2);
	/* Too long for what it takes. */
	VT_EQUAL(try_post(3, 0, 10), 0);
	vt_send(&a[1], 2, 0, 11);
	vt_expect(a[1].send_cq, 2, IBV_WC_REM_INV_REQ_ERR);
	vt_expect(b[1].recv_cq, 3, IBV_WC_LOC_LEN_ERR);
	vt_event(owner.context, IBV_EVENT_QP_LAST_WQE_REACHED);
	close_ends(2);
}

static void fill_up(uint32_t depth)
{
	for (uint32_t i = 0; i < depth; i++)
		post(0);
	VT_EQUAL(try_post(0, 0, 8), ENOMEM);
}

static void what_nobody_polled_comes_back(void)
{
	open_ends(4, 2);
	fill_up(4);
	for (int i = 0; i < 4; i++) {
		vt_send(&a[i / 2], 1, 0, 8);
		vt_expect(a[i / 2].send_cq, 1, IBV_WC_SUCCESS);
	}
	VT_EQUAL(vt_set_state(b[0].qp, IBV_QPS_RESET), 0);
	VT_EQUAL(try_post(0, 0, 8), 0);
	VT_EQUAL(try_post(0, 0, 8), 0);
	VT_EQUAL(try_post(0, 0, 8), ENOMEM);
	VT_EQUAL(ibv_destroy_qp(b[1].qp), 0);
	b[1].qp = NULL;
	VT_EQUAL(try_post(0, 0, 8), 0);
	VT_EQUAL(try_post(0, 0, 8), 0);
	VT_EQUAL(try_post(0, 0, 8), ENOMEM);
	close_ends(2);
}

static void unreliable_connections_share_it(void)
{
	struct vt_wish wish = vt_defaults();

	wish.type = IBV_QPT_UC;
	open_with(wish, 8, 2);
	for (uint64_t i = 0; i < 6; i++) {
		post(i);
		pass((int)i % 2, i);
	}
	close_ends(2);
}

static void datagrams_share_it(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_ah_attr way = { .is_global = 1, .port_num = 1,
				   .grh.hop_limit = 1 };
	struct ibv_ah *ah;

	wish.type = IBV_QPT_UD;
	open_with(wish, 8, 2);
	way.grh.dgid = vt_address_of(&b[0]).gid;
	way.grh.sgid_index = (uint8_t)vt_setting("VT_GID", 0);
	ah = ibv_create_ah(a[0].pd, &way);
	VT_CHECK(ah);
	for (uint64_t i = 0; i < 12; i++) {
		struct vt_end *to = &b[i % 2];
		struct ibv_sge sge = vt_sge(&a[0], 0, 600);
		struct ibv_send_wr wr = vt_send_wr(i, IBV_WR_SEND, &sge);

		wr.wr.ud.ah = ah;
		wr.wr.ud.remote_qpn = to->qp->qp_num;
		wr.wr.ud.remote_qkey = to->wish.qkey;
		vt_fill(a[0].buffer, 600, i);
		post(i % 8);
		VT_EQUAL(vt_post_send(&a[0], &wr), 0);
		vt_expect(a[0].send_cq, i, IBV_WC_SUCCESS);
		vt_expect(to->recv_cq, i % 8, IBV_WC_SUCCESS);
		vt_check_fill(owner.buffer + i % 8 * 100000 + 40, 600, i,
			      "datagram");
	}
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	close_ends(2);
}

/* Processes that send as fast as they can to one process with one SRQ. */
#define CLIENTS 4
#define MESSAGES 800u
#define CLIENT_DEPTH 16u
#define MESSAGE_BYTES 12000u

static uint32_t length_of(uint64_t client, uint32_t number)
{
	static const uint32_t lengths[] = { 8, 32, 33, 900, 5000,
					    MESSAGE_BYTES };
	uint32_t length = lengths[(client + number) % 6];

	return length;
}

static void client(int fd, void *argument)
{
	uint64_t me = (uintptr_t)argument;
	struct vt_wish wish = vt_defaults();
	struct vt_end end;
	uint32_t sent = 0, done = 0;

	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_sync(fd);
	while (done < MESSAGES) {
		if (sent < MESSAGES && sent - done < CLIENT_DEPTH) {
			size_t at = sent % CLIENT_DEPTH * MESSAGE_BYTES;
			uint32_t length = length_of(me, sent);

			vt_fill(end.buffer + at, length, me << 32 | sent);
			vt_send(&end, sent++, at, length);
		} else {
			vt_expect(end.send_cq, done++, IBV_WC_SUCCESS);
		}
	}
	vt_sync(fd);
	vt_end_close(&end);
}

/* Larger and smaller, among what is posted. */
static void resize(uint32_t step)
{
	uint32_t depth = step < 8 ? 10u << step : 10 + step % 50;
	struct ibv_srq_attr attr = { .max_wr = depth };

	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR), 0);
}

static void send_to_one_queue(bool resizes)
{
	struct vt_peer peers[CLIENTS];
	struct vt_wish wish = vt_defaults();
	struct vt_end ends[CLIENTS];
	uint32_t got[CLIENTS] = { 0 }, left = CLIENTS * MESSAGES, step = 0;

	wish.cqe = 64;
	for (uintptr_t i = 0; i < CLIENTS; i++)
		peers[i] = vt_fork(client, (void *)i);
	vt_end_open(&owner, &wish);
	srq = create(owner.pd, 10, 1);
	VT_CHECK(srq);
	wish.srq = srq;
	for (int i = 0; i < CLIENTS; i++) {
		vt_end_open_in(&ends[i], &owner, &wish);
		vt_meet(peers[i].fd, &ends[i]);
	}
	for (uint64_t i = 0; i < 10; i++)
		VT_EQUAL(try_post(i, i * MESSAGE_BYTES, MESSAGE_BYTES), 0);
	for (int i = 0; i < CLIENTS; i++)
		vt_sync(peers[i].fd);
	for (uint64_t k = 0; left; k++) {
		uint64_t i = k % CLIENTS;
		struct ibv_wc wc;

		if (ibv_poll_cq(ends[i].recv_cq, 1, &wc) != 1)
			continue;
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.byte_len, length_of(i, got[i]));
		vt_check_fill(owner.buffer + wc.wr_id * MESSAGE_BYTES,
			      wc.byte_len, i << 32 | got[i], "message");
		got[i]++;
		left--;
		if (resizes && left % 16 == 0)
			resize(step++);
		VT_EQUAL(try_post(wc.wr_id, wc.wr_id * MESSAGE_BYTES,
				  MESSAGE_BYTES), 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		vt_sync(peers[i].fd);
		vt_join(&peers[i]);
		vt_end_close(&ends[i]);
	}
	close_ends(0);
}

static void many_processes_send_to_one_queue(void)
{
	send_to_one_queue(false);
}

static void many_processes_send_to_one_that_changes_its_size(void)
{
	send_to_one_queue(true);
}

static void client_for_ever(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	(void)argument;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	for (uint64_t id = 0;; id++) {
		vt_send(&end, id, 0, length_of(0, (uint32_t)id));
		vt_expect(end.send_cq, id, IBV_WC_SUCCESS);
	}
}

/* One after the other is killed in the middle of something. */
static void a_client_that_is_killed_stops_no_change_of_size(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_peer peers[CLIENTS];
	struct vt_end ends[CLIENTS];
	uint32_t step = 0, killed = 0;

	for (int i = 0; i < CLIENTS; i++)
		peers[i] = vt_fork(client_for_ever, NULL);
	vt_end_open(&owner, &wish);
	srq = create(owner.pd, 10, 1);
	VT_CHECK(srq);
	wish.srq = srq;
	for (uint64_t i = 0; i < 10; i++)
		VT_EQUAL(try_post(i, i * MESSAGE_BYTES, MESSAGE_BYTES), 0);
	for (int i = 0; i < CLIENTS; i++) {
		vt_end_open_in(&ends[i], &owner, &wish);
		vt_meet(peers[i].fd, &ends[i]);
	}
	while (killed < CLIENTS) {
		struct ibv_wc wc;

		for (uint32_t i = killed, got = 0; got < 16;
		     i = i + 1 < CLIENTS ? i + 1 : killed) {
			if (ibv_poll_cq(ends[i].recv_cq, 1, &wc) != 1)
				continue;
			VT_STATUS(&wc, IBV_WC_SUCCESS);
			VT_EQUAL(try_post(wc.wr_id, wc.wr_id * MESSAGE_BYTES,
					  MESSAGE_BYTES), 0);
			if (i == killed && got++ % 4 == 0)
				resize(step++);
		}
		VT_EQUAL(kill(peers[killed].pid, SIGKILL), 0);
		VT_EQUAL(waitpid(peers[killed].pid, NULL, 0),
			 peers[killed].pid);
		resize(step++);
		/* What it had taken comes back, or had arrived. */
		while (ibv_poll_cq(ends[killed].recv_cq, 1, &wc) == 1)
			VT_EQUAL(try_post(wc.wr_id, 0, MESSAGE_BYTES), 0);
		vt_end_close(&ends[killed++]);
		VT_EQUAL(try_post(20, 0, MESSAGE_BYTES), 0);
	}
	close_ends(0);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(queues_are_made_as_promised_and_no_larger),
		VT_CASE(extended_creation_makes_the_same),
		VT_CASE(queue_pairs_have_no_receive_queue_of_their_own),
		VT_CASE(entries_are_taken_in_order_by_whoever_needs_one),
		VT_CASE(entries_come_back_in_any_order),
		VT_CASE(writes_with_immediate_data_take_one),
		VT_CASE(an_empty_queue_makes_senders_wait),
		VT_CASE(who_may_not_wait_fails),
		VT_CASE(the_limit_event_comes_once_for_each_arming),
		VT_CASE(an_event_that_nobody_reads_is_taken_back),
		VT_CASE(the_last_wqe_event_comes_once_and_entries_stay),
		VT_CASE(an_entry_that_is_wrong_ends_one_connection),
		VT_CASE(what_nobody_polled_comes_back),
		VT_CASE(unreliable_connections_share_it),
		VT_CASE(datagrams_share_it),
		VT_CASE(many_processes_send_to_one_queue),
		VT_CASE(many_processes_send_to_one_that_changes_its_size),
		VT_CASE(a_client_that_is_killed_stops_no_change_of_size),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
