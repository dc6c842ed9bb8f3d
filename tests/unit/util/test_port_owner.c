/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "port_owner.h"

/* A socket on some port of the loopback, which is stored. */
static int take_port(uint16_t *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (void *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void own_port_is_found(void **state)
{
	struct arnica_port_owner owner;
	uint16_t port;
	int fd = take_port(&port);

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "holder of port"), 0);
	arnica_port_owner_find(port, &owner);
	assert_true(owner.found);
	assert_false(owner.is_kernel);
	assert_int_equal(owner.uid, getuid());
	assert_int_equal(owner.pid, getpid());
	assert_string_equal(owner.name, "holder of port");
	close(fd);
}

static void what_is_known_is_described(void **state)
{
	struct arnica_port_owner owner = {
		.found = true, .uid = 7, .pid = 5, .name = "name"
	};
	char text[80];

	(void)state;
	arnica_port_owner_describe(&owner, text, sizeof(text));
	assert_string_equal(text, "process 5 (name) of uid 7");
	owner.pid = 0;
	arnica_port_owner_describe(&owner, text, sizeof(text));
	assert_string_equal(text, "a process of uid 7");
	owner.found = false;
	arnica_port_owner_describe(&owner, text, sizeof(text));
	assert_string_equal(text, "somebody who cannot be seen from here");
}

static void free_port_is_nobodys(void **state)
{
	struct arnica_port_owner owner;

	(void)state;
	/* No socket can be bound to it. */
	arnica_port_owner_find(0, &owner);
	assert_false(owner.found);
	assert_int_equal(owner.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_port_is_found),
		cmocka_unit_test(what_is_known_is_described),
		cmocka_unit_test(free_port_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
