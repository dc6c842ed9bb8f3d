/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* WRITEs as packets of equal length: when, and what they look like. */
#include <string.h>

#include <infiniband/verbs.h>

#include "sender_fixture.h"

/* A WRITE of the own buffer's beginning to `distance` behind PLAYED_ADDRESS. */
static struct two_request write_to(struct played *played, uint64_t distance,
				   uint32_t bytes)
{
	struct two_request request =
		played_request(played, ARNICA_HW_OP_WRITE, 0, bytes);

	request.remote_address = PLAYED_ADDRESS + distance;
	return request;
}

static void post_write(struct played *played, uint64_t distance, uint32_t bytes)
{
	struct two_request request = write_to(played, distance, bytes);

	(void)played_post(played, &request);
}

/* The first packet of a WRITE that names all of its memory. */
static void expect_whole(struct played *played, uint32_t number,
			 uint64_t distance, uint32_t bytes)
{
	const struct played_packet *packet =
		played_expect(played, ROCE_WRITE_FIRST, at(number));

	assert_int_equal(packet->packet.address, PLAYED_ADDRESS + distance);
	assert_int_equal(packet->packet.dma_length, bytes);
}

/* A packet that is a WRITE by itself. */
static void expect_part(struct played *played, uint32_t opcode,
			uint32_t number, uint64_t distance, uint32_t offset,
			uint32_t bytes)
{
	const struct played_packet *packet =
		played_expect(played, opcode, at(number));

	assert_int_equal(packet->packet.address,
			 PLAYED_ADDRESS + distance + offset);
	assert_int_equal(packet->packet.rkey, PLAYED_RKEY);
	assert_int_equal(packet->packet.dma_length, bytes);
	assert_int_equal(packet->packet.payload_bytes, bytes);
	assert_memory_equal(packet->payload, played->two->a.buffer + offset,
			    bytes);
}

/* A connection whose peer has taken `bytes` at PLAYED_ADDRESS with `count`
 * packets. */
static void start_known(struct played *played, void **state, uint32_t bytes,
			uint32_t count)
{
	start(played, state);
	two_fill(played->two->a.buffer, bytes, 5);
	post_write(played, 0, bytes);
	expect_whole(played, 0, 0, bytes);
	played_ack(played, at(count - 1));
	played_completed(played, 0, ARNICA_HW_STATUS_SUCCESS);
	played_forget(played);
}

static void memory_that_was_written_whole_is_written_in_equal_packets(
	void **state)
{
	struct played played;

	start_known(&played, state, 3 * MTU, 3);
	post_write(&played, 0, 2 * MTU + 1);
	expect_part(&played, ROCE_WRITE_ONLY, 3, 0, 0, MTU);
	expect_part(&played, ROCE_WRITE_ONLY, 4, 0, MTU, MTU);
	expect_part(&played, ROCE_WRITE_ONLY, 5, 0, 2 * MTU, 1);
	played_none(&played);
	/* It is one message all the same. */
	played_ack(&played, at(4));
	played_uncompleted(&played);
	played_ack(&played, at(5));
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_uncompleted(&played);
	played_stop(&played);
}

static void only_the_last_of_them_asks_for_an_answer(void **state)
{
	struct played played;
	uint32_t i;

	start_known(&played, state, 3 * MTU, 3);
	post_write(&played, 0, 3 * MTU);
	for (i = 0; i < 3; i++)
		assert_int_equal(played_expect(&played, ROCE_WRITE_ONLY,
					       at(3 + i))
					 ->packet.ack_request,
				 i == 2);
	played_stop(&played);
}

/* The peer's completion tells the length of the whole. */
static void a_write_with_immediate_is_one(void **state)
{
	struct played played;

	start_known(&played, state, 3 * MTU, 3);
	(void)played_send(&played, ARNICA_HW_OP_WRITE_IMM, 0, 2 * MTU);
	expect_whole(&played, 3, 0, 2 * MTU);
	(void)played_expect(&played, ROCE_WRITE_LAST_IMM, at(4));
	played_none(&played);
	played_stop(&played);
}

static void nothing_is_known_before_the_answer(void **state)
{
	struct played played;

	start(&played, state);
	post_write(&played, 0, 2 * MTU);
	post_write(&played, 0, 2 * MTU);
	expect_whole(&played, 0, 0, 2 * MTU);
	(void)played_expect(&played, ROCE_WRITE_LAST, at(1));
	expect_whole(&played, 2, 0, 2 * MTU);
	played_stop(&played);
}

/* The responder has to refuse it before it stored any of it. */
static void memory_beyond_is_named_whole(void **state)
{
	struct played played;
	struct two_request request;

	start_known(&played, state, 3 * MTU, 3);
	post_write(&played, 2, 3 * MTU - 1);
	expect_whole(&played, 3, 2, 3 * MTU - 1);
	played_forget(&played);
	request = write_to(&played, 0, 2 * MTU);
	request.remote_address--;
	(void)played_post(&played, &request);
	(void)played_expect(&played, ROCE_WRITE_FIRST, at(6));
	played_forget(&played);
	request = write_to(&played, 0, 2 * MTU);
	request.rkey = PLAYED_RKEY + 1; /* the same memory once more */
	(void)played_post(&played, &request);
	(void)played_expect(&played, ROCE_WRITE_FIRST, at(8));
	played_forget(&played);
	/* Addresses that wrap. */
	request = write_to(&played, 0, 2 * MTU);
	request.remote_address = UINT64_MAX - MTU;
	(void)played_post(&played, &request);
	(void)played_expect(&played, ROCE_WRITE_FIRST, at(10));
	played_stop(&played);
}

static void what_is_known_grows_with_what_was_taken(void **state)
{
	struct played played;

	start_known(&played, state, 2 * MTU, 2);
	post_write(&played, 4 * MTU, 2 * MTU);
	expect_whole(&played, 2, 4 * MTU, 2 * MTU);
	played_forget(&played);
	/* Not yet. */
	post_write(&played, 4 * MTU, 2 * MTU);
	expect_whole(&played, 4, 4 * MTU, 2 * MTU);
	played_ack(&played, at(5));
	played_forget(&played);
	/* A region has no holes. */
	post_write(&played, 3 * MTU, 2 * MTU);
	expect_part(&played, ROCE_WRITE_ONLY, 6, 3 * MTU, 0, MTU);
	expect_part(&played, ROCE_WRITE_ONLY, 7, 3 * MTU, MTU, MTU);
	played_none(&played);
	played_stop(&played);
}

static void a_refused_write_says_nothing(void **state)
{
	struct played played;

	start(&played, state);
	post_write(&played, 0, 2 * MTU);
	played_nak(&played, PSN, ROCE_NAK_REMOTE_ACCESS);
	played_completed(&played, 0, ARNICA_HW_STATUS_REM_ACCESS_ERR);
	assert_int_equal(played_sender(&played)->even.known[0].end |
				 played_sender(&played)->even.known[1].end |
				 played_sender(&played)->even.known[2].end |
				 played_sender(&played)->even.known[3].end,
			 0);
	assert_false(played_sender(&played)->even.trying);
	played_stop(&played);
}

/* From the middle, too: the peer waits for what it would have got. */
static void what_is_lost_is_sent_again_as_it_was(void **state)
{
	struct played played;

	start_known(&played, state, 3 * MTU, 3);
	post_write(&played, 0, 3 * MTU);
	played_forget(&played);
	played_nak(&played, at(4), ROCE_NAK_SEQUENCE);
	expect_part(&played, ROCE_WRITE_ONLY, 4, 0, MTU, MTU);
	expect_part(&played, ROCE_WRITE_ONLY, 5, 0, 2 * MTU, MTU);
	played_none(&played);
	played_ack(&played, at(5));
	played_completed(&played, 1, ARNICA_HW_STATUS_SUCCESS);
	played_stop(&played);
}

/* One that was begun in one piece stays so, whatever is learned meanwhile. */
static void a_message_is_sent_again_as_it_was_begun(void **state)
{
	struct played played;

	start(&played, state);
	post_write(&played, 0, 3 * MTU);
	post_write(&played, 0, 3 * MTU);
	played_forget(&played);
	played_ack(&played, at(2));
	played_nak(&played, at(4), ROCE_NAK_SEQUENCE);
	(void)played_expect(&played, ROCE_WRITE_MIDDLE, at(4));
	(void)played_expect(&played, ROCE_WRITE_LAST, at(5));
	played_none(&played);
	played_stop(&played);
}

/* The peer takes all that is sent. */
static void take_all(struct played *played)
{
	const struct adev_sender *sender = played_sender(played);

	while (sender->oldest < sender->assigned)
		played_ack(played, (uint32_t)(sender->next - 1) &
					   ROCE_PSN_MASK);
	played_forget(played);
}

static void a_long_message_fills_its_datagrams_by_itself(void **state)
{
	struct played played;

	start(&played, state);
	post_write(&played, 0, 65 * MTU);
	take_all(&played);
	post_write(&played, 0, 64 * MTU);
	(void)played_expect(&played, ROCE_WRITE_ONLY, at(65));
	take_all(&played);
	post_write(&played, 0, 65 * MTU);
	expect_whole(&played, 65 + 64, 0, 65 * MTU);
	played_stop(&played);
}

static void a_new_connection_knows_nothing(void **state)
{
	struct played played;

	start_known(&played, state, 2 * MTU, 2);
	adev_sender_start(two_qp_of(played.qp));
	assert_int_equal(played_sender(&played)
				 ->even.known[(PLAYED_RKEY >> 8) %
					      ADEV_EVEN_KEYS]
				 .end,
			 0);
	played_stop(&played);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(memory_that_was_written_whole_is_written_in_equal_packets),
		two_test(only_the_last_of_them_asks_for_an_answer),
		two_test(a_write_with_immediate_is_one),
		two_test(nothing_is_known_before_the_answer),
		two_test(memory_beyond_is_named_whole),
		two_test(what_is_known_grows_with_what_was_taken),
		two_test(a_refused_write_says_nothing),
		two_test(what_is_lost_is_sent_again_as_it_was),
		two_test(a_message_is_sent_again_as_it_was_begun),
		two_test(a_long_message_fills_its_datagrams_by_itself),
		two_test(a_new_connection_knows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
