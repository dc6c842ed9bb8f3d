/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* XRC domains of a function: each opening by itself. */
#include <errno.h>

#include "fake_function.h"

#include "front/command.h"
#include "front/xrcd_table.h"

static uint32_t open_domain(struct adev_function *fn, uint64_t inode,
			    uint32_t flags, uint32_t *handle)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_OPEN_XRCD),
		.open_xrcd = { .inode = arnica_to_le64(inode),
			       .flags = arnica_to_le32(flags) },
	};
	struct arnica_hw_completion completion;
	uint32_t status = fake_command(fn, &command, &completion);

	*handle = arnica_from_le32(completion.object.handle);
	return status;
}

static uint32_t close_domain(struct adev_function *fn, uint32_t handle)
{
	return fake_command_object(fn, ARNICA_HW_CMD_CLOSE_XRCD, handle);
}

static void openings_of_one_file_are_one_domain(void **state)
{
	struct adev_function *fn = *state;
	uint32_t first, second;

	assert_int_equal(open_domain(fn, 7, 0, &first),
			 ARNICA_HW_COMMAND_NO_DOMAIN);
	assert_ok(open_domain(fn, 7, ARNICA_HW_XRCD_CREATE, &first));
	assert_int_equal(open_domain(fn, 7,
				     ARNICA_HW_XRCD_CREATE |
					     ARNICA_HW_XRCD_EXCLUSIVE,
				     &second),
			 ARNICA_HW_COMMAND_INVALID);
	assert_ok(open_domain(fn, 7, 0, &second));
	assert_true(first != second);
	assert_true(adev_xrcd_id(fn, first) &&
		    adev_xrcd_id(fn, first) == adev_xrcd_id(fn, second));
	assert_ok(close_domain(fn, first));
	assert_int_equal(close_domain(fn, first), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(close_domain(fn, second));
	assert_int_equal(open_domain(fn, 7, 0, &first),
			 ARNICA_HW_COMMAND_NO_DOMAIN);
}

static void what_is_used_stays(void **state)
{
	struct adev_function *fn = *state;
	uint32_t xrcd;

	assert_ok(open_domain(fn, 0,
			      ARNICA_HW_XRCD_CREATE | ARNICA_HW_XRCD_PRIVATE,
			      &xrcd));
	adev_xrcd_get(fn, xrcd);
	assert_int_equal(close_domain(fn, xrcd), ARNICA_HW_COMMAND_BUSY);
	adev_xrcd_put(fn, xrcd);
	assert_ok(close_domain(fn, xrcd));
}

static void nonsense_is_refused(void **state)
{
	struct adev_function *fn = *state;
	uint32_t xrcd;

	assert_int_equal(open_domain(fn, 7, 0x100, &xrcd),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(open_domain(fn, 7,
				     ARNICA_HW_XRCD_CREATE |
					     ARNICA_HW_XRCD_PRIVATE,
				     &xrcd),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(open_domain(fn, 0, ARNICA_HW_XRCD_PRIVATE, &xrcd),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(close_domain(fn, 0), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(close_domain(fn, UINT32_MAX),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(openings_of_one_file_are_one_domain),
		function_test(what_is_used_stays),
		function_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
