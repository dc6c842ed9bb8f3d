/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Atomic writes (IBTA annex A19): eight bytes that are stored in one go, by the
 * right to write. They take a responder resource and are answered by a read
 * response without data; what is repeated is answered again and not executed.
 */
#include <string.h>

#include <infiniband/verbs.h>

#include "played_peer.h"
#include "sender_fixture.h"
#include "two_script.h"

static uint64_t *word_at(struct two_function *function, uint32_t offset)
{
	return (uint64_t *)(void *)(function->buffer + offset);
}

static void it_stores_by_memory(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_ATOMIC_WRITE,
						 &two->a, 0, 8, &two->b, 64);

	*word_at(&two->a, 0) = 0x0102030405060708;
	*word_at(&two->b, 72) = 5;
	(void)two_send(&two->qp_a, &request);
	assert_int_equal(two_expect(&two->qp_a, TWO_SEND,
				    ARNICA_HW_STATUS_SUCCESS)
				 .opcode,
			 ARNICA_HW_OP_ATOMIC_WRITE);
	assert_int_equal(*word_at(&two->b, 64), 0x0102030405060708);
	assert_int_equal(*word_at(&two->b, 72), 5);
}

static void expect_status(void **state, uint32_t bytes, uint32_t remote,
			  uint32_t access, uint32_t resources,
			  enum arnica_hw_status status)
{
	struct two *two = *state;
	struct two_wish wish = two_defaults();
	struct two_request request = two_request(
		ARNICA_HW_OP_ATOMIC_WRITE, &two->a, 0, bytes, &two->b, remote);

	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	two_connect_one(&two->qp_a, two->qp_b.qpn, &wish);
	wish.access = access;
	wish.rd_atomic = resources;
	two_connect_one(&two->qp_b, two->qp_a.qpn, &wish);
	*word_at(&two->b, remote & ~7u) = 77;
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, status);
	assert_int_equal(*word_at(&two->b, remote & ~7u), 77);
}

static void four_bytes_fail_at_home(void **state)
{
	expect_status(state, 4, 0, TWO_ALL_RIGHTS, 1,
		      ARNICA_HW_STATUS_LOC_LEN_ERR);
}

static void an_odd_address_is_an_invalid_request(void **state)
{
	expect_status(state, 8, 4, TWO_ALL_RIGHTS, 1,
		      ARNICA_HW_STATUS_REM_INV_REQ_ERR);
}

static void it_needs_the_right_to_write(void **state)
{
	expect_status(state, 8, 0,
		      TWO_ALL_RIGHTS & ~(uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE,
		      1, ARNICA_HW_STATUS_REM_INV_REQ_ERR);
}

static void it_needs_a_resource(void **state)
{
	expect_status(state, 8, 0, TWO_ALL_RIGHTS, 0,
		      ARNICA_HW_STATUS_REM_INV_REQ_ERR);
}

/* The responder, by packets. */

static struct roce_packet request_packet(struct two_wire *wire, uint32_t psn)
{
	struct roce_packet packet =
		script_request(wire, ROCE_ATOMIC_WRITE, psn, 8);

	packet.dma_length = 8;
	packet.ack_request = true;
	return packet;
}

static void expect_response(struct two_wire *wire, uint32_t psn, uint32_t msn)
{
	struct two_packet *answer =
		script_expect(wire, ROCE_READ_RESPONSE_ONLY, psn);

	assert_int_equal(answer->packet.payload_bytes, 0);
	assert_int_equal(answer->packet.syndrome, 0x1f);
	assert_int_equal(answer->packet.msn, msn);
}

static void a_repeated_one_is_answered_and_not_executed(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = request_packet(wire, SCRIPT_PSN);
	uint32_t i;

	script_send(wire, &packet, 3);
	expect_response(wire, SCRIPT_PSN, 1);
	two_check(wire->two.b.buffer, 8, 3);
	*word_at(&wire->two.b, 0) = 12;
	for (i = 0; i < 3; i++) {
		script_send(wire, &packet, 3);
		expect_response(wire, SCRIPT_PSN, 1);
	}
	assert_int_equal(*word_at(&wire->two.b, 0), 12);
	assert_int_equal(two_function_of(&wire->two.b)
				 ->counters.wire_duplicates,
			 3);
}

static void they_go_on_one_after_another(void **state)
{
	struct two_wire *wire = *state;
	uint32_t i;

	for (i = 0; i < 5; i++) {
		struct roce_packet packet =
			request_packet(wire, SCRIPT_PSN + i);

		packet.address += 8 * i;
		script_send(wire, &packet, i);
		expect_response(wire, SCRIPT_PSN + i, i + 1);
		two_check(wire->two.b.buffer + 8 * i, 8, i);
	}
	script_expect_silence(wire);
}

static void expect_invalid(struct two_wire *wire,
			   const struct roce_packet *packet)
{
	*word_at(&wire->two.b, 0) = 12;
	script_send(wire, packet, 3);
	script_expect_syndrome(wire, SCRIPT_PSN,
			       ROCE_SYNDROME_NAK | ROCE_NAK_INVALID_REQUEST);
	assert_int_equal(*word_at(&wire->two.b, 0), 12);
}

static void another_length_in_the_header_is_refused(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = request_packet(wire, SCRIPT_PSN);

	packet.dma_length = 16;
	expect_invalid(wire, &packet);
}

static void more_data_is_refused(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = request_packet(wire, SCRIPT_PSN);

	packet.payload_bytes = 12;
	expect_invalid(wire, &packet);
}

static void an_odd_address_is_refused(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = request_packet(wire, SCRIPT_PSN);

	packet.address += 4;
	expect_invalid(wire, &packet);
}

static void a_wrong_key_is_refused(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = request_packet(wire, SCRIPT_PSN);

	packet.rkey++;
	script_send(wire, &packet, 3);
	script_expect_syndrome(wire, SCRIPT_PSN,
			       ROCE_SYNDROME_NAK | ROCE_NAK_REMOTE_ACCESS);
}

/* The requester, with a peer that the test plays. */

static uint32_t start_one(struct played *played, void **state)
{
	const struct played_packet *sent;
	uint32_t index;

	start(played, state);
	*word_at(&played->two->a, 0) = 0x1122334455667788;
	index = played_send(played, ARNICA_HW_OP_ATOMIC_WRITE, 0, 8);
	sent = played_expect(played, ROCE_ATOMIC_WRITE, PSN);
	assert_int_equal(sent->packet.address, PLAYED_ADDRESS);
	assert_int_equal(sent->packet.rkey, PLAYED_RKEY);
	assert_int_equal(sent->packet.dma_length, 8);
	assert_int_equal(sent->packet.payload_bytes, 8);
	assert_true(sent->packet.ack_request);
	assert_memory_equal(sent->payload, played->two->a.buffer, 8);
	return index;
}

static void the_response_completes_it_and_no_acknowledgement(void **state)
{
	struct played played;
	uint32_t index = start_one(&played, state);

	played_ack(&played, PSN);
	played_uncompleted(&played);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, PSN, NULL, 0);
	played_completed(&played, index, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void it_is_repeated_as_it_was(void **state)
{
	struct played played;
	uint32_t index = start_one(&played, state);
	const struct played_packet *sent;

	played_nak(&played, PSN, ROCE_NAK_SEQUENCE);
	sent = played_expect(&played, ROCE_ATOMIC_WRITE, PSN);
	assert_memory_equal(sent->payload, played.two->a.buffer, 8);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, PSN, NULL, 0);
	played_completed(&played, index, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

static void a_response_with_data_is_a_bad_one(void **state)
{
	struct played played;
	uint32_t index = start_one(&played, state);
	uint64_t word = 1;

	played_response(&played, ROCE_READ_RESPONSE_ONLY, PSN, &word,
			sizeof(word));
	played_completed(&played, index, ARNICA_HW_STATUS_BAD_RESP_ERR);
	played_stop(&played);
}

static void no_more_are_under_way_than_the_peer_has_resources(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;

	wish.rd_atomic = 1;
	played_start(&played, *state, &wish, ARNICA_HW_QP_RC);
	(void)played_send(&played, ARNICA_HW_OP_ATOMIC_WRITE, 0, 8);
	(void)played_send(&played, ARNICA_HW_OP_ATOMIC_WRITE, 8, 8);
	(void)played_expect(&played, ROCE_ATOMIC_WRITE, wish.sq_psn);
	played_none(&played);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, wish.sq_psn, NULL, 0);
	(void)played_expect(&played, ROCE_ATOMIC_WRITE,
			    roce_psn_add(wish.sq_psn, 1));
	played_stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(it_stores_by_memory),
		two_test(four_bytes_fail_at_home),
		two_test(an_odd_address_is_an_invalid_request),
		two_test(it_needs_the_right_to_write),
		two_test(it_needs_a_resource),
		script_test(a_repeated_one_is_answered_and_not_executed),
		script_test(they_go_on_one_after_another),
		script_test(another_length_in_the_header_is_refused),
		script_test(more_data_is_refused),
		script_test(an_odd_address_is_refused),
		script_test(a_wrong_key_is_refused),
		two_test(the_response_completes_it_and_no_acknowledgement),
		two_test(it_is_repeated_as_it_was),
		two_test(a_response_with_data_is_a_bad_one),
		two_test(no_more_are_under_way_than_the_peer_has_resources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
