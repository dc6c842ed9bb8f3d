/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Packets that are not for the QP: they change a counter, and nothing else. Also
 * QPs that come and go, and move, while packets arrive.
 */
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#include "two_script.h"

/* Everything of qp_b that a packet could change. */
struct snapshot {
	uint32_t state, expected_psn, msn, rq_head;
	char memory[4096];
};

static void take_snapshot(struct two_wire *wire, struct snapshot *snapshot)
{
	const struct adev_qp_shared *shared = two_shared_of(&wire->two.qp_b);

	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->state = shared->state;
	snapshot->expected_psn = shared->expected_psn;
	snapshot->msn = shared->msn;
	snapshot->rq_head = shared->rq_head;
	memcpy(snapshot->memory, wire->two.b.buffer, sizeof(snapshot->memory));
}

static void expect_unchanged(struct two_wire *wire,
			     const struct snapshot *before)
{
	struct snapshot after;

	script_expect_silence(wire);
	take_snapshot(wire, &after);
	assert_memory_equal(before, &after, sizeof(after));
	assert_int_equal(two_async(&wire->two.b, false), -1);
}

static struct adev_counters *counters(struct two_wire *wire)
{
	return &two_function_of(&wire->two.b)->counters;
}

static void packets_for_nobody_change_a_counter(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8);
	static const uint32_t numbers[] = { 2, 0xffffff, 0x123456 };
	struct snapshot before;
	uint32_t i;

	take_snapshot(wire, &before);
	for (i = 0; i < 3; i++) {
		packet.dest_qpn = numbers[i];
		script_send(wire, &packet, 1);
	}
	/* Of this domain, but of the other function. */
	packet.dest_qpn = wire->two.qp_a.qpn;
	script_send(wire, &packet, 1);
	/* Of the right block of numbers, but not made. */
	packet.dest_qpn = wire->two.qp_b.qpn ^ 1;
	script_send(wire, &packet, 1);
	expect_unchanged(wire, &before);
	assert_int_equal(counters(wire)->wire_no_qp, 4);
	/* The number of groups, of which there is none. */
	assert_int_equal(counters(wire)->wire_no_group, 1);
}

static void packets_of_another_transport_are_dropped(void **state)
{
	struct two_wire *wire = *state;
	static const uint8_t opcodes[] = { ROCE_UC | ROCE_WRITE_ONLY,
					   ROCE_UC | ROCE_SEND_ONLY,
					   ROCE_UD | ROCE_SEND_ONLY,
					   ROCE_XRC | ROCE_WRITE_ONLY };
	struct snapshot before;
	uint32_t i;

	(void)two_receive(&wire->two.qp_b, 0, 64);
	take_snapshot(wire, &before);
	for (i = 0; i < 4; i++)
		script_put(wire, opcodes[i], SCRIPT_PSN, 8, 1);
	expect_unchanged(wire, &before);
	assert_int_equal(counters(wire)->wire_type, 4);
}

static void packets_from_elsewhere_are_dropped(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 0);
	struct snapshot before;

	take_snapshot(wire, &before);
	two_wire_write_foreign(&wire->a, &packet);
	packet.opcode = ROCE_ACKNOWLEDGE;
	two_wire_write_foreign(&wire->a, &packet);
	packet.opcode = ROCE_READ_RESPONSE_ONLY;
	two_wire_write_foreign(&wire->a, &packet);
	expect_unchanged(wire, &before);
	assert_int_equal(counters(wire)->wire_source, 3);
}

static void packets_of_another_partition_are_dropped(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8);
	struct snapshot before;

	take_snapshot(wire, &before);
	packet.pkey = 0x8001;
	script_send(wire, &packet, 1);
	expect_unchanged(wire, &before);
	assert_int_equal(counters(wire)->wire_pkey, 1);
	/* A limited member of the default partition may. */
	packet.pkey = 0x7fff;
	script_send(wire, &packet, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
}

/* Only connected QPs that may receive take requests. */
static void requests_in_the_wrong_state_are_dropped(void **state)
{
	static const enum arnica_hw_qp_state states[] = { ARNICA_HW_QPS_ERR,
							  ARNICA_HW_QPS_RESET };
	struct two_wire *wire = *state;
	struct snapshot before;
	uint32_t i;

	for (i = 0; i < 2; i++) {
		assert_ok(two_to_state(&wire->two.qp_b, states[i]));
		take_snapshot(wire, &before);
		script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
		expect_unchanged(wire, &before);
	}
	assert_int_equal(counters(wire)->wire_state, 2);
}

static void a_drained_qp_still_responds(void **state)
{
	struct two_wire *wire = *state;

	assert_ok(two_to_state(&wire->two.qp_b, ARNICA_HW_QPS_SQD));
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
}

/* The second life of a QP knows nothing of the first. */
static void a_connection_begins_anew_after_reset(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;
	struct two_wish wish = two_defaults();

	wish.mtu = 1;
	wish.rq_psn = SCRIPT_PSN;
	(void)two_receive(qp, 0, 1024);
	script_put(wire, ROCE_SEND_FIRST, SCRIPT_PSN, 256, 1);
	script_expect_ack(wire, SCRIPT_PSN, 0);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 8, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN + 1,
			       ROCE_SYNDROME_NAK | ROCE_NAK_SEQUENCE);
	assert_ok(two_to_state(qp, ARNICA_HW_QPS_RESET));
	two_connect_one(qp, wire->two.qp_a.qpn, &wish);
	(void)two_receive(qp, 0, 1024);
	script_put(wire, ROCE_SEND_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN + 8, 8, 1);
	script_expect_syndrome(wire, SCRIPT_PSN + 1,
			       ROCE_SYNDROME_NAK | ROCE_NAK_SEQUENCE);
}

/* Responses under way die with the QP. */
static void a_qp_is_destroyed_while_it_answers(void **state)
{
	struct two_wire *wire = *state;
	struct roce_packet packet =
		script_request(wire, ROCE_READ_REQUEST, SCRIPT_PSN, 0);
	struct two_packet answer;
	uint32_t sent = 0;

	packet.dma_length = 25600;
	script_send(wire, &packet, 0);
	assert_ok(two_destroy(&wire->two.qp_b));
	(void)two_wire_settle(wire, 1000000);
	while (two_wire_read(&wire->a, &answer))
		sent++;
	/* All of them, if the agent was quicker than the command, and the
	 * acknowledgement that the QP leaves with. */
	assert_in_range(sent, 1, 101);
}

/* Of block 0, which is never leased. */
#define NOBODYS_QPN 200u

/* Local by addresses and not forced on the wire: no packets at all. */
static void a_qp_with_a_local_peer_takes_no_packets(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;
	struct two_wish wish = two_defaults();
	struct snapshot before;

	wish.mtu = 1;
	wish.rq_psn = SCRIPT_PSN;
	assert_ok(two_to_state(qp, ARNICA_HW_QPS_RESET));
	assert_ok(setenv("ARNICA_LOOPBACK", "on", 1));
	two_connect_one(qp, NOBODYS_QPN, &wish);
	take_snapshot(wire, &before);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
	expect_unchanged(wire, &before);
	/* And back again. */
	assert_ok(setenv("ARNICA_LOOPBACK", "off", 1));
	assert_ok(two_to_state(qp, ARNICA_HW_QPS_RESET));
	two_connect_one(qp, wire->two.qp_a.qpn, &wish);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
}

/* Local by addresses, and it was opened with the wire forced. */
static void a_qp_with_a_peer_that_forces_the_wire_takes_packets(void **state)
{
	struct two_wire *wire = *state;
	struct two_qp *qp = &wire->two.qp_b;
	struct two_wish wish = two_defaults();

	wish.mtu = 1;
	wish.rq_psn = SCRIPT_PSN;
	assert_ok(two_to_state(qp, ARNICA_HW_QPS_RESET));
	assert_ok(setenv("ARNICA_LOOPBACK", "on", 1));
	two_connect_one(qp, wire->two.qp_a.qpn, &wish);
	script_put(wire, ROCE_WRITE_ONLY, SCRIPT_PSN, 8, 1);
	script_expect_ack(wire, SCRIPT_PSN, 1);
	assert_ok(setenv("ARNICA_LOOPBACK", "off", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		script_test(packets_for_nobody_change_a_counter),
		script_test(packets_of_another_transport_are_dropped),
		script_test(packets_from_elsewhere_are_dropped),
		script_test(packets_of_another_partition_are_dropped),
		script_test(requests_in_the_wrong_state_are_dropped),
		script_test(a_drained_qp_still_responds),
		script_test(a_connection_begins_anew_after_reset),
		script_test(a_qp_is_destroyed_while_it_answers),
		script_test(a_qp_with_a_local_peer_takes_no_packets),
		script_test(
			a_qp_with_a_peer_that_forces_the_wire_takes_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
