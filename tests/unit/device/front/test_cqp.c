/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The control queue: order, refusals, and what a hostile slot can do. */
#include "fake_function.h"

#include "front/command.h"

static struct arnica_hw_cqp_slot *slots_of(struct adev_function *fn)
{
	return (void *)(fn->view.base + fn->view.layout.cqp_offset);
}

static void unknown_commands_are_refused_and_counted(void **state)
{
	static const uint32_t opcodes[] = { 0xfe, 255, 0x80000001u, UINT32_MAX };
	struct adev_function *fn = *state;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		const struct arnica_hw_command command = {
			.opcode = arnica_to_le32(opcodes[i]),
		};

		assert_int_equal(fake_command(fn, &command, NULL),
				 ARNICA_HW_COMMAND_NO_SUCH_COMMAND);
	}
	assert_int_equal(fn->counters.commands_refused, 4);
}

static void a_reserved_field_is_refused(void **state)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
		.reserved0 = arnica_to_le32(1),
	};
	struct adev_function *fn = *state;

	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(fn->num_pds, 0);
}

static void nothing_posted_is_nothing_done(void **state)
{
	struct adev_function *fn = *state;

	adev_cqp_run(fn);
	assert_int_equal(fn->cqp_index, 0);
}

static void a_full_queue_is_executed_in_order(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_cqp_slot *slots = slots_of(fn);
	uint32_t i;

	for (i = 0; i < ARNICA_HW_CQP_DEPTH; i++)
		slots[i].command.opcode = arnica_to_le32(
			ARNICA_HW_CMD_ALLOC_PD);
	adev_cqp_run(fn);
	for (i = 0; i < ARNICA_HW_CQP_DEPTH; i++) {
		assert_int_equal(
			arnica_from_le32(slots[i].completion.object.handle), i);
		assert_int_equal(arnica_load32(&slots[i].completion.sequence,
					       memory_order_relaxed),
				 i + 1);
	}
}

static void the_index_goes_around(void **state)
{
	struct adev_function *fn = *state;
	uint32_t i;

	for (i = 0; i < 3 * ARNICA_HW_CQP_DEPTH + 1; i++)
		assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD,
					      fake_alloc_pd(fn)));
	assert_int_equal(fn->num_pds, 0);
}

static void a_refusal_answers_nothing_else(void **state)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_PORT),
		.query_port = { .port = arnica_to_le32(2) },
	};
	struct arnica_hw_completion completion;
	struct adev_function *fn = *state;
	unsigned int i;

	assert_int_equal(fake_command(fn, &command, &completion),
			 ARNICA_HW_COMMAND_INVALID);
	for (i = 0; i < sizeof(completion.bytes); i++)
		assert_int_equal(completion.bytes[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(unknown_commands_are_refused_and_counted),
		function_test(a_reserved_field_is_refused),
		function_test(nothing_posted_is_nothing_done),
		function_test(a_full_queue_is_executed_in_order),
		function_test(the_index_goes_around),
		function_test(a_refusal_answers_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
