/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a message looks like on the wire (IBTA 9.2.1, 9.7.2, 9.7.3). */
#include <string.h>
#include <sys/mman.h>

#include <infiniband/verbs.h>

#include "sender_fixture.h"

static void check_payload(struct played *played,
			  const struct played_packet *packet, uint32_t offset,
			  uint32_t bytes)
{
	assert_int_equal(packet->packet.payload_bytes, bytes);
	assert_memory_equal(packet->payload,
			    played->two->a.buffer + offset, bytes);
}

static void a_short_send_is_one_packet(void **state)
{
	struct played played;
	const struct played_packet *packet;

	start(&played, state);
	two_fill(played.two->a.buffer, 8, 1);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 8);
	packet = played_expect(&played, ROCE_SEND_ONLY, PSN);
	check_payload(&played, packet, 0, 8);
	assert_true(packet->packet.ack_request);
	assert_false(packet->packet.solicited);
	assert_true(packet->packet.migration);
	assert_int_equal(packet->packet.pkey, 0xffff);
	played_none(&played);
	assert_int_equal(played.transmits, 1);
	played_stop(&played);
}

static void a_message_without_bytes_is_one_packet_too(void **state)
{
	struct played played;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 0);
	(void)played_send(&played, ARNICA_HW_OP_WRITE, 0, 0);
	assert_int_equal(played_expect(&played, ROCE_SEND_ONLY, PSN)
				 ->packet.payload_bytes, 0);
	assert_int_equal(played_expect(&played, ROCE_WRITE_ONLY, PSN + 1)
				 ->packet.dma_length, 0);
	played_none(&played);
	played_stop(&played);
}

static void a_long_send_is_cut_by_the_path_mtu(void **state)
{
	struct played played;
	const struct played_packet *packet;

	start(&played, state);
	two_fill(played.two->a.buffer, 3 * MTU, 2);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 2 * MTU + 1);
	packet = played_expect(&played, ROCE_SEND_FIRST, PSN);
	check_payload(&played, packet, 0, MTU);
	assert_false(packet->packet.ack_request);
	packet = played_expect(&played, ROCE_SEND_MIDDLE, PSN + 1);
	check_payload(&played, packet, MTU, MTU);
	packet = played_expect(&played, ROCE_SEND_LAST, 0);
	check_payload(&played, packet, 2 * MTU, 1);
	assert_true(packet->packet.ack_request);
	played_none(&played);
	assert_int_equal(played.transmits, 1);
	played_stop(&played);
}

/* Those before it have left; the peer has not got the message. */
static void memory_unmapped_in_the_middle_ends_the_message(void **state)
{
	const uint32_t begin = 65536 - 4 * MTU;
	struct played played;
	uint32_t index, i;

	two_faults_expected();
	start(&played, state);
	two_fill(played.two->a.buffer + begin, 4 * MTU, 3);
	assert_ok(munmap(played.two->a.buffer + 65536, 4096));
	index = played_send(&played, ARNICA_HW_OP_SEND, begin, 7 * MTU + 1);
	played_completed(&played, index, ARNICA_HW_STATUS_LOC_PROT_ERR);
	for (i = 0; i < 4; i++)
		check_payload(&played,
			      played_expect(&played,
					    i ? ROCE_SEND_MIDDLE :
						ROCE_SEND_FIRST,
					    at(i)),
			      begin + i * MTU, MTU);
	played_none(&played);
	played_stop(&played);
}

static void a_multiple_of_the_mtu_has_no_empty_packet(void **state)
{
	struct played played;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 2 * MTU);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, MTU);
	(void)played_expect(&played, ROCE_SEND_FIRST, PSN);
	(void)played_expect(&played, ROCE_SEND_LAST, PSN + 1);
	(void)played_expect(&played, ROCE_SEND_ONLY, 0);
	played_none(&played);
	played_stop(&played);
}

static void a_write_names_its_memory_in_the_first_packet(void **state)
{
	struct played played;
	const struct played_packet *packet;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_WRITE, 0, 3 * MTU);
	packet = played_expect(&played, ROCE_WRITE_FIRST, PSN);
	assert_int_equal(packet->packet.address, PLAYED_ADDRESS);
	assert_int_equal(packet->packet.rkey, PLAYED_RKEY);
	assert_int_equal(packet->packet.dma_length, 3 * MTU);
	(void)played_expect(&played, ROCE_WRITE_MIDDLE, PSN + 1);
	(void)played_expect(&played, ROCE_WRITE_LAST, 0);
	played_none(&played);
	played_stop(&played);
}

/* Immediate data are in the last packet, and so is the solicited event. */
static void the_last_packet_carries_immediate_and_solicited(void **state)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_SEND_IMM, ARNICA_HW_OP_WRITE_IMM
	};
	struct played played;
	uint32_t i, psn = PSN;

	start(&played, state);
	for (i = 0; i < 2; i++) {
		struct two_request request =
			played_request(&played, opcodes[i], 0, 2 * MTU);
		uint8_t base = i ? ROCE_WRITE_FIRST : ROCE_SEND_FIRST;
		const struct played_packet *packet;

		request.flags |= ARNICA_HW_WQE_SOLICITED;
		request.immediate = 0x01020304;
		(void)played_post(&played, &request);
		packet = played_expect(&played, base, psn);
		assert_false(packet->packet.solicited);
		packet = played_expect(&played, base + 3u,
				       roce_psn_add(psn, 1));
		assert_true(packet->packet.solicited);
		assert_int_equal(packet->packet.immediate,
				 arnica_to_be32(0x01020304).raw);
		request.sge[0] = two_segment(&played.two->a, 0, 3);
		(void)played_post(&played, &request);
		packet = played_expect(&played, base + 5u,
				       roce_psn_add(psn, 2));
		assert_true(packet->packet.solicited);
		assert_int_equal(packet->packet.immediate,
				 arnica_to_be32(0x01020304).raw);
		psn = roce_psn_add(psn, 3);
	}
	played_none(&played);
	played_stop(&played);
}

/* A write without immediate data raises no event at the peer. */
static void a_write_is_never_solicited(void **state)
{
	struct played played;
	struct two_request request;

	start(&played, state);
	request = played_request(&played, ARNICA_HW_OP_WRITE, 0, 8);
	request.flags |= ARNICA_HW_WQE_SOLICITED;
	(void)played_post(&played, &request);
	assert_false(played_next(&played)->packet.solicited);
	played_stop(&played);
}

static void inline_data_are_sent(void **state)
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
	packet = played_expect(&played, ROCE_SEND_ONLY, PSN);
	assert_int_equal(packet->packet.payload_bytes, 12);
	assert_memory_equal(packet->payload, "twelve bytes", 12);
	played_stop(&played);
}

static void pieces_are_gathered_across_packets(void **state)
{
	struct played played;
	struct two_request request;
	const struct played_packet *packet;
	char *buffer;

	start(&played, state);
	buffer = played.two->a.buffer;
	two_fill(buffer, 8192, 3);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 0);
	request.num_sge = 3;
	request.sge[0] = two_segment(&played.two->a, 0, 1000);
	request.sge[1] = two_segment(&played.two->a, 4000, 20);
	request.sge[2] = two_segment(&played.two->a, 5000, 100);
	(void)played_post(&played, &request);
	packet = played_expect(&played, ROCE_SEND_FIRST, PSN);
	assert_memory_equal(packet->payload, buffer, 1000);
	assert_memory_equal(packet->payload + 1000, buffer + 4000, 20);
	assert_memory_equal(packet->payload + 1020, buffer + 5000, 4);
	packet = played_expect(&played, ROCE_SEND_LAST, PSN + 1);
	assert_int_equal(packet->packet.payload_bytes, 96);
	assert_memory_equal(packet->payload, buffer + 5004, 96);
	played_stop(&played);
}

static void an_atomic_carries_its_operands(void **state)
{
	struct played played;
	struct two_request request;
	const struct played_packet *packet;

	start(&played, state);
	request = played_request(&played, ARNICA_HW_OP_CAS, 0, 8);
	request.swap_or_add = 0x1122334455667788;
	request.compare = 0x99aabbccddeeff00;
	(void)played_post(&played, &request);
	packet = played_expect(&played, ROCE_COMPARE_SWAP, PSN);
	assert_int_equal(packet->packet.address, PLAYED_ADDRESS);
	assert_int_equal(packet->packet.rkey, PLAYED_RKEY);
	assert_int_equal(packet->packet.swap_or_add, 0x1122334455667788);
	assert_int_equal(packet->packet.compare, 0x99aabbccddeeff00);
	request.opcode = ARNICA_HW_OP_FETCH_ADD;
	(void)played_post(&played, &request);
	packet = played_expect(&played, ROCE_FETCH_ADD, PSN + 1);
	assert_int_equal(packet->packet.swap_or_add, 0x1122334455667788);
	played_stop(&played);
}

/* The responses take the PSNs: the request behind it begins after them. */
static void a_read_takes_a_psn_for_each_response(void **state)
{
	struct played played;
	const struct played_packet *packet;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, 3 * MTU + 1);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 1);
	packet = played_expect(&played, ROCE_READ_REQUEST, PSN);
	assert_int_equal(packet->packet.dma_length, 3 * MTU + 1);
	assert_int_equal(packet->packet.address, PLAYED_ADDRESS);
	assert_int_equal(packet->packet.rkey, PLAYED_RKEY);
	(void)played_expect(&played, ROCE_SEND_ONLY, roce_psn_add(PSN, 4));
	played_none(&played);
	played_stop(&played);
}

static void a_query_tells_the_next_psn(void **state)
{
	struct played played;

	start(&played, state);
	assert_int_equal(two_qp_of(played.qp)->send_psn, PSN);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 3 * MTU);
	assert_int_equal(two_qp_of(played.qp)->send_psn, 1);
	played_stop(&played);
}

/* UC: no answers, no windows; the end of sending is the end. */
static void an_unreliable_message_completes_when_it_is_sent(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint32_t index, i;

	wish.sq_psn = PSN;
	played_start(&played, *state, &wish, IBV_QPT_UC);
	index = played_send(&played, ARNICA_HW_OP_WRITE_IMM, 0, 200 * MTU);
	played_completed(&played, index, ARNICA_HW_STATUS_SUCCESS);
	for (i = 0; i < 200; i++) {
		const struct played_packet *packet = played_expect(
			&played,
			ROCE_UC | (!i	    ? ROCE_WRITE_FIRST :
				   i == 199 ? ROCE_WRITE_LAST_IMM :
					      ROCE_WRITE_MIDDLE),
			roce_psn_add(PSN, i));

		assert_false(packet->packet.ack_request);
		check_payload(&played, packet, i * MTU, MTU);
	}
	index = played_send(&played, ARNICA_HW_OP_SEND, 0, 4);
	played_completed(&played, index, ARNICA_HW_STATUS_SUCCESS);
	(void)played_expect(&played, ROCE_UC | ROCE_SEND_ONLY,
			    roce_psn_add(PSN, 200));
	played_none(&played);
	played_stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(a_short_send_is_one_packet),
		two_test(a_message_without_bytes_is_one_packet_too),
		two_test(a_long_send_is_cut_by_the_path_mtu),
		two_test(memory_unmapped_in_the_middle_ends_the_message),
		two_test(a_multiple_of_the_mtu_has_no_empty_packet),
		two_test(a_write_names_its_memory_in_the_first_packet),
		two_test(the_last_packet_carries_immediate_and_solicited),
		two_test(a_write_is_never_solicited),
		two_test(inline_data_are_sent),
		two_test(pieces_are_gathered_across_packets),
		two_test(an_atomic_carries_its_operands),
		two_test(a_read_takes_a_psn_for_each_response),
		two_test(a_query_tells_the_next_psn),
		two_test(an_unreliable_message_completes_when_it_is_sent),
	};

	two_faults_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
