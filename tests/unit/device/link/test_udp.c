/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * UDP sockets over the loopback interface: what leaves arrives, with its
 * addresses, traffic class and hop limit, in order and with exact ICRCs; and
 * what strangers send changes nothing but counters.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "link/udp_state.h"
#include "link/wire_state.h"
#include "wire_fixture.h"

/* More than a socket of the default size has room for. */
#define REPETITIONS 600

static const uint8_t write_middle = ROCE_RC | ROCE_WRITE_MIDDLE;

static int setup(void **state)
{
	wire_forget_arrivals();
	return two_setup(state);
}

static uint64_t counter(_Atomic uint64_t *value)
{
	return atomic_load(value);
}

static void sends_to_itself(struct adev_function *fn,
			    const struct adev_path *path)
{
	uint32_t qpn = wire_qpn(fn);
	struct adev_batch *batch = adev_wire_batch(fn);
	uint32_t i;

	for (i = 0; i < 40; i++)
		wire_add(batch, path, write_middle, qpn, i, i % 8 ? 1024 : 77);
	adev_batch_send(batch);
	wire_wait(fn, NULL, 40);
	for (i = 0; i < 40; i++) {
		const struct adev_arrival *arrival = &wire_arrivals[i].arrival;

		assert_int_equal(arrival->packet.psn, i);
		assert_int_equal(arrival->packet.dest_qpn, qpn);
		assert_int_equal(arrival->packet.payload_bytes,
				 i % 8 ? 1024 : 77);
		two_check(arrival->packet.payload, i % 8 ? 1024 : 77, i);
		assert_memory_equal(arrival->source, path->source, 16);
		assert_memory_equal(arrival->destination, path->destination,
				    16);
		assert_int_equal(arrival->traffic_class, path->traffic_class);
		if (path->flow_label)
			assert_int_equal(arrival->flow_label, path->flow_label);
		if (path->hop_limit)
			assert_int_equal(arrival->hop_limit, path->hop_limit);
		assert_true(arrival->now_ns != 0);
	}
	assert_int_equal(counter(&fn->counters.wire_sent), 40);
	assert_int_equal(counter(&fn->counters.wire_received), 40);
	assert_int_equal(counter(&fn->counters.wire_bad_icrc), 0);
	assert_true(wire_num_settles > 0);
}

static void packets_travel_over_ipv4(void **state)
{
	struct two *two = *state;
	struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");

	path.traffic_class = 0x6a; /* DSCP 26, ECT(0) */
	path.hop_limit = 17;
	wire_open_or_skip(two_function_of(&two->a));
	sends_to_itself(two_function_of(&two->a), &path);
}

static void packets_travel_over_ipv6(void **state)
{
	struct two *two = *state;
	struct adev_path path = wire_path("::1", "::1");
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in6 name = { .sin6_family = AF_INET6,
					   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool usable = fd >= 0 && !bind(fd, (const void *)&name, sizeof(name));

	close(fd);
	if (!usable) {
		puts("there is no IPv6 here");
		skip();
	}
	path.traffic_class = 0x03; /* congestion experienced */
	path.flow_label = 0x54321;
	path.hop_limit = 33;
	wire_open_or_skip(two_function_of(&two->a));
	sends_to_itself(two_function_of(&two->a), &path);
}

/* rdma_rxe leaves the UDP checksum zero, which the kernel would refuse. */
static void packets_without_checksum_travel_over_ipv6(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("::1", "::1");
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 name = { .sin6_family = AF_INET6,
				     .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct roce_packet packet = { .opcode = write_middle,
				      .pkey = ROCE_DEFAULT_PKEY };
	struct roce_envelope envelope = { .destination_port = ROCE_UDP_PORT };
	uint8_t bytes[64] = { 0 };
	uint32_t length = roce_packet_bytes(write_middle, 0);
	socklen_t size = sizeof(name);
	const int on = 1;

	if (fd < 0 || bind(fd, (const void *)&name, sizeof(name))) {
		puts("there is no IPv6 here");
		close(fd);
		skip();
	}
	wire_open_or_skip(fn);
	packet.dest_qpn = wire_qpn(fn);
	(void)roce_emit(&packet, bytes);
	assert_ok(getsockname(fd, (void *)&name, &size));
	envelope.source_port = ntohs(name.sin6_port);
	memcpy(envelope.source, path.source, 16);
	memcpy(envelope.destination, path.destination, 16);
	roce_icrc_seal(&envelope, bytes, length);
	name.sin6_port = htons(ROCE_UDP_PORT);
	assert_ok(setsockopt(fd, SOL_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on)));
	assert_int_equal(
		sendto(fd, bytes, length, 0, (const void *)&name, sizeof(name)),
		length);
	wire_wait(fn, NULL, 1);
	assert_int_equal(wire_arrivals[0].arrival.packet.dest_qpn,
			 packet.dest_qpn);
	close(fd);
}

/* The source that is asked for, not the one that routing would choose. */
static void the_source_address_is_the_paths(void **state)
{
	struct two *two = *state;
	struct adev_path path = wire_path("127.0.0.7", "127.0.0.9");

	wire_open_or_skip(two_function_of(&two->a));
	sends_to_itself(two_function_of(&two->a), &path);
}

/* The loopback interface hands datagrams over as they were sent; segments have
 * the numbers that their ICRC counts on. */
static void runs_arrive_with_exact_icrcs(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_datagram got[64];
	struct adev_wire *wire;
	struct adev_batch *batch;
	uint32_t count = 0, i;
	uint64_t until = 0;
	bool more;

	wire_open_or_skip(fn);
	wire = adev_wire_of(fn);
	/* Nobody else drains while the test does. */
	while (atomic_fetch_or(&wire->turn, 1) & 1)
		(void)two_patience(&until);
	batch = adev_wire_batch(fn);
	for (i = 0; i < 12; i++)
		wire_add(batch, &path, write_middle, 7, i, 2048);
	adev_batch_send(batch);
	while (count < 12) {
		struct roce_envelope envelope = {
			.destination_port = ROCE_UDP_PORT,
			.dont_fragment = true,
		};
		uint32_t taken = wire->ops->receive(wire->lower, got, 64,
						    &more);
		uint16_t ip_id;

		for (i = 0; i < taken; i++, count++) {
			memcpy(envelope.source, got[i].path.source, 16);
			memcpy(envelope.destination, got[i].path.destination,
			       16);
			envelope.source_port = got[i].path.source_port;
			envelope.ip_id = got[i].segment;
			assert_int_equal(got[i].length, 12 + 2048 + 4);
			assert_true(got[i].path.source_port >= 0xc000);
			assert_int_equal(roce_icrc_check(&envelope,
							 got[i].bytes,
							 got[i].length, &ip_id),
					 ROCE_ICRC_EXACT);
		}
		(void)two_patience(&until);
	}
	atomic_store(&wire->turn, 2);
}

/* As a kernel that refuses UDP_SEGMENT; sealed anew for identification 0. */
static void without_segmentation_packets_travel_singly(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_udp *udp;

	wire_open_or_skip(fn);
	udp = adev_wire_of(fn)->lower;
	atomic_store(&udp->max_run, 1);
	sends_to_itself(fn, &path);
}

static void what_cannot_be_sent_is_counted_by_kind(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	struct adev_path path = wire_path("127.0.0.1", "240.0.0.1");
	struct adev_batch *batch;

	wire_open_or_skip(fn);
	batch = adev_wire_batch(fn);
	wire_add(batch, &path, write_middle, 7, 0, 512);
	wire_add(batch, &path, write_middle, 7, 1, 512);
	adev_batch_send(batch);
	assert_int_equal(counter(&fn->counters.wire_lost_unreachable) +
				 counter(&fn->counters.wire_lost_other),
			 2);
}

static int stranger(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t bytes = sizeof(name);

	assert_true(fd >= 0);
	assert_ok(bind(fd, (const void *)&name, sizeof(name)));
	assert_ok(getsockname(fd, (void *)&name, &bytes));
	*port = ntohs(name.sin_port);
	name.sin_port = htons(ROCE_UDP_PORT);
	assert_ok(connect(fd, (const void *)&name, sizeof(name)));
	return fd;
}

static uint64_t refused(struct adev_function *fn)
{
	return counter(&fn->counters.wire_bad_packet) +
	       counter(&fn->counters.wire_bad_opcode) +
	       counter(&fn->counters.wire_bad_icrc) +
	       counter(&fn->counters.wire_port_qp) +
	       counter(&fn->counters.mads_refused);
}

static void expect_refused(struct adev_function *fn, uint64_t count)
{
	uint64_t until = 0;

	while (refused(fn) < count) {
		adev_wire_drain(fn, 64);
		(void)two_patience(&until);
	}
	assert_int_equal(refused(fn), count);
	assert_int_equal(wire_num_arrivals, 0);
}

/* Random bytes: an ICRC is right by chance once in 2^16. */
static void random_datagrams_are_refused_and_counted(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	uint16_t port;
	uint8_t bytes[2048];
	uint32_t sent = 0, length, i;
	int fd;

	wire_open_or_skip(fn);
	fd = stranger(&port);
	srandom(4791);
	for (length = 0; length < sizeof(bytes); length += 31) {
		for (i = 0; i < length; i++)
			bytes[i] = (uint8_t)random();
		assert_int_equal(send(fd, bytes, length, 0), length);
		sent++;
		expect_refused(fn, sent);
	}
	close(fd);
}

static void huge_datagrams_are_refused_and_counted(void **state)
{
	static uint8_t bytes[65507];
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	uint16_t port;
	int fd;

	wire_open_or_skip(fn);
	fd = stranger(&port);
	memset(bytes, 0x04, sizeof(bytes));
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	expect_refused(fn, 1);
	close(fd);
}

static uint32_t good_packet(uint8_t *bytes, uint32_t qpn, uint16_t port,
			    uint16_t ip_id)
{
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	const struct roce_packet packet = {
		.opcode = ROCE_RC | ROCE_WRITE_ONLY,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = qpn,
		.psn = 5,
		.dma_length = 32,
		.payload_bytes = 32,
	};
	struct roce_envelope envelope = {
		.source_port = port,
		.destination_port = ROCE_UDP_PORT,
		.ip_id = ip_id,
		.dont_fragment = true,
	};
	uint32_t header = roce_emit(&packet, bytes);

	two_fill(bytes + header, 32, 5);
	memcpy(envelope.source, path.source, 16);
	memcpy(envelope.destination, path.destination, 16);
	roce_icrc_seal(&envelope, bytes, header + 36);
	return header + 36;
}

static void every_truncation_is_refused_and_counted(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	uint8_t bytes[128];
	uint32_t length, i, qpn;
	uint16_t port;
	int fd;

	wire_open_or_skip(fn);
	qpn = wire_qpn(fn);
	fd = stranger(&port);
	length = good_packet(bytes, qpn, port, 0);
	for (i = 0; i < length; i++) {
		assert_int_equal(send(fd, bytes, i, 0), i);
		expect_refused(fn, i + 1);
	}
	assert_int_equal(send(fd, bytes, length, 0), length);
	wire_wait(fn, NULL, 1);
	close(fd);
}

/* One that numbers its packets as rdma_rxe does, then a bit that flips. */
static void a_bit_that_flips_is_seen(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	uint8_t bytes[128];
	uint32_t length, qpn, bit, refusals = 0;
	uint16_t port;
	int fd;

	wire_open_or_skip(fn);
	qpn = wire_qpn(fn);
	fd = stranger(&port);
	length = good_packet(bytes, qpn, port, 0x8765);
	assert_int_equal(send(fd, bytes, length, 0), length);
	wire_wait(fn, NULL, 1);
	wire_forget_arrivals();
	for (bit = 0; bit < length * 8; bit++) {
		/* The BTH's reserved byte is not covered, and with another
		 * identification none of these is right. */
		if (bit / 8 == 4)
			continue;
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(send(fd, bytes, length, 0), length);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_refused(fn, ++refusals);
	}
	close(fd);
}

/* A packet with an IP header of its own: this identification, and an ICRC that
 * counts on that one. */
static void send_raw(int fd, uint32_t qpn, uint16_t id, uint16_t icrc_id)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		uint8_t payload[128];
	} packet = { 0 };
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	uint32_t length = good_packet(packet.payload, qpn, 0xd000, icrc_id);
	uint32_t bytes = (uint32_t)offsetof(typeof(packet), payload) + length;

	packet.ip.version = 4;
	packet.ip.ihl = 5;
	packet.ip.id = htons(id);
	packet.ip.frag_off = htons(0x4000);
	packet.ip.ttl = 64;
	packet.ip.protocol = IPPROTO_UDP;
	packet.ip.saddr = htonl(INADDR_LOOPBACK);
	packet.ip.daddr = htonl(INADDR_LOOPBACK);
	packet.udp.source = htons(0xd000);
	packet.udp.dest = htons(ROCE_UDP_PORT);
	packet.udp.len = htons((uint16_t)(sizeof(packet.udp) + length));
	assert_int_equal(
		sendto(fd, &packet, bytes, 0, (const void *)&to, sizeof(to)),
		bytes);
}

/* Until the release nobody takes packets in. */
static void hold_drains(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint32_t turn;

	do
		turn = atomic_load(&wire->turn) & ~1u;
	while (!atomic_compare_exchange_weak(&wire->turn, &turn, turn + 1));
}

static void release_drains(struct adev_function *fn)
{
	atomic_fetch_add(&adev_wire_of(fn)->turn, 1);
}

/* As rdma_rxe does it: the witness sees the identification. */
static void where_permitted_every_identification_is_checked(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	uint32_t qpn, i;

	if (fd < 0) {
		puts("raw sockets are not permitted");
		skip();
	}
	wire_open_or_skip(fn);
	qpn = wire_qpn(fn);
	send_raw(fd, qpn, 0x4000, 0x4000);
	wire_wait(fn, NULL, 1);
	for (i = 1; i < 40; i++) {
		send_raw(fd, qpn, (uint16_t)(0x4000 + i),
			 (uint16_t)(0x4000 + i));
		wire_wait(fn, NULL, i + 1);
	}
	wire_forget_arrivals();
	/* Corrupted so that another identification would make it right. */
	send_raw(fd, qpn, 0x5000, 0x5001);
	expect_refused(fn, 1);
	send_raw(fd, qpn, 0x5002, 0x5002);
	wire_wait(fn, NULL, 1);
	assert_int_equal(counter(&fn->counters.wire_bad_icrc), 1);
	close(fd);
}

/* A sender that gets no answer repeats; a program that had no processor finds
 * all of it at once. None of it may be taken for another. */
static void repetitions_that_waited_are_told_apart(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int room = 0;
	socklen_t bytes = sizeof(room);
	struct adev_udp *udp;
	uint32_t qpn, i;

	if (fd < 0) {
		puts("raw sockets are not permitted");
		skip();
	}
	wire_open_or_skip(fn);
	udp = adev_wire_of(fn)->lower;
	assert_ok(getsockopt(udp->receive_fd, SOL_SOCKET, SO_RCVBUF, &room,
			     &bytes));
	if (room < REPETITIONS * 2048) {
		puts("no socket may have the room");
		skip();
	}
	qpn = wire_qpn(fn);
	send_raw(fd, qpn, 0x4000, 0x4000);
	wire_wait(fn, NULL, 1);
	wire_forget_arrivals();
	hold_drains(fn);
	for (i = 0; i < REPETITIONS; i++)
		send_raw(fd, qpn, (uint16_t)(0x5000 + i),
			 (uint16_t)(0x5000 + i));
	release_drains(fn);
	wire_wait(fn, NULL, REPETITIONS);
	assert_int_equal(counter(&fn->counters.wire_bad_icrc), 0);
	close(fd);
}

static void packets_for_qp_0_and_1_are_counted(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	uint8_t bytes[128];
	uint32_t length, qpn;
	uint16_t port;
	int fd;

	wire_open_or_skip(fn);
	fd = stranger(&port);
	for (qpn = 0; qpn < 2; qpn++) {
		length = good_packet(bytes, qpn, port, 0);
		assert_int_equal(send(fd, bytes, length, 0), length);
	}
	expect_refused(fn, 2);
	assert_int_equal(counter(&fn->counters.wire_port_qp), 1);
	assert_int_equal(counter(&fn->counters.mads_refused), 1);
	close(fd);
}

/* Closed ports answer with ICMP errors, which are strangers' to make. */
static void icmp_errors_do_not_break_the_sockets(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_udp *udp;
	struct sockaddr_in closed = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	uint32_t i, at;

	wire_open_or_skip(fn);
	udp = adev_wire_of(fn)->lower;
	for (i = 0; i < 10; i++)
		for (at = 0; at < ADEV_UDP_SENDERS; at++)
			assert_int_equal(sendto(udp->senders[at].fd4, "x", 1, 0,
						(const void *)&closed,
						sizeof(closed)),
					 1);
	sends_to_itself(fn, &path);
}

/* Nobody polls: the agent takes it in. */
static void the_agent_drains_when_nobody_polls(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_batch *batch;
	uint64_t until = 0;

	wire_open_or_skip(fn);
	batch = adev_wire_batch(fn);
	wire_add(batch, &path, write_middle, wire_qpn(fn), 1, 64);
	adev_batch_send(batch);
	while (!counter(&fn->counters.wire_received))
		(void)two_patience(&until);
	adev_wire_quiesce(fn);
	assert_int_equal(wire_num_arrivals, 1);
}

/* Polls until the agent, which is woken by what comes, takes it for busy. On a
 * machine with too much to do nobody is. */
static void poll_busily(struct two *two, struct adev_wire *wire)
{
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_batch *batch = adev_wire_batch(wire->fn);
	uint64_t until = adev_now_ns() + 5000 * ADEV_MS_NS;
	uint32_t i;

	while (!atomic_load(&wire->polled_busily)) {
		wire_add(batch, &path, write_middle, 0, 0, 64);
		adev_batch_send(batch);
		for (i = 0; i < 1000; i++)
			arnica_bus_poll(two->a.bus);
		if (adev_now_ns() > until) {
			puts("this thread gets too little time to be busy");
			skip();
		}
	}
}

/* The agent stays away from who polls busily, and notices when it ends: what
 * came then would otherwise wait for a poll that does not come. */
static void who_stops_polling_is_noticed(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_batch *batch;
	struct adev_wire *wire;
	uint64_t until = 0;
	uint32_t qpn, i;

	wire_open_or_skip(fn);
	wire = adev_wire_of(fn);
	qpn = wire_qpn(fn);
	poll_busily(two, wire);
	batch = adev_wire_batch(fn);
	for (i = 1; i <= 3; i++) {
		wire_add(batch, &path, write_middle, qpn, i, 64);
		adev_batch_send(batch);
		while (wire_num_arrivals < i)
			(void)two_patience(&until);
	}
}

/* And acknowledgements that were put off are sent by then. */
static void what_was_put_off_is_done_without_polls(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_wire *wire;
	uint64_t until = 0;
	uint32_t qpn;

	wire_open_or_skip(fn);
	wire = adev_wire_of(fn);
	qpn = wire_qpn(fn);
	while (!atomic_load(&wire->owes)) {
		poll_busily(two, wire);
		wire_forget_arrivals();
		wire_add(adev_wire_batch(fn), &path, write_middle, qpn, 0, 64);
		adev_batch_send(adev_wire_batch(fn));
		while (!wire_num_arrivals)
			arnica_bus_poll(two->a.bus);
		(void)two_patience(&until);
	}
	while (atomic_load(&wire->owes))
		(void)two_patience(&until);
}

/* What the socket has no room for is counted when something comes after it. */
static void overflows_are_counted(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_udp *udp;
	struct adev_wire *wire;
	const int small = 1;
	uint64_t until = 0;
	uint32_t i;

	wire_open_or_skip(fn);
	wire = adev_wire_of(fn);
	udp = wire->lower;
	assert_ok(setsockopt(udp->receive_fd, SOL_SOCKET, SO_RCVBUF, &small,
			     sizeof(small)));
	/* Nobody drains. */
	while (atomic_fetch_or(&wire->turn, 1) & 1)
		(void)two_patience(&until);
	for (i = 0; i < 50; i++) {
		wire_add(adev_wire_batch(fn), &path, write_middle, 7, i, 2048);
		adev_batch_send(adev_wire_batch(fn));
	}
	atomic_fetch_add(&wire->turn, 1);
	for (i = 0; !counter(&fn->counters.wire_overflows); i++) {
		wire_add(adev_wire_batch(fn), &path, write_middle, 7, i, 64);
		adev_batch_send(adev_wire_batch(fn));
		adev_wire_drain(fn, 64);
		(void)two_patience(&until);
	}
	assert_true(counter(&fn->counters.wire_overflows) > 10);
}

/* The rest of the adapter has its polls entered as long as the wire is open. */
static void polls_enter_the_adapter_while_the_wire_is_open(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	uint64_t until = 0;

	wire_open_or_skip(fn);
	/* The agent may be taking a look, too. */
	while (arnica_load32(&fn->view.header->attention,
			     memory_order_relaxed) !=
	       ARNICA_HW_ATTENTION_WIRE) {
		two_work(&two->a);
		(void)two_patience(&until);
	}
}

/* ... and each of them, while answers may be expected. */
static void polls_look_at_a_wire_that_was_busy(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	arnica_atomic_le32 *attention = &fn->view.header->attention;
	uint64_t until = 0;
	uint32_t i;

	polls_enter_the_adapter_while_the_wire_is_open(state);
	assert_false(adev_wire_is_busy(fn));
	/* The agent, who may be first, does not poll. */
	while (arnica_load32(attention, memory_order_relaxed) !=
	       ARNICA_HW_ATTENTION_WIRE_BUSY) {
		wire_add(adev_wire_batch(fn), &path, write_middle, wire_qpn(fn),
			 0, 64);
		adev_batch_send(adev_wire_batch(fn));
		(void)adev_function_serve(fn);
		(void)two_patience(&until);
	}
	/* All of that is taken in by now, and the agent does not count. */
	for (i = 0; i < 32; i++)
		(void)adev_function_serve(fn);
	assert_true(adev_wire_is_busy(fn));
	for (i = 0; i < 256; i++)
		(void)adev_function_serve(fn);
	assert_false(adev_wire_is_busy(fn));
	polls_enter_the_adapter_while_the_wire_is_open(state);
}

/* A port that another socket of this process holds is just as taken. */
static void a_port_that_is_taken_is_an_error(void **state)
{
	struct two *two = *state;
	struct adev_function *fn = two_function_of(&two->a);
	const struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_port = htons(ROCE_UDP_PORT),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const void *)&name, sizeof(name))) {
		puts("port 4791 is taken");
		close(fd);
		skip();
	}
	assert_int_equal(adev_wire_open(fn), EADDRINUSE);
	assert_false(adev_wire_is_open(fn));
	close(fd);
	assert_ok(adev_wire_open(fn));
	assert_ok(adev_wire_open(fn));
}

#define udp_test(function)                                                     \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		udp_test(packets_travel_over_ipv4),
		udp_test(packets_travel_over_ipv6),
		udp_test(packets_without_checksum_travel_over_ipv6),
		udp_test(the_source_address_is_the_paths),
		udp_test(runs_arrive_with_exact_icrcs),
		udp_test(without_segmentation_packets_travel_singly),
		udp_test(what_cannot_be_sent_is_counted_by_kind),
		udp_test(random_datagrams_are_refused_and_counted),
		udp_test(huge_datagrams_are_refused_and_counted),
		udp_test(every_truncation_is_refused_and_counted),
		udp_test(a_bit_that_flips_is_seen),
		udp_test(where_permitted_every_identification_is_checked),
		udp_test(repetitions_that_waited_are_told_apart),
		udp_test(packets_for_qp_0_and_1_are_counted),
		udp_test(icmp_errors_do_not_break_the_sockets),
		udp_test(the_agent_drains_when_nobody_polls),
		udp_test(who_stops_polling_is_noticed),
		udp_test(what_was_put_off_is_done_without_polls),
		udp_test(overflows_are_counted),
		udp_test(polls_enter_the_adapter_while_the_wire_is_open),
		udp_test(polls_look_at_a_wire_that_was_busy),
		udp_test(a_port_that_is_taken_is_an_error),
	};

	(void)wire_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
