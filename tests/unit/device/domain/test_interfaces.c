/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reading the interfaces, by netlink and without. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "domain/interfaces.h"
#include "namespace.h"

static const struct adev_interface *find(const struct adev_interfaces *found,
					 const char *name)
{
	uint32_t i;

	for (i = 0; i < found->num_interfaces; i++)
		if (!strcmp(found->interfaces[i].name, name))
			return &found->interfaces[i];
	child_check(!"there is such an interface");
	return NULL;
}

static void make_interfaces(void)
{
	namespace_run("ip addr add 10.9.0.2/24 dev p0; "
		      "ip addr add 10.9.1.1/24 dev p1 label p1:x; "
		      "ip -6 addr add fd00::9/64 dev p0 nodad; "
		      "ip -6 addr add fe80::9/64 dev p0 nodad; "
		      "ip link set p0 mtu 4000; "
		      "ip link add q0 type veth peer name q1; "
		      "ip link set q0 up; ip addr add 10.9.2.1/24 dev q1");
}

static void everything_body(void)
{
	struct adev_interfaces *found = calloc(1, sizeof(*found));
	const struct adev_interface *p0;

	make_interfaces();
	child_check(found && adev_interfaces_read(found));
	child_check(found->num_interfaces == 5);
	p0 = find(found, "p0");
	child_check(p0->up && p0->running && p0->has_mac && p0->mtu == 4000);
	child_check(find(found, "lo")->loopback);
	/* Up, without a peer that is; and down. */
	child_check(find(found, "q0")->up && !find(found, "q0")->running);
	child_check(!find(found, "q1")->up && !find(found, "q1")->running);
	free(found);
}

static void netlink_tells_everything(void **state)
{
	(void)state;
	namespace_test(everything_body);
}

static void same_body(void)
{
	struct adev_interfaces *with = calloc(1, sizeof(*with));
	struct adev_interfaces *without = calloc(1, sizeof(*without));

	make_interfaces();
	child_check(with && without && adev_interfaces_read(with));
	namespace_deny_netlink();
	child_check(adev_interfaces_read(without));
	child_check(with->num_addresses == 8);
	child_check(!memcmp(with, without, sizeof(*with)));
	free(without);
	free(with);
}

static void without_netlink_the_same_is_found(void **state)
{
	(void)state;
	namespace_test(same_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netlink_tells_everything),
		cmocka_unit_test(without_netlink_the_same_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
