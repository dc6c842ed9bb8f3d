/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Memory regions: checks, STags, rereg, and waiting for their users. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_function.h"

#include "front/command.h"
#include "tpt/tpt.h"

#define LOCAL_WRITE ARNICA_HW_ACCESS_LOCAL_WRITE
#define REMOTE_READ ARNICA_HW_ACCESS_REMOTE_READ
#define REMOTE_WRITE ARNICA_HW_ACCESS_REMOTE_WRITE

static char buffer[8192];

static struct arnica_hw_command reg_command(uint32_t pd, uint32_t access)
{
	return (struct arnica_hw_command){
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REG_MR),
		.reg_mr = {
			.pd = arnica_to_le32(pd),
			.access = arnica_to_le32(access),
			.address = arnica_to_le64((uintptr_t)buffer),
			.length = arnica_to_le64(sizeof(buffer)),
			.iova = arnica_to_le64(0x10000),
		},
	};
}

static uint32_t reg_with(struct adev_function *fn, uint32_t pd, uint32_t access)
{
	const struct arnica_hw_command command = reg_command(pd, access);

	return fake_command(fn, &command, NULL);
}

static struct arnica_hw_res_mr reg(struct adev_function *fn, uint32_t pd,
				   uint32_t access)
{
	const struct arnica_hw_command command = reg_command(pd, access);
	struct arnica_hw_completion completion;

	assert_ok(fake_command(fn, &command, &completion));
	return completion.mr;
}

static enum adev_tpt_verdict check(struct adev_function *fn,
				   struct arnica_hw_res_mr mr, uint32_t pd,
				   uint32_t access)
{
	uint64_t address;

	return adev_tpt_check(&fn->view, arnica_from_le32(mr.stag), pd, 0x10000,
			      sizeof(buffer), access, &address);
}

static void a_region_can_be_looked_up(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	struct arnica_hw_res_mr mr = reg(fn, pd, LOCAL_WRITE);
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_MR),
		.object = { .handle = mr.handle },
	};
	struct arnica_hw_completion found;

	assert_ok(fake_command(fn, &command, &found));
	assert_int_equal(arnica_from_le32(found.region.stag),
			 arnica_from_le32(mr.stag));
	assert_int_equal(arnica_from_le32(found.region.pd), pd);
	assert_int_equal(arnica_from_le64(found.region.length),
			 sizeof(buffer));
	assert_int_equal(arnica_from_le64(found.region.iova), 0x10000);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
				      arnica_from_le32(mr.handle)));
	assert_int_equal(fake_command(fn, &command, &found),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_QUERY_MR,
					     UINT32_MAX),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

static void a_region_is_usable_until_it_ends(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	struct arnica_hw_res_mr mr = reg(fn, pd, LOCAL_WRITE | REMOTE_READ);
	uint32_t handle = arnica_from_le32(mr.handle);

	assert_int_equal(handle, adev_tpt_index(arnica_from_le32(mr.stag)));
	assert_int_equal(check(fn, mr, pd, REMOTE_READ), ADEV_TPT_OK);
	assert_int_equal(check(fn, mr, pd, REMOTE_WRITE), ADEV_TPT_BAD_ACCESS);
	assert_int_equal(check(fn, mr, pd + 1, REMOTE_READ), ADEV_TPT_BAD_PD);
	assert_int_equal(fn->view.tpt[handle].address_space, fn->view.function);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd),
			 ARNICA_HW_COMMAND_BUSY);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR, handle));
	assert_int_equal(fake_num_quiesces, 1);
	assert_int_equal(check(fn, mr, pd, REMOTE_READ), ADEV_TPT_BAD_KEY);
	assert_int_equal(
		fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR, handle),
		ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd));
}

static void rights_are_checked(void **state)
{
	static const struct {
		uint32_t access;
		uint32_t status;
	} cases[] = {
		{ 0, ARNICA_HW_COMMAND_OK },
		{ REMOTE_READ, ARNICA_HW_COMMAND_OK },
		{ LOCAL_WRITE | REMOTE_WRITE, ARNICA_HW_COMMAND_OK },
		{ REMOTE_WRITE, ARNICA_HW_COMMAND_INVALID },
		{ ARNICA_HW_ACCESS_REMOTE_ATOMIC, ARNICA_HW_COMMAND_INVALID },
		{ ARNICA_HW_ACCESS_ON_DEMAND, ARNICA_HW_COMMAND_OK },
		{ ARNICA_HW_ACCESS_FLUSH_GLOBAL,
		  ARNICA_HW_COMMAND_NOT_SUPPORTED },
		{ 1u << 10, ARNICA_HW_COMMAND_INVALID },
		{ 1u << 30, ARNICA_HW_COMMAND_INVALID },
		{ ARNICA_HW_ACCESS_RELAXED_ORDERING, ARNICA_HW_COMMAND_OK },
		{ 1u << 29, ARNICA_HW_COMMAND_OK },
	};
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(reg_with(fn, pd, cases[i].access),
				 cases[i].status);
	assert_int_equal(reg_with(fn, pd + 1, 0), ARNICA_HW_COMMAND_NO_OBJECT);
}

static uint32_t reg_range(struct adev_function *fn, uint32_t pd,
			  uint64_t address, uint64_t length, uint64_t iova)
{
	struct arnica_hw_command command = reg_command(pd, LOCAL_WRITE);

	command.reg_mr.address = arnica_to_le64(address);
	command.reg_mr.length = arnica_to_le64(length);
	command.reg_mr.iova = arnica_to_le64(iova);
	return fake_command(fn, &command, NULL);
}

static void ranges_are_checked(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	uint64_t here = (uintptr_t)buffer;

	assert_ok(reg_range(fn, pd, here, 0, 0)); /* permits nothing */
	assert_int_equal(reg_range(fn, pd, here, UINT64_MAX, 0),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(reg_range(fn, pd, here, 2, UINT64_MAX),
			 ARNICA_HW_COMMAND_INVALID);
	assert_ok(reg_range(fn, pd, here, 1, UINT64_MAX));
	assert_int_equal(reg_range(fn, pd, 0, 4096, 0),
			 ARNICA_HW_COMMAND_FAULT);
	assert_int_equal(reg_range(fn, pd, UINT64_MAX - 4095, 4096, 0),
			 ARNICA_HW_COMMAND_FAULT);
	assert_int_equal(fn->num_mrs, 2);
}

/* Not a proof of chance; what follows each other must not be guessable. */
static void stags_differ_from_function_to_function(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	uint32_t low_bytes = 0, i;

	assert_true(fn->tpt_mask < fn->view.layout.max_mr);
	for (i = 0; i < 64; i++) {
		struct arnica_hw_res_mr mr = reg(fn, pd, 0);
		uint32_t stag = arnica_from_le32(mr.stag);

		assert_int_not_equal(stag & 0xff, 0);
		assert_int_not_equal(adev_tpt_index(stag), 0);
		low_bytes |= 1u << (stag & 31);
	}
	assert_true(__builtin_popcount(low_bytes) > 10);
}

static void a_reused_entry_has_another_stag(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	uint32_t last = 0, i;

	for (i = 0; i < 2000; i++) {
		struct arnica_hw_res_mr mr = reg(fn, pd, 0);

		assert_int_not_equal(arnica_from_le32(mr.stag), last);
		last = arnica_from_le32(mr.stag);
		assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
					      arnica_from_le32(mr.handle)));
	}
}

static void the_table_can_be_filled(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	uint32_t i, max = fn->view.layout.max_mr;
	struct arnica_hw_res_mr mr = { 0 };

	for (i = 1; i < max; i++)
		mr = reg(fn, pd, 0);
	assert_int_equal(reg_with(fn, pd, 0), ARNICA_HW_COMMAND_NO_MEMORY);
	assert_int_equal(fn->mr_pd[0], 0);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
				      arnica_from_le32(mr.handle)));
	assert_ok(reg_with(fn, pd, 0));
}

static void a_busy_region_stays_as_it_was(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	struct arnica_hw_res_mr mr = reg(fn, pd, LOCAL_WRITE);
	struct arnica_hw_command rereg = reg_command(pd, 0);

	rereg.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR);
	rereg.reg_mr.handle = mr.handle;
	rereg.reg_mr.change = arnica_to_le32(ARNICA_HW_REREG_ACCESS);
	fake_quiesce_error = EBUSY;
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
					     arnica_from_le32(mr.handle)),
			 ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(check(fn, mr, pd, LOCAL_WRITE), ADEV_TPT_OK);
	assert_int_equal(fake_command(fn, &rereg, NULL),
			 ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(check(fn, mr, pd, LOCAL_WRITE), ADEV_TPT_OK);
	fake_quiesce_error = 0;
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
				      arnica_from_le32(mr.handle)));
}

static void rereg_changes_what_it_is_told(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn), other = fake_alloc_pd(fn);
	struct arnica_hw_res_mr mr = reg(fn, pd, LOCAL_WRITE);
	struct arnica_hw_command rereg = reg_command(other, REMOTE_READ);
	struct arnica_hw_completion completion;

	rereg.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR);
	rereg.reg_mr.handle = mr.handle;
	rereg.reg_mr.iova = arnica_to_le64(0x999000); /* is not taken */
	rereg.reg_mr.change = arnica_to_le32(ARNICA_HW_REREG_PD);
	assert_ok(fake_command(fn, &rereg, &completion));
	assert_int_equal(completion.mr.handle.raw, mr.handle.raw);
	assert_int_equal(completion.mr.stag.raw, mr.stag.raw);
	assert_int_equal(check(fn, mr, pd, LOCAL_WRITE), ADEV_TPT_BAD_PD);
	assert_int_equal(check(fn, completion.mr, other, LOCAL_WRITE),
			 ADEV_TPT_OK);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd));
	assert_int_equal(
		fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, other),
		ARNICA_HW_COMMAND_BUSY);
	rereg.reg_mr.change = arnica_to_le32(ARNICA_HW_REREG_ACCESS);
	assert_ok(fake_command(fn, &rereg, &completion));
	assert_int_equal(check(fn, completion.mr, other, REMOTE_READ),
			 ADEV_TPT_OK);
	assert_int_equal(check(fn, completion.mr, other, LOCAL_WRITE),
			 ADEV_TPT_BAD_ACCESS);
}

static void a_refused_rereg_changes_nothing(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	struct arnica_hw_res_mr mr = reg(fn, pd, LOCAL_WRITE);
	struct arnica_hw_command rereg = reg_command(pd, LOCAL_WRITE);

	rereg.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR);
	rereg.reg_mr.handle = mr.handle;
	assert_int_equal(fake_command(fn, &rereg, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	rereg.reg_mr.change = arnica_to_le32(8);
	assert_int_equal(fake_command(fn, &rereg, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	rereg.reg_mr.change = arnica_to_le32(ARNICA_HW_REREG_TRANSLATION);
	rereg.reg_mr.address = arnica_to_le64(4096);
	assert_int_equal(fake_command(fn, &rereg, NULL),
			 ARNICA_HW_COMMAND_FAULT);
	rereg.reg_mr.handle = arnica_to_le32(UINT32_MAX);
	assert_int_equal(fake_command(fn, &rereg, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(check(fn, mr, pd, LOCAL_WRITE), ADEV_TPT_OK);
	assert_int_equal(fake_num_quiesces, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(a_region_is_usable_until_it_ends),
		function_test(a_region_can_be_looked_up),
		function_test(rights_are_checked),
		function_test(ranges_are_checked),
		function_test(stags_differ_from_function_to_function),
		function_test(a_reused_entry_has_another_stag),
		function_test(the_table_can_be_filled),
		function_test(a_busy_region_stays_as_it_was),
		function_test(rereg_changes_what_it_is_told),
		function_test(a_refused_rereg_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
