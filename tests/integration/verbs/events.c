/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion channels and asynchronous events: each event once, for the right
 * object, none lost, and none before it was asked for.
 */
#include <fcntl.h>
#include <unistd.h>

#include "vt.h"

static struct vt_end a, b;

static struct vt_wish with_channel(void)
{
	struct vt_wish wish = vt_defaults();

	wish.channel = true;
	return wish;
}

static void take_event(struct vt_end *end, struct ibv_cq *expected)
{
	struct ibv_cq *cq;
	void *cookie;

	if (!vt_readable(end->channel->fd, 20000))
		vt_fail(__FILE__, __LINE__, "no completion event came");
	VT_EQUAL(ibv_get_cq_event(end->channel, &cq, &cookie), 0);
	VT_CHECK(cq == expected);
	VT_CHECK(cookie == end);
	ibv_ack_cq_events(cq, 1);
}

static void expect_no_event(struct vt_end *end)
{
	VT_CHECK(!vt_readable(end->channel->fd, 30));
}

static void send_one(uint64_t id, unsigned int flags)
{
	struct ibv_sge sge = vt_sge(&a, 0, 32);
	struct ibv_send_wr wr = vt_send_wr(id, IBV_WR_SEND, &sge);

	wr.send_flags |= flags;
	vt_recv(&b, id, 0, 64);
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
}

static void event_comes_once_for_each_arming(void)
{
	struct vt_wish wish = with_channel();

	vt_pair_open(&a, &b, &wish, false);
	send_one(1, 0);
	expect_no_event(&b); /* not armed */
	vt_expect(b.recv_cq, 1, IBV_WC_SUCCESS);
	for (uint64_t i = 2; i < 200; i++) {
		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		send_one(i, 0);
		take_event(&b, b.recv_cq);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	}
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	send_one(500, 0);
	send_one(501, 0);
	send_one(502, 0);
	take_event(&b, b.recv_cq);
	expect_no_event(&b);
	vt_pair_close(&a, &b);
}

static void solicited_arming_waits_for_a_solicited_message(void)
{
	struct vt_wish wish = with_channel();

	vt_pair_open(&a, &b, &wish, false);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 1), 0);
	send_one(1, 0);
	expect_no_event(&b);
	send_one(2, IBV_SEND_SOLICITED);
	take_event(&b, b.recv_cq);
	vt_expect(b.recv_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	/* A request for any completion outdoes one for solicited ones. */
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 1), 0);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 1), 0);
	send_one(3, 0);
	take_event(&b, b.recv_cq);
	vt_pair_close(&a, &b);
}

static void error_is_as_good_as_a_solicited_message(void)
{
	struct vt_wish wish = with_channel();

	vt_pair_open(&a, &b, &wish, false);
	vt_recv(&b, 1, 0, 64);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 1), 0);
	VT_EQUAL(vt_set_state(b.qp, IBV_QPS_ERR), 0);
	take_event(&b, b.recv_cq);
	vt_expect(b.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	vt_pair_close(&a, &b);
}

static void two_queues_share_a_channel(void)
{
	struct vt_wish wish = with_channel();

	vt_pair_open(&a, &b, &wish, true);
	VT_EQUAL(ibv_req_notify_cq(a.send_cq, 0), 0);
	VT_EQUAL(ibv_req_notify_cq(a.recv_cq, 0), 0);
	send_one(1, 0);
	take_event(&a, a.send_cq);
	expect_no_event(&a);
	vt_recv(&a, 2, 0, 64);
	vt_send(&b, 2, 0, 16);
	vt_expect(b.send_cq, 2, IBV_WC_SUCCESS);
	take_event(&a, a.recv_cq);
	vt_pair_close(&a, &b);
}

/* Nobody may poll or sleep in the adapter for the event to come: the message
 * waits for the receive that comes later. */
static void event_of_a_parked_message_comes(void)
{
	struct vt_wish wish = with_channel();

	vt_pair_open(&a, &b, &wish, false);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	vt_send(&a, 1, 0, 64);
	usleep(20000);
	vt_recv(&b, 2, 0, 64);
	take_event(&b, b.recv_cq);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static void nonblocking_channel_says_eagain(void)
{
	struct vt_wish wish = with_channel();
	struct ibv_cq *cq;
	void *cookie;
	int flags;

	vt_end_open(&a, &wish);
	flags = fcntl(a.channel->fd, F_GETFL);
	VT_EQUAL(fcntl(a.channel->fd, F_SETFL, flags | O_NONBLOCK), 0);
	errno = 0;
	VT_CHECK(ibv_get_cq_event(a.channel, &cq, &cookie));
	VT_EQUAL(errno, EAGAIN);
	vt_end_close(&a);
}

/* An unread event of a destroyed CQ goes with it; those of others stay. */
static void destroyed_queue_takes_its_unread_events(void)
{
	struct vt_wish wish = with_channel();
	struct ibv_cq *extra;
	struct ibv_qp_init_attr attr;
	struct ibv_qp *qp;

	vt_pair_open(&a, &b, &wish, false);
	extra = ibv_create_cq(b.context, 16, NULL, b.channel, 0);
	VT_CHECK(extra);
	attr = (struct ibv_qp_init_attr){ .send_cq = extra,
					  .recv_cq = extra,
					  .cap = b.cap,
					  .qp_type = IBV_QPT_RC };
	qp = ibv_create_qp(b.pd, &attr);
	VT_CHECK(qp);
	{
		struct vt_end other = { .wish = b.wish, .context = b.context,
					.qp = qp, .mr = b.mr };

		VT_EQUAL(vt_to_init(&other), 0);
		VT_EQUAL(ibv_req_notify_cq(extra, 0), 0);
		vt_recv(&other, 1, 0, 8);
		VT_EQUAL(vt_set_state(qp, IBV_QPS_ERR), 0);
	}
	VT_CHECK(vt_readable(b.channel->fd, 10000));
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	send_one(3, 0);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	VT_EQUAL(ibv_destroy_cq(extra), 0);
	take_event(&b, b.recv_cq);
	expect_no_event(&b);
	vt_pair_close(&a, &b);
}

static void access_error_is_an_event_of_the_responder(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_async_event event;

	vt_pair_open(&a, &b, &wish, false);
	vt_rdma(&a, 1, IBV_WR_RDMA_WRITE, 0, 8, (uintptr_t)b.buffer,
		b.mr->rkey ^ 0x00abc000);
	event = vt_event(b.context, IBV_EVENT_QP_ACCESS_ERR);
	VT_CHECK(event.element.qp == b.qp);
	vt_expect(a.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	VT_CHECK(!vt_readable(b.context->async_fd, 20));
	VT_CHECK(!vt_readable(a.context->async_fd, 20));
	vt_pair_close(&a, &b);
}

static void drained_queue_is_an_event_when_asked_for(void)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_SQD,
				    .en_sqd_async_notify = 1 };
	struct vt_wish wish = vt_defaults();
	struct ibv_async_event event;

	vt_pair_open(&a, &b, &wish, false);
	VT_EQUAL(ibv_modify_qp(a.qp, &attr,
			       IBV_QP_STATE | IBV_QP_EN_SQD_ASYNC_NOTIFY),
		 0);
	event = vt_event(a.context, IBV_EVENT_SQ_DRAINED);
	VT_CHECK(event.element.qp == a.qp);
	vt_pair_close(&a, &b);
}

/* A message that waits for a receive is under way; the next one has to wait. */
static void queue_with_a_parked_message_has_not_drained(void)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_SQD,
				    .en_sqd_async_notify = 1 };
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_init_attr init;
	struct ibv_async_event event;
	struct ibv_wc wc;

	vt_pair_open(&a, &b, &wish, false);
	vt_send(&a, 1, 0, 64);
	VT_EQUAL(ibv_modify_qp(a.qp, &attr,
			       IBV_QP_STATE | IBV_QP_EN_SQD_ASYNC_NOTIFY),
		 0);
	VT_CHECK(!vt_readable(a.context->async_fd, 20));
	VT_EQUAL(ibv_query_qp(a.qp, &attr, IBV_QP_STATE, &init), 0);
	VT_EQUAL(attr.qp_state, IBV_QPS_SQD);
	VT_EQUAL(attr.sq_draining, 1);
	vt_send(&a, 2, 0, 64);
	vt_recv(&b, 1, 0, 64);
	vt_recv(&b, 2, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	event = vt_event(a.context, IBV_EVENT_SQ_DRAINED);
	VT_CHECK(event.element.qp == a.qp);
	VT_EQUAL(ibv_query_qp(a.qp, &attr, IBV_QP_STATE, &init), 0);
	VT_EQUAL(attr.sq_draining, 0);
	vt_expect(b.recv_cq, 1, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_poll_cq(b.recv_cq, 1, &wc), 0);
	attr.qp_state = IBV_QPS_RTS;
	VT_EQUAL(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), 0);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static void first_message_establishes_communication(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address to_a, to_b;
	struct ibv_async_event event;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	to_a = vt_address_of(&a);
	to_b = vt_address_of(&b);
	VT_EQUAL(vt_to_init(&b), 0);
	VT_EQUAL(vt_to_rtr(&b, &to_a), 0);
	vt_connect(&a, &to_b);
	vt_recv(&b, 1, 0, 64);
	vt_send(&a, 1, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 1, IBV_WC_SUCCESS);
	event = vt_event(b.context, IBV_EVENT_COMM_EST);
	VT_CHECK(event.element.qp == b.qp);
	vt_pair_close(&a, &b);
}

static void unread_event_goes_with_its_queue_pair(void)
{
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&a, &b, &wish, false);
	vt_rdma(&a, 1, IBV_WR_RDMA_WRITE, 0, 8, (uintptr_t)b.buffer,
		b.mr->rkey ^ 0x00abc000);
	vt_expect(a.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	VT_CHECK(vt_readable(b.context->async_fd, 10000));
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	b.qp = NULL;
	VT_CHECK(!vt_readable(b.context->async_fd, 20));
	vt_pair_close(&a, &b);
}

/* It gives what it held and then nothing more; it is not to be mended; and the
 * queue pair ended with it. */
static void check_broken_queue(void)
{
	struct ibv_qp_attr attr;
	struct ibv_qp_init_attr init;
	uint64_t next = 0;
	struct ibv_wc wc;

	VT_EQUAL(ibv_query_qp(a.qp, &attr, IBV_QP_STATE, &init), 0);
	VT_EQUAL(attr.qp_state, IBV_QPS_ERR);
	while (ibv_poll_cq(a.send_cq, 1, &wc) == 1) {
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, next++);
	}
	VT_EQUAL(next, a.send_cq->cqe);
	VT_EQUAL(ibv_resize_cq(a.send_cq, 4096), EINVAL);
	vt_poll_nothing(a.send_cq, 5);
}

/* More completions than the CQ holds: it breaks, and says so. */
static void overrun_is_an_event_of_the_completion_queue(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_async_event event;
	uint32_t total;

	wish.cqe = 4;
	wish.send_depth = 1024;
	vt_pair_open(&a, &b, &wish, false);
	total = a.cap.max_send_wr;
	VT_CHECK((int)total > a.send_cq->cqe);
	for (uint32_t i = 0; i < total; i++) {
		struct ibv_sge sge = vt_sge(&a, 0, 8);
		struct ibv_send_wr wr = vt_send_wr(i, IBV_WR_RDMA_WRITE, &sge);

		wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
		wr.wr.rdma.rkey = b.mr->rkey;
		if (vt_post_send(&a, &wr))
			break;
	}
	/* In which order is nobody's business. */
	for (int i = 0; i < 2; i++) {
		VT_EQUAL(ibv_get_async_event(a.context, &event), 0);
		if (event.event_type == IBV_EVENT_CQ_ERR)
			VT_CHECK(event.element.cq == a.send_cq);
		else
			VT_EQUAL(event.event_type, IBV_EVENT_QP_FATAL);
		ibv_ack_async_event(&event);
	}
	check_broken_queue();
	vt_pair_close(&a, &b);
}

/* Hundreds of armed CQs: more records than a test would read in between. */
static void many_unread_events_are_all_there(void)
{
	enum { QUEUES = 300 };
	static struct ibv_cq *cqs[QUEUES];
	static struct ibv_qp *qps[QUEUES];
	struct vt_wish wish = with_channel();
	unsigned int seen = 0;

	vt_end_open(&a, &wish);
	for (int i = 0; i < QUEUES; i++) {
		struct vt_end other;
		struct ibv_qp_init_attr attr = {
			.cap = { 1, 4, 1, 1, 0 }, .qp_type = IBV_QPT_RC };

		cqs[i] = ibv_create_cq(a.context, 4, &a, a.channel, 0);
		VT_CHECK(cqs[i]);
		attr.send_cq = attr.recv_cq = cqs[i];
		qps[i] = ibv_create_qp(a.pd, &attr);
		VT_CHECK(qps[i]);
		other = (struct vt_end){ .wish = a.wish, .context = a.context,
					 .qp = qps[i], .mr = a.mr,
					 .buffer = a.buffer };
		VT_EQUAL(vt_to_init(&other), 0);
		vt_recv(&other, 1, 0, 8);
		VT_EQUAL(ibv_req_notify_cq(cqs[i], 0), 0);
		VT_EQUAL(vt_set_state(qps[i], IBV_QPS_ERR), 0);
	}
	for (int i = 0; i < QUEUES; i++) {
		struct ibv_cq *cq;
		void *cookie;

		VT_CHECK(vt_readable(a.channel->fd, 10000));
		VT_EQUAL(ibv_get_cq_event(a.channel, &cq, &cookie), 0);
		ibv_ack_cq_events(cq, 1);
		for (int k = 0; k < QUEUES; k++)
			seen += cqs[k] == cq;
	}
	VT_EQUAL(seen, QUEUES);
	expect_no_event(&a);
	for (int i = 0; i < QUEUES; i++) {
		VT_EQUAL(ibv_destroy_qp(qps[i]), 0);
		VT_EQUAL(ibv_destroy_cq(cqs[i]), 0);
	}
	vt_end_close(&a);
}

static const struct vt_case cases[] = {
	VT_CASE(event_comes_once_for_each_arming),
	VT_CASE(solicited_arming_waits_for_a_solicited_message),
	VT_CASE(error_is_as_good_as_a_solicited_message),
	VT_CASE(two_queues_share_a_channel),
	VT_CASE(event_of_a_parked_message_comes),
	VT_CASE(nonblocking_channel_says_eagain),
	VT_CASE(destroyed_queue_takes_its_unread_events),
	VT_CASE(access_error_is_an_event_of_the_responder),
	VT_CASE(drained_queue_is_an_event_when_asked_for),
	VT_CASE(queue_with_a_parked_message_has_not_drained),
	VT_CASE(first_message_establishes_communication),
	VT_CASE(unread_event_goes_with_its_queue_pair),
	VT_CASE(overrun_is_an_event_of_the_completion_queue),
	VT_CASE(many_unread_events_are_all_there),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
