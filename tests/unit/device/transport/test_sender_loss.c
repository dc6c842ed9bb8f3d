/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Lost packets and answers: NAKs, timers, windows (IBTA 9.7.5.1, 9.7.6.1.3). */
#include <string.h>

#include <infiniband/verbs.h>

#include "core/clock.h"
#include "sender_fixture.h"

/* Of two_defaults(); a timer may run up to four times as long (IBTA 9.7.6.1.3),
 * and runs twice as long. */
#define TIMEOUT_NS (2 * (4096ull << 14))

/* NAK, PSN sequence error: everything from there on again, as it was. */
static void a_sequence_error_is_sent_again_from_there(void **state)
{
	struct played played;
	uint32_t i;

	start(&played, state);
	two_fill(played.two->a.buffer, 4 * MTU, 1);
	(void)send_bytes(&played, 8);
	(void)send_bytes(&played, 4 * MTU);
	(void)played_send(&played, ARNICA_HW_OP_WRITE, 0, 8);
	played_forget(&played);
	played_nak(&played, at(2), ROCE_NAK_SEQUENCE);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_uncompleted(&played);
	for (i = 1; i < 4; i++) {
		const struct played_packet *packet = played_expect(
			&played, i < 3 ? ROCE_SEND_MIDDLE : ROCE_SEND_LAST,
			at(1 + i));

		assert_memory_equal(packet->payload,
				    played.two->a.buffer + i * MTU, MTU);
	}
	(void)played_expect(&played, ROCE_WRITE_ONLY, at(5));
	played_none(&played);
	played_ack(&played, at(5));
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 2, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(counters(&played)->wire_resent, 4);
	played_stop(&played);
}

static void a_doubled_nak_is_one_loss(void **state)
{
	struct played played;

	start(&played, state);
	(void)send_bytes(&played, 2 * MTU);
	played_forget(&played);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	assert_int_equal(played_left(&played), 2);
	/* Later it is news: what was sent again was lost, too. */
	played_pass(&played, 600 * PLAYED_US);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	assert_int_equal(played_left(&played), 4);
	played_ack(&played, at(1));
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void inline_data_are_sent_again(void **state)
{
	struct played played;
	struct two_request request;
	const struct played_packet *packet;

	start(&played, state);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 0);
	request.flags |= ARNICA_HW_WQE_INLINE;
	request.num_sge = 0;
	request.data = "twelve bytes";
	request.inline_bytes = 12;
	(void)played_post(&played, &request);
	(void)send_bytes(&played, 1);
	played_forget(&played);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	packet = played_expect(&played, ROCE_SEND_ONLY, PSN);
	assert_int_equal(packet->packet.payload_bytes, 12);
	assert_memory_equal(packet->payload, "twelve bytes", 12);
	played_stop(&played);
}

/* A lost acknowledgement: the message is sent again, and acknowledged again. */
static void silence_makes_it_send_again(void **state)
{
	struct played played;

	start(&played, state);
	(void)send_bytes(&played, 8);
	played_forget(&played);
	played_pass(&played, TIMEOUT_NS - 1);
	assert_true(played_left(&played));
	(void)played_expect(&played, ROCE_SEND_ONLY, PSN);
	assert_int_equal(counters(&played)->wire_timeouts, 0);
	played_ack(&played, PSN);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_forget(&played);
	played_pass(&played, 100 * TIMEOUT_NS);
	played_none(&played);
	played_stop(&played);
}

/* retry_cnt more tries, one for each timeout; then the end. */
static void silence_for_too_long_is_an_error(void **state)
{
	struct two_wish wish = two_defaults();
	uint64_t begin, waited;
	struct played played;

	wish.retry_cnt = 2;
	start_with(&played, state, wish);
	(void)send_bytes(&played, 8);
	(void)send_bytes(&played, 8);
	begin = adev_now_ns();
	while (two_state(played.qp) == ARNICA_HW_QPS_RTS) {
		played_pass(&played, PLAYED_MS);
		played_forget(&played);
	}
	waited = adev_now_ns() - begin;
	assert_in_range(waited, 3 * TIMEOUT_NS, 3 * TIMEOUT_NS + 4 * PLAYED_MS);
	played_completed(&played, 0, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	played_completed(&played, 1, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	assert_int_equal(counters(&played)->wire_timeouts, 3);
	played_pass(&played, 10 * TIMEOUT_NS);
	played_none(&played);
	played_stop(&played);
}

static void progress_begins_the_timeout_anew(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint32_t i;

	wish.retry_cnt = 0;
	start_with(&played, state, wish);
	(void)send_bytes(&played, 8 * MTU);
	for (i = 0; i < 7; i++) {
		played_pass(&played, TIMEOUT_NS - PLAYED_MS);
		played_ack(&played, at(i));
	}
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_pass(&played, TIMEOUT_NS);
	played_completed(&played, 0, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	played_stop(&played);
}

/* Losses that are told of again and again, without progress, are ended by the
 * same time. */
static void naks_without_progress_end_too(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint64_t begin;

	wish.retry_cnt = 1;
	start_with(&played, state, wish);
	(void)send_bytes(&played, 8);
	begin = adev_now_ns();
	while (two_state(played.qp) == ARNICA_HW_QPS_RTS) {
		played_pass(&played, PLAYED_MS);
		played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
		played_forget(&played);
	}
	assert_in_range(adev_now_ns() - begin, 2 * TIMEOUT_NS,
			2 * TIMEOUT_NS + 4 * PLAYED_MS);
	played_completed(&played, 0, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	played_stop(&played);
}

static void timeout_zero_waits_for_ever(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint32_t i;

	wish.timeout = 0;
	wish.retry_cnt = 1;
	start_with(&played, state, wish);
	(void)send_bytes(&played, 8);
	played_forget(&played);
	for (i = 0; i < 1000; i++)
		played_pass(&played, 1000 * PLAYED_MS);
	played_none(&played);
	/* Then it is the number of NAKs that ends it. */
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	played_pass(&played, 1000 * PLAYED_MS);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	played_completed(&played, 0, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	played_stop(&played);
}

/* An acknowledgement of packets that were about to be sent again. */
static void a_late_acknowledgement_stops_the_repetition(void **state)
{
	struct played played;

	start(&played, state);
	(void)send_bytes(&played, 10 * MTU);
	played_pass(&played, TIMEOUT_NS / 2);
	played_forget(&played);
	played_ack(&played, at(7));
	/* From there on, not from the beginning. */
	(void)played_expect(&played, ROCE_SEND_MIDDLE, at(8));
	(void)played_expect(&played, ROCE_SEND_LAST, at(9));
	played_none(&played);
	/* It was late and not lost: the window is what it was. */
	assert_true(played_sender(&played)->window.packets >= 16);
	played_ack(&played, at(9));
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void an_atomic_is_repeated_as_it_was(void **state)
{
	struct played played;
	struct two_request request;
	const struct played_packet *packet;

	start(&played, state);
	request = played_request(&played, ARNICA_HW_OP_FETCH_ADD, 0, 8);
	request.swap_or_add = 42;
	(void)played_post(&played, &request);
	(void)send_bytes(&played, 8);
	played_forget(&played);
	played_pass(&played, TIMEOUT_NS / 2);
	packet = played_expect(&played, ROCE_FETCH_ADD, PSN);
	assert_int_equal(packet->packet.swap_or_add, 42);
	assert_int_equal(packet->packet.address, PLAYED_ADDRESS);
	played_original(&played, PSN, 1000);
	played_original(&played, PSN, 2000); /* the answer to the second */
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(*(uint64_t *)played.two->a.buffer, 1000);
	played_stop(&played);
}

/* The host may not change what it has posted; if it does, that is its error. */
static void an_entry_that_changed_meanwhile_fails(void **state)
{
	struct played played;
	struct arnica_hw_data_segment *segment;

	start(&played, state);
	(void)send_bytes(&played, 8);
	(void)send_bytes(&played, 8);
	(void)send_bytes(&played, 8);
	segment = (void *)((char *)two_entry(played.qp, TWO_SEND, 1) +
			   ARNICA_HW_WQE_HEADER_BYTES);
	segment->length = arnica_to_le32(9);
	played_forget(&played);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	(void)played_expect(&played, ROCE_SEND_ONLY, PSN);
	played_none(&played);
	/* Only when everything before it is acknowledged. */
	played_uncompleted(&played);
	played_ack(&played, PSN);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 1, ARNICA_HW_STATUS_LOC_QP_OP_ERR);
	played_completed(&played, 2, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	played_stop(&played);
}

static void a_region_that_is_gone_meanwhile_fails(void **state)
{
	struct played played;
	struct two_function *own;
	struct two_request request;
	uint32_t handle, stag;

	start(&played, state);
	own = &played.two->a;
	assert_ok(two_register(own, own->buffer, 64, TWO_ALL_RIGHTS, &handle,
			       &stag));
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 64);
	request.sge[0].lkey = arnica_to_le32(stag);
	(void)played_post(&played, &request);
	assert_ok(two_object(own, ARNICA_HW_CMD_DEREG_MR, handle));
	played_forget(&played);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	played_none(&played);
	played_completed(&played, 0, ARNICA_HW_STATUS_LOC_PROT_ERR);
	played_stop(&played);
}

/* It is acknowledged after all: it was sent while the region was there. */
static void an_acknowledgement_comes_before_the_failure(void **state)
{
	struct played played;
	struct arnica_hw_data_segment *segment;

	start(&played, state);
	(void)send_bytes(&played, 8);
	(void)send_bytes(&played, 8);
	segment = (void *)((char *)two_entry(played.qp, TWO_SEND, 1) +
			   ARNICA_HW_WQE_HEADER_BYTES);
	segment->length = arnica_to_le32(9);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	played_ack(&played, at(1));
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	(void)send_bytes(&played, 8);
	played_ack(&played, at(2));
	played_completed(&played, 2, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

/* A wrong request waits until those before it are acknowledged. */
static void a_local_error_completes_in_its_turn(void **state)
{
	struct played played;
	struct two_request request;

	start(&played, state);
	(void)send_bytes(&played, 8);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 8);
	request.sge[0].lkey = arnica_to_le32(0xdead00);
	(void)played_post(&played, &request);
	(void)send_bytes(&played, 8);
	played_uncompleted(&played);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_ack(&played, PSN);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 1, ARNICA_HW_STATUS_LOC_PROT_ERR);
	played_completed(&played, 2, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	played_stop(&played);
	start(&played, state);
	(void)played_post(&played, &request);
	played_completed(&played, 0, ARNICA_HW_STATUS_LOC_PROT_ERR);
	played_none(&played);
	played_stop(&played);
}

/* The failure of an earlier one, which then does not come about, does not make
 * anybody forget it. */
static void a_local_error_is_not_forgotten(void **state)
{
	struct played played;
	struct two_request request;
	struct arnica_hw_data_segment *segment;

	start(&played, state);
	(void)send_bytes(&played, 8);
	(void)send_bytes(&played, 8);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 8);
	request.sge[0].lkey = arnica_to_le32(0xdead00);
	(void)played_post(&played, &request);
	segment = (void *)((char *)two_entry(played.qp, TWO_SEND, 1) +
			   ARNICA_HW_WQE_HEADER_BYTES);
	segment->length = arnica_to_le32(9);
	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	played_forget(&played);
	played_ack(&played, at(1));
	played_none(&played);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 2, ARNICA_HW_STATUS_LOC_PROT_ERR);
	played_stop(&played);
}

/* Sixteen packets at first, with a request for an answer each half window. */
static void the_window_holds_back(void **state)
{
	struct played played;
	uint32_t i;

	start(&played, state);
	(void)send_bytes(&played, 100 * MTU);
	for (i = 0; i < 16; i++) {
		const struct played_packet *packet = played_next(&played);

		assert_int_equal(packet->packet.psn, at(i));
		assert_int_equal(packet->packet.ack_request, i % 8 == 7);
	}
	played_none(&played);
	played_ack(&played, at(7));
	/* Eight were answered, and the window grew by as many. */
	assert_int_equal(played_left(&played), 16);
	played_stop(&played);
}

/* Packets leave together: while half of the window is on its way, no less goes
 * than fits into a datagram, or than the message has left. */
static void a_window_that_opens_a_little_is_not_used(void **state)
{
	struct played played;

	start(&played, state);
	played_sender(&played)->window.packets = 40;
	(void)send_bytes(&played, 20 * MTU);
	(void)send_bytes(&played, 30 * MTU);
	assert_int_equal(played_left(&played), 36);
	played_ack(&played, at(9));
	assert_int_equal(played_left(&played), 50);
	played_ack(&played, at(49));
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

/* Nothing is held back for ever: the last packet that fits asks. */
static void each_window_asks_for_an_answer(void **state)
{
	struct played played;
	uint32_t answered = 0;

	start(&played, state);
	(void)send_bytes(&played, 3000 * MTU);
	while (answered < 3000) {
		uint32_t last = answered;

		while (played_left(&played)) {
			const struct roce_packet *packet =
				&played_next(&played)->packet;

			if (packet->ack_request)
				last = (packet->psn - PSN + 1) & ROCE_PSN_MASK;
		}
		assert_true(last > answered);
		answered = last;
		played_forget(&played);
		played_pass(&played, 20 * PLAYED_US);
		if (answered % 7 == 3)
			played_nak(&played, at(--answered), ROCE_NAK_SEQUENCE);
		else
			played_ack(&played, at(answered - 1));
	}
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void more_messages_than_are_remembered_wait(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	struct two_request request;
	uint32_t i, sent = 0;

	wish.send_depth = 1024;
	start_with(&played, state, wish);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 1);
	for (i = 0; i < 1000; i++)
		(void)two_post(played.qp, &request);
	two_ring(played.qp);
	while (sent < 1000) {
		uint32_t left = played_left(&played);

		assert_in_range(left, 1, ADEV_WINDOW_MAX);
		sent += left;
		played_forget(&played);
		played_ack(&played, at(sent - 1));
	}
	for (i = 0; i < 1000; i++)
		played_completed(&played, i, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void congestion_notifications_slow_it_down(void **state)
{
	const struct roce_packet packet = { .opcode = ROCE_CNP_OPCODE,
					    .becn = true };
	struct played played;

	start(&played, state);
	played_answer(&played, &packet);
	assert_int_equal(counters(&played)->wire_notifications, 1);
	assert_true(played_sender(&played)->rate.limits);
	(void)send_bytes(&played, 3000 * MTU);
	assert_true(played_left(&played) < 16);
	while (played_left(&played) < 16)
		played_pass(&played, 10 * PLAYED_US);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(a_sequence_error_is_sent_again_from_there),
		two_test(a_doubled_nak_is_one_loss),
		two_test(inline_data_are_sent_again),
		two_test(silence_makes_it_send_again),
		two_test(silence_for_too_long_is_an_error),
		two_test(progress_begins_the_timeout_anew),
		two_test(naks_without_progress_end_too),
		two_test(timeout_zero_waits_for_ever),
		two_test(a_late_acknowledgement_stops_the_repetition),
		two_test(an_atomic_is_repeated_as_it_was),
		two_test(an_entry_that_changed_meanwhile_fails),
		two_test(a_region_that_is_gone_meanwhile_fails),
		two_test(an_acknowledgement_comes_before_the_failure),
		two_test(a_local_error_completes_in_its_turn),
		two_test(a_local_error_is_not_forgotten),
		two_test(the_window_holds_back),
		two_test(a_window_that_opens_a_little_is_not_used),
		two_test(each_window_asks_for_an_answer),
		two_test(more_messages_than_are_remembered_wait),
		two_test(congestion_notifications_slow_it_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
