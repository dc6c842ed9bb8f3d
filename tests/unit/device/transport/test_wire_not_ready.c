/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Responder over the wire, RC: no receive is posted (IBTA 9.7.5.2.8), in every
 * position where one is needed.
 */
#include <string.h>

#include "two_script.h"

/* two_defaults() asks for timer code 1. */
static const uint8_t rnr_nak = ROCE_SYNDROME_RNR_NAK | 1;

struct position {
	uint8_t opcode;
	uint32_t payload;
	bool rest; /* a LAST packet follows */
	uint32_t byte_len;
};

static const struct position positions[] = {
	{ ROCE_SEND_ONLY, 8, false, 8 },
	{ ROCE_SEND_ONLY, 0, false, 0 },
	{ ROCE_SEND_ONLY_IMM, 8, false, 8 },
	{ ROCE_SEND_FIRST, 256, true, 264 },
	{ ROCE_WRITE_ONLY_IMM, 8, false, 8 },
};

static void send_what_needs_a_receive(struct two_wire *wire,
				      const struct position *position)
{
	script_put(wire, position->opcode, SCRIPT_PSN, position->payload, 1);
}

static void every_position_is_refused_until_a_receive_is_posted(void **state)
{
	uint32_t i, count = sizeof(positions) / sizeof(positions[0]);

	for (i = 0; i < count; i++) {
		const struct position *position = &positions[i];
		struct two_wire *wire;
		struct two_qp *qp;

		assert_ok(script_setup(state));
		wire = *state;
		qp = &wire->two.qp_b;
		send_what_needs_a_receive(wire, position);
		script_expect_syndrome(wire, SCRIPT_PSN, rnr_nak);
		/* Not written, whatever it is. */
		assert_int_equal(wire->two.b.buffer[0], 0);
		/* Too early once more, then not. */
		send_what_needs_a_receive(wire, position);
		script_expect_syndrome(wire, SCRIPT_PSN, rnr_nak);
		(void)two_receive(qp, 0, 1024);
		send_what_needs_a_receive(wire, position);
		script_expect_ack(wire, SCRIPT_PSN, position->rest ? 0 : 1);
		if (position->rest)
			script_put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 1, 8, 2);
		assert_int_equal(two_wire_expect(wire, qp, TWO_RECEIVE,
						 ARNICA_HW_STATUS_SUCCESS)
					 .byte_len,
				 position->byte_len);
		assert_ok(two_wire_teardown(state));
	}
}

/* The data before it is there by then; only the end waits. */
static void the_end_of_a_write_waits_for_its_receive(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_FIRST, SCRIPT_PSN, 256);

	packet.dma_length = 264;
	script_send(wire, &packet, 1);
	script_expect_ack(wire, SCRIPT_PSN, 0);
	two_check(wire->two.b.buffer, 256, 1);
	script_put(wire, ROCE_WRITE_LAST_IMM, SCRIPT_PSN + 1, 8, 2);
	script_expect_syndrome(wire, SCRIPT_PSN + 1, rnr_nak);
	(void)two_receive(qp, 4096, 0);
	script_put(wire, ROCE_WRITE_LAST_IMM, SCRIPT_PSN + 1, 8, 2);
	script_expect_ack(wire, SCRIPT_PSN + 1, 1);
	assert_int_equal(two_wire_expect(wire, qp, TWO_RECEIVE,
					 ARNICA_HW_STATUS_SUCCESS)
				 .byte_len,
			 264);
}

static void packets_behind_one_that_waits_are_dropped_in_silence(void **state)
{
	struct two_wire *wire = *state;
	uint32_t i;

	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN, rnr_nak);
	for (i = 1; i < 4; i++)
		script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + i, 8, 1);
	script_expect_silence(wire);
	assert_int_equal(wire->two.b.buffer[0], 0);
	/* What came before it is still acknowledged. */
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN - 1, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN - 1, 0);
}

static void a_gap_after_the_wait_is_told(void **state)
{
	struct two_wire *wire = *state;

	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN, rnr_nak);
	(void)two_receive(&wire->two.qp_b, 0, 64);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 2, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN + 1,
			       ROCE_SYNDROME_NAK | ROCE_NAK_SEQUENCE);
}

/* A repeated one needs none. */
static void a_duplicate_asks_for_no_receive(void **state)
{
	struct two_wire *wire = *state;

	(void)two_receive(&wire->two.qp_b, 0, 64);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
}

/* It comes before the refusal is sent. */
static void a_receive_in_the_same_burst_is_in_time(void **state)
{
	struct two_wire *wire = *state;

	wire->a.corked = true;
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	(void)two_receive(&wire->two.qp_b, 0, 64);
	(void)two_wire_settle(wire, 1000);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	script_expect_silence(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_position_is_refused_until_a_receive_is_posted),
		script_test(the_end_of_a_write_waits_for_its_receive),
		script_test(
			packets_behind_one_that_waits_are_dropped_in_silence),
		script_test(a_gap_after_the_wait_is_told),
		script_test(a_duplicate_asks_for_no_receive),
		script_test(a_receive_in_the_same_burst_is_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
