/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Commands about an id itself: its life, its addresses and its options. */
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>

#include "../user_memory.h"
#include "address.h"
#include "cm/ip.h"
#include "command.h"
#include "events.h"
#include "files.h"
#include "ids.h"
#include "machine.h"

#define STANDIN_CM_FIRST_PORT 32768u /* ephemeral ones, as of sockets */
#define STANDIN_CM_LAST_PORT 60999u
#define STANDIN_CM_PORT_ATTEMPTS 64

int standin_cm_do_create(struct standin_cm_call *call)
{
	const struct rdma_ucm_create_id *command = (const void *)call->in;
	struct rdma_ucm_create_id_resp answer;
	struct standin_cm_id *id;
	uint8_t qp_type;
	int error;

	if (call->out_length < sizeof(answer))
		return ENOSPC;
	switch (command->ps) {
	case RDMA_PS_TCP:
		qp_type = IBV_QPT_RC;
		break;
	case RDMA_PS_UDP:
	case RDMA_PS_IPOIB:
		qp_type = IBV_QPT_UD;
		break;
	case RDMA_PS_IB:
		qp_type = command->qp_type;
		break;
	default:
		return EINVAL;
	}
	error = standin_cm_id_create(call->file, command->ps, qp_type, &id);
	if (error)
		return error;
	id->uid = command->uid;
	answer.id = id->number;
	error = standin_cm_answer(call, command->response, &answer,
				  sizeof(answer), sizeof(answer));
	if (error)
		standin_cm_id_free(id);
	return error;
}

int standin_cm_do_destroy(struct standin_cm_call *call)
{
	const struct rdma_ucm_destroy_id *command = (const void *)call->in;
	struct rdma_ucm_destroy_id_resp answer;
	struct standin_cm_id *id;
	int error;

	if (call->out_length < sizeof(answer))
		return ENOSPC;
	error = standin_cm_id_find(call->file, command->id, &id);
	if (error)
		return error;
	answer.events_reported = id->events_reported;
	standin_cm_destroy(id, call->fd);
	return standin_cm_answer(call, command->response, &answer,
				 sizeof(answer), sizeof(answer));
}

static int standin_cm_take_port(struct standin_cm_id *id, uint16_t port)
{
	struct arnica_bus_service service = {
		.id = roce_cm_service_id(id->ps, port),
		.mask = UINT64_MAX,
	};
	int error;

	/* "Any" of IPv6 is zeros, and of IPv4 ::ffff:0.0.0.0. */
	standin_cm_address_to_gid(&id->source, service.address);
	if (id->shares)
		service.flags |= ARNICA_BUS_SERVICE_SHARES;
	if (id->ipv6_only)
		service.flags |= ARNICA_BUS_SERVICE_IPV6_ONLY;
	error = standin_cm.world->service_take(&service, &id->service);
	if (error)
		return error;
	id->has_service = true;
	standin_cm_address_set_port(&id->source, port);
	return 0;
}

static uint16_t standin_cm_any_port(void)
{
	uint64_t mixed = (standin_cm.world->now() ^ ++standin_cm.next_comm_id) *
			 0x9e3779b97f4a7c15ull;

	return (uint16_t)(STANDIN_CM_FIRST_PORT +
			  (mixed >> 32) % (STANDIN_CM_LAST_PORT -
					   STANDIN_CM_FIRST_PORT + 1));
}

static int standin_cm_choose_port(struct standin_cm_id *id)
{
	int error = EADDRNOTAVAIL;
	int i;

	for (i = 0; i < STANDIN_CM_PORT_ATTEMPTS; i++) {
		error = standin_cm_take_port(id, standin_cm_any_port());
		if (error != EADDRINUSE && error != EADDRNOTAVAIL)
			break;
	}
	/* The domain keeps no more ports. Most who bind to any will connect, and
	 * never listen: who does, asks again. */
	if (error == ENOMEM) {
		standin_cm_address_set_port(&id->source,
					    standin_cm_any_port());
		error = 0;
	}
	return error;
}

static int standin_cm_bind(struct standin_cm_id *id,
			   const union standin_cm_address *address)
{
	uint16_t port = standin_cm_address_port(address);
	int error;

	if (id->state != STANDIN_CM_IDLE)
		return EINVAL;
	if (address->family == AF_INET6 &&
	    IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr) &&
	    !address->v6.sin6_scope_id)
		return EINVAL;
	error = standin_cm_start();
	if (error)
		return error;
	id->source = *address;
	if (!standin_cm_address_is_any(address)) {
		error = standin_cm_address_is_own(address);
		if (!error)
			error = standin_cm_address_bind(id);
	}
	if (!error)
		error = port ? standin_cm_take_port(id, port) :
			       standin_cm_choose_port(id);
	if (error) {
		id->has_device = false;
		memset(&id->source, 0, sizeof(id->source));
		return error;
	}
	id->state = STANDIN_CM_BOUND;
	return 0;
}

int standin_cm_do_bind_ip(struct standin_cm_call *call)
{
	const struct rdma_ucm_bind_ip *command = (const void *)call->in;
	union standin_cm_address address;
	struct standin_cm_id *id;
	int error;

	if (!standin_cm_address_read(&address, &command->addr,
				     sizeof(command->addr)))
		return EINVAL;
	error = standin_cm_id_find(call->file, command->id, &id);
	return error ? error : standin_cm_bind(id, &address);
}

/* Of the newer commands: the size is exactly that of the family. AF_IB is not
 * offered; librdmacm asks by binding to it, and goes on without. */
static int standin_cm_read_sized(union standin_cm_address *address,
				 const struct __kernel_sockaddr_storage *from,
				 uint16_t size)
{
	uint16_t family;

	if (!size || size > sizeof(*from))
		return EINVAL;
	memcpy(&family, from, sizeof(family));
	if (family != AF_INET && family != AF_INET6)
		return EAFNOSUPPORT;
	if (!standin_cm_address_read(address, from, size) ||
	    size != standin_cm_address_size(address))
		return EINVAL;
	return 0;
}

int standin_cm_do_bind(struct standin_cm_call *call)
{
	const struct rdma_ucm_bind *command = (const void *)call->in;
	union standin_cm_address address;
	struct standin_cm_id *id;
	int error;

	if (command->reserved)
		return EINVAL;
	error = standin_cm_read_sized(&address, &command->addr,
				      command->addr_size);
	if (!error)
		error = standin_cm_id_find(call->file, command->id, &id);
	return error ? error : standin_cm_bind(id, &address);
}

static void standin_cm_give_port(struct standin_cm_id *id)
{
	if (id->has_service)
		(void)!standin_cm.world->service_give(id->service);
	id->has_service = false;
}

/* A port that nobody has asked for is not kept from others: nobody connects to
 * it. */
static int standin_cm_source_port(struct standin_cm_id *id)
{
	uint16_t port = standin_cm_address_port(&id->source);

	if (port)
		return id->state == STANDIN_CM_IDLE ?
			       standin_cm_take_port(id, port) :
			       0;
	standin_cm_address_set_port(&id->source, standin_cm_any_port());
	return 0;
}

/*
 * The route is asked for at once, so that its error is the command's; that no
 * GID belongs to it is an event.
 */
static int standin_cm_resolve(struct standin_cm_id *id,
			      const union standin_cm_address *source,
			      const union standin_cm_address *destination)
{
	bool unbound = id->state == STANDIN_CM_IDLE;
	union standin_cm_address before = id->source;
	int error;

	if (!unbound && id->state != STANDIN_CM_BOUND)
		return EINVAL;
	if (unbound && source->family)
		id->source = *source;
	if (id->source.family && id->source.family != destination->family) {
		id->source = before;
		return EINVAL;
	}
	id->destination = *destination;
	if (!id->source.family)
		id->source.family = destination->family;
	error = standin_cm_start();
	if (!error)
		error = standin_cm_source_port(id);
	if (!error)
		error = standin_cm_address_route(id);
	if (error) {
		if (unbound)
			standin_cm_give_port(id);
		id->source = before;
		memset(&id->destination, 0, sizeof(id->destination));
		return error;
	}
	error = standin_cm_address_bind(id);
	id->state = error ? STANDIN_CM_BOUND : STANDIN_CM_ADDRESS;
	standin_cm_event_report(
		id, error ? STANDIN_CM_ADDR_ERROR : STANDIN_CM_ADDR_RESOLVED,
		-error);
	return 0;
}

int standin_cm_do_resolve_ip(struct standin_cm_call *call)
{
	const struct rdma_ucm_resolve_ip *command = (const void *)call->in;
	union standin_cm_address source = { 0 };
	union standin_cm_address destination;
	struct standin_cm_id *id;
	int error;

	if (!standin_cm_address_read(&destination, &command->dst_addr,
				     sizeof(command->dst_addr)) ||
	    (command->src_addr.sin6_family &&
	     !standin_cm_address_read(&source, &command->src_addr,
				      sizeof(command->src_addr))))
		return EINVAL;
	error = standin_cm_id_find(call->file, command->id, &id);
	return error ? error : standin_cm_resolve(id, &source, &destination);
}

int standin_cm_do_resolve_addr(struct standin_cm_call *call)
{
	const struct rdma_ucm_resolve_addr *command = (const void *)call->in;
	union standin_cm_address source = { 0 };
	union standin_cm_address destination;
	struct standin_cm_id *id;
	int error;

	if (command->reserved)
		return EINVAL;
	error = standin_cm_read_sized(&destination, &command->dst_addr,
				      command->dst_size);
	if (!error && command->src_size)
		error = standin_cm_read_sized(&source, &command->src_addr,
					      command->src_size);
	if (!error)
		error = standin_cm_id_find(call->file, command->id, &id);
	return error ? error : standin_cm_resolve(id, &source, &destination);
}

int standin_cm_do_resolve_route(struct standin_cm_call *call)
{
	const struct rdma_ucm_resolve_route *command = (const void *)call->in;
	struct standin_cm_id *id;
	int error = standin_cm_find_bound(call, command->id, &id);

	if (error)
		return error;
	if (id->state != STANDIN_CM_ADDRESS)
		return EINVAL;
	id->state = STANDIN_CM_ROUTE;
	standin_cm_event_report(id, STANDIN_CM_ROUTE_RESOLVED, 0);
	return 0;
}

int standin_cm_do_listen(struct standin_cm_call *call)
{
	const struct rdma_ucm_listen *command = (const void *)call->in;
	const union standin_cm_address any = { .family = AF_INET };
	struct standin_cm_id *id;
	int error = standin_cm_id_find(call->file, command->id, &id);

	if (error)
		return error;
	if (id->state == STANDIN_CM_IDLE)
		error = standin_cm_bind(id, &any);
	else if (id->state != STANDIN_CM_BOUND ||
		 (!id->has_service && id->destination.family))
		error = EINVAL;
	if (!error && !id->has_service)
		error = standin_cm_take_port(
			id, standin_cm_address_port(&id->source));
	if (!error)
		error = standin_cm.world->service_listen(id->service);
	if (error)
		return error;
	id->backlog = command->backlog;
	if (!id->backlog || id->backlog > STANDIN_CM_MAX_BACKLOG)
		id->backlog = STANDIN_CM_MAX_BACKLOG;
	id->state = STANDIN_CM_LISTEN;
	return 0;
}

int standin_cm_do_migrate(struct standin_cm_call *call)
{
	const struct rdma_ucm_migrate_id *command = (const void *)call->in;
	struct rdma_ucm_migrate_resp answer;
	struct standin_cm_file *from;
	struct standin_cm_id *id;
	int error;

	if (call->out_length < sizeof(answer))
		return ENOSPC;
	error = standin_cm_file_find((int)command->fd, &from);
	if (!error)
		error = standin_cm_id_find(from, command->id, &id);
	if (error)
		return error;
	answer.events_reported = id->events_reported;
	if (from != call->file)
		standin_cm_event_move(id, (int)command->fd, call->file);
	return standin_cm_answer(call, command->response, &answer,
				 sizeof(answer), sizeof(answer));
}

static int standin_cm_set_flag(const struct standin_cm_id *id,
			       const struct rdma_ucm_set_option *command,
			       bool *flag)
{
	int value;
	int error;

	if (command->optlen != sizeof(value))
		return EINVAL;
	error = standin_user_read(&value, command->optval, sizeof(value));
	if (error)
		return error;
	/* It has been said to the others at bind. */
	if (id->state != STANDIN_CM_IDLE)
		return EINVAL;
	*flag = value != 0;
	return 0;
}

static int standin_cm_set_byte(const struct rdma_ucm_set_option *command,
			       uint8_t *byte)
{
	if (command->optlen != sizeof(*byte))
		return EINVAL;
	return standin_user_read(byte, command->optval, sizeof(*byte));
}

int standin_cm_do_set_option(struct standin_cm_call *call)
{
	const struct rdma_ucm_set_option *command = (const void *)call->in;
	struct standin_cm_id *id;
	uint8_t byte;
	int error = standin_cm_id_find(call->file, command->id, &id);

	if (error)
		return error;
	if (command->level != RDMA_OPTION_ID)
		return ENOSYS;
	switch (command->optname) {
	case RDMA_OPTION_ID_TOS:
		return standin_cm_set_byte(command, &id->traffic_class);
	case RDMA_OPTION_ID_REUSEADDR:
		return standin_cm_set_flag(id, command, &id->shares);
	case RDMA_OPTION_ID_AFONLY:
		return standin_cm_set_flag(id, command, &id->ipv6_only);
	case RDMA_OPTION_ID_ACK_TIMEOUT:
		error = standin_cm_set_byte(command, &byte);
		if (!error && ((id->qp_type != IBV_QPT_RC &&
				id->qp_type != IBV_QPT_XRC_SEND) ||
			       byte > 31))
			error = EINVAL;
		if (!error)
			id->ack_code = byte;
		return error;
	default:
		return ENOSYS;
	}
}
