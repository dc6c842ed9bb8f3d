/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The agent takes over what a thread that polled has left. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "fake_wire.h"
#include "two_functions.h"

#define PATIENCE_S 60

/* A wire on which there is always more, as long as the test thread looks. */
struct lower {
	pthread_t test;
	_Atomic bool left;
	_Atomic uint32_t by_agent;
};

static void transmit(void *opaque, struct adev_frame *frames, uint32_t count)
{
	(void)opaque;
	(void)frames;
	(void)count;
}

static uint32_t receive(void *opaque, struct adev_datagram *datagrams,
			uint32_t max, bool *more)
{
	struct lower *lower = opaque;

	(void)datagrams;
	(void)max;
	if (pthread_equal(pthread_self(), lower->test)) {
		*more = atomic_load(&lower->left);
	} else {
		atomic_store(&lower->left, false);
		atomic_fetch_add(&lower->by_agent, 1);
		*more = false;
	}
	return 0;
}

/* Without descriptors that could become readable while it sleeps. */
static const struct adev_wire_ops ops = {
	.max_run = fake_wire_max_run,
	.source_port = fake_wire_source_port,
	.transmit = transmit,
	.receive = receive,
	.descriptors = fake_wire_descriptors,
	.close = fake_wire_close,
	.forget = fake_wire_close,
};

static void what_a_poll_leaves_is_done_without_another(void **state)
{
	static struct lower lower;
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	time_t until = time(NULL) + PATIENCE_S;
	uint32_t before;

	lower.test = pthread_self();
	assert_ok(adev_wire_open_with(fn, &ops, &lower));
	while (!atomic_load(&lower.by_agent) && time(NULL) < until)
		usleep(1000);
	/* By now it sleeps, most likely; it shall wake up in any case. */
	usleep(20000);
	atomic_store(&lower.left, true);
	before = atomic_load(&lower.by_agent);
	assert_true(adev_function_serve(fn));
	while (atomic_load(&lower.by_agent) == before && time(NULL) < until)
		usleep(1000);
	assert_true(atomic_load(&lower.by_agent) > before);
	assert_false(atomic_load(&lower.left));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(what_a_poll_leaves_is_done_without_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
