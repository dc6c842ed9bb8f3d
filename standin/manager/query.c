/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Commands that ask for an id's addresses, its GIDs and its path. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "address.h"
#include "command.h"
#include "ids.h"
#include "machine.h"

#define STANDIN_CM_PATH_IS_ACTIVE                                              \
	(IB_PATH_GMP | IB_PATH_PRIMARY | IB_PATH_BIDIRECTIONAL)
#define STANDIN_CM_EXACTLY 2u	/* selectors of a path record */
#define STANDIN_CM_RATE_100 16u /* Gb/s, a code */
#define STANDIN_CM_AF_IB 27u

static uint64_t standin_cm_guid(const struct standin_cm_id *id)
{
	return id->has_device ? htobe64(standin_cm.world->node_guid()) : 0;
}

static bool standin_cm_has_path(const struct standin_cm_id *id)
{
	return id->state == STANDIN_CM_ROUTE ||
	       id->state == STANDIN_CM_CONNECT ||
	       id->state == STANDIN_CM_DISCONNECT;
}

int standin_cm_do_query_route(struct standin_cm_call *call)
{
	const size_t least = offsetof(struct rdma_ucm_query_route_resp,
				      ibdev_index);
	const struct rdma_ucm_query *command = (const void *)call->in;
	struct rdma_ucm_query_route_resp answer;
	struct ib_user_path_rec *path = &answer.ib_route[0];
	struct standin_cm_id *id;
	int error;

	if (call->out_length < least)
		return ENOSPC;
	error = standin_cm_id_find(call->file, command->id, &id);
	if (error)
		return error;
	memset(&answer, 0, sizeof(answer));
	memcpy(&answer.src_addr, &id->source, sizeof(id->source.v6));
	memcpy(&answer.dst_addr, &id->destination, sizeof(id->destination.v6));
	if (id->has_device) {
		answer.node_guid = standin_cm_guid(id);
		answer.port_num = STANDIN_CM_PORT;
		memcpy(path->sgid, id->local_gid, sizeof(path->sgid));
		memcpy(path->dgid, id->remote_gid, sizeof(path->dgid));
		path->pkey = htobe16(STANDIN_CM_PKEY);
	}
	if (standin_cm_has_path(id)) {
		answer.num_paths = 1;
		path->reversible = 1;
		path->mtu = standin_cm_path_mtu();
		path->mtu_selector = STANDIN_CM_EXACTLY;
		path->rate = STANDIN_CM_RATE_100;
		path->rate_selector = STANDIN_CM_EXACTLY;
		path->packet_life_time = STANDIN_CM_ACK_CODE - 1;
		path->packet_life_time_selector = STANDIN_CM_EXACTLY;
		path->hop_limit = 64;
		path->traffic_class = id->traffic_class;
		path->numb_path = 1;
	}
	return standin_cm_answer(call, command->response, &answer,
				 sizeof(answer), least);
}

/* For QUERY_GID: addresses of AF_IB, as rdma/ib.h of a kernel has them. */
struct standin_cm_sockaddr_ib {
	uint16_t family;
	uint16_t pkey; /* network order, as all that follow */
	uint32_t flow_info;
	uint8_t address[16];
	uint64_t service_id;
	uint64_t service_mask;
	uint64_t scope;
};

static size_t standin_cm_gid_address(const struct standin_cm_id *id,
				     const uint8_t gid[16], uint16_t port,
				     void *to)
{
	struct standin_cm_sockaddr_ib address = {
		.family = STANDIN_CM_AF_IB,
		.pkey = htobe16(STANDIN_CM_PKEY),
		.service_id = htobe64((uint64_t)id->ps << 16 | port),
		.service_mask = UINT64_MAX,
	};

	memcpy(address.address, gid, sizeof(address.address));
	memcpy(to, &address, sizeof(address));
	return sizeof(address);
}

static int standin_cm_query_addresses(struct standin_cm_call *call,
				      const struct standin_cm_id *id,
				      const struct rdma_ucm_query *command)
{
	const size_t least = offsetof(struct rdma_ucm_query_addr_resp,
				      ibdev_index);
	struct rdma_ucm_query_addr_resp answer;

	memset(&answer, 0, sizeof(answer));
	answer.pkey = STANDIN_CM_PKEY;
	answer.node_guid = standin_cm_guid(id);
	answer.port_num = id->has_device ? STANDIN_CM_PORT : 0;
	if (command->option == RDMA_USER_CM_QUERY_ADDR) {
		answer.src_size = (uint16_t)standin_cm_address_size(
			&id->source);
		memcpy(&answer.src_addr, &id->source, sizeof(id->source));
		answer.dst_size = (uint16_t)standin_cm_address_size(
			&id->destination);
		memcpy(&answer.dst_addr, &id->destination,
		       sizeof(id->destination));
	} else {
		answer.src_size = (uint16_t)standin_cm_gid_address(
			id, id->local_gid, standin_cm_address_port(&id->source),
			&answer.src_addr);
		answer.dst_size = (uint16_t)standin_cm_gid_address(
			id, id->remote_gid,
			standin_cm_address_port(&id->destination),
			&answer.dst_addr);
	}
	return standin_cm_answer(call, command->response, &answer,
				 sizeof(answer), least);
}

/* A path record as on the wire (IBTA table 171), in words of network order. */
static void standin_cm_pack_path(const struct standin_cm_id *id,
				 uint8_t record[64])
{
	memset(record, 0, 64);
	memcpy(record + 8, id->remote_gid, 16);
	memcpy(record + 24, id->local_gid, 16);
	record[47] = 64; /* hop limit; no flow label */
	record[48] = id->traffic_class;
	record[49] = 0x81; /* reversible, one path */
	record[50] = STANDIN_CM_PKEY >> 8;
	record[51] = STANDIN_CM_PKEY & 0xff;
	record[54] = STANDIN_CM_EXACTLY << 6 | standin_cm_path_mtu();
	record[55] = STANDIN_CM_EXACTLY << 6 | STANDIN_CM_RATE_100;
	record[56] = STANDIN_CM_EXACTLY << 6 | (STANDIN_CM_ACK_CODE - 1);
}

static int standin_cm_query_path(struct standin_cm_call *call,
				 const struct standin_cm_id *id,
				 const struct rdma_ucm_query *command)
{
	struct {
		struct rdma_ucm_query_path_resp head;
		struct ib_path_rec_data path;
	} answer;
	size_t length = sizeof(answer.head);

	memset(&answer, 0, sizeof(answer));
	if (standin_cm_has_path(id))
		answer.head.num_paths = 1;
	if (answer.head.num_paths && call->out_length >= sizeof(answer)) {
		answer.path.flags = STANDIN_CM_PATH_IS_ACTIVE;
		standin_cm_pack_path(id, (uint8_t *)answer.path.path_rec);
		length = sizeof(answer);
	}
	return standin_cm_answer(call, command->response, &answer, length,
				 sizeof(answer.head));
}

int standin_cm_do_query(struct standin_cm_call *call)
{
	const struct rdma_ucm_query *command = (const void *)call->in;
	struct standin_cm_id *id;
	int error = standin_cm_id_find(call->file, command->id, &id);

	if (error)
		return error;
	switch (command->option) {
	case RDMA_USER_CM_QUERY_ADDR:
	case RDMA_USER_CM_QUERY_GID:
		return standin_cm_query_addresses(call, id, command);
	case RDMA_USER_CM_QUERY_PATH:
		return standin_cm_query_path(call, id, command);
	default:
		return ENOSYS;
	}
}
