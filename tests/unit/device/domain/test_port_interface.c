/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which interface the port follows, and what it shows of it. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "domain/port.h"
#include "domain/port_interface.h"

/* Names that no interface has, so that no speed is known. */
static void add_interface(struct adev_interfaces *found, int index,
			  bool running, bool loopback)
{
	struct adev_interface *at = &found->interfaces[found->num_interfaces++];

	memset(at, 0, sizeof(*at));
	at->index = index;
	at->mtu = loopback ? 65536 : 1500;
	at->up = true;
	at->running = running;
	at->loopback = loopback;
	snprintf(at->name, sizeof(at->name), "no-if%d", index);
}

static void add_gid(struct arnica_bus_port *port, uint32_t index, bool ipv4)
{
	struct arnica_bus_gid *gid = &port->gids[port->num_gids++];

	gid->raw[ipv4 ? 10 : 0] = ipv4 ? 0xff : 0xfe;
	gid->raw[11] = 0xff;
	gid->raw[15] = (uint8_t)index;
	gid->interface_index = index;
}

struct world {
	struct adev_interfaces found;
	struct arnica_bus_port port;
};

/* lo 1, if2 with IPv6, if3 and if4 with IPv4; GIDs in this order. */
static int setup(void **state)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	add_interface(&world.found, 1, true, true);
	add_interface(&world.found, 2, true, false);
	add_interface(&world.found, 3, true, false);
	add_interface(&world.found, 4, true, false);
	add_gid(&world.port, 2, false);
	add_gid(&world.port, 3, true);
	add_gid(&world.port, 4, true);
	*state = &world;
	return 0;
}

static void update(struct world *world)
{
	adev_port_interface_update(&world->found, &world->port);
}

static void first_ipv4_is_chosen_and_stays(void **state)
{
	struct world *world = *state;

	update(world);
	assert_int_equal(world->port.interface_index, 3);
	assert_string_equal(world->port.interface_name, "no-if3");
	assert_int_equal(world->port.state, ADEV_PORT_ACTIVE);
	assert_int_equal(world->port.phys_state, 5);
	/* Of a speed that nobody knows: 4X EDR. */
	assert_int_equal(world->port.active_width, 2);
	assert_int_equal(world->port.active_speed, 32);
	/* A better one is no reason to change. */
	world->port.gids[0].raw[0] = 0;
	world->port.gids[0].raw[10] = 0xff;
	update(world);
	assert_int_equal(world->port.interface_index, 3);
}

static void next_one_replaces_what_does_not_run(void **state)
{
	struct world *world = *state;

	update(world);
	world->found.interfaces[2].running = false;
	update(world);
	assert_int_equal(world->port.interface_index, 4);
	world->found.interfaces[3].running = false;
	update(world);
	assert_int_equal(world->port.interface_index, 2);
	assert_int_equal(world->port.state, ADEV_PORT_ACTIVE);
	/* And with none it stays, and is down. */
	world->found.interfaces[1].running = false;
	update(world);
	assert_int_equal(world->port.interface_index, 2);
	assert_int_equal(world->port.state, ADEV_PORT_DOWN);
	assert_int_equal(world->port.phys_state, 3);
	world->found.interfaces[1].running = true;
	update(world);
	assert_int_equal(world->port.state, ADEV_PORT_ACTIVE);
}

static void interface_that_is_gone_leaves_its_name(void **state)
{
	struct world *world = *state;

	world->port.num_gids = 0;
	add_gid(&world->port, 4, true);
	update(world);
	assert_int_equal(world->port.interface_index, 4);
	world->found.num_interfaces = 1;
	world->port.num_gids = 0;
	update(world);
	assert_int_equal(world->port.interface_index, 0);
	assert_string_equal(world->port.interface_name, "no-if4");
	assert_int_equal(world->port.state, ADEV_PORT_DOWN);
	/* It comes back under another number. */
	add_interface(&world->found, 9, true, false);
	add_gid(&world->port, 9, true);
	update(world);
	assert_int_equal(world->port.interface_index, 9);
	assert_int_equal(world->port.state, ADEV_PORT_ACTIVE);
}

static void real_interface_replaces_the_loopback(void **state)
{
	struct world *world = *state;

	world->port.num_gids = 0;
	add_gid(&world->port, 1, true);
	update(world);
	assert_int_equal(world->port.interface_index, 1);
	assert_int_equal(world->port.active_mtu, 5);
	add_gid(&world->port, 2, false);
	update(world);
	assert_int_equal(world->port.interface_index, 2);
	assert_int_equal(world->port.active_mtu, 3);
}

static void mtu_leaves_room_for_the_headers(void **state)
{
	static const struct {
		uint32_t interface, path;
	} expected[] = {
		{ 0, 1 },     { 68, 1 },    { 576, 1 },	  { 607, 1 },
		{ 608, 2 },   { 1119, 2 },  { 1120, 3 },  { 1500, 3 },
		{ 2143, 3 },  { 2144, 4 },  { 4191, 4 },  { 4192, 5 },
		{ 9000, 5 },  { 65536, 5 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(adev_port_path_mtu(expected[i].interface),
				 expected[i].path);
}

static void rates_have_their_codes(void **state)
{
	static const struct {
		uint32_t megabits, width, speed;
	} expected[] = {
		{ 10, 1, 1 },	    { 1000, 1, 1 },	 { 2500, 1, 8 },
		{ 10000, 1, 8 },    { 20000, 2, 2 },	 { 25000, 1, 32 },
		{ 40000, 2, 8 },    { 50000, 1, 64 },	 { 100000, 2, 32 },
		{ 200000, 2, 64 },  { 400000, 2, 128 }, { 800000, 4, 128 },
	};
	uint32_t width, speed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		adev_port_rate(expected[i].megabits, &width, &speed);
		assert_int_equal(width, expected[i].width);
		assert_int_equal(speed, expected[i].speed);
	}
}

#define port_test(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		port_test(first_ipv4_is_chosen_and_stays),
		port_test(next_one_replaces_what_does_not_run),
		port_test(interface_that_is_gone_leaves_its_name),
		port_test(real_interface_replaces_the_loopback),
		port_test(mtu_leaves_room_for_the_headers),
		port_test(rates_have_their_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
