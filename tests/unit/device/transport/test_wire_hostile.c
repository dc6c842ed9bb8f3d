/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Packets of all kinds from somebody who knows the connection: right addresses,
 * right numbers, right checksums, and everything else at random. Nothing outside
 * of the region that was opened to the peer changes, whatever comes.
 */
#include <stdlib.h>
#include <string.h>

#include "two_script.h"

#define ROUNDS 40u
#define PACKETS 400u

/* Of the buffer: what the peer may write. The rest is guarded. */
#define OPEN_OFFSET (1u << 20)
#define OPEN_BYTES 4096u

struct target {
	struct two_wire *wire;
	uint32_t open_stag;
	uint32_t open_mr;
	uint32_t first_psn; /* of what qp_b sends */
};

static uint64_t pick(struct two_wire *wire, const uint64_t *values,
		     uint32_t count)
{
	return values[two_wire_random(wire, count)];
}

static uint32_t near(struct two_wire *wire, uint32_t number, uint32_t range)
{
	return number + two_wire_random(wire, 2 * range + 1) - range;
}

/* The PSN that is due more often than not: others lead nowhere. */
static struct roce_packet any_packet(const struct target *target)
{
	struct two_wire *wire = target->wire;
	const struct adev_qp_shared *shared = two_shared_of(&wire->two.qp_b);
	uint64_t open = (uintptr_t)wire->two.b.buffer + OPEN_OFFSET;
	const uint64_t addresses[] = { open,
				       open + 8,
				       open + OPEN_BYTES - 8,
				       open + OPEN_BYTES,
				       open - 1,
				       0,
				       UINT64_MAX,
				       UINT64_MAX - 7 };
	const uint64_t lengths[] = { 0,	  1,	255,	    256,
				     257, 1000, OPEN_BYTES, OPEN_BYTES + 1,
				     1u << 31, 0xffffffff };
	const uint64_t payloads[] = { 0, 1, 8, 255, 256, 256, 257, 1000, 4096 };
	const uint64_t keys[] = { target->open_stag, target->open_stag,
				  target->open_stag, target->open_stag ^ 1,
				  target->open_stag + 256, 0, 0xffffffff };
	uint8_t operation = (uint8_t)two_wire_random(wire, 0x18);
	struct roce_packet packet = script_request(
		wire, operation, shared->expected_psn,
		(uint32_t)pick(wire, payloads, 9));

	if (!(roce_opcode_info(operation) & ROCE_IS_KNOWN))
		packet.opcode = ROCE_WRITE_ONLY;
	if (!(roce_opcode_info(packet.opcode) & ROCE_HAS_PAYLOAD))
		packet.payload_bytes = 0;
	/* Answers to what qp_b asked for: see begin_anew(). */
	if (!(roce_opcode_info(packet.opcode) & ROCE_IS_REQUEST))
		packet.psn = near(wire, target->first_psn + 3, 4) &
			     ROCE_PSN_MASK;
	else if (!two_wire_random(wire, 4))
		packet.psn = near(wire, packet.psn, 5) & ROCE_PSN_MASK;
	packet.ack_request = two_wire_random(wire, 2);
	packet.solicited = two_wire_random(wire, 2);
	packet.address = pick(wire, addresses, 8);
	packet.dma_length = two_wire_random(wire, 2) ?
				    packet.payload_bytes :
				    (uint32_t)pick(wire, lengths, 10);
	packet.rkey = (uint32_t)pick(wire, keys, 7);
	packet.swap_or_add = 1;
	packet.syndrome = two_wire_random(wire, 2) ?
				  ROCE_CREDITS_UNLIMITED :
				  (uint8_t)two_wire_random(wire, 256);
	packet.msn = two_wire_random(wire, 1u << 24);
	return packet;
}

/* qp_b, from ERR or wherever it is. It asks for something itself, and puts it
 * into the open region. */
static void begin_anew(struct target *target)
{
	struct two_wire *wire = target->wire;
	struct two_qp *qp = &wire->two.qp_b;
	struct two_wish wish = two_defaults();
	struct two_completion completion;
	struct two_request request;
	uint32_t i;

	while (two_poll(qp, TWO_SEND, &completion) ||
	       two_poll(qp, TWO_RECEIVE, &completion))
		;

	wish.mtu = 1;
	wish.rd_atomic = 1 + two_wire_random(wire, 4);
	wish.sq_psn = wish.rq_psn = two_wire_random(wire, 1u << 24);
	target->first_psn = wish.sq_psn;
	assert_ok(two_to_state(qp, ARNICA_HW_QPS_RESET));
	two_connect_one(qp, wire->two.qp_a.qpn, &wish);
	for (i = 0; i < 8; i++)
		(void)two_receive(qp, OPEN_OFFSET + OPEN_BYTES / 2,
				  64u << two_wire_random(wire, 6));
	/* The host's side after RESET: see include/arnica/hw/records.h. */
	qp->queue[TWO_RECEIVE].polled = qp->queue[TWO_RECEIVE].posted - 8;
	request = two_request(ARNICA_HW_OP_READ, qp->function, OPEN_OFFSET,
			      1000, &wire->two.a, 0);
	(void)two_send(qp, &request);
	request = two_request(ARNICA_HW_OP_SEND, qp->function, OPEN_OFFSET,
			      1000, &wire->two.a, 0);
	(void)two_send(qp, &request);
	request = two_request(ARNICA_HW_OP_FETCH_ADD, qp->function, OPEN_OFFSET,
			      8, &wire->two.a, 0);
	(void)two_send(qp, &request);
}

static void expect_untouched(const struct target *target, const char *before)
{
	const char *buffer = target->wire->two.b.buffer;
	uint32_t end = OPEN_OFFSET + OPEN_BYTES;

	assert_memory_equal(buffer, before, OPEN_OFFSET);
	assert_memory_equal(buffer + end, before + end, TWO_BUFFER_BYTES - end);
}

static void nothing_that_comes_reaches_beyond_its_region(void **state)
{
	struct two_wire *wire = *state;
	struct target target = { .wire = wire };
	struct two_function *b = &wire->two.b;
	char *before = malloc(TWO_BUFFER_BYTES);
	struct two_packet answer;
	uint32_t round, i;

	two_fill(b->buffer, TWO_BUFFER_BYTES, 99);
	memcpy(before, b->buffer, TWO_BUFFER_BYTES);
	assert_ok(two_register(b, b->buffer + OPEN_OFFSET, OPEN_BYTES,
			       TWO_ALL_RIGHTS, &target.open_mr,
			       &target.open_stag));
	for (round = 0; round < ROUNDS; round++) {
		two_wire_seed(wire, round + 1, &(struct two_faults){ 0 });
		begin_anew(&target);
		for (i = 0; i < PACKETS; i++) {
			struct roce_packet packet = any_packet(&target);

			wire->a.corked = two_wire_random(wire, 3) == 0;
			script_send(wire, &packet, i);
			while (two_wire_read(&wire->a, &answer))
				;
			if (two_state(&wire->two.qp_b) == ARNICA_HW_QPS_ERR)
				begin_anew(&target);
		}
		(void)two_wire_settle(wire, 10000000);
		expect_untouched(&target, before);
	}
	/* And much of it did reach that. */
	assert_memory_not_equal(before + OPEN_OFFSET, b->buffer + OPEN_OFFSET,
				OPEN_BYTES);
	free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		script_test(nothing_that_comes_reaches_beyond_its_region),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
