/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Acknowledgements, NAKs, and what they do to messages (IBTA 9.7.5, 9.9.2). */
#include <string.h>

#include <infiniband/verbs.h>

#include "core/clock.h"
#include "sender_fixture.h"
#include "transport/complete.h"

static void an_acknowledged_message_completes(void **state)
{
	struct played played;
	uint32_t index;

	start(&played, state);
	index = send_bytes(&played, 8);
	played_uncompleted(&played);
	played_ack(&played, PSN);
	played_completed(&played, index, ARNICA_HW_STATUS_SUCCESS);
	played_uncompleted(&played);
	assert_int_equal(counters(&played)->messages, 1);
	assert_int_equal(counters(&played)->bytes, 8);
	assert_true(adev_sender_is_idle(two_qp_of(played.qp)));
	played_stop(&played);
}

static void an_acknowledgement_counts_for_all_before_it(void **state)
{
	struct played played;
	uint32_t i;

	start(&played, state);
	for (i = 0; i < 5; i++)
		assert_int_equal(send_bytes(&played, 2 * MTU), i);
	/* Also for half a message. */
	played_ack(&played, at(6));
	for (i = 0; i < 3; i++)
		played_completed(&played, i, ARNICA_HW_STATUS_SUCCESS);
	played_uncompleted(&played);
	played_ack(&played, at(9));
	played_completed(&played, 3, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 4, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void unsignaled_messages_retire_with_the_next(void **state)
{
	struct played played;
	struct two_request request;
	uint32_t index;

	start(&played, state);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 8);
	request.flags = 0;
	(void)played_post(&played, &request);
	index = send_bytes(&played, 8);
	played_ack(&played, at(1));
	played_completed(&played, index, ARNICA_HW_STATUS_SUCCESS);
	played_uncompleted(&played);
	played_stop(&played);
}

static void acknowledgements_of_nothing_outstanding_change_nothing(void **state)
{
	struct played played;
	uint32_t index;

	start(&played, state);
	played_ack(&played, PSN); /* nothing was sent yet */
	played_nak(&played, PSN, ROCE_NAK_REMOTE_ACCESS);
	index = send_bytes(&played, 8);
	played_ack(&played, at(1)); /* not sent yet */
	played_ack(&played, PSN - 1); /* before the first */
	played_nak(&played, at(1), ROCE_NAK_SEQUENCE);
	played_nak(&played, PSN - 1, ROCE_NAK_INVALID_REQUEST);
	played_rnr(&played, at(1), 1);
	played_ack(&played, PSN + 0x800000u); /* half the range away */
	assert_int_equal(counters(&played)->wire_stale_answers, 8);
	played_uncompleted(&played);
	(void)played_expect(&played, ROCE_SEND_ONLY, PSN);
	played_none(&played);
	played_ack(&played, PSN);
	played_completed(&played, index, ARNICA_HW_STATUS_SUCCESS);
	played_ack(&played, PSN); /* a duplicate */
	played_uncompleted(&played);
	assert_int_equal(counters(&played)->wire_stale_answers, 9);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_stop(&played);
}

/* NAK, remote errors: all before is fine, this message fails, those behind it
 * are flushed (IBTA 9.7.5.2.3 to 9.7.5.2.6). */
static void remote_errors_end_the_connection(void **state)
{
	static const struct {
		enum roce_nak nak;
		enum arnica_hw_status status;
	} rows[] = {
		{ ROCE_NAK_INVALID_REQUEST, ARNICA_HW_STATUS_REM_INV_REQ_ERR },
		{ ROCE_NAK_REMOTE_ACCESS, ARNICA_HW_STATUS_REM_ACCESS_ERR },
		{ ROCE_NAK_REMOTE_OPERATION, ARNICA_HW_STATUS_REM_OP_ERR },
		{ ROCE_NAK_INVALID_RD, ARNICA_HW_STATUS_BAD_RESP_ERR },
		{ (enum roce_nak)31, ARNICA_HW_STATUS_BAD_RESP_ERR },
	};
	uint32_t row;

	for (row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct played played;
		uint32_t i;

		start(&played, state);
		for (i = 0; i < 4; i++)
			(void)send_bytes(&played, 2 * MTU);
		played_nak(&played, at(3), rows[row].nak);
		played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
		played_completed(&played, 1, rows[row].status);
		played_completed(&played, 2, ARNICA_HW_STATUS_WR_FLUSH_ERR);
		played_completed(&played, 3, ARNICA_HW_STATUS_WR_FLUSH_ERR);
		assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_ERR);
		(void)send_bytes(&played, 1);
		played_completed(&played, 4, ARNICA_HW_STATUS_WR_FLUSH_ERR);
		played_ack(&played, at(7));
		played_uncompleted(&played);
		played_stop(&played);
	}
}

/* The message under way, half of which the window holds back, fails. */
static void a_message_that_is_half_sent_fails(void **state)
{
	struct played played;

	start(&played, state);
	(void)send_bytes(&played, 100 * MTU);
	(void)send_bytes(&played, 1);
	played_nak(&played, PSN, ROCE_NAK_REMOTE_OPERATION);
	played_completed(&played, 0, ARNICA_HW_STATUS_REM_OP_ERR);
	played_completed(&played, 1, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	played_uncompleted(&played);
	played_stop(&played);
}

static void an_unknown_syndrome_is_a_bad_response(void **state)
{
	const struct roce_packet packet = {
		.opcode = ROCE_ACKNOWLEDGE,
		.psn = PSN,
		.syndrome = 0x40,
	};
	struct played played;

	start(&played, state);
	(void)send_bytes(&played, 1);
	played_answer(&played, &packet);
	played_completed(&played, 0, ARNICA_HW_STATUS_BAD_RESP_ERR);
	assert_int_equal(counters(&played)->wire_bad_answers, 1);
	played_stop(&played);
}

static void responses_to_a_send_are_bad(void **state)
{
	static const enum roce_operation operations[] = {
		ROCE_READ_RESPONSE_ONLY, ROCE_READ_RESPONSE_FIRST,
		ROCE_READ_RESPONSE_MIDDLE, ROCE_READ_RESPONSE_LAST
	};
	char data[MTU] = { 0 };
	struct played played;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		start(&played, state);
		(void)send_bytes(&played, 1);
		played_response(&played, operations[i], PSN, data, MTU);
		played_completed(&played, 0, ARNICA_HW_STATUS_BAD_RESP_ERR);
		played_stop(&played);
	}
	start(&played, state);
	(void)send_bytes(&played, 1);
	played_original(&played, PSN, 7);
	played_completed(&played, 0, ARNICA_HW_STATUS_BAD_RESP_ERR);
	played_stop(&played);
}

/* Requests, and opcodes of other transports, are no answers. */
static void other_opcodes_change_nothing(void **state)
{
	static const uint8_t opcodes[] = { ROCE_SEND_ONLY, ROCE_READ_REQUEST,
					   ROCE_UC | ROCE_SEND_ONLY,
					   ROCE_RD | ROCE_ACKNOWLEDGE };
	struct played played;
	uint32_t i;

	start(&played, state);
	(void)send_bytes(&played, 1);
	for (i = 0; i < sizeof(opcodes); i++) {
		const struct roce_packet packet = { .opcode = opcodes[i],
						    .psn = PSN };

		played_answer(&played, &packet);
	}
	assert_int_equal(counters(&played)->wire_stale_answers, 4);
	played_uncompleted(&played);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_stop(&played);
}

/* RNR NAK at the first, a middle and the last packet of a message: all before
 * is acknowledged; it is sent again when the timer says so. */
static void a_receiver_that_is_not_ready_is_waited_for(void **state)
{
	uint32_t position;

	for (position = 0; position < 3; position++) {
		static const uint8_t opcodes[] = { ROCE_SEND_FIRST,
						   ROCE_SEND_MIDDLE,
						   ROCE_SEND_LAST };
		struct played played;

		start(&played, state);
		(void)send_bytes(&played, 8);
		(void)send_bytes(&played, 3 * MTU);
		played_forget(&played);
		played_rnr(&played, at(1 + position), 14);
		played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
		played_pass(&played, adev_rnr_timer_ns(14) - 1);
		played_none(&played);
		played_pass(&played, 1);
		(void)played_expect(&played, opcodes[position],
				    at(1 + position));
		played_ack(&played, at(3));
		played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(counters(&played)->rnr, position + 1);
		played_stop(&played);
	}
}

static void not_ready_too_often_is_an_error(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint32_t i;

	wish.rnr_retry = 2;
	start_with(&played, state, wish);
	(void)send_bytes(&played, 8);
	for (i = 0; i < 2; i++) {
		played_rnr(&played, PSN, 1);
		played_rnr(&played, PSN, 1); /* doubled on the way */
		played_uncompleted(&played);
		played_pass(&played, adev_rnr_timer_ns(1));
	}
	played_rnr(&played, PSN, 1);
	played_completed(&played, 0, ARNICA_HW_STATUS_RNR_RETRY_EXC_ERR);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_ERR);
	played_stop(&played);
}

static void progress_resets_the_count_of_not_ready(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint32_t i;

	wish.rnr_retry = 1;
	start_with(&played, state, wish);
	for (i = 0; i < 5; i++) {
		(void)send_bytes(&played, 8);
		played_rnr(&played, at(i), 1);
		played_pass(&played, adev_rnr_timer_ns(1));
		played_ack(&played, at(i));
		played_completed(&played, i, ARNICA_HW_STATUS_SUCCESS);
	}
	played_stop(&played);
}

static void seven_rnr_retries_are_for_ever(void **state)
{
	struct played played;
	uint32_t i;

	start(&played, state);
	(void)send_bytes(&played, 8);
	for (i = 0; i < 1000; i++) {
		played_rnr(&played, PSN, 1);
		played_pass(&played, adev_rnr_timer_ns(1));
	}
	played_uncompleted(&played);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_stop(&played);
}

/* No timeout runs while the receiver is waited for. */
static void waiting_for_the_receiver_is_no_silence(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint32_t i;

	wish.retry_cnt = 0;
	start_with(&played, state, wish);
	(void)send_bytes(&played, 8);
	for (i = 0; i < 3; i++) {
		played_rnr(&played, PSN, 0); /* 655 ms */
		played_pass(&played, 600 * PLAYED_MS);
		played_pass(&played, 60 * PLAYED_MS);
	}
	played_uncompleted(&played);
	assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_RTS);
	played_stop(&played);
}

static void draining_waits_for_the_acknowledgement(void **state)
{
	struct played played;
	struct adev_qp *qp;

	start(&played, state);
	qp = two_qp_of(played.qp);
	(void)send_bytes(&played, 30 * MTU); /* more than the window takes */
	assert_ok(two_drain(played.qp));
	(void)send_bytes(&played, 8); /* has to wait */
	assert_int_equal(two_async(&played.two->a, false), -1);
	played_ack(&played, at(15));
	played_ack(&played, at(29));
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(two_async(&played.two->a, true),
			 IBV_EVENT_SQ_DRAINED);
	assert_int_equal(qp->send_psn, at(30));
	assert_ok(two_to_state(played.qp, ARNICA_HW_QPS_RTS));
	played_ack(&played, at(30));
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void reset_forgets_what_was_outstanding(void **state)
{
	const struct two_wish wish = two_defaults();
	struct played played;

	start(&played, state);
	(void)send_bytes(&played, 30 * MTU);
	assert_ok(two_to_state(played.qp, ARNICA_HW_QPS_RESET));
	played_ack(&played, PSN);
	played_forget(&played);
	assert_ok(two_to_init(played.qp, &wish));
	assert_ok(two_to_rtr(played.qp, &wish, PLAYED_QPN));
	two_qp_of(played.qp)->remote = two_qp_of(played.qp)->remote_kept;
	assert_ok(two_to_rts(played.qp, &wish));
	played_pass(&played, 1000 * PLAYED_MS);
	played_none(&played);
	(void)send_bytes(&played, 8);
	(void)played_expect(&played, ROCE_SEND_ONLY, 0);
	played_ack(&played, 0);
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void the_error_state_flushes_what_is_not_acknowledged(void **state)
{
	struct played played;
	uint32_t i;

	start(&played, state);
	for (i = 0; i < 6; i++)
		(void)send_bytes(&played, 4 * MTU);
	played_ack(&played, at(4)); /* the second is begun */
	assert_ok(two_to_state(played.qp, ARNICA_HW_QPS_ERR));
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	for (i = 1; i < 6; i++)
		played_completed(&played, i, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	played_uncompleted(&played);
	played_stop(&played);
}

/* The responder says ERR before anybody has the send queue: whoever posts then
 * is the first to flush, and the sender's messages come first. */
static void an_error_of_the_responder_flushes_in_order(void **state)
{
	struct played played;
	struct adev_qp *qp;
	uint32_t i;

	start(&played, state);
	qp = two_qp_of(played.qp);
	for (i = 0; i < 3; i++)
		(void)send_bytes(&played, MTU);
	assert_ok(two_to_state(played.qp, ARNICA_HW_QPS_SQD));
	for (; i < 5; i++)
		(void)send_bytes(&played, MTU);
	played_uncompleted(&played);
	atomic_store(&qp->shared->state, ARNICA_HW_QPS_ERR);
	(void)send_bytes(&played, MTU);
	for (i = 0; i < 6; i++)
		played_completed(&played, i, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	adev_qp_lock_send(qp);
	(void)adev_qp_follow_error(qp);
	adev_qp_unlock_send(qp);
	played_uncompleted(&played);
	(void)send_bytes(&played, MTU);
	played_completed(&played, 6, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	played_uncompleted(&played);
	played_stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(an_acknowledged_message_completes),
		two_test(an_acknowledgement_counts_for_all_before_it),
		two_test(unsignaled_messages_retire_with_the_next),
		two_test(acknowledgements_of_nothing_outstanding_change_nothing),
		two_test(remote_errors_end_the_connection),
		two_test(a_message_that_is_half_sent_fails),
		two_test(an_unknown_syndrome_is_a_bad_response),
		two_test(responses_to_a_send_are_bad),
		two_test(other_opcodes_change_nothing),
		two_test(a_receiver_that_is_not_ready_is_waited_for),
		two_test(not_ready_too_often_is_an_error),
		two_test(progress_resets_the_count_of_not_ready),
		two_test(seven_rnr_retries_are_for_ever),
		two_test(waiting_for_the_receiver_is_no_silence),
		two_test(draining_waits_for_the_acknowledgement),
		two_test(reset_forgets_what_was_outstanding),
		two_test(the_error_state_flushes_what_is_not_acknowledged),
		two_test(an_error_of_the_responder_flushes_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
