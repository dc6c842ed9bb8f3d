/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The socket of an address: what leaves by it cannot be told from what leaves
 * by the socket of all addresses, and it takes nothing that is not its own.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/udp_state.h"
#include "link/wire_state.h"
#include "wire_fixture.h"

#define COUNT 20u
#define BYTES 512u
#define HOME_LIMIT 17

static const uint8_t write_middle = ROCE_RC | ROCE_WRITE_MIDDLE;

static int setup(void **state)
{
	wire_forget_arrivals();
	return two_setup(state);
}

static struct adev_udp *udp_of(struct adev_function *fn)
{
	return adev_wire_of(fn)->lower;
}

static struct adev_udp_sender *sender_of(struct adev_function *fn,
					 const struct adev_path *path)
{
	return &udp_of(fn)->senders[path->source_port % ADEV_UDP_SENDERS];
}

/* Sends and receives; every packet is as the path says. */
static void round_trip(struct adev_function *fn, const struct adev_path *path)
{
	struct adev_batch *batch = adev_wire_batch(fn);
	uint32_t qpn = wire_qpn(fn);
	uint32_t i;

	wire_forget_arrivals();
	for (i = 0; i < COUNT; i++)
		wire_add(batch, path, write_middle, qpn, i, BYTES);
	adev_batch_send(batch);
	wire_wait(fn, NULL, COUNT);
	for (i = 0; i < COUNT; i++) {
		const struct adev_arrival *got = &wire_arrivals[i].arrival;

		assert_int_equal(got->packet.psn, i);
		two_check(got->packet.payload, BYTES, i);
		assert_memory_equal(got->source, path->source, 16);
		assert_memory_equal(got->destination, path->destination, 16);
		assert_int_equal(got->traffic_class, path->traffic_class);
		if (path->hop_limit)
			assert_int_equal(got->hop_limit, path->hop_limit);
		else
			assert_int_not_equal(got->hop_limit, HOME_LIMIT);
	}
	assert_int_equal(atomic_load(&fn->counters.wire_bad_icrc), 0);
}

static void assert_bound(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage name;
	const struct sockaddr_in *name4 = (void *)&name;
	const struct sockaddr_in6 *name6 = (void *)&name;
	char text[INET6_ADDRSTRLEN];
	socklen_t size = sizeof(name);

	assert_true(fd >= 0);
	assert_ok(getsockname(fd, (void *)&name, &size));
	assert_non_null(inet_ntop(name.ss_family,
				  name.ss_family == AF_INET ?
					  (const void *)&name4->sin_addr :
					  (const void *)&name6->sin6_addr,
				  text, sizeof(text)));
	assert_string_equal(text, address);
	/* At the same place in both. */
	assert_int_equal(ntohs(name4->sin_port), port);
}

static void the_first_path_gets_a_socket_of_its_address(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct adev_path path = wire_path("127.0.0.5", "127.0.0.1");
	struct adev_udp_sender *sender;

	path.hop_limit = HOME_LIMIT;
	wire_open_or_skip(fn);
	sender = sender_of(fn, &path);
	assert_int_equal(sender->home4.fd, ADEV_UDP_HOME_NONE);
	round_trip(fn, &path);
	assert_bound(sender->home4.fd, "127.0.0.5", sender->port);
	assert_int_equal(sender->home6.fd, ADEV_UDP_HOME_NONE);
	path.traffic_class = 0x2a;
	round_trip(fn, &path);
}

static void other_paths_leave_as_they_say(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct adev_path path = wire_path("127.0.0.5", "127.0.0.1");
	struct adev_path other = path;
	int fd;

	path.hop_limit = HOME_LIMIT;
	wire_open_or_skip(fn);
	round_trip(fn, &path);
	fd = sender_of(fn, &path)->home4.fd;
	round_trip(fn, &other); /* the system's hop limit */
	other.hop_limit = HOME_LIMIT + 1;
	round_trip(fn, &other);
	other = wire_path("127.0.0.6", "127.0.0.1");
	other.source_port = path.source_port;
	other.hop_limit = HOME_LIMIT;
	round_trip(fn, &other);
	round_trip(fn, &path);
	assert_int_equal(sender_of(fn, &path)->home4.fd, fd);
}

static void so_does_one_of_ipv6(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct adev_path path = wire_path("::1", "::1");
	struct adev_udp_sender *sender;

	wire_open_or_skip(fn);
	path.hop_limit = 33;
	path.flow_label = 0x54321;
	sender = sender_of(fn, &path);
	adev_udp_home_found(&sender->home6, sender->fd6, sender->port, &path);
	if (sender->home6.fd < 0) {
		puts("there is no IPv6 here");
		skip();
	}
	assert_bound(sender->home6.fd, "::1", sender->port);
	round_trip(fn, &path);
	path.hop_limit = 34;
	round_trip(fn, &path);
}

/* Nobody else gets the port by asking as it did. */
static void the_port_stays_its_own(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct sockaddr_in name = { .sin_family = AF_INET };
	const int on = 1;
	int fd;

	wire_open_or_skip(fn);
	round_trip(fn, &path);
	name.sin_port = htons(sender_of(fn, &path)->port);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_ok(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	assert_int_equal(bind(fd, (const void *)&name, sizeof(name)), -1);
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (const void *)&name, sizeof(name)), -1);
	close(fd);
}

/* An address that went away: then, too, the other socket is asked, and says why
 * it cannot. */
static void an_address_that_is_not_here_is_counted(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("192.0.2.1", "127.0.0.1");
	struct adev_path here = wire_path("127.0.0.1", "127.0.0.1");

	wire_open_or_skip(fn);
	wire_add(adev_wire_batch(fn), &path, write_middle, 7, 0, BYTES);
	adev_batch_send(adev_wire_batch(fn));
	assert_int_equal(sender_of(fn, &path)->home4.fd, ADEV_UDP_HOME_CLAIMED);
	assert_int_equal(atomic_load(&fn->counters.wire_sent), 1);
	assert_true(atomic_load(&fn->counters.wire_lost_unreachable) +
			    atomic_load(&fn->counters.wire_lost_other) ==
		    1);
	here.source_port = path.source_port;
	round_trip(fn, &here);
}

#define home_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		home_test(the_first_path_gets_a_socket_of_its_address),
		home_test(other_paths_leave_as_they_say),
		home_test(so_does_one_of_ipv6),
		home_test(the_port_stays_its_own),
		home_test(an_address_that_is_not_here_is_counted),
	};

	(void)wire_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
