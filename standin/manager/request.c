/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Requests that come in: who is asked, and the id that is made for it. */
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "cm/ip.h"
#include "events.h"
#include "ids.h"
#include "machine.h"

static bool standin_cm_listens_at(const struct standin_cm_id *id,
				  const union standin_cm_address *to,
				  bool *exactly)
{
	uint8_t bound[16];
	uint8_t wanted[16];

	*exactly = false;
	if (standin_cm_address_is_any(&id->source))
		return id->source.family == to->family ||
		       (id->source.family == AF_INET6 && !id->ipv6_only);
	standin_cm_address_to_gid(&id->source, bound);
	standin_cm_address_to_gid(to, wanted);
	*exactly = true;
	return !memcmp(bound, wanted, sizeof(bound));
}

struct standin_cm_id *standin_cm_listener(uint64_t service_id,
					  const union standin_cm_address *to)
{
	struct standin_cm_id *found = NULL;
	bool exactly;
	uint32_t i;

	for (i = 0; i < standin_cm.table_size; i++) {
		struct standin_cm_id *id = standin_cm.table[i];

		if (!id || id->state != STANDIN_CM_LISTEN ||
		    roce_cm_service_id(id->ps,
				       standin_cm_address_port(&id->source)) !=
			    service_id ||
		    !standin_cm_listens_at(id, to, &exactly))
			continue;
		if (exactly)
			return id;
		found = id;
	}
	return found;
}

/* Its own address is the one that the peer has asked for, and its port the
 * listener's. */
static void standin_cm_request_fill(struct standin_cm_id *id,
				    const struct standin_cm_id *listener,
				    const struct arnica_bus_mad *mad,
				    const struct roce_cm_ip *ip)
{
	standin_cm_address_from_gid(&id->source, ip->destination,
				    standin_cm_address_port(&listener->source));
	standin_cm_address_from_gid(&id->destination, ip->source,
				    ip->source_port);
	id->has_device = true;
	id->gid_index = mad->gid_index;
	memcpy(id->local_gid, mad->local_gid, sizeof(id->local_gid));
	memcpy(id->remote_gid, mad->remote_gid, sizeof(id->remote_gid));
	id->traffic_class = listener->traffic_class;
	id->qkey = listener->qkey;
	id->state = STANDIN_CM_CONNECT;
}

struct standin_cm_event *standin_cm_request(struct standin_cm_id *listener,
					    const struct arnica_bus_mad *mad,
					    const uint8_t *header)
{
	struct standin_cm_event *event;
	struct standin_cm_id *id;
	struct roce_cm_ip ip;

	if (!listener->backlog || mad->gid_index == ARNICA_HW_NO_GID ||
	    !roce_cm_ip_parse(header, &ip) ||
	    standin_cm_id_create(listener->file, listener->ps,
				 listener->qp_type, &id))
		return NULL;
	event = standin_cm_event_make(listener, STANDIN_CM_CONNECT_REQUEST, 0);
	if (!event) {
		standin_cm_id_free(id);
		return NULL;
	}
	listener->backlog--;
	standin_cm_request_fill(id, listener, mad, &ip);
	event->made = id;
	event->answer.id = id->number;
	return event;
}
