/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Responder over the wire, RC: requests that come as they should. */
#include <string.h>

#include <infiniband/verbs.h>

#include "link/wire_state.h"
#include "two_script.h"

static struct two_qp *qp_b(struct two_wire *wire)
{
	return &wire->two.qp_b;
}

static void a_send_fills_the_receive_entry_and_is_acknowledged(void **state)
{
	struct two_wire *wire = *state;
	struct two_completion completion;

	(void)two_receive(qp_b(wire), 0, 1024);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 100, 7);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	completion = two_wire_expect(wire, qp_b(wire), TWO_RECEIVE,
				     ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.byte_len, 100);
	assert_int_equal(completion.opcode, ARNICA_HW_RECV);
	assert_int_equal(completion.flags, 0);
	two_check(wire->two.b.buffer, 100, 7);
}

static void a_send_of_no_bytes_completes(void **state)
{
	struct two_wire *wire = *state;

	(void)two_receive(qp_b(wire), 0, 0);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 0, 0);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	assert_int_equal(two_wire_expect(wire, qp_b(wire), TWO_RECEIVE,
					 ARNICA_HW_STATUS_SUCCESS)
				 .byte_len,
			 0);
}

static void immediate_data_arrives_as_it_was_sent(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = script_request(
		wire, ROCE_SEND_ONLY_IMM, SCRIPT_PSN, 8);
	struct two_completion completion;

	packet.immediate = arnica_to_be32(0x11223344).raw;
	(void)two_receive(qp_b(wire), 0, 64);
	script_send(wire, &packet, 1);
	completion = two_wire_expect(wire, qp_b(wire), TWO_RECEIVE,
				     ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.flags, ARNICA_HW_CQE_IMM);
	assert_int_equal(completion.immediate, 0x11223344);
}

/* Pieces of the entry end in the middle of packets. */
static void packets_of_a_send_are_put_together_over_pieces(void **state)
{
	struct two_wire *wire = *state;
	struct two_function *b = &wire->two.b;
	const struct arnica_hw_data_segment segments[] = {
		two_segment(b, 0, 100), two_segment(b, 4096, 300),
		two_segment(b, 8192, 1000)
	};
	char expected[600];
	uint32_t i;

	(void)two_receive_list(qp_b(wire), segments, 3);
	for (i = 0; i < 2; i++) {
		struct roce_packet packet = script_request(
			wire, i ? ROCE_SEND_MIDDLE : ROCE_SEND_FIRST,
			SCRIPT_PSN + i, 256);

		packet.ack_request = false;
		script_send(wire, &packet, i);
		two_fill(expected + 256 * i, 256, i);
	}
	two_expect_none(qp_b(wire), TWO_RECEIVE);
	script_expect_silence(wire);
	script_put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 2, 88, 2);
	two_fill(expected + 512, 88, 2);
	script_expect_ack(wire, SCRIPT_PSN + 2, 1);
	assert_int_equal(two_wire_expect(wire, qp_b(wire), TWO_RECEIVE,
					 ARNICA_HW_STATUS_SUCCESS)
				 .byte_len,
			 600);
	assert_memory_equal(b->buffer, expected, 100);
	assert_memory_equal(b->buffer + 4096, expected + 100, 300);
	assert_memory_equal(b->buffer + 8192, expected + 400, 200);
}

static void a_write_stores_its_bytes(void **state)
{
	struct two_wire *wire = *state;

	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 33, 5);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	two_check(wire->two.b.buffer, 33, 5);
	assert_int_equal(wire->two.b.buffer[33], 0);
}

/* Nothing is accessed, so nothing is checked (C9-88). */
static void a_write_of_no_bytes_needs_no_key(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 0);

	packet.rkey = 0xdead;
	packet.address = 12;
	script_send(wire, &packet, 0);
	script_expect_ack(wire, SCRIPT_PSN, 1);
}

static void a_write_of_three_packets_with_immediate_completes_once(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_FIRST, SCRIPT_PSN, 256);
	struct two_completion completion;

	packet.dma_length = 600;
	(void)two_receive(qp_b(wire), 0, 0);
	script_send(wire, &packet, 1);
	script_expect_ack(wire, SCRIPT_PSN, 0);
	script_put(wire, ROCE_WRITE_MIDDLE, SCRIPT_PSN + 1, 256, 2);
	script_expect_ack(wire, SCRIPT_PSN + 1, 0);
	packet = script_request(wire, ROCE_WRITE_LAST_IMM, SCRIPT_PSN + 2, 88);
	packet.immediate = arnica_to_be32(9).raw;
	script_send(wire, &packet, 3);
	script_expect_ack(wire, SCRIPT_PSN + 2, 1);
	completion = two_wire_expect(wire, qp_b(wire), TWO_RECEIVE,
				     ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.opcode, ARNICA_HW_RECV_RDMA_WITH_IMM);
	assert_int_equal(completion.byte_len, 600);
	assert_int_equal(completion.immediate, 9);
	two_check(wire->two.b.buffer, 256, 1);
	two_check(wire->two.b.buffer + 256, 256, 2);
	two_check(wire->two.b.buffer + 512, 88, 3);
}

static void a_read_is_answered_in_packets_of_the_path_mtu(void **state)
{
	struct two_wire *wire = *state;
	static const uint8_t opcodes[] = { ROCE_READ_RESPONSE_FIRST,
					   ROCE_READ_RESPONSE_MIDDLE,
					   ROCE_READ_RESPONSE_LAST };
	struct roce_packet packet =
		script_request(wire, ROCE_READ_REQUEST, SCRIPT_PSN, 0);
	uint32_t i;

	two_fill(wire->two.b.buffer, 600, 3);
	packet.dma_length = 600;
	script_send(wire, &packet, 0);
	for (i = 0; i < 3; i++) {
		struct two_packet *answer =
			script_expect(wire, opcodes[i], SCRIPT_PSN + i);

		assert_int_equal(answer->packet.payload_bytes,
				 i < 2 ? 256 : 88);
		assert_memory_equal(answer->payload,
				    wire->two.b.buffer + 256 * i,
				    answer->packet.payload_bytes);
		if (i != 1)
			assert_int_equal(answer->packet.msn, 1);
	}
	script_expect_silence(wire);
	/* The next request is behind the responses. */
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 3, 1, 0);
	script_expect_ack(wire, SCRIPT_PSN + 3, 2);
}

static void a_read_of_no_bytes_is_answered(void **state)
{
	struct two_wire *wire = *state;

	script_put(wire, ROCE_READ_REQUEST, SCRIPT_PSN, 0, 0);
	assert_int_equal(script_expect(wire, ROCE_READ_RESPONSE_ONLY,
				       SCRIPT_PSN)
				 ->packet.payload_bytes,
			 0);
}

static void put_atomic(struct two_wire *wire, uint8_t opcode, uint32_t psn,
		       uint64_t swap_or_add, uint64_t compare)
{
	struct roce_packet packet = script_request(wire, opcode, psn, 0);

	packet.swap_or_add = swap_or_add;
	packet.compare = compare;
	script_send(wire, &packet, 0);
}

static void atomics_return_what_was_there(void **state)
{
	struct two_wire *wire = *state;
	uint64_t *word = (uint64_t *)(void *)wire->two.b.buffer;

	*word = 5;
	put_atomic(wire, ROCE_FETCH_ADD, SCRIPT_PSN, 3, 0);
	assert_int_equal(script_expect(wire, ROCE_ATOMIC_ACKNOWLEDGE,
				       SCRIPT_PSN)
				 ->packet.original,
			 5);
	assert_int_equal(*word, 8);
	put_atomic(wire, ROCE_COMPARE_SWAP, SCRIPT_PSN + 1, 100, 7);
	assert_int_equal(script_expect(wire, ROCE_ATOMIC_ACKNOWLEDGE,
				       SCRIPT_PSN + 1)
				 ->packet.original,
			 8);
	assert_int_equal(*word, 8);
	put_atomic(wire, ROCE_COMPARE_SWAP, SCRIPT_PSN + 2, 100, 8);
	assert_int_equal(script_expect(wire, ROCE_ATOMIC_ACKNOWLEDGE,
				       SCRIPT_PSN + 2)
				 ->packet.msn,
			 3);
	assert_int_equal(*word, 100);
}

static void an_acknowledgement_waits_for_responses_before_it(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_READ_REQUEST, SCRIPT_PSN, 0);
	uint32_t i;

	packet.dma_length = 256 * 100; /* more than one turn */
	script_send(wire, &packet, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 100, 1, 0);
	(void)two_wire_settle(wire, 1000000);
	for (i = 0; i < 100; i++)
		(void)script_expect(wire,
				    i == 0  ? ROCE_READ_RESPONSE_FIRST :
				    i == 99 ? ROCE_READ_RESPONSE_LAST :
					      ROCE_READ_RESPONSE_MIDDLE,
				    SCRIPT_PSN + i);
	script_expect_ack(wire, SCRIPT_PSN + 100, 2);
	script_expect_silence(wire);
}

/* In one turn, so that one datagram can carry both. */
static void what_was_put_off_leaves_with_the_next_message(void **state)
{
	struct two_wire *wire = *state;
	struct adev_function *fn = two_function_of(&wire->two.b);
	struct two_request request = two_request(
		ARNICA_HW_OP_SEND, &wire->two.b, 0, 8, &wire->two.a, 0);

	atomic_store(&adev_wire_of(fn)->polled_busily, true);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 1, 0);
	script_expect_silence(wire);
	assert_true(adev_wire_owes(fn));
	(void)two_send(qp_b(wire), &request);
	(void)script_expect(wire, ROCE_SEND_ONLY, SCRIPT_PSN);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	/* And not once more with the next poll. */
	(void)adev_wire_drain(fn, 1);
	assert_false(adev_wire_owes(fn));
	script_expect_silence(wire);
}

/* A NAK, or responses to a read, are not passed by an acknowledgement. */
static void what_is_more_than_an_acknowledgement_waits(void **state)
{
	struct two_wire *wire = *state;
	struct adev_function *fn = two_function_of(&wire->two.b);
	struct two_request request = two_request(
		ARNICA_HW_OP_SEND, &wire->two.b, 0, 8, &wire->two.a, 0);

	atomic_store(&adev_wire_of(fn)->polled_busily, true);
	wire->a.corked = true;
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 1, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 2, 1, 0);
	wire->a.corked = false;
	(void)two_wire_step(wire);
	assert_true(adev_wire_owes(fn));
	(void)two_send(qp_b(wire), &request);
	(void)script_expect(wire, ROCE_SEND_ONLY, SCRIPT_PSN);
	script_expect_silence(wire);
	(void)adev_wire_drain(fn, 1);
	script_expect_syndrome(wire, SCRIPT_PSN + 1,
			       ROCE_SYNDROME_NAK | ROCE_NAK_SEQUENCE);
}

static void numbers_go_around(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet;
	uint32_t i;

	two_shared_of(qp_b(wire))->expected_psn = 0xffffff;
	script_put(wire, ROCE_WRITE_ONLY, 0xffffff, 1, 0);
	script_expect_ack(wire, 0xffffff, 1);
	script_put(wire, ROCE_WRITE_ONLY, 0, 1, 0);
	script_expect_ack(wire, 0, 2);
	/* Again: the one before the wrap is a duplicate. */
	script_put(wire, ROCE_WRITE_ONLY, 0xffffff, 1, 0);
	script_expect_ack(wire, 0, 2);
	two_shared_of(qp_b(wire))->expected_psn = 0xfffffe;
	two_shared_of(qp_b(wire))->msn = 0xffffff;
	packet = script_request(wire, ROCE_READ_REQUEST, 0xfffffe, 0);
	packet.dma_length = 1024;
	script_send(wire, &packet, 0);
	for (i = 0; i < 4; i++)
		(void)script_expect(wire,
				    i == 0 ? ROCE_READ_RESPONSE_FIRST :
				    i == 3 ? ROCE_READ_RESPONSE_LAST :
					     ROCE_READ_RESPONSE_MIDDLE,
				    0xfffffe + i);
	assert_int_equal(two_shared_of(qp_b(wire))->expected_psn, 2);
	assert_int_equal(two_shared_of(qp_b(wire))->msn, 0);
}

static void the_first_message_in_rtr_raises_its_event(void **state)
{
	struct two_wire *wire = *state;
	struct two_wish wish = two_defaults();
	struct two *two = &wire->two;

	wish.rq_psn = wish.sq_psn = SCRIPT_PSN;
	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	assert_ok(two_to_init(&two->qp_b, &wish));
	assert_ok(two_to_rtr(&two->qp_b, &wish, two->qp_a.qpn));
	wire->a.held = true;
	(void)two_receive(&two->qp_b, 0, 64);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 0);
	assert_int_equal(two_async(&two->b, true), IBV_EVENT_COMM_EST);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 0);
	assert_int_equal(two_async(&two->b, false), -1);
}

/* Congestion on the way: the sender is told, at most once in 50 us. */
static uint32_t armed_of_b(struct two_wire *wire)
{
	return arnica_load32(&wire->two.b.cq_record[TWO_RECEIVE]->armed,
			     memory_order_acquire);
}

/* How the queue is armed when the acknowledgement leaves. */
static bool see_acknowledgement(struct two_wire *wire, struct two_end *to,
				const struct roce_packet *packet)
{
	uint32_t *seen = wire->filter_data;

	if (to == &wire->a && packet->opcode == ROCE_ACKNOWLEDGE)
		*seen = armed_of_b(wire);
	return false;
}

/* The application may end the process, or answer, as soon as it hears of it. */
static void an_event_comes_after_the_acknowledgement(void **state)
{
	struct two_wire *wire = *state;
	uint32_t seen = 0;

	wire->filter = see_acknowledgement;
	wire->filter_data = &seen;
	(void)two_receive(qp_b(wire), 0, 64);
	arnica_store32(&wire->two.b.cq_record[TWO_RECEIVE]->armed,
		       ARNICA_HW_ARM_NEXT, memory_order_seq_cst);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 0);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	/* Fired, and not delivered; and then delivered. */
	assert_int_equal(seen, ARNICA_HW_ARMED_FIRED_ONE);
	assert_int_equal(armed_of_b(wire), 0);
	(void)two_wire_expect(wire, qp_b(wire), TWO_RECEIVE,
			      ARNICA_HW_STATUS_SUCCESS);
	/* Packets leave at the end, too. */
	wire->filter = NULL;
}

static void without_marks_nobody_is_told_of_congestion(void **state)
{
	struct two_wire *wire = *state;

	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 1, 0);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	script_expect_silence(wire);
}

static void marked_packets_are_told_of_now_and_then(void **state)
{
	struct two_wire *wire = *state;
	uint32_t i;

	wire->a.traffic_class = 3;
	for (i = 0; i < 3; i++) {
		if (i == 2)
			two_wire_pass(wire, 50000);
		script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + i, 1, 0);
		if (i != 1)
			assert_true(script_expect(wire, ROCE_CNP_OPCODE, 0)
					    ->packet.becn);
		script_expect_ack(wire, SCRIPT_PSN + i, i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		script_test(a_send_fills_the_receive_entry_and_is_acknowledged),
		script_test(a_send_of_no_bytes_completes),
		script_test(immediate_data_arrives_as_it_was_sent),
		script_test(packets_of_a_send_are_put_together_over_pieces),
		script_test(a_write_stores_its_bytes),
		script_test(a_write_of_no_bytes_needs_no_key),
		script_test(
			a_write_of_three_packets_with_immediate_completes_once),
		script_test(a_read_is_answered_in_packets_of_the_path_mtu),
		script_test(a_read_of_no_bytes_is_answered),
		script_test(atomics_return_what_was_there),
		script_test(an_acknowledgement_waits_for_responses_before_it),
		script_test(what_was_put_off_leaves_with_the_next_message),
		script_test(an_event_comes_after_the_acknowledgement),
		script_test(what_is_more_than_an_acknowledgement_waits),
		script_test(numbers_go_around),
		two_wire_test(the_first_message_in_rtr_raises_its_event),
		script_test(without_marks_nobody_is_told_of_congestion),
		script_test(marked_packets_are_told_of_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
