/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Protection domains, their references, and address handles. */
#include <errno.h>
#include <string.h>

#include "fake_function.h"

#include "domain/port.h"
#include "front/command.h"
#include "front/objects.h"
#include "transport/address_handle.h"

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

static void a_domain_can_be_looked_up(void **state)
{
	struct adev_function *fn = *state;
	uint32_t pd = fake_alloc_pd(fn);

	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_QUERY_PD, pd));
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_QUERY_PD,
					     pd + 1),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_QUERY_PD,
					     UINT32_MAX),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD, pd));
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_QUERY_PD, pd),
			 ARNICA_HW_COMMAND_NO_OBJECT);
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

static const struct adev_way *way_of(struct adev_function *fn,
				     const struct arnica_hw_command *command)
{
	struct arnica_hw_completion completion;

	assert_ok(fake_command(fn, command, &completion));
	return &adev_ah_find(fn->ahs,
			     arnica_from_le32(completion.object.handle))
			->way;
}

static void an_address_handle_keeps_its_way(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_command command = ah_command(fake_alloc_pd(fn));
	const struct adev_way *way;
	struct arnica_bus_gid own;

	assert_ok(adev_port_gid(0, &own));
	command.create_ah.attributes.sl = arnica_to_le32(3);
	command.create_ah.attributes.hop_limit = arnica_to_le32(9);
	command.create_ah.attributes.traffic_class = arnica_to_le32(0x20);
	command.create_ah.attributes.flow_label = arnica_to_le32(0x54321);
	way = way_of(fn, &command); /* 127.0.0.1 */
	assert_true(way->here);
	assert_int_equal(way->mtu_bytes, 4096);
	assert_int_equal(way->path.hop_limit, 9);
	assert_int_equal(way->path.traffic_class, 0x20);
	assert_int_equal(way->path.flow_label, 0x54321);
	assert_memory_equal(way->path.source, own.raw, 16);
	assert_memory_equal(way->path.destination,
			    command.create_ah.attributes.dgid, 16);
	assert_int_equal(fake_num_wires, 0);
}

static void an_address_elsewhere_needs_the_wire(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_command command = ah_command(fake_alloc_pd(fn));
	const struct adev_way *way;

	/* TEST-NET-3, which no interface has (RFC 5737) */
	memcpy(command.create_ah.attributes.dgid + 12, "\xcb\x00\x71\x07", 4);
	way = way_of(fn, &command);
	assert_false(way->here);
	assert_in_range(way->mtu_bytes, 256, 4096);
	assert_int_equal(fake_num_wires, 1);
	fake_wire_error = EADDRINUSE;
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_UNREACHABLE);
	fake_wire_error = ENOMEM;
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_NO_MEMORY);
	assert_int_equal(fn->num_ahs, 1);
}

static void the_number_of_address_handles_is_limited(void **state)
{
	struct adev_function *fn = *state;
	const struct arnica_hw_command command = ah_command(fake_alloc_pd(fn));
	struct arnica_hw_completion completion;
	uint32_t i;

	for (i = 0; i < ADEV_MAX_AH; i++)
		assert_ok(fake_command(fn, &command, NULL));
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_NO_MEMORY);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DESTROY_AH, 777));
	assert_ok(fake_command(fn, &command, &completion));
	assert_int_equal(arnica_from_le32(completion.object.handle), 777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(domains_are_distinct_and_reused),
		function_test(unknown_domains_are_refused),
		function_test(the_quota_is_enforced),
		function_test(a_domain_can_be_looked_up),
		function_test(an_address_handle_holds_its_domain),
		function_test(wrong_addresses_are_refused),
		function_test(an_address_handle_keeps_its_way),
		function_test(an_address_elsewhere_needs_the_wire),
		function_test(the_number_of_address_handles_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
