/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Datagrams between queue pairs of two functions: what arrives, what is lost,
 * and what each loss costs. */
#include <pthread.h>
#include <string.h>

#include "core/adapter.h"
#include "core/clock.h"
#include "core/qp_lock.h"
#include "domain/port.h"
#include "transport/datagram.h"
#include "two_functions.h"

#define QKEY 0x11111111u
#define GRH ARNICA_HW_GRH_BYTES

static uint32_t ah; /* of function a */

static struct two_wish datagram_wish(void)
{
	struct two_wish wish = two_defaults();

	wish.type = ARNICA_HW_QP_UD;
	wish.qkey = QKEY;
	return wish;
}

static void make(struct two_qp *qp, struct two_function *function,
		 const struct two_wish *wish)
{
	two_create(qp, function, wish);
	two_connect_one(qp, 0, wish);
}

static int setup(void **state)
{
	const struct two_wish wish = datagram_wish();
	struct two *two;

	if (two_setup(state))
		return -1;
	two = *state;
	make(&two->qp_a, &two->a, &wish);
	make(&two->qp_b, &two->b, &wish);
	two_fill(two->a.buffer, 4096, 0);
	return (int)two_address(&two->a, two->a.pd, 0, &ah);
}

static struct adev_counters *counters(struct two *two)
{
	return &two_function_of(&two->a)->counters;
}

static void send_to(struct two *two, const struct two_qp *to, uint32_t length)
{
	const struct two_request request =
		two_datagram(&two->a, 0, length, ah, to, QKEY);

	(void)two_send(&two->qp_a, &request);
}

/* Sent, and received behind the GRH at offset zero of the buffer. */
static void expect_arrival(struct two *two, struct two_qp *to, uint32_t length,
			   uint32_t seed)
{
	struct two_completion completion;

	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	completion = two_expect(to, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.byte_len, GRH + length);
	assert_true(completion.flags & ARNICA_HW_CQE_GRH);
	assert_int_equal(completion.source & ARNICA_HW_CQE_SOURCE_QPN_MASK,
			 two->qp_a.qpn);
	two_check(to->function->buffer + GRH, length, seed);
}

static void expect_loss(struct two *two, struct two_qp *to)
{
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(to, TWO_RECEIVE);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_RTS);
}

static void a_datagram_arrives_behind_its_header(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 33, 1024, 4095, 4096 };
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		two_fill(two->a.buffer, lengths[i], i);
		memset(two->b.buffer, 0, 8192);
		(void)two_receive(&two->qp_b, 0, GRH + lengths[i]);
		send_to(two, &two->qp_b, lengths[i]);
		expect_arrival(two, &two->qp_b, lengths[i], i);
		assert_int_equal(two->b.buffer[GRH + lengths[i]], 0);
	}
	assert_int_equal(counters(two)->messages, 6);
}

static void the_completion_tells_sender_and_kind(void **state)
{
	struct two *two = *state;
	struct two_request request =
		two_datagram(&two->a, 0, 8, ah, &two->qp_b, QKEY);
	struct two_completion completion;

	request.opcode = ARNICA_HW_OP_SEND_IMM;
	request.immediate = 0x01020304;
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_send(&two->qp_a, &request);
	completion = two_expect(&two->qp_b, TWO_RECEIVE,
				ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.source,
			 (uint32_t)(two->b.buffer[0] >> 4 == 6 ?
					    ARNICA_HW_PACKET_UDP_IPV6 :
					    ARNICA_HW_PACKET_UDP_IPV4)
					 << 24 |
				 two->qp_a.qpn);
	assert_true(completion.flags & ARNICA_HW_CQE_IMM);
	assert_int_equal(completion.immediate, 0x01020304);
	assert_int_equal(completion.opcode, ARNICA_HW_RECV);
}

static void the_header_names_both_addresses(void **state)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct two *two = *state;
	const uint8_t *header = (const uint8_t *)two->b.buffer, *gid;
	struct arnica_bus_gid own;

	assert_ok(adev_port_gid(0, &own));
	gid = own.raw;
	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 5);
	expect_arrival(two, &two->qp_b, 5, 0);
	/* Whatever kind of address this machine has. */
	if (!memcmp(gid, mapped, sizeof(mapped))) {
		assert_int_equal(header[20], 0x45);
		assert_int_equal(header[21], 0x68);
		assert_int_equal(header[28], 9);
		assert_memory_equal(header + 32, gid + 12, 4);
		assert_memory_equal(header + 36, gid + 12, 4);
		/* IP, UDP, BTH, DETH, 5 and 3 bytes, ICRC */
		assert_int_equal(header[23], 20 + 8 + 12 + 8 + 8 + 4);
	} else {
		assert_int_equal(header[0], 0x66);
		assert_int_equal(header[7], 9);
		assert_memory_equal(header + 8, gid, 16);
		assert_memory_equal(header + 24, gid, 16);
		assert_int_equal(header[5], 8 + 12 + 8 + 8 + 4);
	}
}

static void another_qkey_is_lost(void **state)
{
	struct two *two = *state;
	struct two_request request =
		two_datagram(&two->a, 0, 8, ah, &two->qp_b, QKEY + 1);

	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_send(&two->qp_a, &request);
	expect_loss(two, &two->qp_b);
	assert_int_equal(counters(two)->lost_qkey, 1);
}

static void a_controlled_qkey_stands_for_the_senders_own(void **state)
{
	struct two *two = *state;
	struct two_request request = two_datagram(
		&two->a, 0, 8, ah, &two->qp_b, ARNICA_HW_QKEY_CONTROLLED | 77);

	two_fill(two->a.buffer, 8, 3);
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_send(&two->qp_a, &request);
	expect_arrival(two, &two->qp_b, 8, 3);
}

static void without_a_receive_it_is_lost(void **state)
{
	struct two *two = *state;

	send_to(two, &two->qp_b, 8);
	expect_loss(two, &two->qp_b);
	assert_int_equal(counters(two)->lost_no_receive, 1);
	two_fill(two->a.buffer, 8, 1);
	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 8);
	expect_arrival(two, &two->qp_b, 8, 1);
}

static void to_a_number_that_nobody_has_it_is_lost(void **state)
{
	struct two *two = *state;
	struct two_qp nobody = two->qp_b;

	assert_ok(two_destroy(&nobody));
	send_to(two, &nobody, 8);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	nobody.qpn = 0;
	send_to(two, &nobody, 8);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(counters(two)->lost_no_qp, 2);
}

static void to_a_queue_pair_that_is_not_ready_it_is_lost(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = datagram_wish(), rc = two_defaults();
	struct two_qp young, connected;

	two_create(&young, &two->b, &wish);
	assert_ok(two_to_init(&young, &wish));
	(void)two_receive(&young, 0, 4096);
	send_to(two, &young, 8);
	expect_loss(two, &young);
	two_create(&connected, &two->b, &rc);
	two_connect_one(&connected, two->qp_a.qpn, &rc);
	(void)two_receive(&connected, 0, 4096);
	send_to(two, &connected, 8);
	expect_loss(two, &connected);
	assert_int_equal(counters(two)->lost_not_ready, 2);
	/* Once it is ready it gets them. */
	two_fill(two->a.buffer, 8, 2);
	assert_ok(two_to_rtr(&young, &wish, 0));
	send_to(two, &young, 8);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&young, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_check(two->b.buffer + GRH, 8, 2);
}

static void a_receive_that_is_too_short_costs_itself(void **state)
{
	struct two *two = *state;

	two_fill(two->a.buffer, 100, 4);
	(void)two_receive(&two->qp_b, 0, GRH + 99);
	(void)two_receive(&two->qp_b, 0, GRH + 100);
	send_to(two, &two->qp_b, 100);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE,
			 ARNICA_HW_STATUS_LOC_LEN_ERR);
	assert_int_equal(two_state(&two->qp_b), ARNICA_HW_QPS_RTS);
	send_to(two, &two->qp_b, 100);
	expect_arrival(two, &two->qp_b, 100, 4);
}

static void a_receive_with_a_bad_key_ends_its_queue_pair(void **state)
{
	struct two *two = *state;
	struct arnica_hw_data_segment segment = two_segment(&two->b, 0, 4096);

	segment.lkey = arnica_to_le32(two->b.stag + 1);
	(void)two_receive_list(&two->qp_b, &segment, 1);
	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 8);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_b, TWO_RECEIVE,
			 ARNICA_HW_STATUS_LOC_PROT_ERR);
	two_expect_state(&two->qp_b, ARNICA_HW_QPS_ERR);
	(void)two_expect(&two->qp_b, TWO_RECEIVE,
			 ARNICA_HW_STATUS_WR_FLUSH_ERR);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_RTS);
}

/* The send queue stops; the receive queue does not. */
static void expect_send_queue_error(struct two *two,
				    const struct two_request *bad,
				    enum arnica_hw_status status)
{
	struct two_request good =
		two_datagram(&two->a, 0, 8, ah, &two->qp_b, QKEY);

	(void)two_post(&two->qp_a, bad);
	(void)two_post(&two->qp_a, &good);
	two_ring(&two->qp_a);
	(void)two_expect(&two->qp_a, TWO_SEND, status);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	assert_int_equal(two_state(&two->qp_a), ARNICA_HW_QPS_SQE);
	(void)two_send(&two->qp_a, &good);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_WR_FLUSH_ERR);
	assert_ok(two_to_state(&two->qp_a, ARNICA_HW_QPS_RTS));
	two_fill(two->a.buffer, 8, 9);
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_send(&two->qp_a, &good);
	expect_arrival(two, &two->qp_b, 8, 9);
}

static void more_than_a_packet_is_a_local_length_error(void **state)
{
	struct two *two = *state;
	struct two_request bad =
		two_datagram(&two->a, 0, 4097, ah, &two->qp_b, QKEY);

	expect_send_queue_error(two, &bad, ARNICA_HW_STATUS_LOC_LEN_ERR);
}

static void a_local_key_that_is_wrong_stops_the_send_queue(void **state)
{
	struct two *two = *state;
	struct two_request bad =
		two_datagram(&two->a, 0, 8, ah, &two->qp_b, QKEY);

	bad.sge[0].lkey = arnica_to_le32(two->a.stag + 1);
	expect_send_queue_error(two, &bad, ARNICA_HW_STATUS_LOC_PROT_ERR);
}

static void address_handles_of_others_are_refused(void **state)
{
	const struct arnica_hw_command alloc = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
	};
	struct two *two = *state;
	struct two_request bad =
		two_datagram(&two->a, 0, 8, ah, &two->qp_b, QKEY);
	struct arnica_hw_completion answer;
	uint32_t pd;

	assert_ok(two_command(&two->a, &alloc, &answer));
	pd = arnica_from_le32(answer.object.handle);
	assert_ok(two_address(&two->a, pd, 0, &bad.ah));
	expect_send_queue_error(two, &bad, ARNICA_HW_STATUS_LOC_QP_OP_ERR);
	bad.ah = ah + 17;
	expect_send_queue_error(two, &bad, ARNICA_HW_STATUS_LOC_QP_OP_ERR);
	bad.ah = UINT32_MAX;
	expect_send_queue_error(two, &bad, ARNICA_HW_STATUS_LOC_QP_OP_ERR);
}

static void connected_operations_are_refused(void **state)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_WRITE, ARNICA_HW_OP_WRITE_IMM, ARNICA_HW_OP_READ,
		ARNICA_HW_OP_CAS
	};
	struct two *two = *state;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct two_request bad =
			two_datagram(&two->a, 0, 8, ah, &two->qp_b, QKEY);

		bad.opcode = opcodes[i];
		expect_send_queue_error(two, &bad,
					ARNICA_HW_STATUS_LOC_QP_OP_ERR);
	}
}

static void an_error_leaves_the_receive_queue_alone(void **state)
{
	struct two *two = *state;
	struct two_request bad =
		two_datagram(&two->a, 0, 4097, ah, &two->qp_b, QKEY);
	struct two_request back =
		two_datagram(&two->b, 0, 8, 0, &two->qp_a, QKEY);

	assert_ok(two_address(&two->b, two->b.pd, 0, &back.ah));
	(void)two_receive(&two->qp_a, 0, 4096);
	(void)two_send(&two->qp_a, &bad);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_LOC_LEN_ERR);
	two_expect_none(&two->qp_a, TWO_RECEIVE);
	(void)two_send(&two->qp_b, &back);
	(void)two_expect(&two->qp_a, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
}

static void a_queue_pair_can_send_to_itself(void **state)
{
	struct two *two = *state;

	two_fill(two->a.buffer, 8, 6);
	(void)two_receive(&two->qp_a, 4096, 4096);
	send_to(two, &two->qp_a, 8);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	(void)two_expect(&two->qp_a, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_check(two->a.buffer + 4096 + GRH, 8, 6);
}

/* More destinations than there are links. */
static void a_sender_has_many_destinations(void **state)
{
	struct two *two = *state;
	struct two_wish wish = datagram_wish();
	struct two_qp others[150];
	unsigned int i, round;

	wish.recv_depth = 2;
	for (i = 0; i < 150; i++)
		make(&others[i], i & 1 ? &two->a : &two->b, &wish);
	for (round = 0; round < 3; round++)
		for (i = 0; i < 150; i++) {
			char *place = others[i].function->buffer + 65536;

			two_fill(two->a.buffer, 50, i);
			(void)two_receive(&others[i], 65536, 4096);
			send_to(two, &others[i], 50);
			(void)two_expect(&two->qp_a, TWO_SEND,
					 ARNICA_HW_STATUS_SUCCESS);
			(void)two_expect(&others[i], TWO_RECEIVE,
					 ARNICA_HW_STATUS_SUCCESS);
			two_check(place + GRH, 50, i);
		}
}

/* Destroyed and made anew under the same number of another incarnation. */
static void a_link_to_what_was_there_before_is_made_anew(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = datagram_wish();

	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 8);
	expect_arrival(two, &two->qp_b, 8, 0);
	assert_ok(two_to_state(&two->qp_b, ARNICA_HW_QPS_RESET));
	two_connect_one(&two->qp_b, 0, &wish);
	two_fill(two->a.buffer, 8, 8);
	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 8);
	expect_arrival(two, &two->qp_b, 8, 8);
}

static void what_finds_no_room_is_placed_directly(void **state)
{
	struct two *two = *state;
	struct two_wish wish = datagram_wish();
	struct two_qp deep;
	uint32_t i, count = 1100;

	wish.recv_depth = count;
	make(&deep, &two->b, &wish);
	for (i = 0; i < count; i++)
		(void)two_receive(&deep, i % 500 * 8192, 8192);
	for (i = 0; i < count; i++) {
		two_fill(two->a.buffer, 4096, i);
		send_to(two, &deep, 4096);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
	}
	/* The last ones were placed when they came, for the ring was full. */
	two_check(two->b.buffer + (count - 1) % 500 * 8192 + GRH, 4096,
		  count - 1);
	for (i = 0; i < count; i++)
		(void)two_expect(&deep, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(counters(two)->lost_no_room, 0);
}

static void where_that_is_not_possible_it_is_lost(void **state)
{
	struct two *two = *state;
	struct two_wish wish = datagram_wish();
	struct adev_link link = { 0 };
	struct two_qp deep;
	uint32_t i, count = 1100, lost;

	wish.recv_depth = count;
	make(&deep, &two->b, &wish);
	assert_int_equal(adev_link_open(two_function_of(&two->a), deep.qpn,
					&link),
			 ADEV_LINK_UP);
	atomic_store(&link.view->method, ADEV_DMA_BOUNCE);
	for (i = 0; i < count; i++)
		(void)two_receive(&deep, 0, 8192);
	for (i = 0; i < count; i++) {
		send_to(two, &deep, 4096);
		(void)two_expect(&two->qp_a, TWO_SEND,
				 ARNICA_HW_STATUS_SUCCESS);
	}
	lost = (uint32_t)counters(two)->lost_no_room;
	assert_in_range(lost, 1, 200);
	for (i = 0; i < count - lost; i++)
		(void)two_expect(&deep, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	two_expect_none(&deep, TWO_RECEIVE);
	adev_link_close(&link);
}

/* The lock stays with a function that is no more; its owner takes it back. */
static void a_sender_that_died_with_the_lock_holds_up_nobody(void **state)
{
	struct two *two = *state;

	two_fill(two->a.buffer, 8, 5);
	(void)two_receive(&two->qp_b, 0, 4096);
	assert_true(adev_qp_try_lock(two_shared_of(&two->qp_b),
				     two_nobody(&two->a)));
	send_to(two, &two->qp_b, 8);
	two_work(&two->b);
	expect_arrival(two, &two->qp_b, 8, 5);
}

/* ... also when it had published the completion already. */
static void what_a_dead_sender_delivered_is_not_overwritten(void **state)
{
	const struct adev_completion completion = {
		.byte_len = GRH,
		.opcode = ARNICA_HW_RECV,
		.flags = ARNICA_HW_CQE_GRH,
		.vendor_error = 4711,
	};
	struct two *two = *state;
	struct adev_qp *receiver = two_qp_of(&two->qp_b);
	struct two_completion got;

	two_fill(two->a.buffer, 8, 5);
	(void)two_receive(&two->qp_b, 8192, 4096);
	(void)two_receive(&two->qp_b, 0, 4096);
	assert_true(adev_qp_try_lock(receiver->shared, two_nobody(&two->a)));
	adev_completion_publish(&receiver->recv_ring,
				receiver->shared->rq_head, &completion);
	send_to(two, &two->qp_b, 8);
	two_work(&two->b);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	got = two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(got.source, 4711);
	got = two_expect(&two->qp_b, TWO_RECEIVE, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(got.byte_len, GRH + 8);
	two_check(two->b.buffer + GRH, 8, 5);
}

/* A sender that was stopped with the lock in hand: one message waits for it,
 * and no more until it goes on. */
static void a_sender_that_is_stopped_is_waited_for_once(void **state)
{
	struct two *two = *state;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	uint64_t began = adev_now_ns(), waited;

	(void)two_receive(&two->qp_b, 0, 4096);
	assert_true(adev_qp_try_lock(
		shared, two_function_of(&two->b)->view.function));
	send_to(two, &two->qp_b, 8);
	two_expect_none(&two->qp_a, TWO_SEND);
	expect_loss(two, &two->qp_b);
	waited = adev_now_ns() - began;
	assert_true(waited >= ADEV_UNRELIABLE_PATIENCE_NS);
	assert_int_equal(counters(two)->lost_busy, 1);
	send_to(two, &two->qp_b, 8);
	expect_loss(two, &two->qp_b);
	assert_int_equal(counters(two)->lost_busy, 2);
	adev_qp_unlock(shared);
	two_fill(two->a.buffer, 8, 1);
	send_to(two, &two->qp_b, 8);
	expect_arrival(two, &two->qp_b, 8, 1);
}

static void a_function_that_ended_is_let_go(void **state)
{
	struct two *two = *state;
	struct adev_qp *qp = two_qp_of(&two->qp_a);
	struct adev_function *other = two_function_of(&two->b);

	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 8);
	expect_arrival(two, &two->qp_b, 8, 0);
	adev_qp_lock_send(qp);
	adev_datagram_forget(qp, other->view.function, other->view.generation);
	adev_qp_unlock_send(qp);
	two_fill(two->a.buffer, 8, 1);
	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 8);
	expect_arrival(two, &two->qp_b, 8, 1);
}

static bool is_attached(uint32_t function, uint64_t generation)
{
	struct adev_peer_entry *entry;
	bool found = false;

	pthread_mutex_lock(&adev_adapter.lock);
	for (entry = adev_adapter.peers; entry; entry = entry->next)
		if (entry->view.function == function &&
		    entry->view.generation == generation)
			found = true;
	pthread_mutex_unlock(&adev_adapter.lock);
	return found;
}

/* Also when it left in good order: its memory would stay in use. */
static void a_function_that_left_is_let_go(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = datagram_wish();
	struct two_function third;
	struct two_qp guest;
	uint32_t function;
	uint64_t generation;

	assert_ok(two_function_open(&third));
	make(&guest, &third, &wish);
	function = two_function_of(&third)->view.function;
	generation = two_function_of(&third)->view.generation;
	(void)two_receive(&guest, 0, 4096);
	send_to(two, &guest, 8);
	expect_arrival(two, &guest, 8, 0);
	two_function_close(&third);
	assert_true(is_attached(function, generation));
	adev_function_peer_died(two_function_of(&two->a), function, generation);
	assert_false(is_attached(function, generation));
	send_to(two, &guest, 8);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(counters(two)->lost_no_qp, 1);
	assert_int_equal(counters(two)->peers_died, 0);
}

static void a_destroyed_queue_pair_leaks_nothing(void **state)
{
	struct two *two = *state;

	(void)two_receive(&two->qp_b, 0, 4096);
	send_to(two, &two->qp_b, 8);
	expect_arrival(two, &two->qp_b, 8, 0);
	assert_ok(two_destroy(&two->qp_a));
	assert_ok(two_destroy(&two->qp_b));
}

#define THREADS 4u
#define EACH 500u

struct sender {
	pthread_t thread;
	struct two *two;
	struct two_qp qp;
	uint32_t num_done;
};

/* Without assertions, which belong to the main thread. */
static void *send_many(void *argument)
{
	struct sender *sender = argument;
	uint64_t until = adev_now_ns() + 20000 * ADEV_MS_NS;
	uint32_t i;

	for (i = 0; i < EACH; i++) {
		const struct two_request request = two_datagram(
			&sender->two->a, 0, 64, ah, &sender->two->qp_b, QKEY);
		struct two_completion completion;

		(void)two_send(&sender->qp, &request);
		while (!two_poll(&sender->qp, TWO_SEND, &completion))
			if (adev_now_ns() > until)
				return NULL;
		sender->num_done += completion.status ==
				    ARNICA_HW_STATUS_SUCCESS;
	}
	return NULL;
}

/* All of them arrive, each in a receive of its own. */
static void threads_send_to_one_receiver_at_once(void **state)
{
	struct two *two = *state;
	struct two_wish wish = datagram_wish();
	struct sender senders[THREADS];
	uint32_t i;

	assert_ok(two_destroy(&two->qp_b));
	wish.recv_depth = THREADS * EACH;
	make(&two->qp_b, &two->b, &wish);
	for (i = 0; i < THREADS * EACH; i++)
		(void)two_receive(&two->qp_b, i % 1000 * 128, 128);
	for (i = 0; i < THREADS; i++) {
		senders[i] = (struct sender){ .two = two };
		make(&senders[i].qp, &two->a, &wish);
	}
	for (i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&senders[i].thread, NULL, send_many,
					 &senders[i]));
	for (i = 0; i < THREADS * EACH; i++)
		assert_int_equal(two_expect(&two->qp_b, TWO_RECEIVE,
					    ARNICA_HW_STATUS_SUCCESS)
					 .wqe_index,
				 i);
	for (i = 0; i < THREADS; i++) {
		assert_ok(pthread_join(senders[i].thread, NULL));
		assert_int_equal(senders[i].num_done, EACH);
	}
	two_check(two->b.buffer + GRH, 64, 0);
}

#define datagram_test(function)                                                \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		datagram_test(a_datagram_arrives_behind_its_header),
		datagram_test(the_completion_tells_sender_and_kind),
		datagram_test(the_header_names_both_addresses),
		datagram_test(another_qkey_is_lost),
		datagram_test(a_controlled_qkey_stands_for_the_senders_own),
		datagram_test(without_a_receive_it_is_lost),
		datagram_test(to_a_number_that_nobody_has_it_is_lost),
		datagram_test(to_a_queue_pair_that_is_not_ready_it_is_lost),
		datagram_test(a_receive_that_is_too_short_costs_itself),
		datagram_test(a_receive_with_a_bad_key_ends_its_queue_pair),
		datagram_test(more_than_a_packet_is_a_local_length_error),
		datagram_test(a_local_key_that_is_wrong_stops_the_send_queue),
		datagram_test(address_handles_of_others_are_refused),
		datagram_test(connected_operations_are_refused),
		datagram_test(an_error_leaves_the_receive_queue_alone),
		datagram_test(a_queue_pair_can_send_to_itself),
		datagram_test(a_sender_has_many_destinations),
		datagram_test(a_link_to_what_was_there_before_is_made_anew),
		datagram_test(what_finds_no_room_is_placed_directly),
		datagram_test(where_that_is_not_possible_it_is_lost),
		datagram_test(
			a_sender_that_died_with_the_lock_holds_up_nobody),
		datagram_test(what_a_dead_sender_delivered_is_not_overwritten),
		datagram_test(a_sender_that_is_stopped_is_waited_for_once),
		datagram_test(threads_send_to_one_receiver_at_once),
		datagram_test(a_function_that_ended_is_let_go),
		datagram_test(a_function_that_left_is_let_go),
		datagram_test(
			a_destroyed_queue_pair_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
