/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Events of CQs: none lost, none doubled, also where there is no room. */
#include <poll.h>
#include <unistd.h>

#include "fake_function.h"

#include "comp/channel.h"
#include "comp/completion.h"
#include "core/clock.h"
#include "front/command.h"

static int channel_fd;
static uint32_t channel;

static int setup(void **state)
{
	struct adev_function *fn;

	if (fake_function_setup(state))
		return -1;
	fn = *state;
	return adev_channel_open(fn, &channel_fd) ||
	       adev_channel_index(fn, channel_fd, &channel);
}

static int teardown(void **state)
{
	close(channel_fd);
	return fake_function_teardown(state);
}

static bool has_record(int fd)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };

	return poll(&end, 1, 0) == 1;
}

static uint64_t next_record(void)
{
	uint64_t user_data;

	assert_true(has_record(channel_fd));
	assert_int_equal(read(channel_fd, &user_data, sizeof(user_data)), 8);
	return user_data;
}

static uint32_t armed(struct adev_function *fn, uint32_t cq)
{
	return arnica_load32(&fn->view.cqs[cq].record.armed,
			     memory_order_relaxed);
}

static void each_event_is_one_record(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 0x1111);

	assert_false(adev_channels_deliver(fn));
	assert_false(has_record(channel_fd));
	fake_fire(fn, cq);
	fake_fire(fn, cq);
	arnica_store32(&fn->view.cqs[cq].record.armed,
		       armed(fn, cq) | ARNICA_HW_ARM_NEXT,
		       memory_order_relaxed);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(next_record(), 0x1111);
	assert_int_equal(next_record(), 0x1111);
	assert_false(has_record(channel_fd));
	assert_int_equal(armed(fn, cq), ARNICA_HW_ARM_NEXT);
	assert_false(adev_channels_deliver(fn));
	assert_false(has_record(channel_fd));
}

static void events_reach_far_queues(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = 0, i;

	for (i = 0; i < 200; i++)
		cq = fake_create_cq(fn, 1, channel, i + 1);
	fake_fire(fn, 3);
	fake_fire(fn, cq);
	fake_fire(fn, 70);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(next_record(), 4);
	assert_int_equal(next_record(), 71);
	assert_int_equal(next_record(), 200);
}

/* A mark without an event, and marks of queues that never were. */
static void false_marks_do_no_harm(void **state)
{
	struct adev_function *fn = *state;
	uint32_t word;

	fake_create_cq(fn, 1, channel, 1);
	for (word = 0; word < ADEV_CQ_WORDS; word++)
		atomic_store(&fn->view.shared->cq_events[word], UINT64_MAX);
	for (word = 0; word < ADEV_CQ_WORDS / 64; word++)
		atomic_store(&fn->view.shared->cq_events_summary[word],
			     UINT64_MAX);
	assert_false(adev_channels_deliver(fn));
	assert_false(has_record(channel_fd));
}

static uint32_t fill(struct adev_function *fn, uint32_t cq)
{
	uint32_t fired = 0;

	do {
		fake_fire(fn, cq);
		fired++;
	} while (!adev_channels_deliver(fn));
	return fired;
}

/* The pause is over. */
static void due(struct adev_function *fn)
{
	assert_true(atomic_load(&fn->deliver_again_ns) > 0);
	atomic_store(&fn->deliver_again_ns, 1);
}

/* A full channel is left alone for a while: polls do not pay for it. */
static void a_full_channel_is_not_tried_again_at_once(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 1);
	/* A pipe gives room by the page. */
	const uint32_t some = (uint32_t)sysconf(_SC_PAGESIZE) / 4;

	atomic_store(&adev_clock_simulated_ns, 1000);
	fill(fn, cq);
	for (uint32_t i = 0; i < some; i++)
		assert_int_equal(next_record(), 1);
	assert_true(adev_channels_deliver(fn));
	assert_int_equal(fn->cq_deferred[0], 1ull << cq);
	assert_int_equal(fn->view.shared->cq_events_summary[0], 0);
	atomic_store(&adev_clock_simulated_ns,
		     atomic_load(&fn->deliver_again_ns));
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(fn->cq_deferred[0], 0);
	atomic_store(&adev_clock_simulated_ns, 0);
}

static void what_does_not_fit_comes_later(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 1);
	uint32_t other = fake_create_cq(fn, 1, channel, 2);
	uint32_t fired = fill(fn, cq), i;

	fake_fire(fn, other);
	fake_fire(fn, cq);
	assert_true(adev_channels_deliver(fn));
	assert_true(adev_channels_deliver(fn));
	due(fn);
	assert_true(adev_channels_deliver(fn));
	assert_int_equal(fn->counters.events_deferred, 3);
	for (i = 0; i < fired - 1; i++)
		assert_int_equal(next_record(), 1);
	assert_false(has_record(channel_fd));
	due(fn);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(next_record(), 1);
	assert_int_equal(next_record(), 1);
	assert_int_equal(next_record(), 2);
	assert_false(has_record(channel_fd));
	assert_int_equal(fn->counters.events_deferred, 3);
}

static void a_destroyed_queue_says_nothing_more(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 1);
	uint32_t other = fake_create_cq(fn, 1, channel, 2);

	fake_fire(fn, other);
	fill(fn, cq);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_CQ, cq));
	due(fn);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(next_record(), 2);
	assert_false(has_record(channel_fd));
}

static void a_destroyed_queue_tells_how_many_events_were_read(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 1);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_DESTROY_CQ),
		.object.handle = arnica_to_le32(cq),
	};
	struct arnica_hw_completion answer;

	for (int i = 0; i < 3; i++)
		fake_fire(fn, cq);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(next_record(), 1);
	assert_int_equal(next_record(), 1);
	assert_ok(fake_command(fn, &command, &answer));
	assert_int_equal(
		arnica_from_le32(answer.events.completion_events), 2);
	assert_int_equal(arnica_from_le32(answer.events.async_events), 0);
	assert_false(has_record(channel_fd));
}

static void without_readers_events_are_dropped(void **state)
{
	struct adev_function *fn = *state;
	uint32_t deaf = fake_create_cq(fn, 1, ARNICA_HW_NO_CHANNEL, 1);
	uint32_t cq = fake_create_cq(fn, 1, channel, 2);

	close(channel_fd);
	fake_fire(fn, cq);
	fake_fire(fn, deaf);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(armed(fn, cq), 0);
	assert_int_equal(armed(fn, deaf), 0);
}

static void an_overrun_is_told_once(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, ARNICA_HW_NO_CHANNEL, 0x77);
	struct {
		uint64_t user_data;
		uint32_t type, reserved0;
	} event;
	int fd, i;

	assert_ok(adev_async_open(fn, &fd));
	arnica_store32(&fn->view.cqs[cq].record.state, ARNICA_HW_CQ_OVERRUN,
		       memory_order_relaxed);
	for (i = 0; i < 3; i++) {
		adev_channels_rescan(fn);
		assert_false(adev_channels_deliver(fn));
	}
	assert_int_equal(read(fd, &event, sizeof(event)), 16);
	assert_int_equal(event.user_data, 0x77);
	assert_int_equal(event.type, 0);
	assert_false(has_record(fd));
	close(fd);
}

/* A writer that died between counting and marking. */
static void a_rescan_finds_what_was_not_marked(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 9);

	arnica_store32(&fn->view.cqs[cq].record.armed,
		       ARNICA_HW_ARMED_FIRED_ONE, memory_order_relaxed);
	assert_false(adev_channels_deliver(fn));
	assert_false(has_record(channel_fd));
	adev_channels_rescan(fn);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(next_record(), 9);
}

static void notify(struct adev_function *fn, uint32_t cq)
{
	const struct adev_completion completion = { 0 };
	const struct adev_ring ring = {
		.view = &fn->view,
		.record = &fn->view.records[0],
		.cq = &fn->view.cqs[cq],
		.cq_index = cq,
	};

	arnica_store32(&ring.cq->record.armed, ARNICA_HW_ARM_NEXT,
		       memory_order_relaxed);
	adev_completion_notify(&ring, &completion);
}

/* A completion of the function's own process: its record is there when the call
 * returns, and the agent hears of it only where there is no room. */
static void own_events_wake_nobody(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 5), fired = 0;

	fn->view.own = fn;
	notify(fn, cq);
	assert_int_equal(next_record(), 5);
	assert_int_equal(arnica_load32(&fn->view.header->attention,
				       memory_order_relaxed),
			 0);
	do {
		notify(fn, cq);
		fired++;
	} while (!arnica_load32(&fn->view.header->attention,
				memory_order_relaxed));
	while (has_record(channel_fd)) {
		assert_int_equal(next_record(), 5);
		fired--;
	}
	due(fn);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(fired, 1);
	assert_int_equal(next_record(), 5);
}

/* A peer's process leaves that to the owner's agent. */
static void events_of_peers_are_left_to_the_agent(void **state)
{
	struct adev_function *fn = *state;
	uint32_t cq = fake_create_cq(fn, 1, channel, 5);

	notify(fn, cq);
	assert_false(has_record(channel_fd));
	assert_int_equal(arnica_load32(&fn->view.header->attention,
				       memory_order_relaxed),
			 1);
	assert_false(adev_channels_deliver(fn));
	assert_int_equal(next_record(), 5);
}

#define deliver_test(function)                                                 \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		deliver_test(each_event_is_one_record),
		deliver_test(events_reach_far_queues),
		deliver_test(false_marks_do_no_harm),
		deliver_test(what_does_not_fit_comes_later),
		deliver_test(a_full_channel_is_not_tried_again_at_once),
		deliver_test(a_destroyed_queue_says_nothing_more),
		deliver_test(a_destroyed_queue_tells_how_many_events_were_read),
		deliver_test(without_readers_events_are_dropped),
		deliver_test(an_overrun_is_told_once),
		deliver_test(a_rescan_finds_what_was_not_marked),
		deliver_test(own_events_wake_nobody),
		deliver_test(events_of_peers_are_left_to_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
