/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Responder over the wire, RC: packets that come again, too early, or not at
 * all (IBTA 9.7.4.1.1, 9.7.5.1).
 */
#include <string.h>

#include "two_script.h"

static const uint8_t sequence_nak = ROCE_SYNDROME_NAK | ROCE_NAK_SEQUENCE;

static uint64_t counted_duplicates(struct two_wire *wire)
{
	return two_function_of(&wire->two.b)->counters.wire_duplicates;
}

static void a_repeated_write_is_acknowledged_and_not_executed(void **state)
{
	struct two_wire *wire = *state;
	char *buffer = wire->two.b.buffer;

	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	memset(buffer, 0x22, 8);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	assert_int_equal(buffer[0], 0x22);
	assert_int_equal(counted_duplicates(wire), 1);
}

static void a_repeated_send_uses_no_second_receive(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;

	(void)two_receive(qp, 0, 64);
	(void)two_receive(qp, 64, 64);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	(void)two_wire_expect(wire, qp, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(qp, TWO_RECEIVE);
}

static void put_five_writes(struct two_wire *wire)
{
	uint32_t i;

	for (i = 0; i < 5; i++) {
		script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + i, 8, 1);
		script_expect_ack(wire, SCRIPT_PSN + i, i + 1);
	}
}

/* The newest PSN: it speaks for all before it. */
static void an_old_duplicate_is_acknowledged_with_the_latest_psn(void **state)
{
	struct two_wire *wire = *state;

	put_five_writes(wire);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN + 4, 5);
}

/* As rdma_rxe repeats, which does not say "migrated". */
static void repeat_unmigrated(struct two_wire *wire, uint32_t psn)
{
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_ONLY, psn, 8);

	packet.migration = false;
	script_send(wire, &packet, 1);
}

static void who_is_not_migrated_is_told_of_what_it_repeated(void **state)
{
	struct two_wire *wire = *state;
	uint32_t i;

	put_five_writes(wire);
	for (i = 1; i < 5; i++) {
		repeat_unmigrated(wire, SCRIPT_PSN + i);
		script_expect_ack(wire, SCRIPT_PSN + i, 5);
	}
	assert_int_equal(counted_duplicates(wire), 4);
	script_expect_silence(wire);
}

static void a_burst_of_repeated_packets_is_acknowledged_once(void **state)
{
	struct two_wire *wire = *state;

	put_five_writes(wire);
	wire->a.corked = true;
	repeat_unmigrated(wire, SCRIPT_PSN + 2);
	repeat_unmigrated(wire, SCRIPT_PSN + 3);
	repeat_unmigrated(wire, SCRIPT_PSN + 1);
	(void)two_wire_step(wire);
	script_expect_ack(wire, SCRIPT_PSN + 3, 5);
	script_expect_silence(wire);
	wire->a.corked = false;
	/* The next burst begins anew. */
	repeat_unmigrated(wire, SCRIPT_PSN);
	script_expect_ack(wire, SCRIPT_PSN, 5);
}

/* What is new is acknowledged, and speaks for what was repeated. */
static void a_new_packet_after_repeated_ones_is_acknowledged(void **state)
{
	struct two_wire *wire = *state;

	put_five_writes(wire);
	wire->a.corked = true;
	repeat_unmigrated(wire, SCRIPT_PSN + 4);
	repeat_unmigrated(wire, SCRIPT_PSN + 5);
	(void)two_wire_step(wire);
	script_expect_ack(wire, SCRIPT_PSN + 5, 6);
	script_expect_silence(wire);
}

/* In the middle of a message, whose packets came already. */
static void a_repeated_part_does_not_disturb_the_message(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;

	(void)two_receive(qp, 0, 1024);
	script_put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 0);
	script_put(wire, ROCE_SEND_MIDDLE, SCRIPT_PSN + 1, 256, 1);
	script_put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 0);
	script_put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 2, 10, 2);
	assert_int_equal(two_wire_expect(wire, qp, TWO_RECEIVE,
					 ARNICA_HW_STATUS_SUCCESS)
				 .byte_len,
			 522);
	two_check(wire->two.b.buffer, 256, 0);
	two_check(wire->two.b.buffer + 256, 256, 1);
	two_check(wire->two.b.buffer + 512, 10, 2);
}

static struct roce_packet read_request(struct two_wire *wire, uint32_t psn,
				       uint32_t offset, uint32_t bytes)
{
	struct roce_packet packet =
		script_request(wire, ROCE_READ_REQUEST, psn, 0);

	packet.address += offset;
	packet.dma_length = bytes;
	return packet;
}

static void expect_responses(struct two_wire *wire, uint32_t psn,
			     uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		(void)script_expect(wire,
				    count == 1	   ? ROCE_READ_RESPONSE_ONLY :
				    i == 0	   ? ROCE_READ_RESPONSE_FIRST :
				    i == count - 1 ? ROCE_READ_RESPONSE_LAST :
						     ROCE_READ_RESPONSE_MIDDLE,
				    psn + i);
}

static void a_repeated_read_is_read_again(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = read_request(wire, SCRIPT_PSN, 0, 600);
	struct two_packet *answer;

	two_fill(wire->two.b.buffer, 600, 1);
	script_send(wire, &packet, 0);
	expect_responses(wire, SCRIPT_PSN, 3);
	two_fill(wire->two.b.buffer, 600, 2);
	script_send(wire, &packet, 0);
	answer = script_expect(wire, ROCE_READ_RESPONSE_FIRST, SCRIPT_PSN);
	two_check(answer->payload, 256, 2);
	assert_int_equal(answer->packet.msn, 1);
	expect_responses(wire, SCRIPT_PSN + 3, 0);
	assert_int_equal(two_shared_of(&wire->two.qp_b)->expected_psn,
			 SCRIPT_PSN + 3);
}

/* The rest of it, and a piece out of its middle. */
static void parts_of_a_read_are_read_again(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = read_request(wire, SCRIPT_PSN, 0, 1000);
	struct two_packet *answer;

	two_fill(wire->two.b.buffer, 1000, 1);
	script_send(wire, &packet, 0);
	expect_responses(wire, SCRIPT_PSN, 4);
	packet = read_request(wire, SCRIPT_PSN + 2, 512, 488);
	script_send(wire, &packet, 0);
	answer = script_expect(wire, ROCE_READ_RESPONSE_FIRST, SCRIPT_PSN + 2);
	assert_memory_equal(answer->payload, wire->two.b.buffer + 512, 256);
	answer = script_expect(wire, ROCE_READ_RESPONSE_LAST, SCRIPT_PSN + 3);
	assert_int_equal(answer->packet.payload_bytes, 232);
	packet = read_request(wire, SCRIPT_PSN + 1, 256, 256);
	script_send(wire, &packet, 0);
	answer = script_expect(wire, ROCE_READ_RESPONSE_ONLY, SCRIPT_PSN + 1);
	assert_memory_equal(answer->payload, wire->two.b.buffer + 256, 256);
	script_expect_silence(wire);
}

/* Both are answered, each as a request of its own. */
static void two_parts_of_a_read_may_come_in_one_burst(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = read_request(wire, SCRIPT_PSN, 0, 1024);

	script_send(wire, &packet, 0);
	expect_responses(wire, SCRIPT_PSN, 4);
	wire->a.corked = true;
	packet = read_request(wire, SCRIPT_PSN + 1, 256, 256);
	script_send(wire, &packet, 0);
	packet = read_request(wire, SCRIPT_PSN + 2, 512, 512);
	script_send(wire, &packet, 0);
	(void)two_wire_step(wire);
	expect_responses(wire, SCRIPT_PSN + 1, 1);
	expect_responses(wire, SCRIPT_PSN + 2, 2);
	script_expect_silence(wire);
}

/* More than can be remembered: the rest is asked for once more. */
static void repeated_reads_are_bounded(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		read_request(wire, SCRIPT_PSN, 0, 400 * 256);
	uint32_t i;

	script_send(wire, &packet, 0);
	(void)two_wire_settle(wire, 1000000);
	expect_responses(wire, SCRIPT_PSN, 400);
	wire->a.corked = true;
	for (i = 0; i < 300; i++) {
		packet = read_request(wire, SCRIPT_PSN + i, 256 * i, 256);
		script_send(wire, &packet, 0);
	}
	(void)two_wire_settle(wire, 1000000);
	for (i = 0; i < 256; i++)
		expect_responses(wire, SCRIPT_PSN + i, 1);
}

/* What lies not in the read that was accepted with this PSN. */
static void repeated_reads_of_something_else_are_dropped(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = read_request(wire, SCRIPT_PSN, 0, 600);
	struct roce_packet wrong[] = {
		read_request(wire, SCRIPT_PSN, 0, 601),
		read_request(wire, SCRIPT_PSN, 1, 100),
		read_request(wire, SCRIPT_PSN + 1, 0, 100),
		read_request(wire, SCRIPT_PSN + 2, 512, 89),
		read_request(wire, SCRIPT_PSN, 0, 0),
		read_request(wire, SCRIPT_PSN, 0, 0xffffffff),
		packet,
	};
	uint32_t i, count = sizeof(wrong) / sizeof(wrong[0]);

	wrong[count - 1].rkey++;
	script_send(wire, &packet, 0);
	expect_responses(wire, SCRIPT_PSN, 3);
	for (i = 0; i < count; i++) {
		script_send(wire, &wrong[i], 0);
		script_expect_silence(wire);
	}
	assert_int_equal(two_function_of(&wire->two.b)->counters.wire_ghosts,
			 count);
	assert_int_equal(two_state(&wire->two.qp_b), ARNICA_HW_QPS_RTS);
}

static void an_atomic_that_comes_again_is_not_executed_again(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_FETCH_ADD, SCRIPT_PSN, 0);
	uint64_t *word = (uint64_t *)(void *)wire->two.b.buffer;
	uint32_t i;

	*word = 10;
	packet.swap_or_add = 1;
	for (i = 0; i < 5; i++) {
		script_send(wire, &packet, 0);
		assert_int_equal(script_expect(wire, ROCE_ATOMIC_ACKNOWLEDGE,
					       SCRIPT_PSN)
					 ->packet.original,
				 10);
	}
	assert_int_equal(*word, 11);
}

/* A read is not an atomic, whatever its PSN was. */
static void an_atomic_in_place_of_a_read_is_dropped(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = read_request(wire, SCRIPT_PSN, 0, 8);

	script_send(wire, &packet, 0);
	expect_responses(wire, SCRIPT_PSN, 1);
	packet.opcode = ROCE_FETCH_ADD;
	script_send(wire, &packet, 0);
	script_expect_silence(wire);
}

/* The QP has 16 resources: what is older is not known any more. */
static void atomics_older_than_the_resources_are_dropped(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_FETCH_ADD, SCRIPT_PSN, 0);
	uint64_t *word = (uint64_t *)(void *)wire->two.b.buffer;
	uint32_t i;

	packet.swap_or_add = 1;
	for (i = 0; i < 20; i++) {
		packet.psn = SCRIPT_PSN + i;
		script_send(wire, &packet, 0);
		(void)script_expect(wire, ROCE_ATOMIC_ACKNOWLEDGE, packet.psn);
	}
	for (i = 0; i < 20; i++) {
		packet.psn = SCRIPT_PSN + i;
		script_send(wire, &packet, 0);
		if (i >= 4)
			assert_int_equal(
				script_expect(wire, ROCE_ATOMIC_ACKNOWLEDGE,
					      packet.psn)
					->packet.original,
				i);
		script_expect_silence(wire);
	}
	assert_int_equal(*word, 20);
}

static void a_gap_is_told_once(void **state)
{
	struct two_wire *wire = *state;
	uint32_t i;

	for (i = 1; i < 5; i++)
		script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + i, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN, sequence_nak);
	script_expect_silence(wire);
	assert_int_equal(wire->two.b.buffer[0], 0);
	/* What was dropped comes again with the rest. */
	for (i = 0; i < 5; i++) {
		script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + i, 8, 1);
		script_expect_ack(wire, SCRIPT_PSN + i, i + 1);
	}
}

static void the_next_gap_is_told_again(void **state)
{
	struct two_wire *wire = *state;

	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN, sequence_nak);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 2, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN + 1, sequence_nak);
}

/* The requester went back, and the packet was lost once more. */
static void a_gap_that_opens_again_is_told_again(void **state)
{
	struct two_wire *wire = *state;

	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 1);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 2, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN, sequence_nak);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN, sequence_nak);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 2, 8, 1);
	script_expect_silence(wire);
}

/* A gap of one packet, half of the numbers, and one less. */
static void the_future_ends_where_the_past_begins(void **state)
{
	struct two_wire *wire = *state;

	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 0x7fffff, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN, sequence_nak);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 0x800000, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN - 1, 0);
	assert_int_equal(wire->two.b.buffer[0], 0);
}

/* A NAK acknowledges what was before it, so it waits for responses, too. */
static void a_nak_waits_for_responses_before_it(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = read_request(wire, SCRIPT_PSN, 0, 25600);

	script_send(wire, &packet, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 105, 8, 1);
	(void)two_wire_settle(wire, 1000000);
	expect_responses(wire, SCRIPT_PSN, 100);
	script_expect_syndrome(wire, SCRIPT_PSN + 100, sequence_nak);
	script_expect_silence(wire);
}

/* A read that is answered still begins anew when it comes again. */
static void a_read_under_way_begins_anew(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = read_request(wire, SCRIPT_PSN, 0, 25600);
	uint32_t sent = 0;
	struct two_packet answer;

	script_send(wire, &packet, 0);
	while (two_wire_read(&wire->a, &answer))
		sent++;
	assert_in_range(sent, 1, 99);
	script_send(wire, &packet, 0);
	(void)two_wire_settle(wire, 1000000);
	expect_responses(wire, SCRIPT_PSN, 100);
	script_expect_silence(wire);
}

static void one_acknowledgement_speaks_for_a_burst(void **state)
{
	struct two_wire *wire = *state;
	uint32_t i;

	wire->a.corked = true;
	for (i = 0; i < 8; i++)
		script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + i, 8, 0);
	(void)two_wire_step(wire);
	script_expect_ack(wire, SCRIPT_PSN + 7, 8);
	script_expect_silence(wire);
}

/* Two packets change places, and the first of them comes before anybody had
 * to be told: then the other one is what is missing. */
static void a_gap_that_closes_within_a_burst_moves_on(void **state)
{
	struct two_wire *wire = *state;

	wire->a.corked = true;
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 0);
	(void)two_wire_step(wire);
	script_expect_syndrome(wire, SCRIPT_PSN + 1, sequence_nak);
	script_expect_silence(wire);
}

static void a_gap_that_closes_whole_within_a_burst_is_none(void **state)
{
	struct two_wire *wire = *state;

	wire->a.corked = true;
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 1, 8, 0);
	(void)two_wire_step(wire);
	script_expect_ack(wire, SCRIPT_PSN + 1, 2);
	script_expect_silence(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		script_test(a_repeated_write_is_acknowledged_and_not_executed),
		script_test(a_repeated_send_uses_no_second_receive),
		script_test(
			an_old_duplicate_is_acknowledged_with_the_latest_psn),
		script_test(who_is_not_migrated_is_told_of_what_it_repeated),
		script_test(a_burst_of_repeated_packets_is_acknowledged_once),
		script_test(a_new_packet_after_repeated_ones_is_acknowledged),
		script_test(a_repeated_part_does_not_disturb_the_message),
		script_test(a_repeated_read_is_read_again),
		script_test(parts_of_a_read_are_read_again),
		script_test(two_parts_of_a_read_may_come_in_one_burst),
		script_test(repeated_reads_are_bounded),
		script_test(repeated_reads_of_something_else_are_dropped),
		script_test(an_atomic_that_comes_again_is_not_executed_again),
		script_test(an_atomic_in_place_of_a_read_is_dropped),
		script_test(atomics_older_than_the_resources_are_dropped),
		script_test(a_gap_is_told_once),
		script_test(the_next_gap_is_told_again),
		script_test(a_gap_that_opens_again_is_told_again),
		script_test(the_future_ends_where_the_past_begins),
		script_test(a_nak_waits_for_responses_before_it),
		script_test(a_read_under_way_begins_anew),
		script_test(one_acknowledgement_speaks_for_a_burst),
		script_test(a_gap_that_closes_within_a_burst_moves_on),
		script_test(a_gap_that_closes_whole_within_a_burst_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
