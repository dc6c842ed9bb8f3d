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
	at->mtu = 1500;
	at->up = true;
	at->running = true;
	snprintf(at->name, sizeof(at->name), "if%d", index);
	at->loopback = loopback;
	at->has_mac = has_mac;
	memcpy(at->mac, "\x52\x54\x00\x12\x34\x56", 6);
}

static void make_address(enum adev_address_kind kind, uint8_t last,
			 uint8_t raw[16])
{
	memset(raw, 0, 16);
	if (kind == ADEV_ADDRESS_IPV4) {
		adev_address_map_ipv4(raw, (const uint8_t[]){ 10, 0, 0, last });
		return;
	}
	raw[0] = kind == ADEV_ADDRESS_IPV6 ? 0xfd : 0xfe;
	raw[15] = last;
}

static void add_address(struct adev_interfaces *found, int index,
			enum adev_address_kind kind, uint8_t last)
{
	struct adev_address *at = &found->addresses[found->num_addresses++];

	at->index = index;
	at->kind = kind;
	make_address(kind, last, at->raw);
}

/* Two interfaces: if2 with .2 .3 .4 and if3 with .5, all IPv4. */
static void find_two(struct adev_interfaces *found)
{
	memset(found, 0, sizeof(*found));
	add_interface(found, 1, true, false);
	add_interface(found, 2, false, false);
	add_interface(found, 3, false, false);
	add_address(found, 2, ADEV_ADDRESS_IPV4, 2);
	add_address(found, 2, ADEV_ADDRESS_IPV4, 3);
	add_address(found, 2, ADEV_ADDRESS_IPV4, 4);
	add_address(found, 3, ADEV_ADDRESS_IPV4, 5);
}

static void remove_address(struct adev_interfaces *found, uint8_t last)
{
	uint32_t i;

	for (i = 0; i < found->num_addresses; i++)
		if (found->addresses[i].raw[15] == last)
			break;
	assert_true(i < found->num_addresses);
	memmove(&found->addresses[i], &found->addresses[i + 1],
		(found->num_addresses - i - 1) * sizeof(found->addresses[0]));
	found->num_addresses--;
}

/* Zero: an empty slot. */
static uint8_t last_of(const struct arnica_bus_port *port, uint32_t slot)
{
	return port->gids[slot].raw[15];
}

static void no_interface_gives_loopback(void **state)
{
	struct adev_interfaces found = { 0 };
	struct arnica_bus_port port = { 0 };

	(void)state;
	adev_gids_update(&found, true, &port);
	assert_int_equal(port.num_gids, 1);
	assert_memory_equal(port.gids[0].raw, mapped_loopback, 16);
	assert_int_equal(port.gids[0].interface_index, 1);
	assert_string_equal(port.gids[0].interface_name, "lo");
}

static void loopback_is_left_out_beside_others(void **state)
{
	struct adev_interfaces found = { 0 };
	struct arnica_bus_port port = { 0 };

	(void)state;
	add_interface(&found, 1, true, false);
	add_interface(&found, 2, false, true);
	add_address(&found, 1, ADEV_ADDRESS_IPV4, 1);
	add_address(&found, 2, ADEV_ADDRESS_LINK_LOCAL, 2);
	add_address(&found, 2, ADEV_ADDRESS_IPV4, 3);
	add_address(&found, 2, ADEV_ADDRESS_IPV6, 4);
	adev_gids_update(&found, true, &port);
	assert_int_equal(port.num_gids, 3);
	assert_int_equal(last_of(&port, 0), 2);
	assert_int_equal(last_of(&port, 1), 3);
	assert_int_equal(port.gids[1].raw[11], 0xff);
	assert_int_equal(port.gids[1].interface_mtu, 1500);
	assert_int_equal(last_of(&port, 2), 4);
}

static void loopback_stands_in_for_what_does_not_run(void **state)
{
	struct adev_interfaces found;
	struct arnica_bus_port port = { 0 };

	(void)state;
	find_two(&found);
	found.interfaces[1].running = false;
	found.interfaces[2].running = false;
	adev_gids_update(&found, true, &port);
	assert_int_equal(port.num_gids, 5);
	assert_memory_equal(port.gids[4].raw, mapped_loopback, 16);
	/* Not in the middle of programs' lives: they see the port go down. */
	memset(&port, 0, sizeof(port));
	adev_gids_update(&found, false, &port);
	assert_int_equal(port.num_gids, 4);
}

static void missing_link_local_is_made_of_the_mac(void **state)
{
	static const uint8_t expected[16] = { 0xfe, 0x80, 0,	0,
					      0,    0,	  0,	0,
					      0x50, 0x54, 0x00, 0xff,
					      0xfe, 0x12, 0x34, 0x56 };
	struct adev_interfaces found = { 0 };
	struct arnica_bus_port port = { 0 };

	(void)state;
	add_interface(&found, 2, false, true);
	add_interface(&found, 3, false, false);
	add_address(&found, 3, ADEV_ADDRESS_IPV4, 9);
	adev_gids_update(&found, true, &port);
	assert_int_equal(port.num_gids, 2);
	assert_memory_equal(port.gids[0].raw, expected, 16);
	/* The kernel gives the interface its own: that one replaces it. */
	found.num_addresses = 0;
	add_address(&found, 2, ADEV_ADDRESS_LINK_LOCAL, 7);
	add_address(&found, 3, ADEV_ADDRESS_IPV4, 9);
	adev_gids_update(&found, false, &port);
	assert_int_equal(port.num_gids, 2);
	assert_int_equal(last_of(&port, 0), 7);
	assert_int_equal(last_of(&port, 1), 9);
}

static void last_slot_stays_empty(void **state)
{
	static const uint8_t empty[16];
	struct adev_interfaces found = { 0 };
	struct arnica_bus_port port = { 0 };

	(void)state;
	for (int i = 2; i < 40; i++)
		add_interface(&found, i, false, true);
	adev_gids_update(&found, true, &port);
	assert_int_equal(port.num_gids, ARNICA_HW_GID_TABLE_LEN - 1);
	assert_memory_equal(port.gids[ARNICA_HW_GID_TABLE_LEN - 1].raw, empty,
			    16);
}

static void address_keeps_its_slot_when_others_go(void **state)
{
	struct adev_interfaces found;
	struct arnica_bus_port port = { 0 };

	(void)state;
	find_two(&found);
	adev_gids_update(&found, true, &port);
	remove_address(&found, 3);
	adev_gids_update(&found, false, &port);
	assert_int_equal(port.num_gids, 4);
	assert_int_equal(last_of(&port, 0), 2);
	assert_true(adev_gid_is_empty(&port.gids[1]));
	assert_int_equal(port.gids[1].interface_index, 0);
	assert_int_equal(last_of(&port, 2), 4);
	assert_int_equal(last_of(&port, 3), 5);
	remove_address(&found, 5);
	adev_gids_update(&found, false, &port);
	assert_int_equal(port.num_gids, 3);
}

static void new_address_takes_the_first_empty_slot(void **state)
{
	struct adev_interfaces found;
	struct arnica_bus_port port = { 0 };

	(void)state;
	find_two(&found);
	adev_gids_update(&found, true, &port);
	remove_address(&found, 3);
	adev_gids_update(&found, false, &port);
	add_address(&found, 3, ADEV_ADDRESS_IPV4, 6);
	add_address(&found, 3, ADEV_ADDRESS_IPV4, 7);
	adev_gids_update(&found, false, &port);
	assert_int_equal(last_of(&port, 1), 6);
	assert_int_equal(port.gids[1].interface_index, 3);
	assert_int_equal(last_of(&port, 4), 7);
	assert_int_equal(port.num_gids, 5);
}

static void interface_that_goes_down_keeps_its_addresses(void **state)
{
	struct adev_interfaces found;
	struct arnica_bus_port before = { 0 }, after;

	(void)state;
	find_two(&found);
	adev_gids_update(&found, true, &before);
	found.interfaces[1].up = false;
	found.interfaces[1].running = false;
	after = before;
	adev_gids_update(&found, false, &after);
	assert_memory_equal(&before, &after, sizeof(after));
	/* One that was down from the start has none yet. */
	memset(&after, 0, sizeof(after));
	adev_gids_update(&found, true, &after);
	assert_int_equal(after.num_gids, 1);
	assert_int_equal(last_of(&after, 0), 5);
}

static void removed_interface_takes_its_addresses_along(void **state)
{
	struct adev_interfaces found;
	struct arnica_bus_port port = { 0 };

	(void)state;
	find_two(&found);
	adev_gids_update(&found, true, &port);
	found.interfaces[1] = found.interfaces[2];
	found.num_interfaces--;
	memmove(&found.addresses[0], &found.addresses[3],
		sizeof(found.addresses[0]));
	found.num_addresses = 1;
	adev_gids_update(&found, false, &port);
	assert_true(adev_gid_is_empty(&port.gids[0]));
	assert_int_equal(last_of(&port, 3), 5);
	/* The same address on another interface is another GID. */
	add_address(&found, 3, ADEV_ADDRESS_IPV4, 2);
	adev_gids_update(&found, false, &port);
	assert_int_equal(last_of(&port, 0), 2);
	assert_int_equal(port.gids[0].interface_index, 3);
}

static void renamed_interface_changes_names_only(void **state)
{
	struct adev_interfaces found;
	struct arnica_bus_port port = { 0 };

	(void)state;
	find_two(&found);
	adev_gids_update(&found, true, &port);
	strcpy(found.interfaces[1].name, "other");
	found.interfaces[1].mtu = 9000;
	adev_gids_update(&found, false, &port);
	assert_string_equal(port.gids[0].interface_name, "other");
	assert_int_equal(port.gids[0].interface_mtu, 9000);
	assert_int_equal(last_of(&port, 0), 2);
	assert_string_equal(port.gids[3].interface_name, "if3");
}

static void full_table_takes_more_when_there_is_room(void **state)
{
	struct adev_interfaces found = { 0 };
	struct arnica_bus_port port = { 0 };
	uint8_t i;

	(void)state;
	add_interface(&found, 2, false, false);
	for (i = 1; i <= 20; i++)
		add_address(&found, 2, ADEV_ADDRESS_IPV4, i);
	adev_gids_update(&found, true, &port);
	assert_int_equal(port.num_gids, ADEV_GIDS_MAX);
	assert_int_equal(last_of(&port, 14), 15);
	remove_address(&found, 4);
	adev_gids_update(&found, false, &port);
	assert_int_equal(last_of(&port, 3), 16);
	assert_int_equal(last_of(&port, 14), 15);
	assert_int_equal(last_of(&port, 15), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_interface_gives_loopback),
		cmocka_unit_test(loopback_is_left_out_beside_others),
		cmocka_unit_test(loopback_stands_in_for_what_does_not_run),
		cmocka_unit_test(missing_link_local_is_made_of_the_mac),
		cmocka_unit_test(last_slot_stays_empty),
		cmocka_unit_test(address_keeps_its_slot_when_others_go),
		cmocka_unit_test(new_address_takes_the_first_empty_slot),
		cmocka_unit_test(interface_that_goes_down_keeps_its_addresses),
		cmocka_unit_test(removed_interface_takes_its_addresses_along),
		cmocka_unit_test(renamed_interface_changes_names_only),
		cmocka_unit_test(full_table_takes_more_when_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
