/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Protection domains, their references, and address handles. */
#include <string.h>

#include "fake_function.h"

#include "front/command.h"
#include "front/objects.h"

static void domains_are_distinct_and_reused(void **state)
{
	struct adev_function *fn = *state;
	uint32_t first = fake_alloc_pd(fn);
	uint32_t second = fake_alloc_pd(fn);

	assert_int_not_equal(first, second);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, first));
	assert_false(adev_pd_valid(fn, first));
	assert_true(adev_pd_valid(fn, second));
	assert_int_equal(fake_alloc_pd(fn), first);
}

static void unknown_domains_are_refused(void **state)
{
	static const uint32_t handles[] = { 0, 7, ARNICA_HW_MAX_PD,
					    UINT32_MAX };
	unsigned int i;

	for (i = 0; i < 4; i++)
		assert_int_equal(fake_command_object(*state,
						     ARNICA_HW_CMD_DEALLOC_PD,
						     handles[i]),
				 ARNICA_HW_COMMAND_NO_OBJECT);
}

static void the_quota_is_enforced(void **state)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
	};
	struct adev_function *fn = *state;
	uint32_t i;

	for (i = 0; i < fn->view.layout.max_pd; i++)
		fake_alloc_pd(fn);
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_NO_MEMORY);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, 9));
	assert_int_equal(fake_alloc_pd(fn), 9);
}

static struct arnica_hw_command ah_command(uint32_t pd)
{
	return (struct arnica_hw_command){
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_AH),
		.create_ah = {
			.pd = arnica_to_le32(pd),
			.port = arnica_to_le32(1),
			.attributes = {
				.is_global = arnica_to_le32(1),
				.dgid = { [10] = 0xff, [11] = 0xff, [12] = 127,
					  [15] = 1 },
			},
		},
	};
}

static void an_address_handle_holds_its_domain(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);
	const struct arnica_hw_command command = ah_command(pd);
	struct arnica_hw_completion completion;
	uint32_t ah;

	assert_ok(fake_command(fn, &command, &completion));
	ah = arnica_from_le32(completion.object.handle);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd),
			 ARNICA_HW_COMMAND_BUSY);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_AH, ah));
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_AH, ah),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd));
	assert_int_equal(fn->num_ahs, 0);
}

static void expect_refused(struct adev_function *fn,
			   const struct arnica_hw_command *command)
{
	assert_int_equal(fake_command(fn, command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(fn->num_ahs, 0);
}

static void wrong_addresses_are_refused(void **state)
{
	struct adev_function *fn = *state;
	const struct arnica_hw_command good = ah_command(fake_alloc_pd(fn));
	struct arnica_hw_command bad;

	bad = good;
	bad.create_ah.port = arnica_to_le32(2);
	expect_refused(fn, &bad);
	bad = good;
	bad.create_ah.attributes.is_global = arnica_to_le32(0);
	bad.create_ah.attributes.dlid = arnica_to_le32(1);
	expect_refused(fn, &bad);
	bad = good; /* always empty: the end of the table */
	bad.create_ah.attributes.sgid_index = arnica_to_le32(
		ARNICA_HW_GID_TABLE_LEN - 1);
	expect_refused(fn, &bad);
	bad = good;
	bad.create_ah.attributes.sgid_index = arnica_to_le32(UINT32_MAX);
	expect_refused(fn, &bad);
	bad = good;
	bad.create_ah.attributes.sl = arnica_to_le32(16);
	expect_refused(fn, &bad);
	bad = good;
	bad.create_ah.attributes.flow_label = arnica_to_le32(1u << 20);
	expect_refused(fn, &bad);
	bad = good;
	memset(bad.create_ah.attributes.dgid, 0, 16);
	expect_refused(fn, &bad);
	bad = good;
	bad.create_ah.pd = arnica_to_le32(5);
	assert_int_equal(fake_command(fn, &bad, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fn->pd_references[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(domains_are_distinct_and_reused),
		function_test(unknown_domains_are_refused),
		function_test(the_quota_is_enforced),
		function_test(an_address_handle_holds_its_domain),
		function_test(wrong_addresses_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
