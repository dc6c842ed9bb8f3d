/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Writers and a poller at the same time, over more rings than stay hot: no
 * completion may be lost while rings cool, and none may come twice. Under
 * ThreadSanitizer both sides of the contract are seen.
 */
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "fixture.h"

#define WRITERS 2u
#define RINGS_PER_WRITER 16u
#define ROUNDS 6400u

struct writer {
	pthread_t thread;
	struct fixture *fixture;
	struct arnica_qp *qps[RINGS_PER_WRITER];
};

/* Publishes one entry per ring and round; waits for room as the adapter does,
 * by what the host says it has polled. */
static void *write_entries(void *argument)
{
	struct writer *writer = argument;
	uint32_t round;
	uint32_t i;

	for (round = 0; round < ROUNDS; round++) {
		/* Few rings at a time, so that the others cool. */
		uint32_t first = round / 8 % 4 * (RINGS_PER_WRITER / 4);

		for (i = first; i < first + RINGS_PER_WRITER / 4; i++) {
			struct arnica_ring *ring = &writer->qps[i]->send_ring;
			uint32_t index = round / 32 * 8 + round % 8;

			while (index - arnica_load32(&ring->record->polled,
						     memory_order_acquire) >=
			       FIXTURE_DEPTH)
				sched_yield();
			fixture_complete(writer->fixture, ring, index,
					 fixture_entry(0, 1, 0, index));
		}
	}
	return NULL;
}

static void no_completion_is_lost_or_doubled(void **state)
{
	struct fixture *fixture = *state;
	const uint32_t expected = WRITERS * ROUNDS * (RINGS_PER_WRITER / 4);
	struct writer writers[WRITERS];
	struct ibv_wc wc[4];
	uint32_t total = 0;
	uint32_t i;
	uint32_t j;

	for (i = 0; i < WRITERS; i++) {
		writers[i].fixture = fixture;
		for (j = 0; j < RINGS_PER_WRITER; j++)
			writers[i].qps[j] = fixture_add_qp(fixture);
	}
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i].thread, NULL,
						write_entries, &writers[i]),
				 0);
	while (total < expected) {
		int taken = ibv_poll_cq(ibv_cq_ex_to_cq(&fixture->cq->verbs), 4,
					wc);

		assert_true(taken >= 0);
		for (j = 0; j < (uint32_t)taken; j++)
			assert_int_equal(wc[j].status, IBV_WC_SUCCESS);
		total += (uint32_t)taken;
	}
	for (i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	assert_int_equal(
		ibv_poll_cq(ibv_cq_ex_to_cq(&fixture->cq->verbs), 4, wc), 0);
	assert_int_equal(total, expected);
	for (i = 0; i < WRITERS; i++)
		for (j = 0; j < RINGS_PER_WRITER; j++)
			assert_int_equal(
				ibv_destroy_qp(&writers[i].qps[j]->verbs.base),
				0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			no_completion_is_lost_or_doubled, fixture_open,
			fixture_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
