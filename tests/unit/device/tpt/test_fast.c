/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions that work requests register, as a state machine; and keys for one
 * touch: who gets it, and what is left when it is over.
 */
#include "tpt/fast.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include <arnica/hw/wqe.h>

#include "core/qp_lock.h"
#include "fake_function.h"
#include "front/command.h"
#include "tpt/touch.h"

#define WRITE ARNICA_HW_ACCESS_REMOTE_WRITE
#define IOVA 0x10000u
#define BYTES 8192u

static char memory[BYTES];

static struct fixture {
	uint32_t pd, other_pd;
	struct adev_tpt_user user, stranger;
} f;

static int setup(void **state)
{
	struct adev_function *fn;

	if (fake_function_setup(state))
		return -1;
	fn = *state;
	f.pd = fake_alloc_pd(fn);
	f.other_pd = fake_alloc_pd(fn);
	f.user = (struct adev_tpt_user){ f.pd, 0x11 };
	f.stranger = (struct adev_tpt_user){ f.other_pd, 0x22 };
	return 0;
}

static uint32_t alloc_status(struct adev_function *fn, uint32_t pd,
			     uint32_t ranges,
			     struct arnica_hw_completion *answer)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_MR),
		.alloc_mr = {
			.pd = arnica_to_le32(pd),
			.max_ranges = arnica_to_le32(ranges),
		},
	};

	return fake_command(fn, &command, answer);
}

static uint32_t alloc(struct adev_function *fn)
{
	struct arnica_hw_completion answer;

	assert_ok(alloc_status(fn, f.pd, 4, &answer));
	return arnica_from_le32(answer.mr.stag);
}

static uint32_t dereg(struct adev_function *fn, uint32_t key)
{
	return fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
				   adev_tpt_index(key));
}

static void give_memory(struct adev_function *fn, uint32_t key, uint32_t access)
{
	const struct adev_fast_memory wish = {
		.iova = IOVA,
		.length = BYTES,
		.address = (uintptr_t)memory,
		.access = access,
	};
	struct adev_fast *fast;
	uint32_t cause;

	assert_int_equal(adev_fast_begin(fn, f.pd, key, &fast, &cause),
			 ADEV_WINDOW_DONE);
	adev_fast_commit(fn, fast, &wish, key);
}

static enum adev_tpt_verdict check_as(struct adev_function *fn, uint32_t key,
				      struct adev_tpt_user user)
{
	uint64_t address;

	return adev_tpt_check_remote(&fn->view, key, user, IOVA, 8, WRITE,
				     &address);
}

static enum adev_tpt_verdict check(struct adev_function *fn, uint32_t key)
{
	return check_as(fn, key, f.user);
}

static void refused(struct adev_function *fn, uint32_t pd, uint32_t key,
		    uint32_t why)
{
	struct adev_fast *fast;
	uint32_t cause;

	assert_int_equal(adev_fast_begin(fn, pd, key, &fast, &cause),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(cause, why);
}

static void a_region_comes_without_memory_and_goes(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_completion answer;
	uint32_t key;

	assert_int_equal(alloc_status(fn, 999, 1, &answer),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(alloc_status(fn, f.pd, 0, &answer),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(alloc_status(fn, f.pd, ARNICA_HW_MAX_RANGES + 1,
				      &answer),
			 ARNICA_HW_COMMAND_INVALID);
	key = alloc(fn);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_true(adev_fast_exists(fn, adev_tpt_index(key)));
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD,
					     f.pd),
			 ARNICA_HW_COMMAND_BUSY);
	assert_ok(dereg(fn, key));
	assert_false(adev_fast_exists(fn, adev_tpt_index(key)));
	assert_int_equal(dereg(fn, key), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fn->num_mrs, 0);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, f.pd));
}

static void it_is_used_by_its_domain_until_it_is_ended(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn) ^ 0x55;
	uint64_t address = 0;

	give_memory(fn, key, WRITE | ARNICA_HW_ACCESS_LOCAL_WRITE);
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
	assert_int_equal(check_as(fn, key, f.stranger), ADEV_TPT_BAD_PD);
	assert_int_equal(check(fn, key ^ 1), ADEV_TPT_BAD_KEY);
	assert_int_equal(adev_tpt_check(&fn->view, key, f.pd, IOVA + 16, 8,
					ARNICA_HW_ACCESS_LOCAL_WRITE, &address),
			 ADEV_TPT_OK);
	assert_int_equal(address, (uintptr_t)memory + 16);
	assert_int_equal(adev_tpt_check(&fn->view, key, f.pd, IOVA + BYTES - 7,
					8, 0, &address),
			 ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(adev_tpt_check(&fn->view, key, f.other_pd, IOVA, 8, 0,
					&address),
			 ADEV_TPT_BAD_PD);
	assert_int_equal(adev_fast_invalidate(fn, f.other_pd, key),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key ^ 1),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_REFUSED);
	give_memory(fn, key ^ 2, WRITE);
	assert_ok(dereg(fn, key));
	assert_int_equal(check(fn, key ^ 2), ADEV_TPT_BAD_KEY);
}

static void only_what_is_free_gets_memory(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn);
	struct adev_fast *fast;
	uint32_t cause;

	refused(fn, f.other_pd, key, ARNICA_HW_REFUSAL_KEY);
	refused(fn, f.pd, 0xffffff00u, ARNICA_HW_REFUSAL_KEY);
	assert_int_equal(adev_fast_begin(fn, f.pd, key, &fast, &cause),
			 ADEV_WINDOW_DONE);
	refused(fn, f.pd, key, ARNICA_HW_REFUSAL_IN_USE);
	adev_fast_abort(fn, fast);
	give_memory(fn, key, WRITE);
	refused(fn, f.pd, key ^ 1, ARNICA_HW_REFUSAL_IN_USE);
	assert_ok(dereg(fn, key));
}

static struct {
	struct adev_function *fn;
	uint32_t key;
	atomic_bool over;
	uint32_t status;
} ending;

static void *end_it(void *argument)
{
	(void)argument;
	ending.status = dereg(ending.fn, ending.key);
	atomic_store(&ending.over, true);
	return NULL;
}

/* `fill`: it is given memory in the end; else that fails. */
static void end_while_filling(struct adev_function *fn, bool fill)
{
	const struct adev_fast_memory wish = {
		.iova = IOVA, .length = BYTES, .address = (uintptr_t)memory,
	};
	struct adev_fast *fast;
	pthread_t thread;
	uint32_t cause, i;

	ending.fn = fn;
	ending.key = alloc(fn);
	atomic_store(&ending.over, false);
	assert_int_equal(adev_fast_begin(fn, f.pd, ending.key, &fast, &cause),
			 ADEV_WINDOW_DONE);
	assert_int_equal(pthread_create(&thread, NULL, end_it, NULL), 0);
	for (i = 0; i < 100; i++)
		sched_yield();
	assert_false(atomic_load(&ending.over));
	if (fill)
		adev_fast_commit(fn, fast, &wish, ending.key);
	else
		adev_fast_abort(fn, fast);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_ok(ending.status);
	assert_int_equal(check(fn, ending.key), ADEV_TPT_BAD_KEY);
	assert_false(adev_fast_exists(fn, adev_tpt_index(ending.key)));
}

static void its_end_waits_for_who_fills_it(void **state)
{
	end_while_filling(*state, true);
	end_while_filling(*state, false);
}

static void a_peer_of_the_domain_takes_it_back(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn);

	give_memory(fn, key, WRITE);
	assert_false(adev_tpt_take_back(&fn->view, key, f.stranger));
	assert_false(adev_tpt_take_back(&fn->view, key ^ 1, f.user));
	assert_true(adev_tpt_take_back(&fn->view, key, f.user));
	assert_false(adev_tpt_take_back(&fn->view, key, f.user));
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_REFUSED);
	give_memory(fn, key ^ 1, WRITE);
	assert_int_equal(check(fn, key ^ 1), ADEV_TPT_OK);
}

static struct adev_qp_shared responder = { .incarnation = 3, .qpn = 0x11 };

static uint64_t message_at(uint32_t psn)
{
	return adev_touch_message(&responder, psn);
}

static void one_message_has_the_one_touch(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn);

	give_memory(fn, key, WRITE | ARNICA_HW_ACCESS_ONE_TOUCH);
	assert_true(adev_touch_begin(&fn->view, key, message_at(5)));
	assert_true(adev_touch_begin(&fn->view, key, message_at(5)));
	assert_false(adev_touch_begin(&fn->view, key, message_at(6)));
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
	adev_touch_end(&fn->view, key, message_at(6));
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
	adev_touch_end(&fn->view, key, message_at(5));
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
}

static enum adev_tpt_verdict again(struct adev_function *fn, uint32_t key,
				   uint64_t iova, uint64_t message)
{
	uint64_t address;

	return adev_tpt_check_again(&fn->view, key, f.user, iova, 8, WRITE,
				    message, &address);
}

static void its_answer_may_be_repeated_until_the_owner_goes_on(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn);

	give_memory(fn, key, WRITE | ARNICA_HW_ACCESS_ONE_TOUCH);
	assert_true(adev_touch_begin(&fn->view, key, message_at(5)));
	adev_touch_end(&fn->view, key, message_at(5));
	assert_int_equal(again(fn, key, IOVA, message_at(5)), ADEV_TPT_OK);
	assert_int_equal(again(fn, key, IOVA + BYTES - 7, message_at(5)),
			 ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(again(fn, key, IOVA, message_at(6)),
			 ADEV_TPT_BAD_KEY);
	give_memory(fn, key ^ 1, WRITE | ARNICA_HW_ACCESS_ONE_TOUCH);
	assert_int_equal(again(fn, key, IOVA, message_at(5)),
			 ADEV_TPT_BAD_KEY);
	assert_true(adev_touch_begin(&fn->view, key ^ 1, message_at(6)));
	assert_ok(dereg(fn, key));
	assert_int_equal(again(fn, key ^ 1, IOVA, message_at(6)),
			 ADEV_TPT_BAD_KEY);
}

static void other_keys_are_touched_as_often_as_one_likes(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn);

	give_memory(fn, key, WRITE);
	assert_true(adev_touch_begin(&fn->view, key, message_at(5)));
	adev_touch_end(&fn->view, key, message_at(5));
	assert_true(adev_touch_begin(&fn->view, key, message_at(6)));
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
	assert_int_equal(again(fn, key, IOVA, message_at(7)), ADEV_TPT_OK);
}

/* An access that is under way is waited for. */
static void what_is_in_use_stays_until_it_is_not(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn);
	struct adev_fast *fast;
	uint32_t cause;

	give_memory(fn, key, WRITE);
	atomic_store(&fn->inbox_uses, key);
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_BUSY);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	refused(fn, f.pd, key, ARNICA_HW_REFUSAL_IN_USE);
	atomic_store(&fn->inbox_uses, 0);
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_DONE);
	give_memory(fn, key, WRITE);
	assert_true(adev_tpt_take_back(&fn->view, key, f.user));
	atomic_store(&fn->inbox_uses, key);
	assert_int_equal(adev_fast_begin(fn, f.pd, key, &fast, &cause),
			 ADEV_WINDOW_BUSY);
	atomic_store(&fn->inbox_uses, 0);
	give_memory(fn, key, WRITE);
}

/* Who goes through a list may be at any region; but not who came later. */
static void those_who_come_later_are_not_waited_for(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn), before, newcomer;
	struct adev_fast *fast;
	uint32_t cause;

	give_memory(fn, key, WRITE);
	before = adev_tpt_list_enter();
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_BUSY);
	newcomer = adev_tpt_list_enter();
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_BUSY);
	adev_tpt_list_leave(before);
	assert_int_equal(adev_fast_invalidate(fn, f.pd, key),
			 ADEV_WINDOW_DONE);
	give_memory(fn, key, WRITE);
	assert_true(adev_tpt_take_back(&fn->view, key, f.user));
	assert_int_equal(adev_fast_begin(fn, f.pd, key, &fast, &cause),
			 ADEV_WINDOW_BUSY);
	/* In a chain without end, at the latest after one link. */
	before = newcomer;
	newcomer = adev_tpt_list_enter();
	adev_tpt_list_leave(before);
	assert_int_equal(adev_fast_begin(fn, f.pd, key, &fast, &cause),
			 ADEV_WINDOW_BUSY);
	before = newcomer;
	newcomer = adev_tpt_list_enter();
	adev_tpt_list_leave(before);
	give_memory(fn, key, WRITE);
	adev_tpt_list_leave(newcomer);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, setup, fake_function_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_region_comes_without_memory_and_goes),
		TEST(it_is_used_by_its_domain_until_it_is_ended),
		TEST(only_what_is_free_gets_memory),
		TEST(its_end_waits_for_who_fills_it),
		TEST(a_peer_of_the_domain_takes_it_back),
		TEST(one_message_has_the_one_touch),
		TEST(its_answer_may_be_repeated_until_the_owner_goes_on),
		TEST(other_keys_are_touched_as_often_as_one_likes),
		TEST(what_is_in_use_stays_until_it_is_not),
		TEST(those_who_come_later_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
