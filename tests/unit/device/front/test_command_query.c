/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the adapter says of itself. */
#include "fake_function.h"

#include "domain/identity.h"
#include "domain/port.h"

static void caps_are_those_of_the_layout(void **state)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_DEVICE),
	};
	struct arnica_hw_completion completion;
	const struct arnica_hw_device_caps *caps = &completion.device;
	struct arnica_bus_identity identity;
	struct adev_function *fn = *state;

	assert_ok(adev_identity_read(&identity));
	assert_ok(fake_command(fn, &command, &completion));
	assert_true(arnica_from_le64(caps->node_guid) == identity.node_guid);
	assert_int_equal(arnica_from_le32(caps->vendor_id),
			 ADEV_IDENTITY_VENDOR_ID);
	assert_int_equal(arnica_from_le32(caps->max_qp),
			 fn->view.layout.max_qp);
	assert_int_equal(arnica_from_le32(caps->max_mr),
			 fn->view.layout.max_mr - 1);
	assert_int_equal(arnica_from_le32(caps->max_qp_wr),
			 ARNICA_HW_MAX_QUEUE_DEPTH);
	assert_true(arnica_from_le64(caps->page_size_cap) ==
		    0xfffffffffffff000ull);
	assert_int_equal(arnica_from_le32(caps->num_ports), 1);
	assert_true(caps->firmware_version[0] >= '0' &&
		    caps->firmware_version[0] <= '9');
}

static uint32_t query_port(struct adev_function *fn, uint32_t port,
			   struct arnica_hw_completion *completion)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_PORT),
		.query_port = { .port = arnica_to_le32(port) },
	};

	return fake_command(fn, &command, completion);
}

static void there_is_one_port(void **state)
{
	struct arnica_hw_completion completion;
	struct arnica_bus_port port;

	assert_int_equal(query_port(*state, 0, &completion),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(query_port(*state, 2, &completion),
			 ARNICA_HW_COMMAND_INVALID);
	assert_ok(query_port(*state, 1, &completion));
	adev_port_read(&port);
	assert_int_equal(arnica_from_le32(completion.port.state), port.state);
	assert_int_equal(arnica_from_le32(completion.port.phys_state),
			 port.state == ADEV_PORT_ACTIVE ? 5 : 3);
	assert_int_equal(arnica_from_le32(completion.port.max_mtu), 5);
	assert_int_equal(arnica_from_le32(completion.port.active_mtu),
			 port.active_mtu);
	assert_in_range(port.active_mtu, 1, 5);
	assert_int_equal(arnica_from_le32(completion.port.gid_table_len),
			 ARNICA_HW_GID_TABLE_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		function_test(caps_are_those_of_the_layout),
		function_test(there_is_one_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
