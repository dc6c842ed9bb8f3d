/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registrations that are answered before they are done: what the key is until
 * then, and what other commands make of it. Pages come in when the test lets
 * them.
 */
#include "front/begun.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <arnica/hw/mirror.h>

#include "fake_function.h"
#include "gather/gather.h"
#include "tpt/pending.h"
#include "tpt/tpt.h"

#define IOVA 0x10000u
#define WRITE                                                                  \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE | ARNICA_HW_ACCESS_REMOTE_WRITE)

static char buffer[8192];

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t tickets; /* calls that may go on */
	uint32_t calls;
	int error;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .changed = PTHREAD_COND_INITIALIZER };

int __wrap_adev_memory_populate(uint64_t address, uint64_t length,
				bool writable);

int __wrap_adev_memory_populate(uint64_t address, uint64_t length,
				bool writable)
{
	int error;

	(void)address;
	(void)length;
	(void)writable;
	pthread_mutex_lock(&gate.lock);
	gate.calls++;
	pthread_cond_broadcast(&gate.changed);
	while (!gate.tickets)
		pthread_cond_wait(&gate.changed, &gate.lock);
	gate.tickets--;
	error = gate.error;
	pthread_mutex_unlock(&gate.lock);
	return error;
}

static void let_go(uint32_t calls, int error)
{
	pthread_mutex_lock(&gate.lock);
	gate.tickets += calls;
	gate.error = error;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void await_calls(uint32_t calls)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.calls < calls)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static int setup(void **state)
{
	gate.tickets = 0;
	gate.calls = 0;
	gate.error = 0;
	return fake_function_setup(state);
}

static struct arnica_hw_command command_for(uint32_t pd, uint32_t access)
{
	return (struct arnica_hw_command){
		.opcode = arnica_to_le32(ARNICA_HW_CMD_BEGIN_MR),
		.reg_mr = {
			.pd = arnica_to_le32(pd),
			.access = arnica_to_le32(access),
			.address = arnica_to_le64((uintptr_t)buffer),
			.length = arnica_to_le64(sizeof(buffer)),
			.iova = arnica_to_le64(IOVA),
		},
	};
}

static uint32_t begin(struct adev_function *fn, uint32_t pd)
{
	const struct arnica_hw_command command = command_for(pd, WRITE);
	struct arnica_hw_completion answer;

	assert_ok(fake_command(fn, &command, &answer));
	assert_int_equal(arnica_from_le32(answer.mr.stag) >> 8,
			 arnica_from_le32(answer.mr.handle));
	return arnica_from_le32(answer.mr.stag);
}

static struct arnica_hw_res_begun ask(struct adev_function *fn, uint32_t stag)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_BEGUN),
		.object.handle = arnica_to_le32(stag >> 8),
	};
	struct arnica_hw_completion answer;

	assert_ok(fake_command(fn, &command, &answer));
	return answer.begun;
}

static uint32_t state_of(struct adev_function *fn, uint32_t stag)
{
	return arnica_from_le32(ask(fn, stag).state);
}

static uint32_t settled(struct adev_function *fn, uint32_t stag)
{
	uint32_t state;

	while ((state = state_of(fn, stag)) == ARNICA_HW_STAG_PENDING)
		usleep(100);
	return state;
}

static enum adev_tpt_verdict check(struct adev_function *fn, uint32_t stag,
				   uint32_t pd)
{
	struct adev_tpt_user user = { .pd = pd };
	uint64_t address;
	enum adev_tpt_verdict local, remote;

	local = adev_tpt_check(&fn->view, stag, pd, IOVA, 8, 0, &address);
	remote = adev_tpt_check_remote(&fn->view, stag, user, IOVA, 8,
				       ARNICA_HW_ACCESS_REMOTE_WRITE, &address);
	assert_int_equal(local, remote);
	return local;
}

static uint32_t dereg(struct adev_function *fn, uint32_t stag)
{
	return fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR, stag >> 8);
}

static void a_key_is_pending_and_then_valid(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn), stag = begin(fn, pd);
	struct arnica_hw_data_segment segment = {
		.address = arnica_to_le64(IOVA),
		.length = arnica_to_le32(8),
		.lkey = arnica_to_le32(stag),
	};
	struct adev_gather gather;

	assert_int_equal(check(fn, stag, pd), ADEV_TPT_PENDING);
	assert_int_equal(check(fn, stag ^ 1, pd), ADEV_TPT_BAD_KEY);
	assert_int_equal(state_of(fn, stag), ARNICA_HW_STAG_PENDING);
	assert_int_equal(adev_gather_segments(&fn->view, pd, &segment, 1, 0,
					      &gather),
			 ADEV_STATUS_PENDING);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd),
			 ARNICA_HW_COMMAND_BUSY);
	let_go(1, 0);
	assert_int_equal(settled(fn, stag), ARNICA_HW_STAG_VALID);
	assert_int_equal(check(fn, stag, pd), ADEV_TPT_OK);
	assert_int_equal(adev_gather_segments(&fn->view, pd, &segment, 1, 0,
					      &gather),
			 ARNICA_HW_STATUS_SUCCESS);
	assert_ok(dereg(fn, stag));
	assert_int_equal(check(fn, stag, pd), ADEV_TPT_BAD_KEY);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd));
	assert_int_equal(fn->num_mrs, 0);
}

static void one_that_fails_is_a_bad_key(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn), stag = begin(fn, pd);
	struct arnica_hw_res_begun answer;

	let_go(2, EFAULT); /* it is tried once more */
	assert_int_equal(settled(fn, stag), ARNICA_HW_STAG_FREE);
	answer = ask(fn, stag);
	assert_int_equal(arnica_from_le32(answer.status),
			 ARNICA_HW_COMMAND_FAULT);
	assert_int_equal(check(fn, stag, pd), ADEV_TPT_BAD_KEY);
	assert_ok(dereg(fn, stag));
	assert_int_equal(dereg(fn, stag), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fn->num_mrs, 0);
}

static void nonsense_is_refused_at_once(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	struct arnica_hw_command command = command_for(pd + 1, WRITE);

	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	command = command_for(pd, ARNICA_HW_ACCESS_REMOTE_WRITE);
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	command = command_for(pd, WRITE);
	command.reg_mr.handle = arnica_to_le32(1);
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(fn->num_mrs, 0);
	assert_int_equal(gate.calls, 0);
}

static void those_behind_are_given_up_at_once(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	uint32_t first = begin(fn, pd), second = begin(fn, pd);
	uint32_t third = begin(fn, pd);

	await_calls(1);
	assert_ok(dereg(fn, second));
	assert_int_equal(check(fn, second, pd), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(fn, first, pd), ADEV_TPT_PENDING);
	let_go(1, 0);
	assert_int_equal(settled(fn, first), ARNICA_HW_STAG_VALID);
	assert_int_equal(check(fn, third, pd), ADEV_TPT_PENDING);
	let_go(1, 0);
	assert_int_equal(settled(fn, third), ARNICA_HW_STAG_VALID);
	assert_int_equal(gate.calls, 2);
	assert_ok(dereg(fn, first));
	assert_ok(dereg(fn, third));
	assert_int_equal(fn->num_mrs, 0);
}

static void *let_go_later(void *unused)
{
	usleep(10000);
	let_go(1, 0);
	return unused;
}

static void other_commands_wait_for_the_end(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn), stag = begin(fn, pd);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR),
		.reg_mr = {
			.handle = arnica_to_le32(stag >> 8),
			.change = arnica_to_le32(ARNICA_HW_REREG_PD),
		},
	};
	uint32_t other = fake_alloc_pd(fn);
	pthread_t thread;

	command.reg_mr.pd = arnica_to_le32(other);
	assert_int_equal(pthread_create(&thread, NULL, let_go_later, NULL), 0);
	assert_ok(fake_command(fn, &command, NULL));
	assert_int_equal(check(fn, stag, other), ADEV_TPT_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_ok(dereg(fn, stag));
}

/* Neither by who frees memory nor by who meets his first peer. */
static void what_is_pending_is_left_alone(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn), stag = begin(fn, pd);
	uint32_t failed = begin(fn, pd);

	pthread_mutex_lock(&fn->command_lock);
	adev_regions_release(fn, 0, UINT64_MAX);
	pthread_mutex_unlock(&fn->command_lock);
	assert_int_equal(check(fn, stag, pd), ADEV_TPT_PENDING);
	let_go(1, 0);
	assert_int_equal(settled(fn, stag), ARNICA_HW_STAG_VALID);
	let_go(2, EFAULT);
	assert_int_equal(settled(fn, failed), ARNICA_HW_STAG_FREE);
	pthread_mutex_lock(&fn->command_lock);
	adev_regions_release(fn, 0, UINT64_MAX);
	adev_regions_meet_peers(fn);
	pthread_mutex_unlock(&fn->command_lock);
	assert_int_equal(check(fn, stag, pd), ADEV_TPT_OK);
	assert_int_equal(check(fn, failed, pd), ADEV_TPT_BAD_KEY);
	assert_ok(dereg(fn, stag));
	assert_ok(dereg(fn, failed));
}

static void a_function_ends_meanwhile(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	pthread_t thread;

	(void)begin(fn, pd);
	(void)begin(fn, pd);
	await_calls(1);
	assert_int_equal(pthread_create(&thread, NULL, let_go_later, NULL), 0);
	adev_begun_stop(fn);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_null(fn->begun);
}

static void the_words_tell_from_all_others(void **state)
{
	(void)state;
	assert_true(adev_tpt_is_pending(adev_tpt_pending_word(0x1234), 0x1234));
	assert_false(adev_tpt_is_pending(adev_tpt_pending_word(0x1234),
					 0x1235));
	assert_true(adev_tpt_is_unborn(adev_tpt_pending_word(0x12ff)));
	assert_true(adev_tpt_is_unborn(adev_tpt_failed_word(6)));
	assert_false(adev_tpt_is_unborn(0));
	assert_false(adev_tpt_is_unborn(UINT64_MAX)); /* a touch */
	assert_false(adev_tpt_is_unborn(1ull << 63));
	assert_false(adev_tpt_is_unborn((1ull << 57) - 1)); /* adopted pages */
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, setup, fake_function_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_is_pending_and_then_valid),
		TEST(one_that_fails_is_a_bad_key),
		TEST(nonsense_is_refused_at_once),
		TEST(those_behind_are_given_up_at_once),
		TEST(other_commands_wait_for_the_end),
		TEST(what_is_pending_is_left_alone),
		TEST(a_function_ends_meanwhile),
		cmocka_unit_test(the_words_tell_from_all_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
