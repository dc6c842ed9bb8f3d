/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion moderation (ibv_modify_cq): an event for so many completions, or
 * when the period of fewer has passed; polls see each entry at once.
 */
#include <time.h>

#include "vt.h"

/* However slow the machine: an event that comes before the period is over, and
 * before enough messages were sent, is wrong. */
#define COUNT 16
#define ROUNDS 20

static struct vt_end a, b;

static int modify(struct ibv_cq *cq, uint16_t count, uint16_t period)
{
	struct ibv_modify_cq_attr attr = {
		.attr_mask = IBV_CQ_ATTR_MODERATE,
		.moderate = { .cq_count = count, .cq_period = period },
	};

	return ibv_modify_cq(cq, &attr);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void open_pair(void)
{
	struct vt_wish wish = vt_defaults();

	wish.channel = true;
	vt_pair_open(&a, &b, &wish, false);
}

/* Waits for an event of the queue; how many were there to be read. */
static uint32_t take_events(struct vt_end *end, struct ibv_cq *expected)
{
	struct ibv_cq *cq;
	uint32_t taken = 0;
	void *cookie;

	if (!vt_readable(end->channel->fd, 20000))
		vt_fail(__FILE__, __LINE__, "no completion event came");
	do {
		VT_EQUAL(ibv_get_cq_event(end->channel, &cq, &cookie), 0);
		VT_CHECK(cq == expected);
		ibv_ack_cq_events(cq, 1);
		taken++;
	} while (vt_readable(end->channel->fd, 0));
	return taken;
}

static void send_one(uint64_t id)
{
	vt_recv(&b, id, 0, 64);
	vt_send(&a, id, 0, 32);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
}

static void one_event_for_many_completions(void)
{
	uint32_t messages = 0, polled = 0;

	open_pair();
	VT_EQUAL(modify(b.recv_cq, COUNT, 4095), 0);
	while (messages < ROUNDS * COUNT) {
		uint64_t begin_us = now_us();

		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		for (uint32_t i = 0; i < COUNT - 1; i++)
			send_one(messages++);
		if (vt_readable(b.channel->fd, 1))
			VT_CHECK(now_us() - begin_us >= 4095);
		send_one(messages++);
		VT_EQUAL(take_events(&b, b.recv_cq), 1);
		for (; polled < messages; polled++)
			vt_expect(b.recv_cq, polled, IBV_WC_SUCCESS);
	}
	vt_pair_close(&a, &b);
}

static void fewer_have_their_event_after_the_period(void)
{
	open_pair();
	VT_EQUAL(modify(b.recv_cq, 1000, 200), 0);
	for (uint64_t i = 0; i < 50; i++) {
		uint64_t begin_us = now_us();

		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		send_one(i);
		VT_EQUAL(take_events(&b, b.recv_cq), 1);
		VT_CHECK(now_us() - begin_us >= 200);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	}
	vt_pair_close(&a, &b);
}

static void polls_see_entries_at_once(void)
{
	open_pair();
	VT_EQUAL(modify(b.recv_cq, 1000, 4095), 0);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	for (uint64_t i = 0; i < 5; i++) {
		struct ibv_wc wc;

		send_one(i);
		/* The sender has its completion: the receiver, too. */
		VT_EQUAL(ibv_poll_cq(b.recv_cq, 1, &wc), 1);
		VT_EQUAL(wc.wr_id, i);
	}
	VT_EQUAL(take_events(&b, b.recv_cq), 1);
	vt_pair_close(&a, &b);
}

static void what_is_held_back_comes_when_moderation_ends(void)
{
	open_pair();
	VT_EQUAL(modify(b.recv_cq, 1000, 4095), 0);
	for (uint64_t i = 0; i < 20; i++) {
		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		send_one(i);
		VT_EQUAL(modify(b.recv_cq, 0, 0), 0);
		VT_EQUAL(take_events(&b, b.recv_cq), 1);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
		VT_EQUAL(modify(b.recv_cq, 1000, 4095), 0);
	}
	vt_pair_close(&a, &b);
}

static void limits_are_said_and_kept(void)
{
	struct ibv_modify_cq_attr attr = { .attr_mask = 0 };
	struct ibv_device_attr_ex device;
	uint16_t period;

	open_pair();
	VT_EQUAL(ibv_query_device_ex(a.context, NULL, &device), 0);
	period = device.cq_mod_caps.max_cq_period;
	VT_EQUAL(device.cq_mod_caps.max_cq_count, 65535);
	VT_EQUAL(period, 4095);
	VT_EQUAL(modify(a.send_cq, 65535, period), 0);
	VT_EQUAL(modify(a.send_cq, 1, (uint16_t)(period + 1)), EINVAL);
	VT_EQUAL(modify(a.send_cq, 1, 65535), EINVAL);
	VT_EQUAL(ibv_modify_cq(a.send_cq, &attr), EINVAL);
	attr.attr_mask = IBV_CQ_ATTR_MODERATE | IBV_CQ_ATTR_RESERVED;
	VT_EQUAL(ibv_modify_cq(a.send_cq, &attr), EINVAL);
	attr.attr_mask = IBV_CQ_ATTR_RESERVED;
	VT_EQUAL(ibv_modify_cq(a.send_cq, &attr), EINVAL);
	/* Refused terms change nothing. */
	VT_EQUAL(modify(b.recv_cq, 0, 0), 0);
	VT_EQUAL(modify(b.recv_cq, 1000, 65535), EINVAL);
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	send_one(1);
	VT_EQUAL(take_events(&b, b.recv_cq), 1);
	vt_pair_close(&a, &b);
}

/* The peer is another process: it counts, and this one's agent keeps the time.
 */
static void sender(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	for (uint64_t i = 0; i < ROUNDS * COUNT; i++) {
		if (i % COUNT == 0)
			vt_sync(fd);
		vt_send(&end, i, 0, 32);
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

static void peers_count_for_one_who_sleeps(void)
{
	struct vt_peer peer = vt_fork(sender, NULL);
	struct vt_wish wish = vt_defaults();
	uint32_t events = 0, polled = 0;

	wish.channel = true;
	vt_end_open(&b, &wish);
	vt_meet(peer.fd, &b);
	VT_EQUAL(modify(b.recv_cq, COUNT, 4095), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < COUNT; i++)
			vt_recv(&b, round * COUNT + i, 0, 64);
		VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
		vt_sync(peer.fd);
		/* It sleeps until the event; a period may have passed first, on
		 * a machine that was busy with others. */
		while (polled < (round + 1) * COUNT) {
			struct ibv_wc wc;

			events += take_events(&b, b.recv_cq);
			VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
			for (; ibv_poll_cq(b.recv_cq, 1, &wc) == 1; polled++)
				VT_EQUAL(wc.wr_id, polled);
		}
	}
	VT_CHECK(events >= ROUNDS);
	VT_CHECK(events < ROUNDS * COUNT / 2);
	vt_sync(peer.fd);
	vt_end_close(&b);
	vt_join(&peer);
}

static const struct vt_case cases[] = {
	VT_CASE(one_event_for_many_completions),
	VT_CASE(fewer_have_their_event_after_the_period),
	VT_CASE(polls_see_entries_at_once),
	VT_CASE(what_is_held_back_comes_when_moderation_ends),
	VT_CASE(limits_are_said_and_kept),
	VT_CASE(peers_count_for_one_who_sleeps),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
