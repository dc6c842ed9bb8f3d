/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moderation (ibv_modify_cq): one event for so many completions, or for those
 * of a period; none lost, whoever is stopped or dies on the way.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fake_function.h"

#include "comp/channel.h"
#include "comp/completion.h"
#include "core/clock.h"
#include "front/command.h"

#define COUNT 4u
#define PERIOD_US 100u
#define PERIOD_NS (PERIOD_US * 1000ull)
#define BEGIN_NS 1000000ull
#define OWNER 0x77u

static struct adev_function *fn;
static int channel_fd;
static uint32_t cq;
static struct arnica_hw_cqe entries[64];
static struct arnica_hw_queue_record record;
static uint32_t written;

static uint32_t modify(uint32_t handle, uint32_t count, uint32_t period_us)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_CQ),
		.modify_cq = {
			.handle = arnica_to_le32(handle),
			.count = arnica_to_le32(count),
			.period_us = arnica_to_le32(period_us),
		},
	};

	return fake_command(fn, &command, NULL);
}

static int setup(void **state)
{
	uint32_t channel;

	if (fake_function_setup(state))
		return -1;
	fn = *state;
	if (adev_channel_open(fn, &channel_fd) ||
	    adev_channel_index(fn, channel_fd, &channel))
		return -1;
	cq = fake_create_cq(fn, 64, channel, OWNER);
	written = 0;
	memset(entries, 0, sizeof(entries));
	atomic_store(&adev_clock_simulated_ns, BEGIN_NS);
	return 0;
}

static int teardown(void **state)
{
	atomic_store(&adev_clock_simulated_ns, 0);
	close(channel_fd);
	return fake_function_teardown(state);
}

static void arm(enum arnica_hw_arm how)
{
	struct arnica_hw_cq_record *words = &fn->view.cqs[cq].record;

	arnica_store32(&words->armed,
		       (arnica_load32(&words->armed, memory_order_relaxed) &
			~ARNICA_HW_ARMED_ARM_MASK) |
			       how,
		       memory_order_seq_cst);
}

static void complete_as(bool solicited)
{
	const struct adev_completion completion = { .solicited = solicited };
	const struct adev_ring ring = {
		.view = &fn->view,
		.entries = entries,
		.mask = 63,
		.number = 1,
		.record = &record,
		.cq = &fn->view.cqs[cq],
		.cq_index = cq,
	};

	adev_completion_publish(&ring, written++, &completion);
	adev_completion_notify(&ring, &completion);
}

static void complete(void)
{
	complete_as(false);
}

/* Events that the agent delivers now. */
static uint32_t events(void)
{
	struct pollfd end = { .fd = channel_fd, .events = POLLIN };
	uint64_t user_data;
	uint32_t count = 0;

	(void)adev_channels_deliver(fn);
	for (; poll(&end, 1, 0) == 1; count++) {
		assert_int_equal(read(channel_fd, &user_data, 8), 8);
		assert_int_equal(user_data, OWNER);
	}
	return count;
}

static void pass(uint64_t ns)
{
	atomic_fetch_add(&adev_clock_simulated_ns, ns);
}

/* Whether somebody would be told now. */
static bool is_marked(void)
{
	return atomic_load(&fn->view.shared->cq_events_summary[0]) != 0;
}

static void so_many_completions_bring_one_event(void **state)
{
	uint32_t round, i;

	(void)state;
	assert_ok(modify(cq, COUNT, PERIOD_US));
	for (round = 0; round < 5; round++) {
		arm(ARNICA_HW_ARM_NEXT);
		for (i = 0; i < COUNT - 1; i++) {
			complete();
			assert_int_equal(events(), 0);
		}
		complete();
		assert_int_equal(events(), 1);
		/* What was counted does not count for the next one. */
	}
	complete();
	pass(10 * PERIOD_NS);
	assert_int_equal(events(), 0); /* not armed */
}

static void fewer_have_theirs_after_the_period(void **state)
{
	(void)state;
	assert_ok(modify(cq, COUNT, PERIOD_US));
	arm(ARNICA_HW_ARM_NEXT);
	pass(10 * PERIOD_NS);
	assert_int_equal(events(), 0); /* nothing has come */
	complete();
	assert_int_equal(events(), 0);
	/* Whoever sleeps sleeps until then. */
	assert_int_equal(atomic_load(&fn->deliver_again_ns),
			 BEGIN_NS + 11 * PERIOD_NS);
	pass(PERIOD_NS - 1);
	complete();
	assert_int_equal(events(), 0); /* the first counts, not the last */
	pass(1);
	assert_int_equal(events(), 1);
	assert_int_equal(atomic_load(&fn->deliver_again_ns), 0);
	pass(10 * PERIOD_NS);
	assert_int_equal(events(), 0);
}

/* The owner is woken for the first and for the last, not for each. */
static void only_the_first_and_the_last_tell_the_owner(void **state)
{
	(void)state;
	assert_ok(modify(cq, COUNT, PERIOD_US));
	assert_int_equal(events(), 0);
	arm(ARNICA_HW_ARM_NEXT);
	complete();
	assert_true(is_marked());
	assert_int_equal(events(), 0);
	complete();
	complete();
	assert_false(is_marked());
	complete();
	assert_true(is_marked());
	assert_int_equal(events(), 1);
}

/* It had counted, and was stopped before it told. */
static void who_was_stopped_is_made_up_for(void **state)
{
	(void)state;
	assert_ok(modify(cq, COUNT, PERIOD_US));
	assert_int_equal(events(), 0);
	arm(ARNICA_HW_ARM_NEXT);
	atomic_fetch_add(&fn->view.cqs[cq].held, 1);
	pass(10 * PERIOD_NS);
	assert_int_equal(events(), 0);
	complete();
	assert_int_equal(events(), 0);
	pass(PERIOD_NS);
	assert_int_equal(events(), 1);
	/* And a dead one, when it is known to be. */
	arm(ARNICA_HW_ARM_NEXT);
	atomic_fetch_add(&fn->view.cqs[cq].held, 1);
	adev_channels_rescan(fn);
	assert_int_equal(events(), 0);
	pass(PERIOD_NS);
	assert_int_equal(events(), 1);
}

static void what_is_held_back_comes_when_the_terms_change(void **state)
{
	(void)state;
	assert_ok(modify(cq, COUNT, PERIOD_US));
	arm(ARNICA_HW_ARM_NEXT);
	complete();
	complete();
	assert_int_equal(events(), 0);
	assert_ok(modify(cq, 100, 10 * PERIOD_US));
	pass(PERIOD_NS);
	assert_int_equal(events(), 0);
	assert_ok(modify(cq, 2, PERIOD_US));
	assert_int_equal(events(), 1);
	arm(ARNICA_HW_ARM_NEXT);
	complete();
	assert_int_equal(events(), 0);
	assert_ok(modify(cq, 0, 0));
	assert_int_equal(events(), 1);
	arm(ARNICA_HW_ARM_NEXT);
	complete();
	assert_int_equal(events(), 1);
}

static void only_what_it_is_armed_for_counts(void **state)
{
	(void)state;
	assert_ok(modify(cq, 2, PERIOD_US));
	arm(ARNICA_HW_ARM_SOLICITED);
	complete();
	complete();
	complete();
	pass(10 * PERIOD_NS);
	assert_int_equal(events(), 0);
	complete_as(true);
	assert_int_equal(events(), 0);
	complete();
	assert_int_equal(events(), 0);
	complete_as(true);
	assert_int_equal(events(), 1);
}

static void one_of_both_alone_is_no_moderation(void **state)
{
	static const uint32_t none[][2] = {
		{ 0, 0 }, { 0, 100 }, { 100, 0 }, { 1, 100 }
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_ok(modify(cq, none[i][0], none[i][1]));
		arm(ARNICA_HW_ARM_NEXT);
		complete();
		assert_int_equal(events(), 1);
	}
}

static void bad_terms_are_refused(void **state)
{
	(void)state;
	assert_int_equal(modify(cq, ARNICA_HW_MAX_MODERATION_COUNT + 1, 1),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(modify(cq, 1, ARNICA_HW_MAX_MODERATION_US + 1),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(modify(cq + 1, 1, 1), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(modify(cq, ARNICA_HW_MAX_MODERATION_COUNT,
			 ARNICA_HW_MAX_MODERATION_US));
	arm(ARNICA_HW_ARM_NEXT);
	complete();
	assert_int_equal(events(), 0);
	pass(ARNICA_HW_MAX_MODERATION_US * 1000ull - 1);
	assert_int_equal(events(), 0);
	pass(1);
	assert_int_equal(events(), 1);
}

#define moderation_test(function)                                              \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		moderation_test(so_many_completions_bring_one_event),
		moderation_test(fewer_have_theirs_after_the_period),
		moderation_test(only_the_first_and_the_last_tell_the_owner),
		moderation_test(who_was_stopped_is_made_up_for),
		moderation_test(what_is_held_back_comes_when_the_terms_change),
		moderation_test(only_what_it_is_armed_for_counts),
		moderation_test(one_of_both_alone_is_no_moderation),
		moderation_test(bad_terms_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
