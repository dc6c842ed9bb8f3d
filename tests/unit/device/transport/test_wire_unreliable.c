/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Responder over the wire, UC: what is broken is dropped without a word, and the
 * next message is taken (IBTA 9.8.2.2).
 */
#include <string.h>

#include "two_script.h"

static int setup(void **state)
{
	struct two_wish wish = two_defaults();
	struct two_wire *wire;

	if (two_wire_setup(state))
		return -1;
	wire = *state;
	wish.type = ARNICA_HW_QP_UC;
	wish.mtu = 1;
	wish.sq_psn = wish.rq_psn = SCRIPT_PSN;
	two_wire_connect(wire, &wish);
	wire->a.held = true;
	return 0;
}

#define unreliable_test(function)                                              \
	cmocka_unit_test_setup_teardown(function, setup, two_wire_teardown)

static void put(struct two_wire *wire, uint8_t operation, uint32_t psn,
		uint32_t payload_bytes, uint32_t seed)
{
	script_put(wire, ROCE_UC | operation, psn, payload_bytes, seed);
	script_expect_silence(wire);
}

static void expect_receive(struct two_wire *wire, uint32_t index,
			   uint32_t bytes)
{
	struct two_completion completion =
		two_wire_expect(wire, &wire->two.qp_b, TWO_RECEIVE,
				ARNICA_HW_STATUS_SUCCESS);

	assert_int_equal(completion.wqe_index, index);
	assert_int_equal(completion.byte_len, bytes);
}

static void messages_arrive_and_nothing_is_answered(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet;

	(void)two_receive(&wire->two.qp_b, 0, 1024);
	(void)two_receive(&wire->two.qp_b, 2048, 64);
	put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 1);
	put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 1, 5, 2);
	expect_receive(wire, 0, 261);
	two_check(wire->two.b.buffer, 256, 1);
	two_check(wire->two.b.buffer + 256, 5, 2);
	put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 2, 100, 3);
	two_check(wire->two.b.buffer, 100, 3);
	packet = script_request(wire, ROCE_UC | ROCE_WRITE_ONLY_IMM,
				SCRIPT_PSN + 3, 10);
	script_send(wire, &packet, 4);
	expect_receive(wire, 1, 10);
}

/* The receive entry that was begun serves the next message. */
static void a_message_that_lost_its_end_leaves_its_receive(void **state)
{
	struct two_wire *wire = *state;

	(void)two_receive(&wire->two.qp_b, 0, 1024);
	put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 1);
	put(wire, ROCE_SEND_ONLY, SCRIPT_PSN + 2, 8, 2);
	expect_receive(wire, 0, 8);
	two_check(wire->two.b.buffer, 8, 2);
}

static void a_message_that_lost_its_middle_is_dropped_whole(void **state)
{
	struct two_wire *wire = *state;

	(void)two_receive(&wire->two.qp_b, 0, 1024);
	put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 1);
	put(wire, ROCE_SEND_MIDDLE, SCRIPT_PSN + 2, 256, 1);
	put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 3, 8, 1);
	two_expect_none(&wire->two.qp_b, TWO_RECEIVE);
	put(wire, ROCE_SEND_FIRST, SCRIPT_PSN + 4, 256, 5);
	put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 5, 8, 6);
	expect_receive(wire, 0, 264);
	two_check(wire->two.b.buffer, 256, 5);
}

static void a_message_that_lost_its_begin_is_dropped_whole(void **state)
{
	struct two_wire *wire = *state;

	(void)two_receive(&wire->two.qp_b, 0, 1024);
	put(wire, ROCE_SEND_MIDDLE, SCRIPT_PSN + 1, 256, 1);
	put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 2, 8, 1);
	two_expect_none(&wire->two.qp_b, TWO_RECEIVE);
	put(wire, ROCE_SEND_ONLY, SCRIPT_PSN + 3, 8, 1);
	expect_receive(wire, 0, 8);
}

static void without_a_receive_the_message_is_lost(void **state)
{
	struct two_wire *wire = *state;

	put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 1);
	(void)two_receive(&wire->two.qp_b, 0, 1024);
	put(wire, ROCE_SEND_LAST, SCRIPT_PSN + 1, 8, 1);
	two_expect_none(&wire->two.qp_b, TWO_RECEIVE);
	put(wire, ROCE_SEND_ONLY, SCRIPT_PSN + 2, 8, 1);
	expect_receive(wire, 0, 8);
}

/* Each of them: dropped, no error, and the next message is taken. */
static void what_is_wrong_is_dropped(void **state)
{
	static const struct {
		uint8_t operation;
		uint32_t payload, dma_length;
		uint32_t rkey_change;
	} wrong[] = {
		{ ROCE_WRITE_ONLY, 8, 8, 1 },	 { ROCE_WRITE_ONLY, 8, 9, 0 },
		{ ROCE_WRITE_FIRST, 255, 999, 0 }, { ROCE_SEND_ONLY, 257, 0, 0 },
		{ ROCE_SEND_ONLY, 65, 0, 0 },	 { ROCE_SEND_FIRST, 256, 0, 0 },
	};
	struct two_wire *wire = *state;
	uint32_t i, psn = SCRIPT_PSN, count = sizeof(wrong) / sizeof(wrong[0]);

	(void)two_receive(&wire->two.qp_b, 4096, 64);
	for (i = 0; i < count; i++, psn++) {
		struct roce_packet packet =
			script_request(wire, ROCE_UC | wrong[i].operation, psn,
				       wrong[i].payload);

		packet.rkey ^= wrong[i].rkey_change;
		packet.dma_length = wrong[i].dma_length;
		script_send(wire, &packet, 1);
		script_expect_silence(wire);
		assert_int_equal(wire->two.b.buffer[0], 0);
		two_expect_none(&wire->two.qp_b, TWO_RECEIVE);
	}
	assert_int_equal(
		two_function_of(&wire->two.b)->counters.wire_uc_dropped, count);
	put(wire, ROCE_SEND_ONLY, psn, 8, 1);
	expect_receive(wire, 0, 8);
	assert_int_equal(two_state(&wire->two.qp_b), ARNICA_HW_QPS_RTS);
}

/* The QP's own fault is one on any transport. */
static void a_receive_with_a_wrong_key_ends_the_connection(void **state)
{
	struct two_wire *wire = *state;
	struct arnica_hw_data_segment segment =
		two_segment(&wire->two.b, 0, 64);

	segment.lkey = arnica_to_le32(wire->two.b.stag ^ 1);
	(void)two_receive_list(&wire->two.qp_b, &segment, 1);
	put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	(void)two_wire_expect(wire, &wire->two.qp_b, TWO_RECEIVE,
			      ARNICA_HW_STATUS_LOC_PROT_ERR);
	two_wire_expect_state(wire, &wire->two.qp_b, ARNICA_HW_QPS_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unreliable_test(messages_arrive_and_nothing_is_answered),
		unreliable_test(a_message_that_lost_its_end_leaves_its_receive),
		unreliable_test(a_message_that_lost_its_middle_is_dropped_whole),
		unreliable_test(a_message_that_lost_its_begin_is_dropped_whole),
		unreliable_test(without_a_receive_the_message_is_lost),
		unreliable_test(what_is_wrong_is_dropped),
		unreliable_test(a_receive_with_a_wrong_key_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
