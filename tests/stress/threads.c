/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Threads that share queue pairs and completion queues, with both ends of each
 * connection in one process, so that ThreadSanitizer sees both sides of the
 * contract. Every request completes exactly once, every message arrives whole.
 *
 * VT_MESSAGES is the number of messages of each case.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "vt.h"

#define SENDERS 3u
#define POLLERS 2u
#define DEPTH 64u
#define SLOT_BYTES 256u

static struct vt_end a, b;
static unsigned int messages;
static atomic_uint next_message, num_sent, num_received;
static atomic_uchar *sent, *received;

static uint32_t length_of(unsigned int message)
{
	return 4 + message * 37 % (SLOT_BYTES - 4);
}

static void *send_messages(void *unused)
{
	(void)unused;
	for (;;) {
		unsigned int message = atomic_fetch_add(&next_message, 1);
		uint8_t data[SLOT_BYTES];
		struct ibv_sge sge = { .addr = (uintptr_t)data,
				       .length = length_of(message) };
		struct ibv_send_wr wr = vt_send_wr(message, IBV_WR_SEND, &sge);
		struct ibv_send_wr *bad;
		int status;

		if (message >= messages)
			return NULL;
		memcpy(data, &message, 4);
		vt_fill(data + 4, sge.length - 4, message);
		wr.send_flags |= IBV_SEND_INLINE;
		while ((status = ibv_post_send(a.qp, &wr, &bad)) == ENOMEM)
			sched_yield();
		VT_EQUAL(status, 0);
	}
}

static void count(atomic_uchar *table, atomic_uint *total,
		  unsigned int message)
{
	VT_CHECK(message < messages);
	if (atomic_fetch_add(&table[message], 1))
		vt_fail(__FILE__, __LINE__, "message %u completes twice",
			message);
	atomic_fetch_add(total, 1);
}

static void *poll_sends(void *unused)
{
	(void)unused;
	while (atomic_load(&num_sent) < messages) {
		struct ibv_wc wc[4];
		int got = ibv_poll_cq(a.send_cq, 4, wc);

		VT_CHECK(got >= 0);
		for (int i = 0; i < got; i++) {
			VT_STATUS(&wc[i], IBV_WC_SUCCESS);
			count(sent, &num_sent, (unsigned int)wc[i].wr_id);
		}
		if (!got)
			sched_yield();
	}
	return NULL;
}

static void *poll_receives(void *unused)
{
	(void)unused;
	while (atomic_load(&num_received) < messages) {
		struct ibv_wc wc;
		uint8_t *slot;
		uint32_t message;

		if (ibv_poll_cq(b.recv_cq, 1, &wc) != 1) {
			sched_yield();
			continue;
		}
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		slot = b.buffer + wc.wr_id * SLOT_BYTES;
		memcpy(&message, slot, 4);
		VT_EQUAL(wc.byte_len, length_of(message));
		vt_check_fill(slot + 4, wc.byte_len - 4, message, "message");
		count(received, &num_received, message);
		vt_recv(&b, wc.wr_id, wc.wr_id * SLOT_BYTES, SLOT_BYTES);
	}
	return NULL;
}

static void open_all(bool one_context)
{
	struct vt_wish wish = vt_defaults();

	wish.send_depth = wish.recv_depth = DEPTH;
	wish.inline_bytes = SLOT_BYTES;
	messages = (unsigned int)vt_setting("VT_MESSAGES", 20000);
	sent = calloc(messages, sizeof(*sent));
	received = calloc(messages, sizeof(*received));
	VT_CHECK(sent && received);
	vt_pair_open(&a, &b, &wish, one_context);
	for (uint64_t i = 0; i < DEPTH; i++)
		vt_recv(&b, i, i * SLOT_BYTES, SLOT_BYTES);
}

static void close_all(void)
{
	VT_EQUAL(atomic_load(&num_sent), messages);
	VT_EQUAL(atomic_load(&num_received), messages);
	vt_pair_close(&a, &b);
	free(sent);
	free(received);
}

static pthread_t started[32];
static unsigned int num_started;

static void start(void *(*run)(void *), void *argument)
{
	VT_EQUAL(pthread_create(&started[num_started++], NULL, run, argument),
		 0);
}

static void join_all(void)
{
	while (num_started)
		VT_EQUAL(pthread_join(started[--num_started], NULL), 0);
}

static void start_traffic(void)
{
	for (unsigned int i = 0; i < POLLERS; i++) {
		start(poll_sends, NULL);
		start(poll_receives, NULL);
	}
	for (unsigned int i = 0; i < SENDERS; i++)
		start(send_messages, NULL);
}

static void threads_share_queues_of_two_functions(void)
{
	open_all(false);
	start_traffic();
	join_all();
	close_all();
}

static void threads_share_queues_of_one_function(void)
{
	open_all(true);
	start_traffic();
	join_all();
	close_all();
}

static bool still_busy(void)
{
	return atomic_load(&num_received) < messages;
}

/* Regions come and go on both sides while messages pass. */
static void *register_and_deregister(void *argument)
{
	struct vt_end *end = argument;

	while (still_busy()) {
		struct ibv_mr *mr = ibv_reg_mr(end->pd, end->buffer, 65536,
					       VT_ALL_ACCESS);

		VT_CHECK(mr);
		VT_EQUAL(ibv_dereg_mr(mr), 0);
	}
	return NULL;
}

static void regions_come_and_go_under_traffic(void)
{
	open_all(false);
	start_traffic();
	start(register_and_deregister, &a);
	start(register_and_deregister, &b);
	join_all();
	close_all();
}

/* Other queue pairs of the same CQs are made, connected, used and destroyed. */
static void *make_and_destroy(void *unused)
{
	(void)unused;
	while (still_busy()) {
		struct ibv_qp_init_attr attr = { .send_cq = a.send_cq,
						 .recv_cq = b.recv_cq,
						 .cap = { 4, 4, 1, 1, 0 },
						 .qp_type = IBV_QPT_RC };
		struct vt_end other = { .wish = a.wish, .mr = a.mr,
					.context = a.context,
					.buffer = a.buffer };
		struct vt_address self;

		other.qp = ibv_create_qp(a.pd, &attr);
		VT_CHECK(other.qp);
		self = vt_address_of(&other);
		vt_connect(&other, &self);
		for (int i = 0; i < 4; i++)
			vt_rdma(&other, 0, IBV_WR_RDMA_READ, 128 << 10, 64,
				(uintptr_t)a.buffer, a.mr->rkey);
		VT_EQUAL(ibv_destroy_qp(other.qp), 0);
	}
	return NULL;
}

static void *poll_sends_and_strays(void *unused)
{
	(void)unused;
	while (atomic_load(&num_sent) < messages || still_busy()) {
		struct ibv_wc wc;

		if (ibv_poll_cq(a.send_cq, 1, &wc) != 1)
			sched_yield();
		else if (wc.qp_num == a.qp->qp_num)
			count(sent, &num_sent, (unsigned int)wc.wr_id);
	}
	return NULL;
}

static void queue_pairs_come_and_go_under_traffic(void)
{
	open_all(true);
	start(poll_sends_and_strays, NULL);
	start(poll_receives, NULL);
	start(send_messages, NULL);
	start(send_messages, NULL);
	start(make_and_destroy, NULL);
	join_all();
	close_all();
}

/* Both ends write and read the other's memory while messages pass. */
static void *read_and_write(void *argument)
{
	struct vt_end *end = argument;
	struct vt_end *peer = end == &a ? &b : &a;
	struct vt_end c, d;
	struct vt_wish wish = vt_defaults();
	size_t there = (end == &a ? 512u : 768u) << 10;

	vt_end_open_in(&c, end, &wish);
	vt_end_open_in(&d, peer, &wish);
	{
		struct vt_address to_c = vt_address_of(&c);
		struct vt_address to_d = vt_address_of(&d);

		vt_connect(&c, &to_d);
		vt_connect(&d, &to_c);
	}
	for (uint64_t round = 0; still_busy(); round++) {
		vt_fill(c.buffer, 5000, round);
		vt_rdma(&c, 1, IBV_WR_RDMA_WRITE, 0, 5000,
			(uintptr_t)d.buffer + there, d.mr->rkey);
		vt_rdma(&c, 2, IBV_WR_RDMA_READ, 65536, 5000,
			(uintptr_t)d.buffer + there, d.mr->rkey);
		vt_expect(c.send_cq, 1, IBV_WC_SUCCESS);
		vt_expect(c.send_cq, 2, IBV_WC_SUCCESS);
		vt_check_fill(c.buffer + 65536, 5000, round, "read back");
	}
	vt_pair_close(&c, &d);
	return NULL;
}

static void memory_is_read_and_written_under_traffic(void)
{
	open_all(false);
	start_traffic();
	start(read_and_write, &a);
	start(read_and_write, &b);
	join_all();
	close_all();
}

/* One sleeps on the channel and polls, while others send. */
static void *sleep_and_poll(void *unused)
{
	(void)unused;
	while (atomic_load(&num_received) < messages) {
		struct ibv_cq *cq;
		void *cookie;
		struct ibv_wc wc;

		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		while (ibv_poll_cq(b.recv_cq, 1, &wc) == 1) {
			uint32_t message;

			VT_STATUS(&wc, IBV_WC_SUCCESS);
			memcpy(&message, b.buffer + wc.wr_id * SLOT_BYTES, 4);
			count(received, &num_received, message);
			vt_recv(&b, wc.wr_id, wc.wr_id * SLOT_BYTES,
				SLOT_BYTES);
		}
		if (atomic_load(&num_received) == messages)
			break;
		VT_CHECK(vt_readable(b.channel->fd, 20000));
		VT_EQUAL(ibv_get_cq_event(b.channel, &cq, &cookie), 0);
		VT_CHECK(cq == b.recv_cq);
		ibv_ack_cq_events(cq, 1);
	}
	return NULL;
}

static void sleeper_is_woken_for_every_message(void)
{
	struct vt_wish wish = vt_defaults();

	wish.send_depth = wish.recv_depth = DEPTH;
	wish.inline_bytes = SLOT_BYTES;
	wish.channel = true;
	messages = (unsigned int)vt_setting("VT_MESSAGES", 20000);
	sent = calloc(messages, sizeof(*sent));
	received = calloc(messages, sizeof(*received));
	VT_CHECK(sent && received);
	vt_pair_open(&a, &b, &wish, false);
	for (uint64_t i = 0; i < DEPTH; i++)
		vt_recv(&b, i, i * SLOT_BYTES, SLOT_BYTES);
	start(poll_sends, NULL);
	start(sleep_and_poll, NULL);
	start(send_messages, NULL);
	start(send_messages, NULL);
	join_all();
	close_all();
}

#define LIMIT_S 120

static const struct vt_case cases[] = {
	{ "threads_share_queues_of_two_functions",
	  threads_share_queues_of_two_functions, LIMIT_S },
	{ "threads_share_queues_of_one_function",
	  threads_share_queues_of_one_function, LIMIT_S },
	{ "regions_come_and_go_under_traffic",
	  regions_come_and_go_under_traffic, LIMIT_S },
	{ "queue_pairs_come_and_go_under_traffic",
	  queue_pairs_come_and_go_under_traffic, LIMIT_S },
	{ "memory_is_read_and_written_under_traffic",
	  memory_is_read_and_written_under_traffic, LIMIT_S },
	{ "sleeper_is_woken_for_every_message",
	  sleeper_is_woken_for_every_message, LIMIT_S },
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
