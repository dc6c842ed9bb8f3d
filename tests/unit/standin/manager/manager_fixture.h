/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The connection manager without adapter, thread and clock: what it sends is
 * kept and delivered by the test, which may lose it or repeat it, to the same
 * manager: both ends of a connection are ids of one file.
 */
#ifndef MANAGER_FIXTURE_H
#define MANAGER_FIXTURE_H

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager/address.h"
#include "manager/command.h"
#include "manager/events.h"
#include "manager/ids.h"
#include "manager/machine.h"

#define FIXTURE_PORT 7471
#define FIXTURE_SENT 64

static struct {
	struct arnica_bus_mad sent[FIXTURE_SENT];
	size_t num_sent, num_delivered;
	uint64_t now;
	uint64_t function; /* the only one, and so every peer's; zero: ended */
	int send_error, take_error;
	uint8_t qp_type; /* of ids of RDMA_PS_IB */
	uint32_t num_taken;
	struct standin_cm_file file;
	int fd; /* the program's end */
} fixture;

static int fixture_start(struct arnica_bus_comm_ids *ids)
{
	ids->base = 0x12300000;
	ids->mask = 0xfff00000;
	return 0;
}

static int fixture_send(const struct arnica_bus_mad *mad)
{
	if (fixture.send_error)
		return fixture.send_error;
	assert_true(fixture.num_sent < FIXTURE_SENT);
	fixture.sent[fixture.num_sent++] = *mad;
	return 0;
}

static int fixture_take(const struct arnica_bus_service *service,
			uint32_t *handle)
{
	(void)service;
	*handle = 1;
	if (!fixture.take_error)
		fixture.num_taken++;
	return fixture.take_error;
}

static int fixture_handle(uint32_t handle)
{
	assert_int_equal(handle, 1);
	return 0;
}

static int fixture_give(uint32_t handle)
{
	fixture.num_taken--;
	return fixture_handle(handle);
}

static void fixture_the_port(struct arnica_bus_port *port)
{
	memset(port, 0, sizeof(*port));
	port->active_mtu = IBV_MTU_1024;
	port->num_gids = 1;
	memcpy(port->gids[0].raw, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
}

static uint64_t fixture_guid(void)
{
	return 0x0102030405060708;
}

static uint64_t fixture_now(void)
{
	return fixture.now;
}

static int fixture_function(const uint8_t gid[16], uint32_t comm_id,
			    uint64_t *function)
{
	(void)gid;
	assert_int_equal(comm_id >> 20, 0x123);
	*function = fixture.function;
	return fixture.function ? 0 : ESRCH;
}

static bool fixture_lives(uint32_t comm_id, uint64_t function)
{
	(void)comm_id;
	return fixture.function == function;
}

static void fixture_wake(void)
{
}

static const struct standin_cm_world fixture_world = {
	.start = fixture_start,
	.send = fixture_send,
	.service_take = fixture_take,
	.service_listen = fixture_handle,
	.service_give = fixture_give,
	.port = fixture_the_port,
	.node_guid = fixture_guid,
	.now = fixture_now,
	.function = fixture_function,
	.lives = fixture_lives,
	.wake = fixture_wake,
};

static int fixture_setup(void **state)
{
	int ends[2];

	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	fixture.now = 1000000000;
	fixture.function = 7;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return -1;
	if (standin_cm_end_init(&fixture.file.own, ends[0]))
		return -1;
	fixture.fd = ends[1];
	fixture.file.last = &fixture.file.first;
	standin_cm.world = &fixture_world;
	standin_cm.files = &fixture.file;
	return 0;
}

static int fixture_teardown(void **state)
{
	uint32_t i;

	(void)state;
	fixture.num_sent = 0;
	for (i = 0; i < standin_cm.table_size; i++) {
		if (standin_cm.table[i])
			standin_cm_destroy(standin_cm.table[i], fixture.fd);
	}
	assert_null(standin_cm.timers);
	assert_null(fixture.file.first);
	free(standin_cm.table);
	standin_cm_end_fini(&fixture.file.own);
	close(fixture.fd);
	memset(&standin_cm, 0, sizeof(standin_cm));
	pthread_mutex_init(&standin_cm.lock, NULL);
	return 0;
}

/* As it arrives: both ends have the same address. */
static void fixture_deliver_one(size_t index)
{
	struct arnica_bus_mad mad = fixture.sent[index];

	memcpy(mad.local_gid, mad.remote_gid, sizeof(mad.local_gid));
	standin_cm_receive(&mad);
}

/* All that was sent, and what is sent on that. */
static void fixture_deliver(void)
{
	while (fixture.num_delivered < fixture.num_sent)
		fixture_deliver_one(fixture.num_delivered++);
}

static inline void fixture_lose(void)
{
	fixture.num_delivered = fixture.num_sent;
}

static struct roce_cm_message fixture_message(size_t index)
{
	struct roce_cm_message message;

	assert_true(index < fixture.num_sent);
	assert_int_equal(roce_cm_parse(fixture.sent[index].bytes, &message),
			 ROCE_CM_OK);
	return message;
}

/* How many of this kind were sent since `first`. */
static inline size_t fixture_count(size_t first, uint16_t attribute)
{
	size_t found = 0;
	size_t i;

	for (i = first; i < fixture.num_sent; i++)
		found += fixture_message(i).attribute == attribute;
	return found;
}

static struct standin_cm_event fixture_event(uint32_t kind)
{
	struct standin_cm_event copy;
	struct standin_cm_event *event;
	char byte;

	assert_int_equal(recv(fixture.fd, &byte, 1, MSG_DONTWAIT), 1);
	event = standin_cm_event_take(&fixture.file);
	assert_non_null(event);
	assert_int_equal(event->answer.event, kind);
	copy = *event;
	free(event);
	return copy;
}

static void fixture_no_event(void)
{
	char byte;

	assert_null(fixture.file.first);
	assert_int_equal(recv(fixture.fd, &byte, 1, MSG_DONTWAIT), -1);
}

static int fixture_command(uint32_t number, const void *body, size_t in,
			   size_t out)
{
	struct {
		struct rdma_ucm_cmd_hdr header;
		uint8_t body[512];
	} raw = { .header = { .cmd = number,
			      .in = (uint16_t)in,
			      .out = (uint16_t)out } };
	int error;

	memcpy(raw.body, body, in);
	pthread_mutex_lock(&standin_cm.lock);
	error = standin_cm_command(&fixture.file, fixture.fd, &raw,
				   sizeof(raw.header) + in,
				   PTHREAD_CANCEL_ENABLE);
	pthread_mutex_unlock(&standin_cm.lock);
	return error;
}

static struct sockaddr_in6 fixture_address(uint16_t port)
{
	struct sockaddr_in6 address = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;

	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static struct standin_cm_id *fixture_id(uint16_t ps)
{
	struct rdma_ucm_create_id_resp made;
	struct rdma_ucm_create_id create = { .ps = ps,
					     .uid = 77,
					     .qp_type = fixture.qp_type,
					     .response = (uintptr_t)&made };

	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_CREATE_ID, &create,
					 sizeof(create), sizeof(made)),
			 0);
	return standin_cm.table[made.id];
}

static struct standin_cm_id *fixture_listener(uint16_t ps)
{
	struct standin_cm_id *id = fixture_id(ps);
	struct rdma_ucm_bind_ip bind = {
		.id = id->number, .addr = fixture_address(FIXTURE_PORT)
	};
	struct rdma_ucm_listen listen = { .id = id->number };

	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_BIND_IP, &bind,
					 sizeof(bind), 0),
			 0);
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_LISTEN, &listen,
					 sizeof(listen), 0),
			 0);
	return id;
}

static struct standin_cm_id *fixture_client(uint16_t ps)
{
	struct standin_cm_id *id = fixture_id(ps);
	struct rdma_ucm_resolve_ip resolve = {
		.id = id->number, .dst_addr = fixture_address(FIXTURE_PORT)
	};
	struct rdma_ucm_resolve_route route = { .id = id->number };

	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_RESOLVE_IP, &resolve,
					 sizeof(resolve), 0),
			 0);
	fixture_event(STANDIN_CM_ADDR_RESOLVED);
	assert_int_equal(fixture_command(RDMA_USER_CM_CMD_RESOLVE_ROUTE, &route,
					 sizeof(route), 0),
			 0);
	fixture_event(STANDIN_CM_ROUTE_RESOLVED);
	return id;
}

#endif
