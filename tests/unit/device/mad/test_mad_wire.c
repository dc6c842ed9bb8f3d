/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* MADs over the wire: their packet, and what is made of packets to QP 1. */
#include "mad_test.h"

#include "captured.h"
#include "two_wire.h"

#define UD_SEND ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY)

struct fixture {
	struct two_wire *wire;
	struct end a, b;
};

static struct fixture it;

static int setup(void **state)
{
	if (two_wire_setup(state))
		return -1;
	it.wire = *state;
	end_open(&it.a, &it.wire->two.a);
	end_open(&it.b, &it.wire->two.b);
	return 0;
}

static int teardown(void **state)
{
	close(it.a.event_fd);
	close(it.b.event_fd);
	return two_wire_teardown(state);
}

static struct roce_packet packet_of(void)
{
	return (struct roce_packet){
		.opcode = UD_SEND,
		.pkey = 0xffff,
		.dest_qpn = 1,
		.qkey = ROCE_GSI_QKEY,
		.source_qpn = 1,
		.payload_bytes = 256,
	};
}

static void a_mad_is_a_packet_to_qp_1(void **state)
{
	static struct two_packet got;
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT);

	(void)state;
	it.wire->b.held = true;
	assert_ok(end_send(&it.a, &mad));
	assert_ok(end_send(&it.a, &mad));
	assert_true(two_wire_read(&it.wire->b, &got));
	assert_int_equal(got.packet.opcode, UD_SEND);
	assert_int_equal(got.packet.pkey, 0xffff);
	assert_int_equal(got.packet.dest_qpn, 1);
	assert_int_equal(got.packet.source_qpn, 1);
	assert_int_equal(got.packet.qkey, 0x80010000);
	assert_false(got.packet.solicited);
	assert_int_equal(got.packet.payload_bytes, 256);
	assert_memory_equal(got.payload, mad.bytes, 256);
	assert_true(two_wire_read(&it.wire->b, &got));
	assert_int_equal(got.packet.psn, 1);
}

static void what_comes_is_handed_to_whom_it_is_for(void **state)
{
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT), got;
	struct roce_cm_message message;
	uint32_t handle;

	(void)state;
	/* It arrives at b, and is for a itself. */
	assert_ok(end_listen(&it.a, PORT, &handle));
	mad.traffic_class = 0x20;
	assert_ok(end_send(&it.a, &mad));
	assert_int_equal(end_take(&it.a, &got), EAGAIN);
	two_wire_settle(it.wire, 1000000);
	assert_ok(end_take(&it.a, &got));
	assert_memory_equal(got.bytes, mad.bytes, 256);
	assert_memory_equal(got.remote_gid, mad.remote_gid, 16);
	assert_int_equal(got.traffic_class, 0x20);
	assert_int_equal(end_counters(&it.b)->mads_received, 1);
	mad = message_to(ROCE_CM_REP, it.a.ids.base | 2, it.b.ids.base | 7);
	assert_ok(end_send(&it.a, &mad));
	two_wire_settle(it.wire, 1000000);
	end_take_message(&it.b, ROCE_CM_REP, &message);
}

static void nobody_s_are_answered_by_a_packet(void **state)
{
	struct arnica_bus_mad mad = request_to(&it.a, 1, PORT);
	struct roce_cm_message message;

	(void)state;
	assert_ok(end_send(&it.a, &mad));
	two_wire_settle(it.wire, 1000000);
	end_take_message(&it.a, ROCE_CM_REJ, &message);
	assert_int_equal(message.remote_comm_id, it.a.ids.base | 1);
	assert_int_equal(message.rej.reason, ROCE_CM_INVALID_SERVICE_ID);
	assert_int_equal(end_counters(&it.b)->mads_to_nobody, 1);
	assert_int_equal(end_counters(&it.b)->mads_sent, 1);
	/* That is all: an answer is not answered. */
	assert_int_equal(it.wire->b.num_sent, 1);
	assert_int_equal(it.wire->a.num_sent, 1);
}

static void bytes_of_linux_reach_who_listens(void **state)
{
	const struct roce_packet packet = packet_of();
	struct arnica_bus_service service = {
		.id = 0x01061c06,
		.mask = UINT64_MAX,
		.address = { [10] = 0xff, 0xff, 10, 9, 2, 2 },
		.flags = ARNICA_BUS_SERVICE_LISTENS,
	};
	struct arnica_bus_mad got;
	uint32_t handle;

	(void)state;
	it.wire->a.held = true;
	assert_ok(
		arnica_bus_service_take(it.b.function->bus, &service, &handle));
	two_wire_write(&it.wire->a, &packet, captured_req);
	assert_ok(end_take(&it.b, &got));
	assert_memory_equal(got.bytes, captured_req, 256);
	assert_int_equal(end_take(&it.b, &got), EAGAIN);
}

/* Writes it, and expects that it is refused. */
static void expect_refused(const struct roce_packet *packet,
			   const uint8_t *payload)
{
	uint64_t before = end_counters(&it.b)->mads_refused;

	two_wire_write(&it.wire->a, packet, payload);
	assert_int_equal(end_counters(&it.b)->mads_refused, before + 1);
}

static void other_packets_to_qp_1_are_counted(void **state)
{
	struct roce_packet packet = packet_of();
	uint8_t bytes[256];

	(void)state;
	it.wire->a.held = true;
	memcpy(bytes, captured_req, 256);
	packet.qkey = 0x11111111;
	expect_refused(&packet, bytes);
	packet = packet_of();
	packet.pkey = 0x8001;
	expect_refused(&packet, bytes);
	packet = packet_of();
	packet.payload_bytes = 252;
	expect_refused(&packet, bytes);
	packet = packet_of();
	packet.opcode = (uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY_IMM;
	expect_refused(&packet, bytes);
	packet = packet_of();
	packet.opcode = ROCE_SEND_ONLY;
	expect_refused(&packet, bytes);
	packet = packet_of();
	bytes[1] = 0x81; /* another class */
	expect_refused(&packet, bytes);
	assert_int_equal(end_counters(&it.b)->mads_received, 0);
	assert_int_equal(it.wire->b.num_sent, 0);
}

#define mad_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		mad_test(a_mad_is_a_packet_to_qp_1),
		mad_test(what_comes_is_handed_to_whom_it_is_for),
		mad_test(nobody_s_are_answered_by_a_packet),
		mad_test(bytes_of_linux_reach_who_listens),
		mad_test(other_packets_to_qp_1_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
