/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Datagrams over the wire: the packet of each message, and what a receiver
 * makes of packets. */
#include <string.h>

#include "core/qp_lock.h"
#include "domain/port.h"
#include "transport/datagram_state.h"
#include "two_wire.h"

#define QKEY 0x11111111u
#define GRH ARNICA_HW_GRH_BYTES
#define UD_SEND ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY)
#define UD_SEND_IMM ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY_IMM)

static uint32_t ah; /* of function a */
static struct two_packet got;

static struct two_wish datagram_wish(void)
{
	struct two_wish wish = two_defaults();

	wish.type = ARNICA_HW_QP_UD;
	wish.qkey = QKEY;
	wish.sq_psn = 0xffffff;
	return wish;
}

static int setup(void **state)
{
	const struct two_wish wish = datagram_wish();
	struct two *two;

	if (two_wire_setup(state))
		return -1;
	two = &((struct two_wire *)*state)->two;
	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	two_fill(two->a.buffer, 4096, 1);
	return (int)two_address(&two->a, two->a.pd, 0, &ah);
}

static void send_length(struct two_wire *wire, uint32_t length)
{
	const struct two_request request = two_datagram(
		&wire->two.a, 0, length, ah, &wire->two.qp_b, QKEY);

	(void)two_send(&wire->two.qp_a, &request);
	(void)two_wire_expect(wire, &wire->two.qp_a, TWO_SEND,
			      ARNICA_HW_STATUS_SUCCESS);
}

static struct adev_counters *receiver_counters(struct two_wire *wire)
{
	return &two_function_of(&wire->two.b)->counters;
}

static void each_message_is_one_packet(void **state)
{
	struct two_wire *wire = *state;
	struct two_request request = two_datagram(
		&wire->two.a, 0, 9, ah, &wire->two.qp_b,
		ARNICA_HW_QKEY_CONTROLLED);

	wire->b.held = true;
	send_length(wire, 1024);
	request.opcode = ARNICA_HW_OP_SEND_IMM;
	request.immediate = 0x01020304;
	request.flags |= ARNICA_HW_WQE_SOLICITED;
	(void)two_send(&wire->two.qp_a, &request);
	(void)two_wire_expect(wire, &wire->two.qp_a, TWO_SEND,
			      ARNICA_HW_STATUS_SUCCESS);
	assert_true(two_wire_read(&wire->b, &got));
	assert_int_equal(got.packet.opcode, UD_SEND);
	assert_int_equal(got.packet.psn, 0xffffff);
	assert_int_equal(got.packet.pkey, 0xffff);
	assert_int_equal(got.packet.dest_qpn, wire->two.qp_b.qpn);
	assert_int_equal(got.packet.source_qpn, wire->two.qp_a.qpn);
	assert_int_equal(got.packet.qkey, QKEY);
	assert_false(got.packet.solicited);
	assert_false(got.packet.ack_request);
	assert_int_equal(got.packet.payload_bytes, 1024);
	two_check(got.payload, 1024, 1);
	assert_true(two_wire_read(&wire->b, &got));
	assert_int_equal(got.packet.opcode, UD_SEND_IMM);
	assert_int_equal(got.packet.psn, 0);
	assert_int_equal(got.packet.qkey, QKEY); /* the sender's own */
	assert_true(got.packet.solicited);
	assert_int_equal(got.packet.immediate, arnica_to_be32(0x01020304).raw);
	assert_int_equal(got.packet.payload_bytes, 9);
	assert_false(two_wire_read(&wire->b, &got));
}

static void it_arrives_as_on_one_host(void **state)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct two_wire *wire = *state;
	struct two *two = &wire->two;
	const uint8_t *header = (const uint8_t *)two->b.buffer;
	struct two_completion completion;
	struct arnica_bus_gid own;

	(void)two_receive(&two->qp_b, 0, 4096);
	send_length(wire, 100);
	completion = two_wire_expect(wire, &two->qp_b, TWO_RECEIVE,
				     ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion.byte_len, GRH + 100);
	assert_true(completion.flags & ARNICA_HW_CQE_GRH);
	assert_int_equal(completion.source & ARNICA_HW_CQE_SOURCE_QPN_MASK,
			 two->qp_a.qpn);
	two_check(two->b.buffer + GRH, 100, 1);
	assert_ok(adev_port_gid(0, &own));
	if (memcmp(own.raw, mapped, sizeof(mapped)) != 0) {
		assert_int_equal(header[0] >> 4, 6);
		assert_memory_equal(header + 8, own.raw, 16);
		assert_memory_equal(header + 24, own.raw, 16);
	} else {
		assert_int_equal(header[20], 0x45);
		assert_memory_equal(header + 32, own.raw + 12, 4);
		assert_memory_equal(header + 36, own.raw + 12, 4);
	}
}

static void more_than_the_ports_mtu_is_no_packet(void **state)
{
	struct two_wire *wire = *state;
	const struct two_request request = two_datagram(
		&wire->two.a, 0, 4097, ah, &wire->two.qp_b, QKEY);

	(void)two_send(&wire->two.qp_a, &request);
	(void)two_wire_expect(wire, &wire->two.qp_a, TWO_SEND,
			      ARNICA_HW_STATUS_LOC_LEN_ERR);
	assert_int_equal(wire->a.num_sent, 0);
}

static struct roce_packet packet_for(struct two_wire *wire)
{
	return (struct roce_packet){
		.opcode = UD_SEND,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = wire->two.qp_b.qpn,
		.psn = 77, /* of no meaning */
		.qkey = QKEY,
		.source_qpn = 0x123456,
		.payload_bytes = 8,
	};
}

static void put(struct two_wire *wire, const struct roce_packet *packet)
{
	two_wire_write(&wire->a, packet, wire->two.a.buffer);
}

static void expect_arrival(struct two_wire *wire)
{
	struct two_completion completion =
		two_wire_expect(wire, &wire->two.qp_b, TWO_RECEIVE,
				ARNICA_HW_STATUS_SUCCESS);

	assert_int_equal(completion.source & ARNICA_HW_CQE_SOURCE_QPN_MASK,
			 0x123456);
	two_check(wire->two.b.buffer + GRH, 8, 1);
}

/* Each is lost by itself, and the next one arrives. */
static void what_does_not_fit_is_lost(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet;

	wire->a.held = true;
	packet = packet_for(wire);
	put(wire, &packet);
	assert_int_equal(receiver_counters(wire)->lost_no_receive, 1);
	(void)two_receive(&wire->two.qp_b, 0, 4096);
	packet.qkey++;
	put(wire, &packet);
	assert_int_equal(receiver_counters(wire)->lost_qkey, 1);
	two_expect_none(&wire->two.qp_b, TWO_RECEIVE);
	packet = packet_for(wire);
	packet.opcode = (uint8_t)ROCE_RC | (uint8_t)ROCE_SEND_ONLY;
	put(wire, &packet);
	packet = packet_for(wire);
	packet.dest_qpn ^= 0x800000;
	put(wire, &packet);
	two_expect_none(&wire->two.qp_b, TWO_RECEIVE);
	packet = packet_for(wire);
	put(wire, &packet);
	expect_arrival(wire);
	assert_false(two_wire_read(&wire->a, &got)); /* nothing is answered */
}

static void a_receive_that_is_too_short_costs_itself(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = packet_for(wire);

	wire->a.held = true;
	(void)two_receive(&wire->two.qp_b, 0, GRH + 7);
	(void)two_receive(&wire->two.qp_b, 0, GRH + 8);
	put(wire, &packet);
	(void)two_wire_expect(wire, &wire->two.qp_b, TWO_RECEIVE,
			      ARNICA_HW_STATUS_LOC_LEN_ERR);
	put(wire, &packet);
	expect_arrival(wire);
	assert_int_equal(two_state(&wire->two.qp_b), ARNICA_HW_QPS_RTS);
}

/* Another incarnation of the receiver: the link to itself is made anew. */
static void a_receiver_that_was_reset_takes_packets_again(void **state)
{
	struct two_wire *wire = *state;
	const struct two_wish wish = datagram_wish();
	struct roce_packet packet = packet_for(wire);

	wire->a.held = true;
	(void)two_receive(&wire->two.qp_b, 0, 4096);
	put(wire, &packet);
	expect_arrival(wire);
	assert_ok(two_to_state(&wire->two.qp_b, ARNICA_HW_QPS_RESET));
	put(wire, &packet);
	assert_int_equal(receiver_counters(wire)->lost_not_ready, 1);
	two_connect_one(&wire->two.qp_b, 0, &wish);
	(void)two_receive(&wire->two.qp_b, 0, 4096);
	put(wire, &packet);
	expect_arrival(wire);
}

/* It may have marked the ring and put it on no list; the host looks again. */
static void a_local_sender_that_died_does_not_hide_what_comes(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = packet_for(wire);
	struct arnica_hw_cq_record *cq = wire->two.b.cq_record[TWO_RECEIVE];

	wire->a.held = true;
	(void)two_receive(&wire->two.qp_b, 0, 4096);
	assert_int_equal(arnica_load32(&cq->rescan, memory_order_relaxed), 0);
	assert_true(adev_qp_try_lock(two_shared_of(&wire->two.qp_b),
				     two_nobody(&wire->two.a)));
	put(wire, &packet);
	expect_arrival(wire);
	assert_int_equal(arnica_load32(&cq->rescan, memory_order_relaxed), 1);
}

/* It was waited for once, and is not for each packet: who drains the wire does so
 * for all queue pairs. (Here no time passes: to wait would have no end.) */
static void a_local_sender_that_is_stopped_is_waited_for_once(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet = packet_for(wire);
	struct adev_function *fn = two_function_of(&wire->two.b);
	struct adev_qp_shared *shared = two_shared_of(&wire->two.qp_b);
	struct adev_destinations *kept =
		fn->qps[wire->two.qp_b.handle]->destinations;

	wire->a.held = true;
	(void)two_receive(&wire->two.qp_b, 0, 4096);
	assert_true(adev_qp_try_lock(shared, fn->view.function));
	kept->own_stuck = atomic_load(&shared->lock);
	put(wire, &packet);
	put(wire, &packet);
	assert_int_equal(receiver_counters(wire)->lost_busy, 2);
	adev_qp_unlock(shared);
	put(wire, &packet);
	expect_arrival(wire);
	/* The next one who holds it is another one. */
	assert_true(kept->own_stuck == 0);
}

/* Nothing is sent again and nothing stops. */
static void a_wire_that_loses_costs_messages(void **state)
{
	const struct two_faults faults = { .drop = 300 };
	struct two_wire *wire = *state;
	struct two_completion completion;
	uint32_t i, arrived = 0;

	two_wire_seed(wire, 42, &faults);
	for (i = 0; i < 16; i++)
		(void)two_receive(&wire->two.qp_b, 0, 4096);
	for (i = 0; i < 16; i++)
		send_length(wire, 8);
	(void)two_wire_settle(wire, 1000000000);
	while (two_poll(&wire->two.qp_b, TWO_RECEIVE, &completion)) {
		assert_int_equal(completion.status, ARNICA_HW_STATUS_SUCCESS);
		arrived++;
	}
	assert_in_range(arrived, 1, 15);
	assert_int_equal(wire->a.num_sent, 16);
}

#define datagram_test(function)                                                \
	cmocka_unit_test_setup_teardown(function, setup, two_wire_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		datagram_test(each_message_is_one_packet),
		datagram_test(it_arrives_as_on_one_host),
		datagram_test(more_than_the_ports_mtu_is_no_packet),
		datagram_test(what_does_not_fit_is_lost),
		datagram_test(a_receive_that_is_too_short_costs_itself),
		datagram_test(a_receiver_that_was_reset_takes_packets_again),
		datagram_test(
			a_local_sender_that_died_does_not_hide_what_comes),
		datagram_test(
			a_local_sender_that_is_stopped_is_waited_for_once),
		datagram_test(a_wire_that_loses_costs_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
