/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of rules: what it accepts, and to whom it gives a frame. */
#include <errno.h>
#include <string.h>

#include <arnica/hw/limits.h>

#include <cmocka.h>

#include "transport/flow.h"
#include "transport/qp.h"

static struct adev_qp qps[3];
static uint32_t given[3];

static struct arnica_hw_cmd_create_flow rule(uint8_t number)
{
	struct arnica_hw_cmd_create_flow cmd;

	memset(&cmd, 0, sizeof(cmd));
	cmd.value.destination_mac[0] = 2;
	cmd.value.destination_mac[5] = number;
	memset(cmd.mask.destination_mac, 0xff, 6);
	return cmd;
}

static struct adev_frame_fields frame(uint8_t number)
{
	struct adev_frame_fields frame = { .headers = 0 };

	frame.fields.destination_mac[0] = 2;
	frame.fields.destination_mac[5] = number;
	return frame;
}

static struct adev_flow_rule *
add(struct adev_flows *flows, uint32_t qp,
    const struct arnica_hw_cmd_create_flow *cmd)
{
	struct adev_flow_rule *made;

	assert_int_equal(adev_flow_check(cmd), 0);
	made = adev_flow_add(flows, &qps[qp], cmd);
	assert_non_null(made);
	return made;
}

static void give(struct adev_flow_target *target, void *argument)
{
	(void)argument;
	given[target->qp - qps]++;
}

/* Whom a frame goes to, as a decimal number: a digit for each. */
static uint32_t steer(struct adev_flows *flows,
		      const struct adev_frame_fields *to)
{
	uint32_t count;

	memset(given, 0, sizeof(given));
	count = adev_flow_steer(flows, to, 100, give, NULL);
	assert_int_equal(count, given[0] + given[1] + given[2]);
	return given[0] * 100 + given[1] * 10 + given[2];
}

static void a_frame_goes_where_all_bits_fit(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1);
	struct adev_frame_fields one = frame(1), two = frame(2);

	(void)state;
	add(&flows, 0, &cmd);
	assert_int_equal(steer(&flows, &one), 100);
	assert_int_equal(steer(&flows, &two), 0);
	/* Bits outside the mask do not count, whatever the value has. */
	cmd.mask.destination_mac[5] = 0xf0;
	add(&flows, 1, &cmd);
	assert_int_equal(steer(&flows, &two), 10);
	adev_flow_remove_all(&flows);
	assert_null(flows.targets);
}

static void a_header_must_be_there(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1);
	struct adev_frame_fields to = frame(1);

	(void)state;
	cmd.headers = arnica_to_le32(ARNICA_HW_FLOW_IPV4 | ARNICA_HW_FLOW_TCP);
	add(&flows, 0, &cmd);
	assert_int_equal(steer(&flows, &to), 0);
	to.headers = ARNICA_HW_FLOW_IPV4 | ARNICA_HW_FLOW_UDP;
	assert_int_equal(steer(&flows, &to), 0);
	to.headers = ARNICA_HW_FLOW_VLAN | ARNICA_HW_FLOW_IPV4 |
		     ARNICA_HW_FLOW_TCP;
	assert_int_equal(steer(&flows, &to), 100);
	adev_flow_remove_all(&flows);
}

static void the_lowest_number_is_asked_first(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1), wide = rule(1);
	struct adev_frame_fields to = frame(1);
	struct adev_flow_rule *first;

	(void)state;
	memset(&wide.mask, 0, sizeof(wide.mask));
	wide.priority = arnica_to_le32(7);
	add(&flows, 0, &wide);
	cmd.priority = arnica_to_le32(8);
	add(&flows, 1, &cmd);
	assert_int_equal(steer(&flows, &to), 100);
	cmd.priority = arnica_to_le32(6);
	first = add(&flows, 2, &cmd);
	assert_int_equal(steer(&flows, &to), 1);
	adev_flow_remove(&flows, first);
	assert_int_equal(steer(&flows, &to), 100);
	adev_flow_remove_all(&flows);
}

static void equals_share_and_others_of_the_priority_do_not(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1), wide = rule(1);
	struct adev_frame_fields to = frame(1);

	(void)state;
	memset(&wide.mask, 0, sizeof(wide.mask));
	add(&flows, 0, &cmd);
	add(&flows, 1, &wide);
	add(&flows, 2, &cmd);
	assert_int_equal(steer(&flows, &to), 101);
	/* Twice the same rule is one frame. */
	add(&flows, 2, &cmd);
	assert_int_equal(steer(&flows, &to), 101);
	adev_flow_remove_all(&flows);
}

static void who_does_not_trap_lets_others_have_it(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1);
	struct adev_frame_fields to = frame(1);

	(void)state;
	cmd.priority = arnica_to_le32(2);
	add(&flows, 1, &cmd);
	cmd.priority = arnica_to_le32(3);
	add(&flows, 2, &cmd);
	cmd.priority = arnica_to_le32(1);
	cmd.flags = arnica_to_le32(ARNICA_HW_FLOW_DONT_TRAP);
	add(&flows, 0, &cmd);
	assert_int_equal(steer(&flows, &to), 110);
	adev_flow_remove_all(&flows);
}

static void defaults_get_what_nobody_has(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1), all, multicast;
	struct adev_frame_fields to = frame(1), other = frame(2);
	struct adev_frame_fields group = frame(3);

	(void)state;
	memset(&all, 0, sizeof(all));
	all.type = arnica_to_le32(ARNICA_HW_FLOW_ALL_DEFAULT);
	multicast = all;
	multicast.type = arnica_to_le32(ARNICA_HW_FLOW_MC_DEFAULT);
	group.fields.destination_mac[0] = 3;
	add(&flows, 0, &all);
	add(&flows, 1, &multicast);
	cmd.priority = arnica_to_le32(0xffff);
	add(&flows, 2, &cmd);
	assert_int_equal(steer(&flows, &to), 1);
	assert_int_equal(steer(&flows, &other), 100);
	assert_int_equal(steer(&flows, &group), 110);
	adev_flow_remove_all(&flows);
}

/* Those that let it go on count it as well; who was not asked does not. */
static void rules_count_what_they_match(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1);
	struct adev_flow_rule *lets_go, *traps, *after;
	struct adev_frame_fields one = frame(1), two = frame(2);

	(void)state;
	cmd.flags = arnica_to_le32(ARNICA_HW_FLOW_DONT_TRAP);
	lets_go = add(&flows, 0, &cmd);
	cmd.flags = arnica_to_le32(0);
	cmd.priority = arnica_to_le32(1);
	traps = add(&flows, 0, &cmd);
	cmd.priority = arnica_to_le32(2);
	after = add(&flows, 1, &cmd);
	(void)steer(&flows, &one);
	(void)steer(&flows, &two);
	(void)steer(&flows, &one);
	assert_int_equal(lets_go->packets, 2);
	assert_int_equal(lets_go->bytes, 200);
	/* Its queue pair had it already. */
	assert_int_equal(traps->packets, 2);
	assert_int_equal(after->packets, 0);
	assert_int_equal(after->bytes, 0);
	adev_flow_remove_all(&flows);
}

static void the_address_of_a_rule_is_known_or_any(void **state)
{
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = rule(1);

	(void)state;
	assert_memory_equal(adev_flow_address(add(&flows, 0, &cmd)),
			    cmd.value.destination_mac, 6);
	cmd.mask.destination_mac[2] = 0xfe;
	assert_null(adev_flow_address(add(&flows, 0, &cmd)));
	adev_flow_remove_all(&flows);
}

static void handles_find_rules_until_they_end(void **state)
{
	struct adev_flows flows = { .rules = NULL, .next_handle = UINT32_MAX };
	struct arnica_hw_cmd_create_flow cmd = rule(1);
	struct adev_flow_rule *made = add(&flows, 0, &cmd);
	uint32_t handle = made->handle, i;

	(void)state;
	assert_ptr_equal(adev_flow_find(&flows, handle), made);
	flows.next_handle = handle - 1;
	assert_int_not_equal(add(&flows, 1, &cmd)->handle, handle);
	adev_flow_remove(&flows, made);
	assert_null(adev_flow_find(&flows, handle));
	for (i = flows.num_rules; i < ARNICA_HW_MAX_FLOWS; i++)
		add(&flows, 2, &cmd);
	assert_null(adev_flow_add(&flows, &qps[2], &cmd));
	adev_flow_remove_all(&flows);
}

/* Each change makes a rule that is none. */
static void what_contradicts_itself_is_refused(void **state)
{
	struct arnica_hw_cmd_create_flow cmd;

#define REFUSED(error, change)                                                 \
	do {                                                                   \
		cmd = rule(1);                                                 \
		change;                                                        \
		assert_int_equal(adev_flow_check(&cmd), error);                \
	} while (0)
	(void)state;
	REFUSED(0, (void)0);
	REFUSED(EINVAL, cmd.type = arnica_to_le32(4));
	REFUSED(EOPNOTSUPP, cmd.type = arnica_to_le32(ARNICA_HW_FLOW_SNIFFER));
	REFUSED(EINVAL, cmd.type = arnica_to_le32(ARNICA_HW_FLOW_MC_DEFAULT));
	REFUSED(EINVAL, cmd.priority = arnica_to_le32(0x10000));
	REFUSED(EINVAL, cmd.flags = arnica_to_le32(1));
	REFUSED(EOPNOTSUPP, cmd.flags = arnica_to_le32(ARNICA_HW_FLOW_EGRESS));
	REFUSED(EINVAL, cmd.reserved0 = arnica_to_le32(1));
	REFUSED(EINVAL, cmd.mask.reserved0 = 1);
	REFUSED(EINVAL, cmd.headers = arnica_to_le32(1 << 5));
	REFUSED(EINVAL, cmd.headers = arnica_to_le32(ARNICA_HW_FLOW_IPV4 |
						     ARNICA_HW_FLOW_IPV6));
	REFUSED(EINVAL, cmd.headers = arnica_to_le32(ARNICA_HW_FLOW_TCP |
						     ARNICA_HW_FLOW_UDP));
	REFUSED(EINVAL, cmd.mask.vlan_tag[1] = 1);
	REFUSED(EINVAL, cmd.mask.source[0] = 1);
	REFUSED(EINVAL, cmd.mask.destination[0] = 1);
	REFUSED(EINVAL, cmd.mask.protocol = 1);
	REFUSED(EINVAL, cmd.mask.source_port[0] = 1);
	REFUSED(EINVAL, {
		cmd.headers = arnica_to_le32(ARNICA_HW_FLOW_IPV4);
		cmd.mask.source[4] = 1;
	});
	REFUSED(EINVAL, {
		cmd.headers = arnica_to_le32(ARNICA_HW_FLOW_IPV4);
		cmd.mask.flow_label[3] = 1;
	});
	REFUSED(EINVAL, {
		cmd.headers = arnica_to_le32(ARNICA_HW_FLOW_IPV4);
		memset(cmd.mask.ether_type, 0xff, 2);
		memcpy(cmd.value.ether_type, "\x86\xdd", 2);
	});
	REFUSED(EINVAL, {
		cmd.headers = arnica_to_le32(ARNICA_HW_FLOW_IPV6 |
					     ARNICA_HW_FLOW_UDP);
		cmd.mask.protocol = 0xff;
		cmd.value.protocol = 6;
	});
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_goes_where_all_bits_fit),
		cmocka_unit_test(a_header_must_be_there),
		cmocka_unit_test(the_lowest_number_is_asked_first),
		cmocka_unit_test(equals_share_and_others_of_the_priority_do_not),
		cmocka_unit_test(who_does_not_trap_lets_others_have_it),
		cmocka_unit_test(defaults_get_what_nobody_has),
		cmocka_unit_test(rules_count_what_they_match),
		cmocka_unit_test(the_address_of_a_rule_is_known_or_any),
		cmocka_unit_test(handles_find_rules_until_they_end),
		cmocka_unit_test(what_contradicts_itself_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
