/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "outgoing.h"

#include <string.h>

#include "address.h"
#include "cm/ip.h"

/* Kernels leave out the 2.4 percent, and so begin at 256 units. */
uint64_t standin_cm_time(uint32_t code)
{
	return 1000000ull << (code > 8 ? code - 8 : 0);
}

void standin_cm_message_start(const struct standin_cm_id *id,
			      uint16_t attribute,
			      struct roce_cm_message *message)
{
	memset(message, 0, sizeof(*message));
	message->attribute = attribute;
	message->transaction = id->link.transaction;
	message->local_comm_id = id->link.local_id;
	message->remote_comm_id = id->link.remote_id;
}

static void standin_cm_message_address(const struct standin_cm_id *id,
				       struct arnica_bus_mad *mad)
{
	memset(mad, 0, sizeof(*mad));
	memcpy(mad->remote_gid, id->remote_gid, sizeof(mad->remote_gid));
	mad->gid_index = id->gid_index;
	mad->traffic_class = id->traffic_class;
}

int standin_cm_message_send(struct standin_cm_id *id,
			    const struct roce_cm_message *message)
{
	standin_cm_message_address(id, &id->link.last);
	roce_cm_emit(message, id->link.last.bytes);
	return standin_cm.world->send(&id->link.last);
}

/* What does not leave is lost on the way: whoever waits for it repeats. */
void standin_cm_message_once(const struct standin_cm_id *id,
			     const struct roce_cm_message *message)
{
	struct arnica_bus_mad mad;

	standin_cm_message_address(id, &mad);
	roce_cm_emit(message, mad.bytes);
	(void)!standin_cm.world->send(&mad);
}

void standin_cm_message_repeat(const struct standin_cm_id *id)
{
	(void)!standin_cm.world->send(&id->link.last);
}

void standin_cm_message_answer(const struct arnica_bus_mad *mad,
			       struct roce_cm_message *answer,
			       const struct roce_cm_message *message)
{
	struct arnica_bus_mad reply;

	if (mad->gid_index == ARNICA_HW_NO_GID)
		return;
	memset(&reply, 0, sizeof(reply));
	memcpy(reply.remote_gid, mad->remote_gid, sizeof(reply.remote_gid));
	reply.gid_index = mad->gid_index;
	reply.traffic_class = mad->traffic_class;
	answer->transaction = message->transaction;
	answer->local_comm_id = message->remote_comm_id;
	answer->remote_comm_id = message->local_comm_id;
	roce_cm_emit(answer, reply.bytes);
	(void)!standin_cm.world->send(&reply);
}

void standin_cm_send_rej(struct standin_cm_id *id, uint8_t answered,
			 uint16_t reason, const uint8_t *data, size_t length)
{
	struct roce_cm_message message;

	standin_cm_message_start(id, ROCE_CM_REJ, &message);
	message.rej.answered = answered;
	message.rej.reason = reason;
	/* So that a peer that has not heard of us knows which REQ it was. */
	if (reason == ROCE_CM_TIMEOUT) {
		uint64_t guid = standin_cm.world->node_guid();
		uint32_t i;

		for (i = 0; i < sizeof(guid); i++)
			message.rej.info[i] = (uint8_t)(guid >> (56 - 8 * i));
		message.rej.info_bytes = sizeof(guid);
	}
	if (length)
		memcpy(message.rej.private_data, data, length);
	standin_cm_message_once(id, &message);
}

void standin_cm_send_mra(struct standin_cm_id *id, uint8_t answered)
{
	struct roce_cm_message message;

	standin_cm_message_start(id, ROCE_CM_MRA, &message);
	message.mra.answered = answered;
	message.mra.service_timeout = STANDIN_CM_SERVICE_CODE;
	standin_cm_message_once(id, &message);
}

void standin_cm_message_ip(const struct standin_cm_id *id, uint8_t *data)
{
	struct roce_cm_ip ip = {
		.version = id->destination.family == AF_INET ? 4 : 6,
		.source_port = standin_cm_address_port(&id->source),
	};

	standin_cm_address_to_gid(&id->source, ip.source);
	standin_cm_address_to_gid(&id->destination, ip.destination);
	roce_cm_ip_emit(&ip, data);
}
