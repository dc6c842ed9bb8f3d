/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The socket of an address: what leaves by it cannot be told from what leaves
 * by the socket of all addresses, and it takes nothing that is not its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/udp_state.h"
#include "link/wire_state.h"
#include "wire_fixture.h"

#define COUNT 20u
#define BYTES 512u
#define HOME_LIMIT 17
#define OTHER_LIMIT 99

static const uint8_t write_middle = ROCE_RC | ROCE_WRITE_MIDDLE;

static int setup(void **state)
{
	wire_forget_arrivals();
	return two_setup(state);
}

static struct adev_udp_sender *sender_of(struct adev_function *fn,
					 const struct adev_path *path)
{
	return adev_udp_sender_of(adev_wire_of(fn)->lower, path);
}

static int home_of(struct adev_function *fn, const struct adev_path *path)
{
	return sender_of(fn, path)->home.fd;
}

static struct adev_path home_path(void)
{
	struct adev_path path = wire_path("127.0.0.5", "127.0.0.1");

	path.hop_limit = HOME_LIMIT;
	return path;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_ok(getsockopt(fd, level, name, &value, &size));
	return value;
}

/* Packet i goes along paths[i % num_paths], and arrives as that says; by which
 * socket its hop limit tells, if `hop_limit` is not zero. */
static void round_trip(struct adev_function *fn, const struct adev_path *paths,
		       uint32_t num_paths, uint32_t hop_limit)
{
	struct adev_batch *batch = adev_wire_batch(fn);
	uint32_t qpn = wire_qpn(fn);
	uint32_t i;

	wire_forget_arrivals();
	for (i = 0; i < COUNT; i++)
		wire_add(batch, &paths[i % num_paths], write_middle, qpn, i,
			 BYTES);
	adev_batch_send(batch);
	wire_wait(fn, NULL, COUNT);
	for (i = 0; i < COUNT; i++) {
		const struct adev_arrival *got = &wire_arrivals[i].arrival;
		const struct adev_path *path =
			&paths[got->packet.psn % num_paths];

		two_check(got->packet.payload, BYTES, got->packet.psn);
		assert_memory_equal(got->source, path->source, 16);
		assert_memory_equal(got->destination, path->destination, 16);
		assert_int_equal(got->traffic_class, path->traffic_class);
		if (hop_limit)
			assert_int_equal(got->hop_limit, hop_limit);
		else if (path->hop_limit)
			assert_int_equal(got->hop_limit, path->hop_limit);
		else
			assert_int_not_equal(got->hop_limit, HOME_LIMIT);
	}
	assert_int_equal(atomic_load(&fn->counters.wire_bad_icrc), 0);
}

static void a_connection_gets_a_socket_of_its_address(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct adev_path path = home_path();
	struct sockaddr_in name;
	socklen_t size = sizeof(name);
	int fd;

	wire_open_or_skip(fn);
	round_trip(fn, &path, 1, 0);
	assert_int_equal(home_of(fn, &path), ADEV_UDP_HOME_NONE);
	adev_wire_connected(fn, &path);
	fd = home_of(fn, &path);
	assert_true(fd >= 0);
	assert_ok(getsockname(fd, (void *)&name, &size));
	assert_int_equal(name.sin_addr.s_addr, inet_addr("127.0.0.5"));
	assert_int_equal(ntohs(name.sin_port), sender_of(fn, &path)->port);
	round_trip(fn, &path, 1, 0);
	path.traffic_class = 0x2a;
	round_trip(fn, &path, 1, 0);
	/* Another connection has the same. */
	adev_wire_connected(fn, &path);
	assert_int_equal(home_of(fn, &path), fd);
}

/* What the ICRC depends on: the kernel numbers the packets of a connected
 * socket, and those that it may fragment. */
static void it_is_not_connected_and_does_not_fragment(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = home_path();
	struct sockaddr_in name;
	socklen_t size = sizeof(name);

	wire_open_or_skip(fn);
	adev_wire_connected(fn, &path);
	assert_int_equal(getpeername(home_of(fn, &path), (void *)&name, &size),
			 -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(option(home_of(fn, &path), SOL_IP, IP_MTU_DISCOVER),
			 IP_PMTUDISC_DO);
}

static void segments_have_exact_icrcs(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = home_path();
	struct roce_envelope envelope = { .destination_port = ROCE_UDP_PORT,
					  .dont_fragment = true };
	struct adev_datagram got[64];
	struct adev_wire *wire;
	uint32_t count = 0, taken, i;
	uint64_t until = 0;
	uint16_t ip_id;
	bool more;

	wire_open_or_skip(fn);
	adev_wire_connected(fn, &path);
	wire = adev_wire_of(fn);
	/* Nobody else drains while the test does. */
	while (atomic_fetch_or(&wire->turn, 1) & 1)
		(void)two_patience(&until);
	for (i = 0; i < 12; i++)
		wire_add(adev_wire_batch(fn), &path, write_middle, 7, i, 2048);
	adev_batch_send(adev_wire_batch(fn));
	memcpy(envelope.source, path.source, 16);
	memcpy(envelope.destination, path.destination, 16);
	envelope.source_port = sender_of(fn, &path)->port;
	while (count < 12) {
		taken = wire->ops->receive(wire->lower, got, 64, &more);
		for (i = 0; i < taken; i++, count++) {
			envelope.ip_id = got[i].segment;
			assert_int_equal(roce_icrc_check(&envelope,
							 got[i].bytes,
							 got[i].length, &ip_id),
					 ROCE_ICRC_EXACT);
		}
		(void)two_patience(&until);
	}
	atomic_fetch_add(&wire->turn, 1);
}

static void packets_leave_by_it(void **state)
{
	const int limit = OTHER_LIMIT;
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = home_path();

	wire_open_or_skip(fn);
	adev_wire_connected(fn, &path);
	assert_ok(setsockopt(home_of(fn, &path), SOL_IP, IP_TTL, &limit,
			     sizeof(limit)));
	round_trip(fn, &path, 1, OTHER_LIMIT);
}

static void other_paths_leave_as_they_say(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct adev_path paths[3] = { home_path(), home_path(), home_path() };
	struct adev_path other = wire_path("127.0.0.6", "127.0.0.1");

	other.source_port = paths[0].source_port;
	other.hop_limit = HOME_LIMIT;
	paths[1].hop_limit = 0; /* the system's */
	paths[2].hop_limit = HOME_LIMIT + 1;
	wire_open_or_skip(fn);
	adev_wire_connected(fn, &paths[0]);
	round_trip(fn, &paths[1], 1, 0);
	round_trip(fn, &paths[2], 1, 0);
	round_trip(fn, &other, 1, 0);
	/* In one batch. */
	round_trip(fn, paths, 3, 0);
	paths[1] = other;
	round_trip(fn, paths, 3, 0);
}

static void the_port_stays_its_own(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = home_path();
	struct sockaddr_in name = { .sin_family = AF_INET };
	const int on = 1;
	int fd;

	wire_open_or_skip(fn);
	adev_wire_connected(fn, &path);
	name.sin_port = htons(sender_of(fn, &path)->port);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_ok(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	assert_ok(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	assert_int_equal(bind(fd, (const void *)&name, sizeof(name)), -1);
	name.sin_addr.s_addr = inet_addr("127.0.0.5");
	assert_int_equal(bind(fd, (const void *)&name, sizeof(name)), -1);
	close(fd);
	assert_int_equal(option(home_of(fn, &path), SOL_SOCKET, SO_REUSEPORT),
			 0);
	assert_int_equal(option(sender_of(fn, &path)->fd4, SOL_SOCKET,
				SO_REUSEPORT),
			 0);
}

static void an_address_that_is_not_here_gets_none(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("192.0.2.1", "127.0.0.1");
	struct adev_path here = home_path();

	wire_open_or_skip(fn);
	adev_wire_connected(fn, &path);
	assert_int_equal(home_of(fn, &path), ADEV_UDP_HOME_NONE);
	wire_add(adev_wire_batch(fn), &path, write_middle, 7, 0, BYTES);
	adev_batch_send(adev_wire_batch(fn));
	assert_true(atomic_load(&fn->counters.wire_lost_unreachable) +
			    atomic_load(&fn->counters.wire_lost_other) ==
		    1);
	here.source_port = path.source_port;
	adev_wire_connected(fn, &here);
	assert_true(home_of(fn, &here) >= 0);
	round_trip(fn, &here, 1, 0);
}

/* Of a socket that is bound to an address of IPv6 the kernel does not ask
 * whether the host still has that. */
static void ipv6_has_none(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("::1", "::1");

	wire_open_or_skip(fn);
	adev_wire_connected(fn, &path);
	assert_int_equal(home_of(fn, &path), ADEV_UDP_HOME_NONE);
}

static void few_descriptors_are_left_to_the_program(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = home_path();
	struct rlimit before, few;

	wire_open_or_skip(fn);
	assert_ok(getrlimit(RLIMIT_NOFILE, &before));
	few = before;
	few.rlim_cur = 1023;
	assert_ok(setrlimit(RLIMIT_NOFILE, &few));
	adev_wire_connected(fn, &path);
	assert_int_equal(home_of(fn, &path), ADEV_UDP_HOME_NONE);
	assert_ok(setrlimit(RLIMIT_NOFILE, &before));
}

static void it_ends_with_its_port(void **state)
{
	struct adev_udp_sender sender;
	struct adev_udp udp = { 0 };
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	int fd;

	(void)state;
	assert_ok(adev_udp_socket_send(&sender));
	*adev_udp_sender_of(&udp, &path) = sender;
	adev_udp_connected(&udp, &path);
	fd = adev_udp_sender_of(&udp, &path)->home.fd;
	assert_true(fd >= 0);
	adev_udp_socket_close(adev_udp_sender_of(&udp, &path));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(fcntl(sender.fd4, F_GETFD), -1);
}

#define home_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		home_test(a_connection_gets_a_socket_of_its_address),
		home_test(it_is_not_connected_and_does_not_fragment),
		home_test(segments_have_exact_icrcs),
		home_test(packets_leave_by_it),
		home_test(other_paths_leave_as_they_say),
		home_test(the_port_stays_its_own),
		home_test(an_address_that_is_not_here_gets_none),
		home_test(ipv6_has_none),
		home_test(few_descriptors_are_left_to_the_program),
		cmocka_unit_test(it_ends_with_its_port),
	};

	(void)wire_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
