/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A peer that answers whatever it likes: it may end the connection, but not
 * write anywhere, complete anything twice, or keep the sender busy.
 */
#include <string.h>

#include <infiniband/verbs.h>

#include "core/clock.h"
#include "played_peer.h"

#define MTU 1024u
#define DEPTH 64u
#define GUARD 0x5a

static uint64_t seed;
static uint32_t reached; /* completions before the end */

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % limit;
}

/* The requests place their data in the odd pages only. */
static void post_something(struct played *played)
{
	static const enum arnica_hw_opcode opcodes[] = {
		ARNICA_HW_OP_SEND, ARNICA_HW_OP_WRITE, ARNICA_HW_OP_READ,
		ARNICA_HW_OP_READ, ARNICA_HW_OP_CAS,   ARNICA_HW_OP_WRITE_IMM,
	};
	enum arnica_hw_opcode opcode = opcodes[random_below(6)];
	uint32_t length = arnica_hw_opcode_is_atomic(opcode) ?
				  8 :
				  random_below(4096 + 1);
	struct two_request request =
		played_request(played, opcode, 4096, length);

	if (random_below(8) == 0)
		request.flags |= ARNICA_HW_WQE_FENCE;
	(void)played_post(played, &request);
}

/* What a friendly peer could answer, so that there is something to lose. */
static void answer_well(struct played *played)
{
	static uint8_t data[MTU];
	struct adev_sender *sender = played_sender(played);
	const struct adev_sent *sent =
		adev_sender_sent(sender, sender->first_message);
	const struct adev_asked *asked =
		adev_sender_asked(sender, sender->first_asked);
	uint64_t left, number = sender->oldest;
	bool first, last;

	if (number == sender->sent)
		return;
	if (arnica_hw_opcode_is_atomic(sent->opcode)) {
		played_original(played, (uint32_t)number, 0xee);
		return;
	}
	if (sent->opcode != ARNICA_HW_OP_READ) {
		number += random_below((uint32_t)(sender->sent - number));
		played_ack(played, (uint32_t)number);
		return;
	}
	left = sent->bytes - (number - sent->first) * MTU;
	first = number == asked->first;
	last = number == asked->last;
	played_response(played,
			first && last ? ROCE_READ_RESPONSE_ONLY :
			first	      ? ROCE_READ_RESPONSE_FIRST :
			last	      ? ROCE_READ_RESPONSE_LAST :
					ROCE_READ_RESPONSE_MIDDLE,
			(uint32_t)number, data,
			left < MTU ? (uint32_t)left : MTU);
}

static void answer_something(struct played *played)
{
	static const uint8_t opcodes[] = {
		ROCE_ACKNOWLEDGE,	   ROCE_ACKNOWLEDGE,
		ROCE_ACKNOWLEDGE,	   ROCE_READ_RESPONSE_FIRST,
		ROCE_READ_RESPONSE_MIDDLE, ROCE_READ_RESPONSE_LAST,
		ROCE_READ_RESPONSE_ONLY,   ROCE_READ_RESPONSE_ONLY,
		ROCE_ATOMIC_ACKNOWLEDGE,   ROCE_CNP_OPCODE,
	};
	static uint8_t data[4096];
	struct adev_sender *sender = played_sender(played);
	struct roce_packet packet = {
		.opcode = opcodes[random_below(sizeof(opcodes))],
		.psn = (uint32_t)(sender->oldest + random_below(40) - 4) &
		       ROCE_PSN_MASK,
		.original = 0xeeeeeeeeeeeeeeee,
		.payload = data,
	};

	if (random_below(8) == 0)
		packet.psn = random_below(1u << 24);
	/* Mostly such that something is accepted. */
	packet.syndrome = (uint8_t)(random_below(16) ? 0x1f :
				    random_below(4)  ? 0x60 :
				    random_below(2)  ? 0x21 :
						       random_below(256));
	memset(data, 0xee, sizeof(data));
	if (packet.opcode >= ROCE_READ_RESPONSE_FIRST &&
	    packet.opcode <= ROCE_READ_RESPONSE_ONLY)
		packet.payload_bytes = random_below(4) ?
					       MTU :
					       random_below(MTU + 1);
	played_answer(played, &packet);
}

static uint32_t take_completions(struct played *played, uint32_t expected)
{
	struct two_completion completion;

	while (two_poll(played->qp, TWO_SEND, &completion))
		assert_int_equal(completion.wqe_index, expected++);
	return expected;
}

static void check_guards(struct played *played)
{
	const char *buffer = played->two->a.buffer;
	uint32_t i;

	for (i = 0; i < 4096; i++) {
		assert_int_equal(buffer[i], GUARD);
		assert_int_equal(buffer[8192 + i], GUARD);
	}
}

static void run_one(void **state, uint64_t which)
{
	struct two_wish wish = two_defaults();
	struct played played;
	uint32_t posted = 0, completed = 0, step;

	seed = which;
	wish.send_depth = DEPTH;
	wish.rd_atomic = 1 + random_below(16);
	wish.sq_psn = 0xfffff0;
	played_start(&played, *state, &wish, IBV_QPT_RC);
	memset(played.two->a.buffer, GUARD, 3 * 4096);
	for (step = 0; step < 400; step++) {
		uint32_t what = random_below(10);

		if (what < 3 && posted - completed < DEPTH) {
			post_something(&played);
			posted++;
		} else if (what < 8 || step < 100) {
			answer_well(&played);
		} else if (what < 9) {
			answer_something(&played);
		} else {
			played_pass(&played, random_below(2000000));
		}
		completed = take_completions(&played, completed);
		/* An answer makes it send a window at most. */
		assert_true(played_left(&played) <= ADEV_WINDOW_MAX);
		played_forget(&played);
	}
	check_guards(&played);
	assert_ok(two_to_state(played.qp, ARNICA_HW_QPS_ERR));
	reached += completed;
	/* Everything completes exactly once, in order. */
	assert_int_equal(take_completions(&played, completed), posted);
	played_stop(&played);
}

static void random_answers_do_no_harm(void **state)
{
	uint64_t which;

	for (which = 1; which <= 300; which++)
		run_one(state, which);
	/* Most connections live for a while. */
	assert_true(reached > 300 * 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(random_answers_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
