/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Indirect keys as a state machine: what sets them, what they wait for, what is
 * refused and leaves them as they were, and what the host can ask. */
#include "tpt/mkey.h"

#include <errno.h>
#include <string.h>

#include <arnica/hw/mirror.h>
#include <arnica/hw/wqe.h>

#include "core/qp_lock.h"
#include "fake_function.h"

#define WRITE ((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE)
#define BYTES 4096u

static char memory[BYTES];
static uint32_t pd, lkey, key, handle;

static int setup(void **state)
{
	struct arnica_hw_completion completion;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REG_MR),
	};
	int error = fake_function_setup(state);

	if (error)
		return error;
	pd = fake_alloc_pd(*state);
	command.reg_mr = (struct arnica_hw_cmd_reg_mr){
		.pd = arnica_to_le32(pd),
		.access = arnica_to_le32(WRITE),
		.address = arnica_to_le64((uintptr_t)memory),
		.length = arnica_to_le64(BYTES),
		.iova = arnica_to_le64((uintptr_t)memory),
	};
	assert_ok(fake_command(*state, &command, &completion));
	lkey = arnica_from_le32(completion.mr.stag);
	command = (struct arnica_hw_command){
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_MKEY),
		.create_mkey = { arnica_to_le32(pd), arnica_to_le32(4) },
	};
	assert_ok(fake_command(*state, &command, &completion));
	handle = arnica_from_le32(completion.mr.handle);
	key = arnica_from_le32(completion.mr.stag);
	assert_int_equal(key >> 8, handle);
	return 0;
}

static struct arnica_hw_mkey_entry entry(uint64_t offset, uint32_t length)
{
	return (struct arnica_hw_mkey_entry){
		.address = arnica_to_le64((uintptr_t)memory + offset),
		.length = arnica_to_le32(length),
		.lkey = arnica_to_le32(lkey),
	};
}

static uint32_t set(struct adev_function *fn, uint32_t access,
		    const struct arnica_hw_mkey_entry *entries, uint32_t count)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_SET_MKEY),
		.set_mkey = {
			.handle = arnica_to_le32(handle),
			.access = arnica_to_le32(access),
			.rows = arnica_to_le64(1),
			.entries = arnica_to_le64((uintptr_t)entries),
			.num_entries = arnica_to_le32(count),
		},
	};

	return fake_command(fn, &command, NULL);
}

static enum adev_tpt_verdict check(struct adev_function *fn, uint64_t iova,
				   uint64_t bytes)
{
	return adev_tpt_list_check(&fn->view, key, pd, iova, bytes, WRITE);
}

static void a_key_is_what_it_was_set_to_last(void **state)
{
	const struct arnica_hw_mkey_entry entries[] = { entry(0, 10),
							entry(100, 20) };
	struct adev_function *fn = *state;
	struct adev_tpt_place place;

	assert_int_equal(check(fn, 0, 1), ADEV_TPT_BAD_KEY);
	assert_ok(set(fn, WRITE, entries, 2));
	assert_int_equal(check(fn, 0, 30), ADEV_TPT_OK);
	assert_int_equal(fake_num_quiesces, 0);
	assert_ok(set(fn, WRITE, &entries[1], 1));
	assert_true(fake_num_quiesces > 0);
	assert_int_equal(check(fn, 0, 30), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(adev_tpt_list_place(&fn->view, key, pd, 5, 15, WRITE,
					     &place),
			 ADEV_TPT_OK);
	assert_int_equal(place.address, (uintptr_t)memory + 105);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_MKEY, handle));
	assert_int_equal(check(fn, 0, 1), ADEV_TPT_BAD_KEY);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_MKEY,
					     handle),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

static void what_is_refused_changes_nothing(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_mkey_entry good = entry(0, 10), bad[5];
	uint32_t i;

	assert_ok(set(fn, WRITE, &good, 1));
	for (i = 0; i < 5; i++)
		bad[i] = good;
	assert_int_equal(set(fn, WRITE, bad, 5), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(set(fn, WRITE, bad, 0), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(set(fn, ARNICA_HW_ACCESS_MW_BIND, bad, 1),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(set(fn, ARNICA_HW_ACCESS_REMOTE_WRITE, bad, 1),
			 ARNICA_HW_COMMAND_INVALID);
	bad[0] = entry(BYTES - 9, 10);
	assert_int_equal(set(fn, WRITE, bad, 1), ARNICA_HW_COMMAND_INVALID);
	bad[0] = good;
	bad[0].lkey = arnica_to_le32(0);
	assert_int_equal(set(fn, WRITE, bad, 1), ARNICA_HW_COMMAND_INVALID);
	bad[0].lkey = arnica_to_le32(key);
	assert_int_equal(set(fn, WRITE, bad, 1), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(check(fn, 0, 10), ADEV_TPT_OK);
}

static enum adev_window_result set_other(struct adev_function *fn)
{
	const struct adev_mkey_layout layout = {
		.key = key, .access = WRITE, .count = 1, .rows = 1,
	};
	struct adev_tpt_item item = {
		.iova = (uintptr_t)memory, .length = 64, .stag = lkey,
	};

	return adev_mkey_set(fn, pd, &layout, &item);
}

static void users_are_waited_for(void **state)
{
	const struct arnica_hw_mkey_entry entries = entry(0, 10);
	struct adev_function *fn = *state;
	uint32_t before, newcomer;

	assert_ok(set(fn, WRITE, &entries, 1));
	fake_quiesce_error = EBUSY; /* a peer */
	assert_int_equal(set_other(fn), ADEV_WINDOW_BUSY);
	assert_int_equal(check(fn, 0, 1), ADEV_TPT_BAD_KEY);
	fake_quiesce_error = 0;
	before = adev_tpt_list_enter(); /* a message of our own */
	assert_int_equal(set_other(fn), ADEV_WINDOW_BUSY);
	newcomer = adev_tpt_list_enter(); /* he is not waited for */
	adev_tpt_list_leave(before);
	assert_int_equal(set_other(fn), ADEV_WINDOW_DONE);
	adev_tpt_list_leave(newcomer);
	atomic_store(&fn->inbox_uses, ADEV_USES_ANY); /* a peer is served */
	assert_int_equal(set_other(fn), ADEV_WINDOW_BUSY);
	atomic_store(&fn->inbox_uses, 0);
	assert_int_equal(set_other(fn), ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, 0, 64), ADEV_TPT_OK);
}

static void it_belongs_to_its_domain(void **state)
{
	const struct adev_mkey_layout layout = {
		.key = key, .access = 0, .count = 1, .rows = 1,
	};
	struct adev_tpt_item item = {
		.iova = (uintptr_t)memory, .length = 64, .stag = lkey,
	};
	struct adev_function *fn = *state;

	assert_int_equal(adev_mkey_set(fn, pd + 1, &layout, &item),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
					     handle),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

static void the_host_may_ask(void **state)
{
	const struct arnica_hw_mkey_entry entries = entry(0, 10);
	const struct arnica_hw_command question = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_STAG),
		.object.handle = arnica_to_le32(key),
	};
	struct adev_function *fn = *state;
	struct arnica_hw_completion answer;

	assert_ok(fake_command(fn, &question, &answer));
	assert_int_equal(arnica_from_le32(answer.stag.stag), 0);
	assert_ok(set(fn, WRITE, &entries, 1));
	assert_ok(fake_command(fn, &question, &answer));
	assert_int_equal(arnica_from_le32(answer.stag.stag), key);
	assert_int_equal(arnica_from_le32(answer.stag.kind),
			 ARNICA_HW_STAG_MKEY);
	assert_int_equal(arnica_from_le32(answer.stag.access), WRITE);
	assert_int_equal(arnica_from_le64(answer.stag.length), 10);
	assert_int_equal(arnica_from_le32(answer.stag.pd), pd);
}

#define mkey_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, fake_function_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		mkey_test(a_key_is_what_it_was_set_to_last),
		mkey_test(what_is_refused_changes_nothing),
		mkey_test(users_are_waited_for),
		mkey_test(it_belongs_to_its_domain),
		mkey_test(the_host_may_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
