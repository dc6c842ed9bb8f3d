/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Device memory: sizes, quota, reuse, and regions that keep it. */
#include <string.h>

#include "fake_function.h"

#include "front/command.h"

static uint32_t alloc(struct adev_function *fn, uint64_t length,
		      uint32_t log_align, struct arnica_hw_res_dm *dm)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_DM),
		.alloc_dm = {
			.length = arnica_to_le64(length),
			.log_align = arnica_to_le32(log_align),
		},
	};
	struct arnica_hw_completion completion = { 0 };
	uint32_t status = fake_command(fn, &command, &completion);

	*dm = completion.dm;
	return status;
}

static uint32_t free_dm(struct adev_function *fn, struct arnica_hw_res_dm dm)
{
	return fake_command_object(fn, ARNICA_HW_CMD_FREE_DM,
				   arnica_from_le32(dm.handle));
}

static char *memory_of(struct adev_function *fn, struct arnica_hw_res_dm dm)
{
	return fn->view.base + arnica_from_le64(dm.offset);
}

static void ranges_are_apart_and_zero(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_res_dm a, b;

	assert_ok(alloc(fn, 1, 0, &a));
	assert_ok(alloc(fn, 10000, 12, &b));
	assert_int_equal(arnica_from_le64(b.offset) % 4096, 0);
	memset(memory_of(fn, a), 1, 1);
	memset(memory_of(fn, b), 2, 10000);
	assert_int_equal(*memory_of(fn, a), 1);
	assert_ok(free_dm(fn, b));
	assert_int_equal(free_dm(fn, b), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(alloc(fn, 10000, 0, &b));
	for (int i = 0; i < 10000; i++)
		assert_int_equal(memory_of(fn, b)[i], 0);
	assert_ok(free_dm(fn, a));
	assert_ok(free_dm(fn, b));
}

/* What the program allocates for itself is bounded by the heap alone. */
static void shareable_memory_may_be_larger(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_DM),
		.alloc_dm.length = arnica_to_le64(ARNICA_HW_MAX_DM_BYTES + 1),
	};

	fn->heap.quota_bytes = 2 * ARNICA_HW_MAX_DM_BYTES;
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	command.alloc_dm.flags = arnica_to_le32(ARNICA_HW_DM_SHAREABLE);
	assert_ok(fake_command(fn, &command, NULL));
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_NO_MEMORY);
	command.alloc_dm.length = arnica_to_le64(UINT64_MAX);
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	command.alloc_dm.length = arnica_to_le64(1);
	command.alloc_dm.flags = arnica_to_le32(2);
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
}

static void a_range_can_be_looked_up(void **state)
{
	struct adev_function *fn = *state;
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_DM),
		.object = { .handle = arnica_to_le32(0) },
	};
	struct arnica_hw_completion found;
	struct arnica_hw_res_dm dm;

	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(alloc(fn, 5000, 0, &dm));
	assert_ok(fake_command(fn, &command, &found));
	assert_memory_equal(&found.dm, &dm, sizeof(dm));
	assert_int_equal(arnica_from_le64(found.dm.length), 5000);
	assert_ok(free_dm(fn, dm));
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

static void bad_wishes_are_refused(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_res_dm dm;

	assert_int_equal(alloc(fn, 0, 0, &dm), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(alloc(fn, ARNICA_HW_MAX_DM_BYTES + 1, 0, &dm),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(alloc(fn, UINT64_MAX, 0, &dm),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(alloc(fn, 4, 13, &dm), ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_FREE_DM, 0),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(
		fake_command_object(fn, ARNICA_HW_CMD_FREE_DM, UINT32_MAX),
		ARNICA_HW_COMMAND_NO_OBJECT);
}

static void a_region_keeps_its_range(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REG_MR),
		.reg_mr = { .pd = arnica_to_le32(fake_alloc_pd(fn)),
			    .length = arnica_to_le64(16) },
	};
	struct arnica_hw_completion completion;
	struct arnica_hw_res_dm dm, other;

	assert_ok(alloc(fn, 8192, 0, &dm));
	assert_ok(alloc(fn, 8192, 0, &other));
	command.reg_mr.address =
		arnica_to_le64((uintptr_t)memory_of(fn, dm) + 8176);
	assert_ok(fake_command(fn, &command, &completion));
	assert_int_equal(free_dm(fn, dm), ARNICA_HW_COMMAND_BUSY);
	assert_ok(free_dm(fn, other));
	assert_ok(fake_command_object(
		fn, ARNICA_HW_CMD_DEREG_MR,
		arnica_from_le32(completion.mr.handle)));
	assert_ok(free_dm(fn, dm));
}

static void the_quota_ends_in_no_memory(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_res_dm dms[4096], one;
	uint32_t count = 0;

	while (count < 4096 && !alloc(fn, 64 << 10, 0, &dms[count]))
		count++;
	assert_int_equal(alloc(fn, 64 << 10, 0, &one),
			 ARNICA_HW_COMMAND_NO_MEMORY);
	assert_true(count > 0);
	assert_ok(free_dm(fn, dms[--count]));
	assert_ok(alloc(fn, 64 << 10, 0, &one));
	assert_ok(free_dm(fn, one));
	while (count)
		assert_ok(free_dm(fn, dms[--count]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(ranges_are_apart_and_zero),
		function_test(shareable_memory_may_be_larger),
		function_test(a_range_can_be_looked_up),
		function_test(bad_wishes_are_refused),
		function_test(a_region_keeps_its_range),
		function_test(the_quota_ends_in_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
