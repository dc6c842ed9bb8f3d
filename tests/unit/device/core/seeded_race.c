/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A data race on purpose between the two sides of the contract, in one
 * process. ThreadSanitizer must report it; that is what the test passes by. The
 * threads are ordered in time by relaxed atomics, which order nothing else, so
 * that the report is certain.
 *
 *   seeded_race entry     the adapter fills in a completion entry in the call
 *                         of one thread; another reads its fields without
 *                         looking at `sequence` first
 *   seeded_race payload   the adapter writes memory; another thread reads it
 *                         without a completion
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "two_functions.h"

static struct two *two;
static atomic_int done;
static volatile uint32_t sink;

static void *read_too_early(void *argument)
{
	const uint32_t *word = argument;

	while (!atomic_load_explicit(&done, memory_order_relaxed))
		sched_yield();
	sink = *word;
	return NULL;
}

int main(int argc, char **argv)
{
	bool entry = argc > 1 && !strcmp(argv[1], "entry");
	struct two_request request;
	pthread_t thread;
	void *state, *word;

	if (two_connected_setup(&state))
		return 1;
	two = state;
	word = entry ? (void *)&two->qp_b.queue[TWO_RECEIVE].ring[0].byte_len :
		       (void *)(two->b.buffer + 1024);
	if (pthread_create(&thread, NULL, read_too_early, word))
		return 1;
	(void)two_receive(&two->qp_b, 0, 64);
	request = two_request(entry ? ARNICA_HW_OP_SEND : ARNICA_HW_OP_WRITE,
			      &two->a, 0, 64, &two->b, 1024);
	(void)two_send(&two->qp_a, &request);
	atomic_store_explicit(&done, 1, memory_order_relaxed);
	pthread_join(thread, NULL);
	return two_teardown(&state);
}
