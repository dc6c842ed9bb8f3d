/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Two functions that are open for MADs, and MADs for them. */
#ifndef TEST_MAD_TEST_H
#define TEST_MAD_TEST_H

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <arnica/hw/bus_mad.h>
#include <cm/ip.h>
#include <cm/message.h>

#include "two_functions.h"

#define PORT 7174u
#define TRANSACTION 0x0102030405060708ull

struct end {
	struct two_function *function;
	struct arnica_bus_comm_ids ids;
	int event_fd;
};

static inline void end_open(struct end *end, struct two_function *function)
{
	end->function = function;
	end->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(end->event_fd >= 0);
	assert_ok(
		arnica_bus_mads_open(function->bus, end->event_fd, &end->ids));
}

static inline struct adev_counters *end_counters(struct end *end)
{
	return &two_function_of(end->function)->counters;
}

/* To the port's own GID. */
static inline struct arnica_bus_mad mad_of(
	const struct roce_cm_message *message)
{
	struct arnica_bus_mad mad = { .hop_limit = 64 };
	struct arnica_bus_identity identity;

	assert_ok(arnica_bus_identity(&identity));
	memcpy(mad.remote_gid, identity.port.gids[0].raw, 16);
	roce_cm_emit(message, mad.bytes);
	return mad;
}

/* A request for a service, as Linux makes them; its id is `number` of the end.
 */
static inline struct arnica_bus_mad request_to(const struct end *from,
					       uint32_t number, uint16_t port)
{
	struct roce_cm_message message = {
		.attribute = ROCE_CM_REQ,
		.transaction = TRANSACTION,
		.local_comm_id = from->ids.base | number,
		.req = { .service_id = roce_cm_service_id(ROCE_CM_PS_TCP,
							  port) },
	};
	struct arnica_bus_identity identity;
	struct roce_cm_ip ip = { .version = 4, .source_port = 1 };

	assert_ok(arnica_bus_identity(&identity));
	memcpy(ip.source, identity.port.gids[0].raw, 16);
	memcpy(ip.destination, identity.port.gids[0].raw, 16);
	roce_cm_ip_emit(&ip, message.req.private_data);
	return mad_of(&message);
}

static inline struct arnica_bus_mad message_to(uint16_t attribute,
					       uint32_t local_comm_id,
					       uint32_t remote_comm_id)
{
	struct roce_cm_message message = {
		.attribute = attribute,
		.transaction = TRANSACTION,
		.local_comm_id = local_comm_id,
		.remote_comm_id = remote_comm_id,
	};

	return mad_of(&message);
}

static inline int end_send(struct end *end, const struct arnica_bus_mad *mad)
{
	return arnica_bus_mad_send(end->function->bus, mad);
}

static inline int end_take(struct end *end, struct arnica_bus_mad *mad)
{
	return arnica_bus_mad_take(end->function->bus, mad);
}

static inline void end_take_message(struct end *end, uint16_t attribute,
				    struct roce_cm_message *message)
{
	struct arnica_bus_mad mad;

	assert_ok(end_take(end, &mad));
	assert_int_equal(roce_cm_parse(mad.bytes, message), ROCE_CM_OK);
	assert_int_equal(message->attribute, attribute);
	assert_true(message->transaction == TRANSACTION);
}

static inline int end_listen(struct end *end, uint16_t port, uint32_t *handle)
{
	const struct arnica_bus_service service = {
		.id = roce_cm_service_id(ROCE_CM_PS_TCP, port),
		.mask = UINT64_MAX,
		.flags = ARNICA_BUS_SERVICE_LISTENS,
	};

	return arnica_bus_service_take(end->function->bus, &service, handle);
}

#endif
