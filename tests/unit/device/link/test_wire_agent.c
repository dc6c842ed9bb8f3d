/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The agent takes over what a thread that polled has left, and no more. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "fake_wire.h"
#include "link/wire_state.h"
#include "two_functions.h"

#define PATIENCE_S 60
#define LOOKS 10u /* of the agent: about one each millisecond */
#define SHORT_POLL_NS 100000u
/* Without a watchdog the agent would look twenty-five times. */
#define SPAN_NS (100 * ADEV_MS_NS)
#define FEW_LOOKS 3u

/* A wire on which there is always more, as long as the test thread looks. */
struct lower {
	pthread_t test;
	_Atomic bool left;
	_Atomic uint32_t by_agent;
	int waiting_fd; /* readable: something waits */
	_Atomic uint32_t looks;
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

static uint32_t waiting_descriptor(void *opaque, int fds[ADEV_WIRE_DESCRIPTORS])
{
	fds[0] = ((struct lower *)opaque)->waiting_fd;
	return 1;
}

/* Each time that the agent is awake. */
static void maintain(void *opaque, uint64_t now_ns)
{
	(void)now_ns;
	atomic_fetch_add(&((struct lower *)opaque)->looks, 1);
}

static const struct adev_wire_ops waiting_ops = {
	.max_run = fake_wire_max_run,
	.source_port = fake_wire_source_port,
	.transmit = transmit,
	.receive = receive,
	.descriptors = waiting_descriptor,
	.maintain = maintain,
	.close = fake_wire_close,
	.forget = fake_wire_close,
};

/* A wire of the calling thread; a byte in the pipe: something waits. */
static void open_waiting(struct adev_function *fn, struct lower *lower,
			 int fds[2])
{
	assert_int_equal(pipe(fds), 0);
	lower->test = pthread_self();
	lower->waiting_fd = fds[0];
	assert_ok(adev_wire_open_with(fn, &waiting_ops, lower));
}

static void assert_agent_comes(struct lower *lower, uint32_t before,
			       time_t until)
{
	while (atomic_load(&lower->by_agent) == before && time(NULL) < until)
		usleep(1000);
	assert_true(atomic_load(&lower->by_agent) > before);
}

/* Until the agent takes it that this thread polls busily. */
static void poll_busily(struct adev_function *fn, time_t until)
{
	while (!adev_wire_of(fn)->polled_busily && time(NULL) < until)
		(void)adev_function_serve(fn);
}

/* One send that takes longer than several looks of the agent. Did the agent
 * keep out of it? Afterwards nobody polls: then the agent has to come. */
static bool agent_keeps_out(struct adev_function *fn, struct lower *lower,
			    time_t until)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint32_t before, after, looks;

	/* After a long poll the agent has more patience with the next one. */
	do {
		poll_busily(fn, until);
		(void)adev_function_serve(fn);
	} while (atomic_load(&wire->poll_takes_ns) > SHORT_POLL_NS &&
		 time(NULL) < until);
	adev_wire_begin_send(wire);
	before = atomic_load(&lower->by_agent);
	looks = atomic_load(&lower->looks);
	while (atomic_load(&lower->looks) - looks < LOOKS && time(NULL) < until)
		usleep(1000);
	after = atomic_load(&lower->by_agent);
	adev_wire_end_send(wire);
	assert_agent_comes(lower, after, until);
	return before == after;
}

static void who_sends_for_long_is_not_away(void **state)
{
	static struct lower lower;
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	time_t until = time(NULL) + PATIENCE_S;
	bool kept_out = false;
	int fds[2];

	open_waiting(fn, &lower, fds);
	assert_int_equal(write(fds[1], "", 1), 1);
	/* On a busy machine this thread may lose its processor between the poll
	 * and the send, and be away indeed. */
	while (!kept_out && time(NULL) < until)
		kept_out = agent_keeps_out(fn, &lower, until);
	assert_true(kept_out);
	close(fds[1]);
}

/* Does the agent sleep while this thread polls busily? */
static bool agent_sleeps(struct adev_function *fn, struct lower *lower,
			 time_t until)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint64_t end_ns;
	uint32_t looks;

	poll_busily(fn, until);
	looks = atomic_load(&lower->looks);
	end_ns = adev_now_ns() + SPAN_NS;
	while (adev_now_ns() < end_ns)
		(void)adev_function_serve(fn);
	return wire->polled_busily &&
	       atomic_load(&lower->looks) - looks <= FEW_LOOKS;
}

static void who_polls_busily_keeps_the_agent_asleep(void **state)
{
	static struct lower lower;
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	time_t until = time(NULL) + PATIENCE_S;
	bool slept = false;
	int fds[2];

	open_waiting(fn, &lower, fds);
	assert_int_equal(write(fds[1], "", 1), 1);
	/* This thread may lose its processor for longer than the agent waits. */
	while (!slept && time(NULL) < until)
		slept = agent_sleeps(fn, &lower, until);
	assert_true(slept);
	/* And it comes when that ends. */
	assert_agent_comes(&lower, atomic_load(&lower.by_agent), until);
	close(fds[1]);
}

/* Of daemons that close what they have not opened. */
static void a_watchdog_that_is_closed_harms_nobody(void **state)
{
	static struct lower lower;
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	time_t until = time(NULL) + PATIENCE_S;
	struct adev_wire *wire;
	int fds[2], number;

	open_waiting(fn, &lower, fds);
	wire = adev_wire_of(fn);
	number = wire->watchdog.fd;
	/* Not among those that a program expects for its own. */
	assert_true(number > fds[1]);
	assert_int_equal(dup2(fds[1], number), number);
	errno = 0;
	while (wire->watchdog.fd >= 0 && time(NULL) < until) {
		poll_busily(fn, until);
		(void)adev_function_serve(fn);
	}
	assert_int_equal(wire->watchdog.fd, -1);
	assert_int_equal(errno, 0);
	assert_false(adev_wire_has_watchdog(fn));
	/* The program's file is as it was. */
	assert_int_equal(write(number, "", 1), 1);
	assert_agent_comes(&lower, 0, until);
	adev_watchdog_close(&wire->watchdog);
	assert_int_equal(fcntl(number, F_GETFD), 0);
	close(number);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		two_test(what_a_poll_leaves_is_done_without_another),
		two_test(who_sends_for_long_is_not_away),
		two_test(who_polls_busily_keeps_the_agent_asleep),
		two_test(a_watchdog_that_is_closed_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
