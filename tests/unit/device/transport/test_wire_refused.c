/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Responder over the wire, RC: requests that are refused, how, and what becomes
 * of the connection (IBTA 9.7.4.1, 9.9.3).
 */
#include <string.h>

#include <infiniband/verbs.h>

#include "two_script.h"

#define NAK(reason) ((uint8_t)(ROCE_SYNDROME_NAK | ROCE_NAK_##reason))

/* The refusal ended the connection: state, event, and silence from then on. */
static void expect_end(struct two_wire *wire, uint32_t psn, uint8_t syndrome,
		       int event)
{
	struct two *two = &wire->two;

	script_expect_syndrome(wire, psn, syndrome);
	script_expect_silence(wire);
	two_wire_expect_state(wire, &two->qp_b, ARNICA_HW_QPS_ERR);
	assert_int_equal(two_async(&two->b, event != -1), event);
	script_put(wire, ROCE_WRITE_ONLY, psn, 1, 0);
	script_expect_silence(wire);
	assert_int_equal(two->b.buffer[TWO_BUFFER_BYTES - 1], 0);
}

static void expect_invalid(struct two_wire *wire, uint32_t psn)
{
	expect_end(wire, psn, NAK(INVALID_REQUEST), IBV_EVENT_QP_REQ_ERR);
}

static void expect_access(struct two_wire *wire, uint32_t psn)
{
	expect_end(wire, psn, NAK(REMOTE_ACCESS), IBV_EVENT_QP_ACCESS_ERR);
}

static void put_first(struct two_wire *wire, uint8_t opcode)
{
	struct roce_packet packet =
		script_request(wire, opcode, SCRIPT_PSN, 256);

	packet.dma_length = 1000;
	packet.ack_request = false;
	(void)two_receive(&wire->two.qp_b, 4096, 4096);
	script_send(wire, &packet, 0);
	script_expect_silence(wire);
}

/* Each opcode after each kind of beginning: the table of 9.7.4.1.2. */
struct order {
	uint8_t begin; /* 0xff: none */
	uint8_t opcode;
};

static const struct order disorder[] = {
	{ 0xff, ROCE_SEND_MIDDLE },
	{ 0xff, ROCE_SEND_LAST },
	{ 0xff, ROCE_SEND_LAST_IMM },
	{ 0xff, ROCE_WRITE_MIDDLE },
	{ 0xff, ROCE_WRITE_LAST },
	{ 0xff, ROCE_WRITE_LAST_IMM },
	{ ROCE_SEND_FIRST, ROCE_SEND_FIRST },
	{ ROCE_SEND_FIRST, ROCE_SEND_ONLY },
	{ ROCE_SEND_FIRST, ROCE_SEND_ONLY_IMM },
	{ ROCE_SEND_FIRST, ROCE_WRITE_FIRST },
	{ ROCE_SEND_FIRST, ROCE_WRITE_MIDDLE },
	{ ROCE_SEND_FIRST, ROCE_WRITE_LAST },
	{ ROCE_SEND_FIRST, ROCE_WRITE_LAST_IMM },
	{ ROCE_SEND_FIRST, ROCE_WRITE_ONLY },
	{ ROCE_SEND_FIRST, ROCE_WRITE_ONLY_IMM },
	{ ROCE_SEND_FIRST, ROCE_READ_REQUEST },
	{ ROCE_SEND_FIRST, ROCE_FETCH_ADD },
	{ ROCE_SEND_FIRST, ROCE_COMPARE_SWAP },
	{ ROCE_WRITE_FIRST, ROCE_SEND_FIRST },
	{ ROCE_WRITE_FIRST, ROCE_SEND_MIDDLE },
	{ ROCE_WRITE_FIRST, ROCE_SEND_LAST },
	{ ROCE_WRITE_FIRST, ROCE_SEND_LAST_IMM },
	{ ROCE_WRITE_FIRST, ROCE_SEND_ONLY },
	{ ROCE_WRITE_FIRST, ROCE_SEND_ONLY_IMM },
	{ ROCE_WRITE_FIRST, ROCE_WRITE_FIRST },
	{ ROCE_WRITE_FIRST, ROCE_WRITE_ONLY },
	{ ROCE_WRITE_FIRST, ROCE_WRITE_ONLY_IMM },
	{ ROCE_WRITE_FIRST, ROCE_READ_REQUEST },
	{ ROCE_WRITE_FIRST, ROCE_FETCH_ADD },
	{ ROCE_WRITE_FIRST, ROCE_COMPARE_SWAP },
};

static uint32_t fitting_payload(uint8_t opcode)
{
	switch (opcode) {
	case ROCE_READ_REQUEST:
	case ROCE_FETCH_ADD:
	case ROCE_COMPARE_SWAP:
		return 0;
	case ROCE_SEND_FIRST:
	case ROCE_SEND_MIDDLE:
	case ROCE_WRITE_FIRST:
	case ROCE_WRITE_MIDDLE:
		return 256;
	default:
		return 8;
	}
}

static void packets_out_of_their_order_are_invalid(void **state)
{
	uint32_t i;

	for (i = 0; i < sizeof(disorder) / sizeof(disorder[0]); i++) {
		uint32_t psn = SCRIPT_PSN;
		struct roce_packet packet;
		struct two_wire *wire;

		assert_ok(script_setup(state));
		wire = *state;
		if (disorder[i].begin != 0xff) {
			put_first(wire, disorder[i].begin);
			psn++;
		}
		packet = script_request(wire, disorder[i].opcode, psn,
					fitting_payload(disorder[i].opcode));
		if (disorder[i].opcode == ROCE_WRITE_FIRST)
			packet.dma_length = 1000;
		script_send(wire, &packet, 0);
		expect_invalid(wire, psn);
		assert_ok(two_wire_teardown(state));
	}
}

/* Lengths that do not fit their packet, 9.7.4.1.6. */
struct length {
	uint8_t begin;
	uint8_t opcode;
	uint32_t payload;
	uint32_t dma_length;
};

static const struct length wrong_lengths[] = {
	{ 0xff, ROCE_SEND_FIRST, 255, 0 },
	{ 0xff, ROCE_SEND_FIRST, 257, 0 },
	{ 0xff, ROCE_SEND_FIRST, 0, 0 },
	{ 0xff, ROCE_SEND_ONLY, 257, 0 },
	{ 0xff, ROCE_SEND_ONLY, 4096, 0 },
	{ ROCE_SEND_FIRST, ROCE_SEND_MIDDLE, 0, 0 },
	{ ROCE_SEND_FIRST, ROCE_SEND_MIDDLE, 255, 0 },
	{ ROCE_SEND_FIRST, ROCE_SEND_LAST, 0, 0 },
	{ ROCE_SEND_FIRST, ROCE_SEND_LAST, 257, 0 },
	{ 0xff, ROCE_WRITE_FIRST, 255, 1000 },
	{ 0xff, ROCE_WRITE_FIRST, 256, 256 },
	{ 0xff, ROCE_WRITE_FIRST, 256, 0 },
	{ 0xff, ROCE_WRITE_FIRST, 256, 0x80000001 },
	{ 0xff, ROCE_WRITE_ONLY, 8, 7 },
	{ 0xff, ROCE_WRITE_ONLY, 8, 9 },
	{ 0xff, ROCE_WRITE_ONLY, 0, 1 },
	{ 0xff, ROCE_WRITE_ONLY, 257, 257 },
	{ ROCE_WRITE_FIRST, ROCE_WRITE_MIDDLE, 255, 0 },
	{ ROCE_WRITE_FIRST, ROCE_WRITE_LAST, 0, 0 },
	{ ROCE_WRITE_FIRST, ROCE_WRITE_LAST, 256, 0 },
	{ ROCE_WRITE_FIRST, ROCE_WRITE_LAST, 257, 0 },
	{ 0xff, ROCE_READ_REQUEST, 0, 0x80000001 },
};

static void packets_of_wrong_length_are_invalid(void **state)
{
	uint32_t i, count = sizeof(wrong_lengths) / sizeof(wrong_lengths[0]);

	for (i = 0; i < count; i++) {
		const struct length *row = &wrong_lengths[i];
		uint32_t psn = SCRIPT_PSN;
		struct roce_packet packet;
		struct two_wire *wire;

		assert_ok(script_setup(state));
		wire = *state;
		if (row->begin != 0xff) {
			put_first(wire, row->begin);
			psn++;
		} else {
			(void)two_receive(&wire->two.qp_b, 0, 8192);
		}
		packet = script_request(wire, row->opcode, psn, row->payload);
		packet.dma_length = row->dma_length;
		script_send(wire, &packet, 0);
		expect_invalid(wire, psn);
		assert_ok(two_wire_teardown(state));
	}
}

/* A write of 1000 bytes: too many packets, and too few. */
static void a_write_that_is_not_as_long_as_it_said_is_invalid(void **state)
{
	struct two_wire *wire = *state;
	uint32_t i;

	put_first(wire, ROCE_WRITE_FIRST);
	for (i = 1; i < 3; i++) {
		script_put(wire, ROCE_WRITE_MIDDLE, SCRIPT_PSN + i, 256, 0);
		script_expect_ack(wire, SCRIPT_PSN + i, 0);
	}
	script_put(wire, ROCE_WRITE_MIDDLE, SCRIPT_PSN + 3, 256, 0);
	expect_invalid(wire, SCRIPT_PSN + 3);
	two_check(wire->two.b.buffer + 512, 256, 0);
	assert_int_equal(wire->two.b.buffer[768], 0);
}

static void a_key_that_is_wrong_touches_nothing(void **state)
{
	static const uint8_t opcodes[] = { ROCE_WRITE_ONLY, ROCE_READ_REQUEST,
					   ROCE_FETCH_ADD };
	uint32_t i;

	for (i = 0; i < 3; i++) {
		struct roce_packet packet;
		struct two_wire *wire;

		assert_ok(script_setup(state));
		wire = *state;
		packet = script_request(wire, opcodes[i], SCRIPT_PSN,
					i ? 0 : 8);
		packet.dma_length = 8;
		packet.swap_or_add = 1;
		packet.rkey ^= 1;
		script_send(wire, &packet, 0);
		expect_access(wire, SCRIPT_PSN);
		assert_int_equal(wire->two.b.buffer[0], 0);
		assert_ok(two_wire_teardown(state));
	}
}

/* The whole range counts, when the first packet comes. */
static void a_write_beyond_its_region_is_refused_at_its_begin(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_FIRST, SCRIPT_PSN, 256);

	packet.address += TWO_BUFFER_BYTES - 999;
	packet.dma_length = 1000;
	script_send(wire, &packet, 3);
	expect_access(wire, SCRIPT_PSN);
}

static void a_region_that_went_away_is_not_written(void **state)
{
	struct two_wire *wire = *state;
	struct two_function *b = &wire->two.b;

	put_first(wire, ROCE_WRITE_FIRST);
	assert_ok(two_object(b, ARNICA_HW_CMD_DEREG_MR, b->mr));
	memset(b->buffer, 0, 1024);
	script_put(wire, ROCE_WRITE_MIDDLE, SCRIPT_PSN + 1, 256, 1);
	expect_access(wire, SCRIPT_PSN + 1);
	assert_int_equal(b->buffer[256], 0);
}

/* While responses go out: the NAK stands in for the one that is due. */
static void a_region_that_went_away_is_not_read(void **state)
{
	struct two_wire *wire = *state;
	struct two_function *b = &wire->two.b;
	struct roce_packet packet =
		script_request(wire, ROCE_READ_REQUEST, SCRIPT_PSN, 0);
	struct two_packet answer;
	uint32_t sent = 0;

	packet.dma_length = 25600;
	script_send(wire, &packet, 0);
	while (two_wire_read(&wire->a, &answer))
		sent++;
	assert_in_range(sent, 1, 99);
	assert_ok(two_object(b, ARNICA_HW_CMD_DEREG_MR, b->mr));
	(void)two_wire_settle(wire, 1000000);
	expect_access(wire, SCRIPT_PSN + sent);
}

/* The rights of the QP: what the other may do at all. */
static void operations_that_the_qp_forbids_are_invalid(void **state)
{
	static const uint8_t opcodes[] = { ROCE_WRITE_ONLY, ROCE_READ_REQUEST,
					   ROCE_FETCH_ADD, ROCE_COMPARE_SWAP };
	uint32_t i;

	for (i = 0; i < 4; i++) {
		struct two_wish wish = two_defaults();
		struct two_wire *wire;

		assert_ok(two_wire_setup(state));
		wire = *state;
		wish.access = ARNICA_HW_ACCESS_LOCAL_WRITE;
		wish.sq_psn = wish.rq_psn = SCRIPT_PSN;
		two_wire_connect(wire, &wish);
		wire->a.held = true;
		script_put(wire, opcodes[i], SCRIPT_PSN, 0, 0);
		expect_invalid(wire, SCRIPT_PSN);
		assert_ok(two_wire_teardown(state));
	}
}

static void without_resources_reads_and_atomics_are_invalid(void **state)
{
	static const uint8_t opcodes[] = { ROCE_READ_REQUEST, ROCE_FETCH_ADD };
	uint32_t i;

	for (i = 0; i < 2; i++) {
		struct two_wish wish = two_defaults();
		struct two_wire *wire;

		assert_ok(two_wire_setup(state));
		wire = *state;
		wish.rd_atomic = 0;
		wish.sq_psn = wish.rq_psn = SCRIPT_PSN;
		two_wire_connect(wire, &wish);
		wire->a.held = true;
		script_put(wire, opcodes[i], SCRIPT_PSN, 0, 0);
		expect_invalid(wire, SCRIPT_PSN);
		assert_ok(two_wire_teardown(state));
	}
}

/* So many resources, and one read more before the first is answered. */
/* Of each read: many turns. */
#define READ_PACKETS 500u

static void one_read_more_than_resources(struct two_wire *wire,
					 uint32_t resources, uint32_t wanted)
{
	struct two_wish wish = two_defaults();
	struct two_packet answer;
	uint32_t i;

	wish.mtu = 1;
	wish.rd_atomic = wanted;
	wish.sq_psn = wish.rq_psn = SCRIPT_PSN;
	two_wire_connect(wire, &wish);
	wire->a.held = true;
	for (i = 0; i <= resources; i++) {
		struct roce_packet packet = script_request(
			wire, ROCE_READ_REQUEST, SCRIPT_PSN + READ_PACKETS * i, 0);

		packet.dma_length = READ_PACKETS * 256;
		script_send(wire, &packet, 0);
	}
	(void)two_wire_settle(wire, 1000000);
	for (i = 0; i < READ_PACKETS * resources; i++)
		assert_true(two_wire_read(&wire->a, &answer));
	expect_invalid(wire, SCRIPT_PSN + READ_PACKETS * resources);
}

static void more_reads_than_resources_are_invalid(void **state)
{
	one_read_more_than_resources(*state, 2, 2);
}

/* As peers round the number of what they have under way. */
static void resources_are_rounded_up_to_a_power_of_two(void **state)
{
	one_read_more_than_resources(*state, 4, 3);
}

static void an_atomic_at_an_odd_address_is_invalid(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_FETCH_ADD, SCRIPT_PSN, 0);

	packet.address += 4;
	packet.swap_or_add = 1;
	script_send(wire, &packet, 0);
	expect_invalid(wire, SCRIPT_PSN);
	assert_int_equal(wire->two.b.buffer[4], 0);
}

/* There are no windows and no invalidation. */
/* Nobody's key, and a region's, which peers do not take back. */
static void a_key_that_cannot_be_taken_back_fails_the_receive(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;
	struct roce_packet packet = script_request(wire, ROCE_SEND_ONLY_INV,
						   SCRIPT_PSN, 8);

	(void)two_receive(qp, 0, 64);
	packet.invalidate = wire->two.b.stag;
	script_send(wire, &packet, 0);
	script_expect_syndrome(wire, SCRIPT_PSN,
			       ROCE_SYNDROME_NAK | ROCE_NAK_REMOTE_ACCESS);
	(void)two_expect(qp, TWO_RECEIVE, ARNICA_HW_STATUS_REM_INV_REQ_ERR);
	two_expect_state(qp, ARNICA_HW_QPS_ERR);
	assert_int_equal(
		two_function_of(&wire->two.b)->counters.remote_access, 1);
}

static void a_message_that_is_too_long_fails_the_receive(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;

	(void)two_receive(qp, 0, 300);
	(void)two_receive(qp, 512, 64);
	script_put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 1);
	script_expect_ack(wire, SCRIPT_PSN, 0);
	script_put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 1, 45, 1);
	expect_end(wire, SCRIPT_PSN + 1, NAK(INVALID_REQUEST), -1);
	(void)two_wire_expect(wire, qp, TWO_RECEIVE,
			      ARNICA_HW_STATUS_LOC_LEN_ERR);
	(void)two_wire_expect(wire, qp, TWO_RECEIVE,
			      ARNICA_HW_STATUS_WR_FLUSH_ERR);
	assert_int_equal(wire->two.b.buffer[256], 0);
}

static void a_receive_with_a_wrong_key_fails(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;
	struct arnica_hw_data_segment segment =
		two_segment(&wire->two.b, 0, 64);

	segment.lkey = arnica_to_le32(wire->two.b.stag ^ 1);
	(void)two_receive_list(qp, &segment, 1);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	expect_end(wire, SCRIPT_PSN, NAK(REMOTE_OPERATION), -1);
	(void)two_wire_expect(wire, qp, TWO_RECEIVE,
			      ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_int_equal(wire->two.b.buffer[0], 0);
}

/* Deregistered between two packets of one message. */
static void a_receive_whose_region_went_away_fails(void **state)
{
	struct two_wire *wire = *state;
	struct two_function *b = &wire->two.b;

	put_first(wire, ROCE_SEND_FIRST);
	assert_ok(two_object(b, ARNICA_HW_CMD_DEREG_MR, b->mr));
	script_put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 1, 100, 1);
	expect_end(wire, SCRIPT_PSN + 1, NAK(REMOTE_OPERATION), -1);
	(void)two_wire_expect(wire, &wire->two.qp_b, TWO_RECEIVE,
			      ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_int_equal(b->buffer[4096 + 256], 0);
}

/* What was promised before is kept: responses first, then the NAK. */
static void a_refusal_waits_for_responses_before_it(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_READ_REQUEST, SCRIPT_PSN, 0);
	struct two_packet answer;
	uint32_t i;

	packet.dma_length = 25600;
	script_send(wire, &packet, 0);
	packet = script_request(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 100, 8);
	packet.rkey ^= 1;
	script_send(wire, &packet, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 101, 8, 1);
	(void)two_wire_settle(wire, 1000000);
	for (i = 0; i < 100; i++)
		assert_true(two_wire_read(&wire->a, &answer));
	expect_access(wire, SCRIPT_PSN + 100);
	assert_int_equal(wire->two.b.buffer[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_out_of_their_order_are_invalid),
		cmocka_unit_test(packets_of_wrong_length_are_invalid),
		script_test(a_write_that_is_not_as_long_as_it_said_is_invalid),
		cmocka_unit_test(a_key_that_is_wrong_touches_nothing),
		script_test(a_write_beyond_its_region_is_refused_at_its_begin),
		script_test(a_region_that_went_away_is_not_written),
		script_test(a_region_that_went_away_is_not_read),
		cmocka_unit_test(operations_that_the_qp_forbids_are_invalid),
		cmocka_unit_test(
			without_resources_reads_and_atomics_are_invalid),
		two_wire_test(more_reads_than_resources_are_invalid),
		two_wire_test(resources_are_rounded_up_to_a_power_of_two),
		script_test(an_atomic_at_an_odd_address_is_invalid),
		script_test(a_key_that_cannot_be_taken_back_fails_the_receive),
		script_test(a_message_that_is_too_long_fails_the_receive),
		script_test(a_receive_with_a_wrong_key_fails),
		script_test(a_receive_whose_region_went_away_fails),
		script_test(a_refusal_waits_for_responses_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
