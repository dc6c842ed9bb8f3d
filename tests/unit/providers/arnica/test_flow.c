/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Flow specifications of verbs, and the rules that they become. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "flow.h"

static struct arnica_hw_cmd_create_flow cmd;
static struct ibv_counters *counters;
static bool counts;

static int emit(const struct ibv_flow_attr *attr)
{
	counters = NULL;
	return arnica_flow_emit(attr, &cmd, &counts, &counters);
}

static void a_rule_has_what_its_specifications_say(void **state)
{
	const struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_eth eth;
		struct ibv_flow_spec_ipv4_ext ip;
		struct ibv_flow_spec_tcp_udp udp;
	} rule = {
		.attr = { .size = sizeof(rule),
			  .num_of_specs = 3,
			  .priority = 7,
			  .flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP,
			  .port = 1 },
		.eth = { .type = IBV_FLOW_SPEC_ETH,
			 .size = sizeof(rule.eth),
			 .val = { .dst_mac = { 1, 2, 3, 4, 5, 6 },
				  .src_mac = { 7, 8, 9, 10, 11, 12 },
				  .ether_type = htons(0x0800),
				  .vlan_tag = htons(0x123) },
			 .mask = { .dst_mac = { 255, 255, 255, 255, 255, 255 },
				   .vlan_tag = htons(0xfff) } },
		.ip = { .type = IBV_FLOW_SPEC_IPV4_EXT,
			.size = sizeof(rule.ip),
			.val = { .src_ip = htonl(0x0a010203),
				 .dst_ip = htonl(0x0a040506),
				 .proto = 17,
				 .tos = 4,
				 .ttl = 9 },
			.mask = { .src_ip = 0xffffffff, .proto = 255 } },
		.udp = { .type = IBV_FLOW_SPEC_UDP,
			 .size = sizeof(rule.udp),
			 .val = { .dst_port = htons(0x1234),
				  .src_port = htons(0x5678) },
			 .mask = { .dst_port = 0xffff } },
	};

	(void)state;
	assert_int_equal(emit(&rule.attr), 0);
	assert_int_equal(arnica_from_le32(cmd.type), ARNICA_HW_FLOW_NORMAL);
	assert_int_equal(arnica_from_le32(cmd.priority), 7);
	assert_int_equal(arnica_from_le32(cmd.flags), ARNICA_HW_FLOW_DONT_TRAP);
	assert_int_equal(arnica_from_le32(cmd.headers),
			 ARNICA_HW_FLOW_VLAN | ARNICA_HW_FLOW_IPV4 |
				 ARNICA_HW_FLOW_UDP);
	assert_memory_equal(cmd.value.destination_mac, "\1\2\3\4\5\6", 6);
	assert_memory_equal(cmd.value.source_mac, "\7\10\11\12\13\14", 6);
	assert_memory_equal(cmd.value.ether_type, "\x08\x00", 2);
	assert_memory_equal(cmd.value.vlan_tag, "\x01\x23", 2);
	assert_memory_equal(cmd.mask.vlan_tag, "\x0f\xff", 2);
	assert_memory_equal(cmd.value.source, "\x0a\x01\x02\x03\0", 5);
	assert_memory_equal(cmd.mask.source, "\xff\xff\xff\xff\0", 5);
	assert_memory_equal(cmd.value.destination, "\x0a\x04\x05\x06\0", 5);
	assert_int_equal(cmd.value.protocol, 17);
	assert_int_equal(cmd.mask.protocol, 255);
	assert_int_equal(cmd.value.traffic_class, 4);
	assert_int_equal(cmd.value.hop_limit, 9);
	assert_memory_equal(cmd.value.destination_port, "\x12\x34", 2);
	assert_memory_equal(cmd.value.source_port, "\x56\x78", 2);
	assert_memory_equal(cmd.mask.destination_port, "\xff\xff", 2);
}

static void ipv6_fills_whole_addresses(void **state)
{
	const struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_ipv6 ip;
		struct ibv_flow_spec_tcp_udp tcp;
	} rule = {
		.attr = { .num_of_specs = 2 },
		.ip = { .type = IBV_FLOW_SPEC_IPV6,
			.size = sizeof(rule.ip),
			.val = { .src_ip = { [15] = 1 },
				 .dst_ip = { [15] = 2 },
				 .flow_label = htonl(0x12345),
				 .next_hdr = 6,
				 .traffic_class = 3,
				 .hop_limit = 64 },
			.mask = { .flow_label = htonl(0xfffff) } },
		.tcp = { .type = IBV_FLOW_SPEC_TCP, .size = sizeof(rule.tcp) },
	};

	(void)state;
	assert_int_equal(emit(&rule.attr), 0);
	assert_int_equal(arnica_from_le32(cmd.headers),
			 ARNICA_HW_FLOW_IPV6 | ARNICA_HW_FLOW_TCP);
	assert_int_equal(cmd.value.source[15], 1);
	assert_int_equal(cmd.value.destination[15], 2);
	assert_memory_equal(cmd.value.flow_label, "\0\1\x23\x45", 4);
	assert_memory_equal(cmd.mask.flow_label, "\0\x0f\xff\xff", 4);
	assert_int_equal(cmd.value.hop_limit, 64);
}

struct one {
	struct ibv_flow_attr attr;
	union {
		struct {
			enum ibv_flow_spec_type type;
			uint16_t size;
		} head;
		struct ibv_flow_spec_ipv4_ext ip;
		uint8_t room[64];
	};
};

static int outcome(uint32_t type, uint16_t size)
{
	struct one one = { .attr = { .num_of_specs = 1 } };

	one.head.type = (enum ibv_flow_spec_type)type;
	one.head.size = size;
	return emit(&one.attr);
}

static void sizes_and_types_must_be_right(void **state)
{
	struct one one = { .attr = { .num_of_specs = 0, .comp_mask = 1 } };

	(void)state;
	assert_int_equal(outcome(IBV_FLOW_SPEC_IPV4,
				 sizeof(struct ibv_flow_spec_ipv4)),
			 0);
	assert_int_equal(outcome(IBV_FLOW_SPEC_IPV4,
				 sizeof(struct ibv_flow_spec_ipv4) + 1),
			 EINVAL);
	assert_int_equal(outcome(IBV_FLOW_SPEC_ETH, 0), EINVAL);
	assert_int_equal(outcome(0x77, 8), EINVAL);
	assert_int_equal(outcome(IBV_FLOW_SPEC_GRE, 8), EOPNOTSUPP);
	assert_int_equal(outcome(IBV_FLOW_SPEC_ACTION_DROP, 8), EOPNOTSUPP);
	assert_int_equal(outcome(IBV_FLOW_SPEC_INNER | IBV_FLOW_SPEC_ETH, 40),
			 EOPNOTSUPP);
	assert_int_equal(emit(&one.attr), EINVAL);
	one = (struct one){ .attr = { .num_of_specs = 1 } };
	one.ip.type = IBV_FLOW_SPEC_IPV4_EXT;
	one.ip.size = sizeof(one.ip);
	one.ip.mask.flags = 2;
	assert_int_equal(emit(&one.attr), EOPNOTSUPP);
}

static void a_rule_may_be_counted_once(void **state)
{
	struct ibv_counters some;
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_counter_action first, second;
	} __attribute__((packed, aligned(8))) rule = {
		.attr = { .num_of_specs = 0 },
		.first = { .type = IBV_FLOW_SPEC_ACTION_COUNT,
			   .size = sizeof(rule.first),
			   .counters = &some },
		.second = { .type = IBV_FLOW_SPEC_ACTION_COUNT,
			    .size = sizeof(rule.second) },
	};

	(void)state;
	assert_int_equal(emit((void *)&rule), 0);
	assert_false(counts);
	rule.attr.num_of_specs = 1;
	assert_int_equal(emit((void *)&rule), 0);
	assert_true(counts);
	assert_ptr_equal(counters, &some);
	rule.attr.num_of_specs = 2;
	assert_int_equal(emit((void *)&rule), EINVAL);
	assert_int_equal(outcome(IBV_FLOW_SPEC_ACTION_COUNT, 8), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_has_what_its_specifications_say),
		cmocka_unit_test(ipv6_fills_whole_addresses),
		cmocka_unit_test(sizes_and_types_must_be_right),
		cmocka_unit_test(a_rule_may_be_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
