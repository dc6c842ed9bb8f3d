/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Both halves of the transport over a wire that loses, doubles, reorders and
 * damages: no byte wrong, no message lost, doubled or out of order, each atomic
 * executed once. The same seed gives the same run.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "two_wire.h"

#define SLOTS 16u
#define SLOT_BYTES 32768u
#define MAX_BYTES 20000u

/* Areas of each buffer, SLOTS slots each. */
#define SOURCE 0u
#define RECEIVED (SLOTS * SLOT_BYTES)
#define WRITTEN (2 * SLOTS * SLOT_BYTES)
#define FETCHED (3 * SLOTS * SLOT_BYTES)
#define READABLE (4 * SLOTS * SLOT_BYTES)
#define COUNTER (READABLE + SLOT_BYTES)
#define ORIGINALS (COUNTER + 64)

#define READABLE_SEED 77u

/* One direction: a requester and what it expects. */
struct flow {
	struct two_wire *wire;
	struct two_qp *from, *to;
	struct two_request requests[SLOTS];
	uint32_t bytes[SLOTS];
	uint32_t posted, completed;
	uint32_t receives_posted, receives_used;
	uint32_t messages_to_receive[4096]; /* by order: index of the message */
	uint32_t num_to_receive;
	uint64_t atomics_posted, atomics_done;
};

static uint32_t slot_offset(uint32_t area, uint32_t index)
{
	return area + index % SLOTS * SLOT_BYTES;
}

static void post_receive(struct flow *flow)
{
	(void)two_receive(flow->to,
			  slot_offset(RECEIVED, flow->receives_posted),
			  SLOT_BYTES);
	flow->receives_posted++;
}

static void post(struct flow *flow)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_SEND_IMM,	ARNICA_HW_OP_WRITE,
		ARNICA_HW_OP_WRITE_IMM, ARNICA_HW_OP_READ,
		ARNICA_HW_OP_FETCH_ADD, ARNICA_HW_OP_SEND_IMM,
	};
	struct two_wire *wire = flow->wire;
	struct two_function *own = flow->from->function;
	struct two_function *peer = flow->to->function;
	uint32_t index = flow->posted++, slot = index % SLOTS;
	enum arnica_hw_opcode opcode = opcodes[two_wire_random(wire, 6)];
	uint32_t bytes = two_wire_random(wire, MAX_BYTES + 1);
	uint32_t source = slot_offset(SOURCE, index), remote = 0;

	switch (opcode) {
	case ARNICA_HW_OP_WRITE:
	case ARNICA_HW_OP_WRITE_IMM:
		remote = slot_offset(WRITTEN, index);
		memset(peer->buffer + remote, 0, SLOT_BYTES);
		break;
	case ARNICA_HW_OP_READ:
		source = slot_offset(FETCHED, index);
		remote = READABLE;
		memset(own->buffer + source, 0, SLOT_BYTES);
		break;
	case ARNICA_HW_OP_FETCH_ADD:
		source = ORIGINALS + 8 * slot;
		remote = COUNTER;
		bytes = 8;
		flow->atomics_posted++;
		break;
	default:
		break;
	}
	if (source == slot_offset(SOURCE, index))
		two_fill(own->buffer + source, bytes, index);
	if (opcode == ARNICA_HW_OP_SEND_IMM || opcode == ARNICA_HW_OP_WRITE_IMM)
		flow->messages_to_receive[flow->num_to_receive++ % 4096] =
			index;
	flow->requests[slot] =
		two_request(opcode, own, source, bytes, peer, remote);
	flow->requests[slot].immediate = index;
	flow->requests[slot].swap_or_add = 1;
	flow->bytes[slot] = bytes;
	(void)two_send(flow->from, &flow->requests[slot]);
}

static void check_completed(struct flow *flow,
			    const struct two_completion *completion)
{
	struct two_function *own = flow->from->function;
	uint32_t index = flow->completed++, slot = index % SLOTS;
	uint32_t bytes = flow->bytes[slot];
	uint64_t original;

	assert_int_equal(completion->status, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion->wqe_index, index);
	switch (flow->requests[slot].opcode) {
	case ARNICA_HW_OP_WRITE:
		two_check(flow->to->function->buffer +
				  slot_offset(WRITTEN, index),
			  bytes, index);
		break;
	case ARNICA_HW_OP_READ:
		assert_int_equal(completion->byte_len, bytes);
		two_check(own->buffer + slot_offset(FETCHED, index), bytes,
			  READABLE_SEED);
		break;
	case ARNICA_HW_OP_FETCH_ADD:
		memcpy(&original, own->buffer + ORIGINALS + 8 * slot, 8);
		assert_int_equal(original, flow->atomics_done++);
		break;
	default:
		break;
	}
}

static void check_received(struct flow *flow,
			   const struct two_completion *completion)
{
	uint32_t order = flow->receives_used++;
	uint32_t index = flow->messages_to_receive[order % 4096];
	bool write = completion->opcode == ARNICA_HW_RECV_RDMA_WITH_IMM;

	assert_int_equal(completion->status, ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(completion->wqe_index, order);
	assert_int_equal(completion->immediate, index);
	two_check(flow->to->function->buffer +
			  (write ? slot_offset(WRITTEN, index) :
				   slot_offset(RECEIVED, order)),
		  completion->byte_len, index);
}

/* True when something happened. */
static bool advance(struct flow *flow, uint32_t messages)
{
	struct two_completion completion;
	bool any = false;

	/* Its slots are free again, and no message before it is under way. */
	if (flow->posted < messages && flow->posted - flow->completed < SLOTS &&
	    flow->num_to_receive - flow->receives_used < SLOTS / 2) {
		post(flow);
		any = true;
	}
	/* Late now and then: the requester waits for a receive. */
	if (flow->receives_posted - flow->receives_used < SLOTS / 2 &&
	    !two_wire_random(flow->wire, 8)) {
		post_receive(flow);
		any = true;
	}
	while (two_poll(flow->to, TWO_RECEIVE, &completion)) {
		check_received(flow, &completion);
		any = true;
	}
	while (two_poll(flow->from, TWO_SEND, &completion)) {
		check_completed(flow, &completion);
		any = true;
	}
	return any;
}

static bool finished(const struct flow *flow, uint32_t messages)
{
	return flow->completed == messages &&
	       flow->receives_used == flow->num_to_receive;
}

static void check_counter(const struct flow *flow)
{
	uint64_t counter;

	memcpy(&counter, flow->to->function->buffer + COUNTER, 8);
	assert_int_equal(counter, flow->atomics_posted);
	assert_int_equal(flow->atomics_done, flow->atomics_posted);
}

/* The first argument says how many, for longer runs by hand. */
static uint32_t num_seeds = 10;

struct run {
	uint64_t seed;
	struct two_faults faults;
	uint32_t messages;
	uint32_t mtu;
};

/* What the run was: two equal ones are one. */
struct result {
	uint64_t num_datagrams;
	uint64_t end_ns;
};

static struct result run(void **state, const struct run *parameters)
{
	struct two_wish wish = two_defaults();
	struct flow *flows = calloc(2, sizeof(*flows));
	struct two_wire *wire;
	struct result result;
	uint32_t i;

	assert_ok(two_wire_setup(state));
	wire = *state;
	wish.mtu = parameters->mtu;
	/* Goes around on the way. */
	wish.sq_psn = wish.rq_psn = 0xffff00;
	wish.retry_cnt = 7;
	two_wire_connect(wire, &wish);
	two_wire_seed(wire, parameters->seed, &parameters->faults);
	flows[0] = (struct flow){ .wire = wire,
				  .from = &wire->two.qp_a,
				  .to = &wire->two.qp_b };
	flows[1] = (struct flow){ .wire = wire,
				  .from = &wire->two.qp_b,
				  .to = &wire->two.qp_a };
	two_fill(wire->two.a.buffer + READABLE, SLOT_BYTES, READABLE_SEED);
	two_fill(wire->two.b.buffer + READABLE, SLOT_BYTES, READABLE_SEED);
	while (!finished(&flows[0], parameters->messages) ||
	       !finished(&flows[1], parameters->messages)) {
		bool any = advance(&flows[0], parameters->messages);

		any |= advance(&flows[1], parameters->messages);
		if (!any && !two_wire_step(wire) &&
		    flows[0].receives_posted - flows[0].receives_used >=
			    SLOTS / 2 &&
		    flows[1].receives_posted - flows[1].receives_used >=
			    SLOTS / 2)
			fail_msg("nothing moves: %u and %u of %u messages",
				 flows[0].completed, flows[1].completed,
				 parameters->messages);
	}
	for (i = 0; i < 2; i++)
		check_counter(&flows[i]);
	result.num_datagrams = wire->num_datagrams;
	result.end_ns = adev_now_ns();
	free(flows);
	assert_ok(two_wire_teardown(state));
	return result;
}

static void a_perfect_wire_carries_everything(void **state)
{
	const struct run parameters = { 1, { 0 }, 600, 3 };

	(void)run(state, &parameters);
}

static void one_fault_at_a_time_is_overcome(void **state)
{
	static const struct two_faults faults[] = {
		{ .drop = 50 }, { .duplicate = 50 },
		{ .reorder = 50 }, { .corrupt = 30 },
	};
	uint32_t i;

	for (i = 0; i < 4; i++) {
		const struct run parameters = { i + 1, faults[i], 300, 3 };

		(void)run(state, &parameters);
	}
}

static void all_faults_at_once_are_overcome(void **state)
{
	const struct two_faults faults = { 50, 20, 50, 10 };
	uint32_t seed;

	for (seed = 1; seed <= num_seeds; seed++) {
		const struct run parameters = { seed, faults, 150,
						1 + seed % 5 };

		(void)run(state, &parameters);
	}
}

static void the_same_seed_gives_the_same_run(void **state)
{
	const struct run parameters = { 42, { 50, 20, 50, 10 }, 100, 2 };
	struct run other = parameters;
	struct result first = run(state, &parameters);
	struct result second = run(state, &parameters);
	struct result third;

	assert_int_equal(first.num_datagrams, second.num_datagrams);
	assert_int_equal(first.end_ns, second.end_ns);
	other.seed++;
	third = run(state, &other);
	assert_true(third.num_datagrams != first.num_datagrams ||
		    third.end_ns != first.end_ns);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_perfect_wire_carries_everything),
		cmocka_unit_test(one_fault_at_a_time_is_overcome),
		cmocka_unit_test(all_faults_at_once_are_overcome),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
	};

	if (argc > 1)
		num_seeds = (uint32_t)atoi(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
