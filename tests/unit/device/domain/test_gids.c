/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "domain/gids.h"

static const uint8_t mapped_loopback[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

static void add_interface(struct adev_interfaces *found, int index,
			  bool loopback, bool has_mac)
{
	struct adev_interface *at = &found->interfaces[found->num_interfaces++];

	at->index = index;
	snprintf(at->name, sizeof(at->name), "if%d", index);
	at->loopback = loopback;
	at->has_mac = has_mac;
	memcpy(at->mac, "\x52\x54\x00\x12\x34\x56", 6);
}

static void add_address(struct adev_interfaces *found, int index,
			enum adev_address_kind kind, uint8_t last)
{
	struct adev_address *at = &found->addresses[found->num_addresses++];

	at->index = index;
	at->kind = kind;
	if (kind == ADEV_ADDRESS_IPV4)
		adev_address_map_ipv4(at->raw,
				      (const uint8_t[]){ 10, 0, 0, last });
	else
		at->raw[0] = kind == ADEV_ADDRESS_IPV6 ? 0xfd : 0xfe,
		at->raw[15] = last;
}

static void no_interface_gives_loopback(void **state)
{
	struct adev_interfaces found = { 0 };
	struct arnica_bus_identity identity;

	(void)state;
	adev_gids_fill(&found, &identity);
	assert_int_equal(identity.num_gids, 1);
	assert_memory_equal(identity.gids[0].raw, mapped_loopback, 16);
	assert_string_equal(identity.network_interface, "lo");
	assert_int_equal(identity.gids[0].interface_index, 1);
}

static void loopback_is_left_out_beside_others(void **state)
{
	struct adev_interfaces found = { 0 };
	struct arnica_bus_identity identity;

	(void)state;
	add_interface(&found, 1, true, false);
	add_interface(&found, 2, false, true);
	add_address(&found, 1, ADEV_ADDRESS_IPV4, 1);
	add_address(&found, 2, ADEV_ADDRESS_LINK_LOCAL, 2);
	add_address(&found, 2, ADEV_ADDRESS_IPV4, 3);
	add_address(&found, 2, ADEV_ADDRESS_IPV6, 4);
	adev_gids_fill(&found, &identity);
	assert_int_equal(identity.num_gids, 3);
	assert_int_equal(identity.gids[0].raw[15], 2);
	assert_int_equal(identity.gids[1].raw[15], 3);
	assert_int_equal(identity.gids[1].raw[11], 0xff);
	assert_int_equal(identity.gids[2].raw[15], 4);
	assert_string_equal(identity.network_interface, "if2");
}

static void missing_link_local_is_made_of_the_mac(void **state)
{
	static const uint8_t expected[16] = { 0xfe, 0x80, 0,	0,
					      0,    0,	  0,	0,
					      0x50, 0x54, 0x00, 0xff,
					      0xfe, 0x12, 0x34, 0x56 };
	struct adev_interfaces found = { 0 };
	struct arnica_bus_identity identity;

	(void)state;
	add_interface(&found, 2, false, true);
	add_interface(&found, 3, false, false);
	add_address(&found, 3, ADEV_ADDRESS_IPV4, 9);
	adev_gids_fill(&found, &identity);
	assert_int_equal(identity.num_gids, 2);
	assert_memory_equal(identity.gids[0].raw, expected, 16);
	assert_string_equal(identity.network_interface, "if3");
}

static void last_slot_stays_empty(void **state)
{
	static const uint8_t empty[16];
	struct adev_interfaces found = { 0 };
	struct arnica_bus_identity identity;

	(void)state;
	for (int i = 2; i < 40; i++)
		add_interface(&found, i, false, true);
	adev_gids_fill(&found, &identity);
	assert_int_equal(identity.num_gids, ARNICA_HW_GID_TABLE_LEN - 1);
	assert_memory_equal(identity.gids[ARNICA_HW_GID_TABLE_LEN - 1].raw,
			    empty, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_interface_gives_loopback),
		cmocka_unit_test(loopback_is_left_out_beside_others),
		cmocka_unit_test(missing_link_local_is_made_of_the_mac),
		cmocka_unit_test(last_slot_stays_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
