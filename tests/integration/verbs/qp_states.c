/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The state machine of an RC QP as ibv_modify_qp(3) and the specification
 * (10.3.1) give it: every illegal transition, every missing or foreign
 * attribute and every value out of range is EINVAL and changes nothing; posting
 * is tried in each state.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "vt.h"

#define NUM_STATES 7 /* RESET, INIT, RTR, RTS, SQD, SQE, ERR */

static const char *const names[NUM_STATES] = { "RESET", "INIT", "RTR", "RTS",
					       "SQD",	"SQE",	"ERR" };

static const int init_mask = IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			     IBV_QP_ACCESS_FLAGS;
static const int rtr_mask = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			    IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			    IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
static const int rts_mask = IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			    IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
			    IBV_QP_MAX_QP_RD_ATOMIC;

static struct vt_end a;

/* The attributes with which a transition to `state` is legal when it is. */
static int legal_mask(enum ibv_qp_state state)
{
	switch (state) {
	case IBV_QPS_INIT:
		return init_mask;
	case IBV_QPS_RTR:
		return rtr_mask;
	case IBV_QPS_RTS:
		return rts_mask;
	default:
		return IBV_QP_STATE;
	}
}

static struct ibv_qp_attr good_attributes(enum ibv_qp_state state)
{
	struct vt_address self = vt_address_of(&a);

	return (struct ibv_qp_attr){
		.qp_state = state,
		.path_mtu = IBV_MTU_1024,
		.qp_access_flags = VT_ALL_ACCESS,
		.port_num = 1,
		.dest_qp_num = self.qpn,
		.rq_psn = self.psn,
		.sq_psn = self.psn,
		.max_rd_atomic = 1,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.ah_attr = { .is_global = 1,
			     .port_num = 1,
			     .grh = { .dgid = self.gid, .hop_limit = 1 } },
	};
}

static int go(enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = good_attributes(state);

	return ibv_modify_qp(a.qp, &attr, legal_mask(state));
}

/* From RESET to `state` by the usual way. */
static void walk_to(enum ibv_qp_state state)
{
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RESET), 0);
	if (state == IBV_QPS_RESET)
		return;
	VT_EQUAL(go(IBV_QPS_INIT), 0);
	if (state == IBV_QPS_ERR)
		VT_EQUAL(go(IBV_QPS_ERR), 0);
	if (state == IBV_QPS_INIT || state == IBV_QPS_ERR)
		return;
	VT_EQUAL(go(IBV_QPS_RTR), 0);
	if (state == IBV_QPS_RTR)
		return;
	VT_EQUAL(go(IBV_QPS_RTS), 0);
	if (state == IBV_QPS_SQD)
		VT_EQUAL(go(IBV_QPS_SQD), 0);
}

static void open_end(void)
{
	struct vt_wish wish = vt_defaults();

	vt_end_open(&a, &wish);
}

static void legal_transitions_are_taken(void)
{
	static const enum ibv_qp_state steps[][2] = {
		{ IBV_QPS_RESET, IBV_QPS_RESET }, { IBV_QPS_RESET, IBV_QPS_INIT },
		{ IBV_QPS_INIT, IBV_QPS_INIT },	  { IBV_QPS_INIT, IBV_QPS_RTR },
		{ IBV_QPS_INIT, IBV_QPS_RESET },  { IBV_QPS_INIT, IBV_QPS_ERR },
		{ IBV_QPS_RTR, IBV_QPS_RTS },	  { IBV_QPS_RTR, IBV_QPS_RESET },
		{ IBV_QPS_RTR, IBV_QPS_ERR },	  { IBV_QPS_RTS, IBV_QPS_RESET },
		{ IBV_QPS_RTS, IBV_QPS_ERR },	  { IBV_QPS_RTS, IBV_QPS_SQD },
		{ IBV_QPS_SQD, IBV_QPS_RESET },	  { IBV_QPS_SQD, IBV_QPS_ERR },
		{ IBV_QPS_ERR, IBV_QPS_RESET },	  { IBV_QPS_ERR, IBV_QPS_ERR },
	};

	open_end();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		walk_to(steps[i][0]);
		if (go(steps[i][1]))
			vt_fail(__FILE__, __LINE__, "%s to %s is refused",
				names[steps[i][0]], names[steps[i][1]]);
		VT_EQUAL(vt_state(a.qp), steps[i][1]);
		VT_EQUAL(a.qp->state, steps[i][1]);
	}
	walk_to(IBV_QPS_RTS); /* these two take no attribute but the state */
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTS), 0);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_SQD), 0);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTS), 0);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_RTS);
	vt_end_close(&a);
}

static void illegal_transitions_are_refused(void)
{
	static const enum ibv_qp_state steps[][2] = {
		{ IBV_QPS_RESET, IBV_QPS_RTR }, { IBV_QPS_RESET, IBV_QPS_RTS },
		{ IBV_QPS_RESET, IBV_QPS_SQD }, { IBV_QPS_RESET, IBV_QPS_SQE },
		{ IBV_QPS_INIT, IBV_QPS_RTS },	{ IBV_QPS_INIT, IBV_QPS_SQD },
		{ IBV_QPS_INIT, IBV_QPS_SQE },	{ IBV_QPS_RTR, IBV_QPS_INIT },
		{ IBV_QPS_RTR, IBV_QPS_RTR },	{ IBV_QPS_RTR, IBV_QPS_SQD },
		{ IBV_QPS_RTR, IBV_QPS_SQE },	{ IBV_QPS_RTS, IBV_QPS_INIT },
		{ IBV_QPS_RTS, IBV_QPS_RTR },	{ IBV_QPS_RTS, IBV_QPS_SQE },
		{ IBV_QPS_SQD, IBV_QPS_INIT },	{ IBV_QPS_SQD, IBV_QPS_RTR },
		{ IBV_QPS_SQD, IBV_QPS_SQE },	{ IBV_QPS_ERR, IBV_QPS_INIT },
		{ IBV_QPS_ERR, IBV_QPS_RTR },	{ IBV_QPS_ERR, IBV_QPS_RTS },
		{ IBV_QPS_ERR, IBV_QPS_SQD },	{ IBV_QPS_ERR, IBV_QPS_SQE },
	};

	open_end();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int status;

		walk_to(steps[i][0]);
		status = go(steps[i][1]);
		if (status != EINVAL)
			vt_fail(__FILE__, __LINE__, "%s to %s: status %d",
				names[steps[i][0]], names[steps[i][1]], status);
		VT_EQUAL(vt_state(a.qp), steps[i][0]);
		VT_EQUAL(a.qp->state, steps[i][0]);
	}
	vt_end_close(&a);
}

static void states_that_do_not_exist_are_refused(void)
{
	open_end();
	walk_to(IBV_QPS_INIT);
	VT_EQUAL(vt_set_state(a.qp, (enum ibv_qp_state)7), EINVAL);
	VT_EQUAL(vt_set_state(a.qp, (enum ibv_qp_state)255), EINVAL);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_INIT);
	vt_end_close(&a);
}

/* Leaves out each required attribute in turn. */
static void check_required(enum ibv_qp_state from, enum ibv_qp_state to)
{
	int mask = legal_mask(to);

	for (int bit = 1; bit <= IBV_QP_RATE_LIMIT; bit <<= 1) {
		struct ibv_qp_attr attr;

		if (!(mask & bit) || bit == IBV_QP_STATE)
			continue;
		walk_to(from);
		attr = good_attributes(to);
		if (ibv_modify_qp(a.qp, &attr, mask & ~bit) != EINVAL)
			vt_fail(__FILE__, __LINE__,
				"%s to %s without attribute 0x%x is accepted",
				names[from], names[to], (unsigned int)bit);
		VT_EQUAL(vt_state(a.qp), from);
	}
}

static void required_attributes_are_required(void)
{
	open_end();
	check_required(IBV_QPS_RESET, IBV_QPS_INIT);
	check_required(IBV_QPS_INIT, IBV_QPS_RTR);
	check_required(IBV_QPS_RTR, IBV_QPS_RTS);
	vt_end_close(&a);
}

/* Attributes that the transition does not know, for RC. */
static void check_foreign(enum ibv_qp_state from, enum ibv_qp_state to,
			  int foreign)
{
	for (int bit = 1; bit <= foreign; bit <<= 1) {
		struct ibv_qp_attr attr;

		if (!(foreign & bit))
			continue;
		walk_to(from);
		attr = good_attributes(to);
		if (ibv_modify_qp(a.qp, &attr, legal_mask(to) | bit) != EINVAL)
			vt_fail(__FILE__, __LINE__,
				"%s to %s with attribute 0x%x is accepted",
				names[from], names[to], (unsigned int)bit);
		VT_EQUAL(vt_state(a.qp), from);
	}
}

static void foreign_attributes_are_refused(void)
{
	open_end();
	check_foreign(IBV_QPS_RESET, IBV_QPS_INIT,
		      IBV_QP_QKEY | IBV_QP_AV | IBV_QP_SQ_PSN |
			      IBV_QP_DEST_QPN | IBV_QP_TIMEOUT);
	check_foreign(IBV_QPS_INIT, IBV_QPS_RTR,
		      IBV_QP_QKEY | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT |
			      IBV_QP_RNR_RETRY | IBV_QP_PORT);
	check_foreign(IBV_QPS_RTR, IBV_QPS_RTS,
		      IBV_QP_QKEY | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			      IBV_QP_PATH_MTU | IBV_QP_AV | IBV_QP_PORT);
	vt_end_close(&a);
}

static void refuse_value(enum ibv_qp_state from, enum ibv_qp_state to,
			 struct ibv_qp_attr attr, const char *what)
{
	walk_to(from);
	if (ibv_modify_qp(a.qp, &attr, legal_mask(to)) != EINVAL)
		vt_fail(__FILE__, __LINE__, "%s is accepted", what);
	VT_EQUAL(vt_state(a.qp), from);
}

#define REFUSE(from, to, field, value)                                         \
	do {                                                                   \
		struct ibv_qp_attr vt_attr = good_attributes(to);              \
		vt_attr.field = (value);                                       \
		refuse_value(from, to, vt_attr, #field " = " #value);          \
	} while (0)

static void values_out_of_range_are_refused(void)
{
	struct ibv_device_attr device;

	open_end();
	VT_EQUAL(ibv_query_device(a.context, &device), 0);
	REFUSE(IBV_QPS_RESET, IBV_QPS_INIT, port_num, 0);
	REFUSE(IBV_QPS_RESET, IBV_QPS_INIT, port_num, 2);
	REFUSE(IBV_QPS_RESET, IBV_QPS_INIT, pkey_index, 4000);
	REFUSE(IBV_QPS_INIT, IBV_QPS_RTR, path_mtu, 0);
	REFUSE(IBV_QPS_INIT, IBV_QPS_RTR, path_mtu, 6);
	REFUSE(IBV_QPS_INIT, IBV_QPS_RTR, ah_attr.port_num, 3);
	REFUSE(IBV_QPS_INIT, IBV_QPS_RTR, ah_attr.grh.sgid_index, 200);
	if (device.max_qp_rd_atom < 255)
		REFUSE(IBV_QPS_INIT, IBV_QPS_RTR, max_dest_rd_atomic,
		       (uint8_t)(device.max_qp_rd_atom + 1));
	if (device.max_qp_init_rd_atom < 255)
		REFUSE(IBV_QPS_RTR, IBV_QPS_RTS, max_rd_atomic,
		       (uint8_t)(device.max_qp_init_rd_atom + 1));
	vt_end_close(&a);
}

static void wrong_current_state_is_refused(void)
{
	struct ibv_qp_attr attr;

	open_end();
	walk_to(IBV_QPS_RTR);
	attr = good_attributes(IBV_QPS_RTS);
	attr.cur_qp_state = IBV_QPS_RTS;
	VT_EQUAL(ibv_modify_qp(a.qp, &attr, rts_mask | IBV_QP_CUR_STATE),
		 EINVAL);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_RTR);
	attr.cur_qp_state = IBV_QPS_RTR;
	VT_EQUAL(ibv_modify_qp(a.qp, &attr, rts_mask | IBV_QP_CUR_STATE), 0);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_RTS);
	vt_end_close(&a);
}

static void query_returns_what_was_set(void)
{
	struct vt_address self;
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	open_end();
	walk_to(IBV_QPS_RTS);
	self = vt_address_of(&a);
	VT_EQUAL(ibv_query_qp(a.qp, &attr, -1 & 0x1ffffff, &init), 0);
	VT_EQUAL(attr.qp_state, IBV_QPS_RTS);
	VT_EQUAL(attr.cur_qp_state, IBV_QPS_RTS);
	VT_EQUAL(attr.path_mtu, IBV_MTU_1024);
	VT_EQUAL(attr.qp_access_flags | IBV_ACCESS_LOCAL_WRITE, VT_ALL_ACCESS);
	VT_EQUAL(attr.dest_qp_num, self.qpn);
	VT_EQUAL(attr.port_num, 1);
	VT_EQUAL(attr.max_rd_atomic, 1);
	VT_EQUAL(attr.max_dest_rd_atomic, 1);
	VT_EQUAL(attr.min_rnr_timer, 12);
	VT_EQUAL(attr.timeout, 14);
	VT_EQUAL(attr.retry_cnt, 7);
	VT_EQUAL(attr.rnr_retry, 7);
	VT_EQUAL(attr.ah_attr.is_global, 1);
	VT_CHECK(!memcmp(&attr.ah_attr.grh.dgid, &self.gid, 16));
	VT_EQUAL(attr.cap.max_send_wr, a.cap.max_send_wr);
	VT_EQUAL(attr.cap.max_recv_wr, a.cap.max_recv_wr);
	VT_EQUAL(init.cap.max_inline_data, a.cap.max_inline_data);
	VT_CHECK(init.send_cq == a.send_cq && init.recv_cq == a.recv_cq);
	VT_EQUAL(init.qp_type, IBV_QPT_RC);
	vt_end_close(&a);
}

/* Sends need RTS (or SQD, where they wait); a receive needs INIT or later
 * (10.8.3, 10.8.4). In ERR both are taken and flushed. */
static void posting_depends_on_the_state(void)
{
	static const struct {
		enum ibv_qp_state state;
		bool send, recv;
	} rules[] = {
		{ IBV_QPS_RESET, false, false }, { IBV_QPS_INIT, false, true },
		{ IBV_QPS_RTR, false, true },	 { IBV_QPS_RTS, true, true },
		{ IBV_QPS_SQD, true, true },	 { IBV_QPS_ERR, true, true },
	};
	struct ibv_send_wr send, *bad_send;
	struct ibv_recv_wr recv = { .wr_id = 2 }, *bad_recv;
	struct ibv_sge sge;

	open_end();
	sge = vt_sge(&a, 0, 8);
	send = vt_send_wr(1, IBV_WR_SEND, &sge);
	recv.sg_list = &sge;
	recv.num_sge = 1;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int got;

		walk_to(rules[i].state);
		got = ibv_post_send(a.qp, &send, &bad_send);
		if ((got == 0) != rules[i].send)
			vt_fail(__FILE__, __LINE__, "post_send in %s: %d",
				names[rules[i].state], got);
		got = ibv_post_recv(a.qp, &recv, &bad_recv);
		if ((got == 0) != rules[i].recv)
			vt_fail(__FILE__, __LINE__, "post_recv in %s: %d",
				names[rules[i].state], got);
		if (rules[i].state == IBV_QPS_ERR) {
			vt_expect(a.send_cq, 1, IBV_WC_WR_FLUSH_ERR);
			vt_expect(a.recv_cq, 2, IBV_WC_WR_FLUSH_ERR);
		}
	}
	vt_end_close(&a);
}

/* Posts a send by either of the calls. */
static int send_by(bool extended, uint64_t id)
{
	struct ibv_qp_ex *ex;

	if (!extended) {
		struct ibv_sge sge = vt_sge(&a, 0, 8);
		struct ibv_send_wr wr = vt_send_wr(id, IBV_WR_SEND, &sge);

		return vt_post_send(&a, &wr);
	}
	ex = ibv_qp_to_qp_ex(a.qp);
	ibv_wr_start(ex);
	ex->wr_id = id;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_send(ex);
	ibv_wr_set_sge(ex, a.mr->lkey, (uintptr_t)a.buffer, 8);
	return ibv_wr_complete(ex);
}

/* A peer can end the connection of who is in RTR: ERR takes sends. */
static void sends_are_flushed_after_an_error_before_rts(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address to_a, to_b;
	struct vt_end b;

	wish.extended = true;
	for (int extended = 0; extended < 2; extended++) {
		vt_end_open(&a, &wish);
		vt_end_open(&b, &wish);
		to_a = vt_address_of(&a);
		to_b = vt_address_of(&b);
		VT_EQUAL(vt_to_init(&a), 0);
		VT_EQUAL(vt_to_rtr(&a, &to_b), 0);
		vt_connect(&b, &to_a);
		VT_EQUAL(send_by(extended, 1), EINVAL);
		vt_rdma(&b, 2, IBV_WR_RDMA_WRITE, 0, 8, to_a.buffer,
			to_a.rkey + 1);
		vt_expect(b.send_cq, 2, IBV_WC_REM_ACCESS_ERR);
		vt_wait_state(a.qp, IBV_QPS_ERR);
		VT_EQUAL(send_by(extended, 3), 0);
		vt_expect(a.send_cq, 3, IBV_WC_WR_FLUSH_ERR);
		VT_EQUAL(send_by(!extended, 4), 0);
		vt_expect(a.send_cq, 4, IBV_WC_WR_FLUSH_ERR);
		VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RESET), 0);
		VT_EQUAL(send_by(extended, 5), EINVAL);
		vt_pair_close(&b, &a);
	}
}

/* RESET forgets what was posted: nothing of it completes (10.3.1.1). */
static void reset_discards_everything(void)
{
	open_end();
	for (int round = 0; round < 3; round++) {
		walk_to(IBV_QPS_INIT);
		for (uint64_t i = 0; i < 8; i++)
			vt_recv(&a, i, 0, 8);
		VT_EQUAL(vt_set_state(a.qp, IBV_QPS_ERR), 0);
		vt_expect(a.recv_cq, 0, IBV_WC_WR_FLUSH_ERR);
		VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RESET), 0);
		vt_poll_nothing(a.recv_cq, 5);
		walk_to(IBV_QPS_RTS); /* connected to itself */
		vt_fill(a.buffer, 64, (uint64_t)round);
		vt_recv(&a, 70, 4096, 64);
		vt_send(&a, 71, 0, 64);
		vt_expect(a.send_cq, 71, IBV_WC_SUCCESS);
		vt_expect(a.recv_cq, 70, IBV_WC_SUCCESS);
		vt_check_fill(a.buffer + 4096, 64, (uint64_t)round,
			      "message after reset");
	}
	vt_end_close(&a);
}

/* SQD: what runs finishes, what is posted waits until RTS. */
static void sends_wait_while_the_queue_is_drained(void)
{
	open_end();
	walk_to(IBV_QPS_RTS);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_SQD), 0);
	vt_recv(&a, 2, 4096, 64);
	vt_send(&a, 1, 0, 64);
	vt_poll_nothing(a.send_cq, 50);
	vt_poll_nothing(a.recv_cq, 5);
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_RTS), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 2, IBV_WC_SUCCESS);
	vt_end_close(&a);
}

#define RACES 200u
#define RECEIVES 16u

static _Atomic uint32_t races_begun, receives_posted;

static void *post_receives(void *argument)
{
	(void)argument;
	for (uint32_t race = 1; race <= RACES; race++) {
		while (atomic_load(&races_begun) < race)
			sched_yield();
		for (uint32_t i = 0; i < RECEIVES; i++) {
			vt_recv(&a, i, 0, 8);
			atomic_fetch_add(&receives_posted, 1);
		}
	}
	return NULL;
}

/* Each that is posted completes, before ERR, after it, and at that moment. */
static void receives_posted_while_it_fails_are_flushed(void)
{
	uint64_t random = vt_setting("VT_SEED", 7);
	pthread_t thread;

	open_end();
	VT_EQUAL(pthread_create(&thread, NULL, post_receives, NULL), 0);
	for (uint32_t race = 1; race <= RACES; race++) {
		uint32_t before = (race - 1) * RECEIVES;
		uint32_t some = (uint32_t)(vt_random(&random) % RECEIVES);

		walk_to(IBV_QPS_INIT);
		atomic_store(&races_begun, race);
		while (atomic_load(&receives_posted) < before + some)
			sched_yield();
		VT_EQUAL(vt_set_state(a.qp, IBV_QPS_ERR), 0);
		for (uint32_t i = 0; i < RECEIVES; i++)
			vt_expect(a.recv_cq, i, IBV_WC_WR_FLUSH_ERR);
		while (atomic_load(&receives_posted) < before + RECEIVES)
			sched_yield();
	}
	VT_EQUAL(pthread_join(thread, NULL), 0);
	vt_end_close(&a);
}

static const struct vt_case cases[] = {
	VT_CASE(legal_transitions_are_taken),
	VT_CASE(illegal_transitions_are_refused),
	VT_CASE(states_that_do_not_exist_are_refused),
	VT_CASE(required_attributes_are_required),
	VT_CASE(foreign_attributes_are_refused),
	VT_CASE(values_out_of_range_are_refused),
	VT_CASE(wrong_current_state_is_refused),
	VT_CASE(query_returns_what_was_set),
	VT_CASE(posting_depends_on_the_state),
	VT_CASE(sends_are_flushed_after_an_error_before_rts),
	VT_CASE(reset_discards_everything),
	VT_CASE(sends_wait_while_the_queue_is_drained),
	VT_CASE(receives_posted_while_it_fails_are_flushed),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
