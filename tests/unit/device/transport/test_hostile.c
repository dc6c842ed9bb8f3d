/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A hostile peer: whatever stands in its part of the shared memory, the
 * requester neither crashes nor hangs, and its request completes.
 */
#include <string.h>

#include "random.h"
#include "two_functions.h"

#define ROUNDS 300u

static void scramble(void *memory, size_t bytes)
{
	unsigned char *byte = memory;
	size_t i;

	for (i = 0; i < bytes; i++)
		byte[i] = (unsigned char)next_random();
}

static struct two_wish impatient(void)
{
	struct two_wish wish = two_defaults();

	wish.timeout = 1; /* 8 us */
	wish.retry_cnt = 0;
	wish.rnr_retry = 0;
	return wish;
}

static const enum arnica_hw_opcode opcodes[] = {
	ARNICA_HW_OP_SEND, ARNICA_HW_OP_WRITE,	   ARNICA_HW_OP_WRITE_IMM,
	ARNICA_HW_OP_READ, ARNICA_HW_OP_FETCH_ADD, ARNICA_HW_OP_CAS,
};

/* A request of each kind in turn; it completes, whatever its status. */
static void try_one(struct two *two, struct two_qp *qp, unsigned int round)
{
	enum arnica_hw_opcode opcode = opcodes[round % 6];
	uint32_t length = arnica_hw_opcode_is_atomic(opcode) ? 8 :
			  round % 3 == 0		     ? 16 :
			  round % 3 == 1		     ? 3000 :
							       20000;
	struct two_request request = two_request(opcode, &two->a, 0, length,
						 &two->b, 0);
	struct two_completion completion;
	uint64_t until = 0;

	(void)two_send(qp, &request);
	while (!two_poll(qp, TWO_SEND, &completion))
		(void)two_patience(&until);
}

/* The QP of the peer, as it was, with `bytes` at `offset` scrambled. */
static void scramble_rounds(struct two *two, size_t offset, size_t bytes,
			    bool keep_lock)
{
	const struct two_wish wish = impatient();
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		struct adev_qp_shared saved;
		struct two_qp qp;

		two_create(&qp, &two->a, &wish);
		shared->dest_qpn = qp.qpn;
		shared->expected_psn = 0;
		two_connect_one(&qp, two->qp_b.qpn, &wish);
		memcpy(&saved, shared, sizeof(saved));
		scramble((char *)shared + offset, bytes);
		if (keep_lock)
			atomic_store(&shared->lock, 0);
		if (round % 2)
			shared->dest_qpn = qp.qpn;
		if (round % 4 > 1)
			atomic_store(&shared->state, ARNICA_HW_QPS_RTS);
		try_one(two, &qp, round);
		memcpy(shared, &saved, sizeof(saved));
		assert_ok(two_destroy(&qp));
	}
}

static void random_descriptions_of_a_queue_pair_do_no_harm(void **state)
{
	random_state = 11;
	scramble_rounds(*state, 0, offsetof(struct adev_qp_shared, lock), true);
}

/* The incarnation stays, so that what was checked once is still used. */
static void random_responder_sequences_do_no_harm(void **state)
{
	random_state = 12;
	scramble_rounds(*state, offsetof(struct adev_qp_shared, lock),
			offsetof(struct adev_qp_shared, needs) -
				offsetof(struct adev_qp_shared, lock),
			true);
}

static void random_places_of_the_receive_queue_do_no_harm(void **state)
{
	random_state = 13;
	scramble_rounds(*state, offsetof(struct adev_qp_shared, rq_offset),
			3 * sizeof(uint64_t), true);
}

static void a_random_receive_queue_does_no_harm(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = impatient();
	struct two_queue *queue = &two->qp_b.queue[TWO_RECEIVE];
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	unsigned int round;

	random_state = 14;
	for (round = 0; round < ROUNDS; round++) {
		struct two_qp qp;

		scramble(queue->entries, queue->slots * queue->stride);
		scramble(queue->ring, queue->slots * sizeof(*queue->ring));
		scramble(queue->record, sizeof(*queue->record));
		two_create(&qp, &two->a, &wish);
		shared->dest_qpn = qp.qpn;
		shared->expected_psn = 0;
		atomic_store(&shared->state, ARNICA_HW_QPS_RTS);
		two_connect_one(&qp, two->qp_b.qpn, &wish);
		try_one(two, &qp, round % 2 ? 0 : 2);
		assert_ok(two_destroy(&qp));
	}
}

static void a_random_completion_queue_does_no_harm(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = impatient();
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	struct arnica_hw_cq_record *record = two->b.cq_record[TWO_RECEIVE];
	struct arnica_hw_cq_record saved;
	unsigned int round;

	random_state = 15;
	memcpy(&saved, record, sizeof(saved));
	for (round = 0; round < ROUNDS; round++) {
		struct two_qp qp;

		two_create(&qp, &two->a, &wish);
		shared->dest_qpn = qp.qpn;
		shared->expected_psn = 0;
		two_connect_one(&qp, two->qp_b.qpn, &wish);
		(void)two_receive(&two->qp_b, 0, 64);
		scramble(record, sizeof(*record));
		try_one(two, &qp, 0);
		memcpy(record, &saved, sizeof(saved));
		assert_ok(two_destroy(&qp));
	}
}

/* Entries of its table that lead nowhere: the access faults, the thread does
 * not. Regions of this process are what a peer in another could not name. */
static void random_table_entries_do_no_harm(void **state)
{
	struct two *two = *state;
	const struct two_wish wish = impatient();
	struct adev_tpt_entry *entry =
		&two_function_of(&two->b)->view.tpt[two->b.stag >> 8];
	struct adev_tpt_entry saved = *entry;
	struct adev_qp_shared *shared = two_shared_of(&two->qp_b);
	unsigned int round;

	two_faults_expected();
	random_state = 16;
	for (round = 0; round < ROUNDS; round++) {
		struct two_qp qp;

		two_create(&qp, &two->a, &wish);
		shared->dest_qpn = qp.qpn;
		shared->expected_psn = 0;
		atomic_store(&shared->state, ARNICA_HW_QPS_RTS);
		two_connect_one(&qp, two->qp_b.qpn, &wish);
		scramble(entry, sizeof(*entry));
		if (round % 2) {
			uint64_t address = entry->address;

			*entry = saved;
			entry->address = address;
		}
		try_one(two, &qp, round / 2);
		*entry = saved;
		assert_ok(two_destroy(&qp));
	}
}

/* Work that peers announce to the owner: bits for queue pairs that are not
 * there, needs that do not exist, summaries that say all. */
static void random_announcements_do_no_harm(void **state)
{
	struct two *two = *state;
	struct adev_shared *shared = two_function_of(&two->b)->view.shared;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);
	unsigned int round;

	random_state = 17;
	for (round = 0; round < ROUNDS; round++) {
		unsigned int i;

		for (i = 0; i < ADEV_CQ_WORDS; i++)
			atomic_store(&shared->cq_events[i], next_random());
		for (i = 0; i < ARNICA_HW_MAX_QP / 64; i++)
			atomic_store(&shared->qp_events[i], next_random());
		for (i = 0; i < ADEV_CQ_WORDS / 64; i++)
			atomic_store(&shared->cq_events_summary[i], UINT64_MAX);
		for (i = 0; i < ARNICA_HW_MAX_QP / 4096; i++)
			atomic_store(&shared->qp_events_summary[i], UINT64_MAX);
		atomic_store(&two_shared_of(&two->qp_b)->needs,
			     (uint32_t)next_random());
		atomic_store(&shared->qp_attention, 1);
		atomic_store(&shared->inbox_posted, 1);
		arnica_bus_poll(two->b.bus);
	}
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

static void random_inbox_slots_do_no_harm(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->b);
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);
	unsigned int round, slot;

	two_faults_expected();
	random_state = 18;
	atomic_store(&fn->view.shared->inbox_wanted, 1);
	arnica_bus_poll(two->b.bus);
	for (round = 0; round < ROUNDS; round++) {
		scramble(fn->view.inbox,
			 ADEV_INBOX_SLOTS * sizeof(struct adev_inbox_slot));
		for (slot = 0; slot < ADEV_INBOX_SLOTS; slot++) {
			struct adev_inbox_slot *entry = &fn->view.inbox[slot];

			entry->operation = 1 + next_random() % 5;
			if (slot % 2)
				entry->stag = two->b.stag;
			if (slot % 4 == 1)
				entry->pd = two->b.pd;
			atomic_store(&entry->owner,
				     next_random() << 32 | ADEV_INBOX_POSTED);
		}
		atomic_store(&fn->view.shared->inbox_posted, 1);
		arnica_bus_poll(two->b.bus);
	}
	memset(fn->view.inbox, 0,
	       ADEV_INBOX_SLOTS * sizeof(struct adev_inbox_slot));
	(void)two_send(&two->qp_a, &request);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_connected_test(
			random_descriptions_of_a_queue_pair_do_no_harm),
		two_connected_test(random_responder_sequences_do_no_harm),
		two_connected_test(
			random_places_of_the_receive_queue_do_no_harm),
		two_connected_test(a_random_receive_queue_does_no_harm),
		two_connected_test(a_random_completion_queue_does_no_harm),
		two_connected_test(random_table_entries_do_no_harm),
		two_connected_test(random_announcements_do_no_harm),
		two_connected_test(random_inbox_slots_do_no_harm),
	};

	two_faults_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
