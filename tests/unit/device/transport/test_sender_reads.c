/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reads and atomics: what returns data is completed by that data alone (IBTA
 * 9.7.5.1.4, 9.7.5.1.5, 9.7.7). */
#include <string.h>

#include <infiniband/verbs.h>

#include "sender_fixture.h"

/* What the peer's memory holds from offset 0. */
static char source[64 * MTU];

/* Response number `number` of a read of `bytes` that began at PSN `first`. */
static void respond_as(struct played *played, enum roce_operation operation,
		       uint32_t first, uint32_t number, uint32_t bytes)
{
	uint32_t offset = number * MTU;

	played_response(played, operation, roce_psn_add(first, number),
			source + offset,
			bytes - offset < MTU ? bytes - offset : MTU);
}

/* The same with the opcode of a request for responses begin to end - 1. */
static void respond(struct played *played, uint32_t first, uint32_t number,
		    uint32_t bytes, uint32_t begin, uint32_t end)
{
	bool is_first = number == begin, is_last = number + 1 == end;

	respond_as(played,
		   is_first && is_last ? ROCE_READ_RESPONSE_ONLY :
		   is_first	       ? ROCE_READ_RESPONSE_FIRST :
		   is_last	       ? ROCE_READ_RESPONSE_LAST :
					 ROCE_READ_RESPONSE_MIDDLE,
		   first, number, bytes);
}

static void a_read_is_placed_and_completes(void **state)
{
	static const uint32_t lengths[] = { 0, 1, MTU, MTU + 1, 5 * MTU };
	struct played played;
	uint32_t i, first = 0;

	two_fill(source, sizeof(source), 1);
	start(&played, state);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint32_t count = lengths[i] ? (lengths[i] + MTU - 1) / MTU : 1;
		struct two_completion completion;
		uint32_t number;

		memset(played.two->a.buffer, 0, 8 * MTU);
		(void)played_send(&played, ARNICA_HW_OP_READ, 16, lengths[i]);
		for (number = 0; number < count; number++) {
			played_uncompleted(&played);
			respond(&played, at(first), number, lengths[i], 0,
				count);
		}
		assert_true(two_poll(played.qp, TWO_SEND, &completion));
		assert_int_equal(completion.status, ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(completion.byte_len, lengths[i]);
		assert_memory_equal(played.two->a.buffer + 16, source,
				    lengths[i]);
		assert_int_equal(played.two->a.buffer[16 + lengths[i]], 0);
		first += count;
	}
	played_stop(&played);
}

/* No more than half a window in a request, a window on its way, and as many
 * requests as the peer has resources for. */
static void a_long_read_is_split(void **state)
{
	const uint32_t bytes = 40 * MTU;
	struct played played;
	uint32_t i, asked = 0;

	two_fill(source, sizeof(source), 2);
	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, bytes);
	while (asked < 40) {
		const struct played_packet *packet =
			played_expect(&played, ROCE_READ_REQUEST, at(asked));
		uint32_t count = packet->packet.dma_length / MTU;

		assert_int_equal(packet->packet.dma_length % MTU, 0);
		assert_int_equal(packet->packet.address,
				 PLAYED_ADDRESS + asked * MTU);
		for (i = 0; i < count; i++)
			respond(&played, PSN, asked + i, bytes, asked,
				asked + count);
		asked += count;
	}
	played_none(&played);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	assert_memory_equal(played.two->a.buffer, source, bytes);
	played_stop(&played);
}

static void a_window_of_responses_is_on_its_way(void **state)
{
	struct played played;
	const struct played_packet *packet;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, 40 * MTU);
	packet = played_expect(&played, ROCE_READ_REQUEST, PSN);
	assert_int_equal(packet->packet.dma_length, 8 * MTU);
	packet = played_expect(&played, ROCE_READ_REQUEST, at(8));
	assert_int_equal(packet->packet.dma_length, 8 * MTU);
	played_none(&played);
	played_stop(&played);
}

/* Bytes count, not packets: short ones would come in short datagrams. */
static void a_request_asks_for_128_kib_at_most(void **state)
{
	static const struct {
		uint32_t mtu, window, packets;
	} cases[] = {
		{ 5, 256, 32 }, { 4, 256, 64 },	 { 3, 256, 128 },
		{ 3, 100, 50 }, { 1, 256, 128 },
	};
	uint32_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct two_wish wish = two_defaults();
		const struct played_packet *packet;
		struct played played;

		wish.mtu = cases[i].mtu;
		start_with(&played, state, wish);
		played_sender(&played)->window.packets = cases[i].window;
		(void)played_send(&played, ARNICA_HW_OP_READ, 0, 1 << 20);
		packet = played_expect(&played, ROCE_READ_REQUEST, PSN);
		assert_int_equal(packet->packet.dma_length,
				 cases[i].packets * (128 << cases[i].mtu));
		played_stop(&played);
	}
}

static void one_read_at_a_time_where_the_peer_bears_no_more(void **state)
{
	struct two_wish wish = two_defaults();
	struct played played;
	char data[MTU] = { 0 };

	wish.rd_atomic = 1;
	start_with(&played, state, wish);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, 8);
	(void)played_send(&played, ARNICA_HW_OP_FETCH_ADD, 64, 8);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 64, 8);
	(void)played_expect(&played, ROCE_READ_REQUEST, PSN);
	played_none(&played);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, PSN, data, 8);
	(void)played_expect(&played, ROCE_FETCH_ADD, at(1));
	(void)played_expect(&played, ROCE_SEND_ONLY, at(2));
	played_none(&played);
	played_original(&played, at(1), 77);
	played_ack(&played, at(2));
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 2, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(*(uint64_t *)(played.two->a.buffer + 64), 77);
	played_stop(&played);
}

static void a_fence_waits_for_reads_and_atomics(void **state)
{
	struct played played;
	struct two_request request;
	char data[8] = { 0 };

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, 8);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 8);
	request = played_request(&played, ARNICA_HW_OP_SEND, 0, 8);
	request.flags |= ARNICA_HW_WQE_FENCE;
	(void)played_post(&played, &request);
	(void)played_expect(&played, ROCE_READ_REQUEST, PSN);
	(void)played_expect(&played, ROCE_SEND_ONLY, at(1));
	played_none(&played);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, PSN, data, 8);
	/* The send in front of it is no reason to wait. */
	(void)played_expect(&played, ROCE_SEND_ONLY, at(2));
	played_stop(&played);
}

/* A response acknowledges the sends and writes before it. */
static void a_response_acknowledges_what_was_before(void **state)
{
	struct played played;
	char data[8] = { 0 };

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 2 * MTU);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, 8);
	(void)played_send(&played, ARNICA_HW_OP_WRITE, 0, 8);
	(void)played_send(&played, ARNICA_HW_OP_CAS, 0, 8);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, at(2), data, 8);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_uncompleted(&played);
	played_original(&played, at(4), 1);
	played_completed(&played, 2, ARNICA_HW_STATUS_SUCCESS);
	played_completed(&played, 3, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

/* An acknowledgement that passes a read: its response was lost. */
static void an_acknowledgement_beyond_a_read_asks_again(void **state)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_READ, ARNICA_HW_OP_FETCH_ADD
	};
	struct played played;
	char data[8] = "returns";
	uint32_t i;

	for (i = 0; i < 2; i++) {
		uint32_t opcode = i ? ROCE_FETCH_ADD : ROCE_READ_REQUEST;

		start(&played, state);
		(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 8);
		(void)played_send(&played, opcodes[i], 0, 8);
		(void)played_send(&played, ARNICA_HW_OP_SEND, 0, 8);
		played_forget(&played);
		played_ack(&played, at(2));
		played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
		played_uncompleted(&played);
		(void)played_expect(&played, opcode, at(1));
		(void)played_expect(&played, ROCE_SEND_ONLY, at(2));
		played_none(&played);
		if (i)
			played_original(&played, at(1), 5);
		else
			played_response(&played, ROCE_READ_RESPONSE_ONLY,
					at(1), data, 8);
		played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
		played_ack(&played, at(2));
		played_completed(&played, 2, ARNICA_HW_STATUS_SUCCESS);
		assert_int_equal(counters(&played)->wire_losses, i + 1);
		played_stop(&played);
	}
}

/* The rest of the request, from the lost response on, and what follows. */
static void a_lost_response_is_asked_for_again(void **state)
{
	const uint32_t bytes = 6 * MTU - 10;
	struct played played;
	const struct played_packet *packet;
	uint32_t i;

	two_fill(source, sizeof(source), 3);
	start(&played, state);
	memset(played.two->a.buffer, 0, 8 * MTU);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, bytes);
	played_forget(&played);
	respond(&played, PSN, 0, bytes, 0, 6);
	respond(&played, PSN, 1, bytes, 0, 6);
	respond(&played, PSN, 3, bytes, 0, 6); /* 2 was lost */
	respond(&played, PSN, 4, bytes, 0, 6); /* the same loss */
	packet = played_expect(&played, ROCE_READ_REQUEST, at(2));
	assert_int_equal(packet->packet.address, PLAYED_ADDRESS + 2 * MTU);
	assert_int_equal(packet->packet.dma_length, bytes - 2 * MTU);
	assert_int_equal(packet->packet.rkey, PLAYED_RKEY);
	played_none(&played);
	for (i = 2; i < 6; i++)
		respond(&played, PSN, i, bytes, 2, 6);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	assert_memory_equal(played.two->a.buffer, source, bytes);
	assert_int_equal(played.two->a.buffer[bytes], 0);
	played_stop(&played);
}

/* What comes twice is placed once, at its own place. */
static void doubled_responses_change_nothing(void **state)
{
	const uint32_t bytes = 3 * MTU;
	struct played played;
	uint32_t i;

	two_fill(source, sizeof(source), 4);
	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, bytes);
	played_forget(&played);
	for (i = 0; i < 3; i++) {
		respond(&played, PSN, i, bytes, 0, 3);
		if (i < 2)
			respond(&played, PSN, i, bytes, 0, 3);
	}
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	memset(played.two->a.buffer, 0, bytes);
	respond(&played, PSN, 2, bytes, 0, 3); /* a ghost */
	assert_int_equal(played.two->a.buffer[2 * MTU], 0);
	assert_int_equal(counters(&played)->wire_stale_answers, 3);
	played_none(&played);
	played_stop(&played);
}

static void a_response_before_its_request_is_stale(void **state)
{
	struct played played;
	char data[8] = { 0 };

	start(&played, state);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, PSN, data, 8);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, 8);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, at(1), data, 8);
	played_original(&played, at(1), 8);
	assert_int_equal(counters(&played)->wire_stale_answers, 3);
	played_uncompleted(&played);
	played_stop(&played);
}

/* Rows of the requester's table that end the connection. */
static void responses_that_do_not_fit_are_bad(void **state)
{
	static const struct {
		uint32_t bytes; /* of the read */
		uint32_t number; /* of the response */
		enum roce_operation operation;
		uint32_t payload;
	} rows[] = {
		/* opcode at the wrong place */
		{ 8, 0, ROCE_READ_RESPONSE_FIRST, 8 },
		{ 8, 0, ROCE_READ_RESPONSE_MIDDLE, 8 },
		{ 8, 0, ROCE_READ_RESPONSE_LAST, 8 },
		{ 3 * MTU, 0, ROCE_READ_RESPONSE_ONLY, MTU },
		{ 3 * MTU, 0, ROCE_READ_RESPONSE_MIDDLE, MTU },
		{ 3 * MTU, 0, ROCE_READ_RESPONSE_LAST, MTU },
		{ 3 * MTU, 1, ROCE_READ_RESPONSE_FIRST, MTU },
		{ 3 * MTU, 1, ROCE_READ_RESPONSE_LAST, MTU },
		{ 3 * MTU, 1, ROCE_READ_RESPONSE_ONLY, MTU },
		{ 3 * MTU, 2, ROCE_READ_RESPONSE_MIDDLE, MTU },
		{ 3 * MTU, 2, ROCE_READ_RESPONSE_FIRST, MTU },
		{ 3 * MTU, 2, ROCE_READ_RESPONSE_ONLY, MTU },
		/* wrong length */
		{ 8, 0, ROCE_READ_RESPONSE_ONLY, 0 },
		{ 8, 0, ROCE_READ_RESPONSE_ONLY, 7 },
		{ 8, 0, ROCE_READ_RESPONSE_ONLY, 9 },
		{ 0, 0, ROCE_READ_RESPONSE_ONLY, 1 },
		{ 3 * MTU, 0, ROCE_READ_RESPONSE_FIRST, MTU - 1 },
		{ 3 * MTU, 0, ROCE_READ_RESPONSE_FIRST, MTU + 1 },
		{ 3 * MTU, 1, ROCE_READ_RESPONSE_MIDDLE, 0 },
		{ 3 * MTU, 2, ROCE_READ_RESPONSE_LAST, MTU - 4 },
		{ 3 * MTU - 4, 2, ROCE_READ_RESPONSE_LAST, MTU },
		/* not what was asked for */
		{ 8, 0, ROCE_ATOMIC_ACKNOWLEDGE, 0 },
	};
	uint32_t row;

	for (row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct played played;
		uint32_t i;

		start(&played, state);
		(void)played_send(&played, ARNICA_HW_OP_READ, 0,
				  rows[row].bytes);
		memset(played.two->a.buffer, 0x55, 4 * MTU);
		for (i = 0; i < rows[row].number; i++)
			respond(&played, PSN, i, rows[row].bytes, 0, 3);
		played_response(&played, rows[row].operation,
				at(rows[row].number), source,
				rows[row].payload);
		played_completed(&played, 0, ARNICA_HW_STATUS_BAD_RESP_ERR);
		assert_int_equal(played.two->a.buffer[rows[row].number * MTU],
				 0x55);
		assert_int_equal(two_state(played.qp), ARNICA_HW_QPS_ERR);
		played_stop(&played);
	}
}

static void responses_that_say_no_are_bad(void **state)
{
	struct roce_packet packet = {
		.opcode = ROCE_READ_RESPONSE_ONLY,
		.psn = PSN,
		.syndrome = ROCE_SYNDROME_NAK,
		.payload = (const uint8_t *)source,
		.payload_bytes = 8,
	};
	struct played played;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, 8);
	played_answer(&played, &packet);
	played_completed(&played, 0, ARNICA_HW_STATUS_BAD_RESP_ERR);
	played_stop(&played);
	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_CAS, 0, 8);
	packet.opcode = ROCE_ATOMIC_ACKNOWLEDGE;
	packet.payload_bytes = 0;
	played_answer(&played, &packet);
	played_completed(&played, 0, ARNICA_HW_STATUS_BAD_RESP_ERR);
	played_stop(&played);
}

static void a_read_response_to_an_atomic_is_bad(void **state)
{
	struct played played;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_CAS, 0, 8);
	played_response(&played, ROCE_READ_RESPONSE_ONLY, PSN, source, 8);
	played_completed(&played, 0, ARNICA_HW_STATUS_BAD_RESP_ERR);
	played_stop(&played);
}

/* The key that the data goes by is looked at when they come. */
static void a_key_that_is_gone_is_not_written_by(void **state)
{
	struct played played;
	struct two_function *own;
	struct two_request request;
	uint32_t handle, stag;

	start(&played, state);
	own = &played.two->a;
	assert_ok(two_register(own, own->buffer, 4 * MTU, TWO_ALL_RIGHTS,
			       &handle, &stag));
	memset(own->buffer, 0x55, 4 * MTU);
	request = played_request(&played, ARNICA_HW_OP_READ, 0, 3 * MTU);
	request.sge[0].lkey = arnica_to_le32(stag);
	(void)played_post(&played, &request);
	respond(&played, PSN, 0, 3 * MTU, 0, 3);
	assert_ok(two_object(own, ARNICA_HW_CMD_DEREG_MR, handle));
	respond(&played, PSN, 1, 3 * MTU, 0, 3);
	played_completed(&played, 0, ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_int_equal(own->buffer[MTU], 0x55);
	played_stop(&played);
}

/* Several requests of one message: the answer to one that is repeated lies
 * within it. */
static void a_repeated_request_ends_where_it_ended(void **state)
{
	const uint32_t bytes = 12 * MTU;
	struct played played;
	const struct played_packet *packet;
	uint32_t i;

	two_fill(source, sizeof(source), 5);
	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, bytes);
	/* 8 and 4 */
	played_forget(&played);
	for (i = 0; i < 6; i++)
		respond(&played, PSN, i, bytes, 0, 8);
	respond(&played, PSN, 9, bytes, 8, 12);
	packet = played_expect(&played, ROCE_READ_REQUEST, at(6));
	assert_int_equal(packet->packet.dma_length, 2 * MTU);
	packet = played_expect(&played, ROCE_READ_REQUEST, at(8));
	assert_int_equal(packet->packet.dma_length, 4 * MTU);
	played_none(&played);
	for (i = 6; i < 8; i++)
		respond(&played, PSN, i, bytes, 6, 8);
	for (i = 8; i < 12; i++)
		respond(&played, PSN, i, bytes, 8, 12);
	played_completed(&played, 0, ARNICA_HW_STATUS_SUCCESS);
	assert_memory_equal(played.two->a.buffer, source, bytes);
	played_stop(&played);
}

/* Also when the window has become smaller than the request: the responder,
 * which perhaps never saw it, must not take its parts for requests. */
static void a_small_window_does_not_cut_a_repeated_request(void **state)
{
	const uint32_t bytes = 12 * MTU;
	struct played played;
	const struct played_packet *packet;
	uint32_t i;

	start(&played, state);
	(void)played_send(&played, ARNICA_HW_OP_READ, 0, bytes);
	played_forget(&played);
	played_pass(&played, 10 * PLAYED_MS); /* nothing came */
	assert_true(played_sender(&played)->window.packets < 8);
	packet = played_expect(&played, ROCE_READ_REQUEST, PSN);
	assert_int_equal(packet->packet.dma_length, 8 * MTU);
	played_none(&played);
	respond(&played, PSN, 0, bytes, 0, 8);
	played_pass(&played, 100 * PLAYED_MS);
	played_forget(&played);
	played_pass(&played, 100 * PLAYED_MS);
	packet = played_expect(&played, ROCE_READ_REQUEST, at(1));
	assert_int_equal(packet->packet.dma_length, 7 * MTU);
	for (i = 1; i < 8; i++)
		respond(&played, PSN, i, bytes, 1, 8);
	packet = played_expect(&played, ROCE_READ_REQUEST, at(8));
	assert_int_equal(packet->packet.dma_length, 4 * MTU);
	played_stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(a_read_is_placed_and_completes),
		two_test(a_long_read_is_split),
		two_test(a_window_of_responses_is_on_its_way),
		two_test(a_request_asks_for_128_kib_at_most),
		two_test(one_read_at_a_time_where_the_peer_bears_no_more),
		two_test(a_fence_waits_for_reads_and_atomics),
		two_test(a_response_acknowledges_what_was_before),
		two_test(an_acknowledgement_beyond_a_read_asks_again),
		two_test(a_lost_response_is_asked_for_again),
		two_test(doubled_responses_change_nothing),
		two_test(a_response_before_its_request_is_stale),
		two_test(responses_that_do_not_fit_are_bad),
		two_test(responses_that_say_no_are_bad),
		two_test(a_read_response_to_an_atomic_is_bad),
		two_test(a_key_that_is_gone_is_not_written_by),
		two_test(a_repeated_request_ends_where_it_ended),
		two_test(a_small_window_does_not_cut_a_repeated_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
