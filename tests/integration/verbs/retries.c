/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receivers that are not ready and peers that do not answer. Limits of time
 * are checked from one side only: an error may not come before its timers can
 * have run out, and must come at last.
 */
#include <unistd.h>

#include "vt.h"

static struct vt_end a, b;

static struct vt_wish hasty(void)
{
	struct vt_wish wish = vt_defaults();

	wish.timeout = 8; /* 1 ms */
	wish.retry_cnt = 2;
	wish.min_rnr_timer = 1; /* 10 us */
	return wish;
}

static void rnr_retries_end_in_an_error(void)
{
	for (uint8_t retries = 0; retries <= 6; retries++) {
		struct vt_wish wish = hasty();

		wish.rnr_retry = retries;
		vt_pair_open(&a, &b, &wish, retries % 2);
		vt_send(&a, 1, 0, 64);
		vt_expect(a.send_cq, 1, IBV_WC_RNR_RETRY_EXC_ERR);
		VT_EQUAL(vt_state(a.qp), IBV_QPS_ERR);
		VT_EQUAL(vt_state(b.qp), IBV_QPS_RTS);
		vt_poll_nothing(b.recv_cq, 2);
		vt_pair_close(&a, &b);
	}
}

static void rnr_wait_is_not_shorter_than_its_timer(void)
{
	struct vt_wish wish = hasty();
	uint64_t begin;

	wish.min_rnr_timer = 24; /* 40.96 ms */
	wish.rnr_retry = 3;
	vt_pair_open(&a, &b, &wish, false);
	begin = vt_now_ms();
	vt_send(&a, 1, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_RNR_RETRY_EXC_ERR);
	VT_CHECK(vt_now_ms() - begin >= 3 * 40);
	vt_pair_close(&a, &b);
}

static void rnr_retry_seven_waits_for_ever(void)
{
	struct vt_wish wish = hasty();

	wish.rnr_retry = 7;
	vt_pair_open(&a, &b, &wish, false);
	vt_fill(a.buffer, 64, 11);
	vt_send(&a, 1, 0, 64);
	vt_poll_nothing(a.send_cq, 400);
	vt_recv(&b, 2, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, 64, 11, "late message");
	vt_pair_close(&a, &b);
}

/* Neither side polls: the message arrives by the agents' work alone. */
static void parked_message_arrives_while_nobody_polls(void)
{
	struct vt_wish wish = hasty();
	uint64_t deadline;

	if (VT_SANITIZED)
		vt_skip("watches memory that the adapter writes");
	wish.rnr_retry = 7;
	vt_pair_open(&a, &b, &wish, false);
	vt_fill(a.buffer, 5000, 12);
	vt_rdma(&a, 1, IBV_WR_RDMA_WRITE_WITH_IMM, 0, 5000,
		(uintptr_t)b.buffer, b.mr->rkey);
	vt_rdma(&a, 2, IBV_WR_RDMA_WRITE, 0, 1, (uintptr_t)b.buffer + 9000,
		b.mr->rkey);
	a.buffer[0] = vt_byte(12, 0);
	usleep(30000);
	vt_recv(&b, 3, 0, 0);
	deadline = vt_now_ms() + 10000;
	while (((volatile uint8_t *)b.buffer)[9000] != vt_byte(12, 0)) {
		VT_CHECK(vt_now_ms() < deadline);
		usleep(1000);
	}
	vt_check_fill(b.buffer, 5000, 12, "written data");
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 3, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

/* The later requests wait behind the one that is not ready, in order. */
static void requests_behind_a_parked_message_keep_their_order(void)
{
	struct vt_wish wish = hasty();

	wish.rnr_retry = 7;
	vt_pair_open(&a, &b, &wish, false);
	for (uint64_t i = 0; i < 10; i++) {
		vt_fill(a.buffer + 64 * i, 64, i);
		vt_send(&a, i, 64 * i, 64);
	}
	vt_poll_nothing(a.send_cq, 20);
	for (uint64_t i = 0; i < 10; i++) {
		vt_recv(&b, i, 64 * i, 64);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
		vt_check_fill(b.buffer + 64 * i, 64, i, "message");
	}
	vt_pair_close(&a, &b);
}

static void unanswered(struct vt_address peer, struct vt_wish wish)
{
	vt_end_open(&a, &wish);
	peer.gid = vt_address_of(&a).gid;
	vt_connect(&a, &peer);
	vt_send(&a, 1, 0, 64);
	vt_send(&a, 2, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_RETRY_EXC_ERR);
	vt_expect(a.send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	VT_EQUAL(vt_state(a.qp), IBV_QPS_ERR);
	vt_end_close(&a);
}

static void peer_that_does_not_exist_is_a_retry_error(void)
{
	struct vt_address nobody = { .qpn = 0x00fffff0, .psn = 1 };

	unanswered(nobody, hasty());
	nobody.qpn = 0x123456;
	unanswered(nobody, hasty());
}

static void peer_in_state(enum ibv_qp_state state)
{
	struct vt_wish wish = hasty();

	vt_end_open(&b, &wish);
	if (state != IBV_QPS_RESET)
		VT_EQUAL(vt_to_init(&b), 0);
	if (state == IBV_QPS_ERR)
		VT_EQUAL(vt_set_state(b.qp, state), 0);
	unanswered(vt_address_of(&b), wish);
	vt_end_close(&b);
}

static void peer_that_is_not_ready_to_receive_is_a_retry_error(void)
{
	peer_in_state(IBV_QPS_RESET);
	peer_in_state(IBV_QPS_INIT);
	peer_in_state(IBV_QPS_ERR);
}

static void packet_numbers_from_the_future_are_a_retry_error(void)
{
	struct vt_wish wish = hasty();
	struct vt_address to_a, to_b;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	to_a = vt_address_of(&a);
	to_b = vt_address_of(&b);
	to_a.psn = (to_a.psn - 100) & 0xffffff;
	vt_connect(&a, &to_b);
	vt_connect(&b, &to_a);
	vt_recv(&b, 1, 0, 64);
	vt_send(&a, 1, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_RETRY_EXC_ERR);
	vt_poll_nothing(b.recv_cq, 5);
	vt_pair_close(&a, &b);
}

/* timeout 0 is for ever. */
static void timeout_zero_waits_for_ever(void)
{
	struct vt_wish wish = hasty();
	struct vt_address to_b;

	wish.timeout = 0;
	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	to_b = vt_address_of(&b);
	vt_connect(&a, &to_b);
	vt_send(&a, 1, 0, 64);
	vt_poll_nothing(a.send_cq, 300);
	vt_pair_close(&a, &b);
}

/* A peer that becomes ready before the retries end loses nothing. */
static void peer_that_comes_late_is_served(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address to_a, to_b;

	wish.timeout = 16; /* 268 ms, seven times */
	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	to_a = vt_address_of(&a);
	to_b = vt_address_of(&b);
	vt_connect(&a, &to_b);
	vt_fill(a.buffer, 64, 4);
	vt_send(&a, 1, 0, 64);
	vt_poll_nothing(a.send_cq, 50);
	vt_connect(&b, &to_a);
	vt_recv(&b, 2, 0, 64);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, 64, 4, "message");
	vt_pair_close(&a, &b);
}

static const struct vt_case cases[] = {
	VT_CASE(rnr_retries_end_in_an_error),
	VT_CASE(rnr_wait_is_not_shorter_than_its_timer),
	VT_CASE(rnr_retry_seven_waits_for_ever),
	VT_CASE(parked_message_arrives_while_nobody_polls),
	VT_CASE(requests_behind_a_parked_message_keep_their_order),
	VT_CASE(peer_that_does_not_exist_is_a_retry_error),
	VT_CASE(peer_that_is_not_ready_to_receive_is_a_retry_error),
	VT_CASE(packet_numbers_from_the_future_are_a_retry_error),
	VT_CASE(timeout_zero_waits_for_ever),
	VT_CASE(peer_that_comes_late_is_served),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
