/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Joining groups by address. On Ethernet nobody is asked: a group's address is
 * its GID (docs/multicast.md), the event says so at once, and what makes the
 * adapter take its messages is that librdmacm attaches the queue pair then.
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "command.h"
#include "events.h"
#include "ids.h"
#include "machine.h"

#define STANDIN_CM_GROUP_QPN 0xffffffu

static void standin_cm_fill_group(const struct standin_cm_group *group,
				  struct standin_cm_event *event)
{
	struct rdma_ucm_ud_param *param = &event->answer.param.ud;
	const struct standin_cm_id *id = group->id;

	event->group = (struct standin_cm_group *)group;
	event->answer.uid = group->uid;
	event->answer.id = group->number;
	param->qp_num = STANDIN_CM_GROUP_QPN;
	/* As the queue pair has it (qp.c). */
	param->qkey = id->qkey ? id->qkey : STANDIN_CM_UD_QKEY;
	standin_cm_fill_ah(id, &param->ah_attr);
	memcpy(param->ah_attr.grh.dgid, group->gid, sizeof(group->gid));
}

static int standin_cm_join(struct standin_cm_call *call, uint32_t number,
			   const union standin_cm_address *address,
			   uint64_t uid, uint64_t response)
{
	struct rdma_ucm_create_id_resp answer;
	struct standin_cm_event *event;
	struct standin_cm_group *group;
	struct standin_cm_id *id;
	int error;

	if (call->out_length < sizeof(answer))
		return ENOSPC;
	error = standin_cm_find_bound(call, number, &id);
	if (error)
		return error;
	if (id->qp_type != IBV_QPT_UD ||
	    (id->state != STANDIN_CM_BOUND && id->state != STANDIN_CM_ADDRESS &&
	     id->state != STANDIN_CM_ROUTE) ||
	    standin_cm_address_is_any(address))
		return EINVAL;
	group = calloc(1, sizeof(*group));
	event = standin_cm_event_make(id, STANDIN_CM_MULTICAST_JOIN, 0);
	if (!group || !event) {
		error = ENOMEM;
		goto err_free;
	}
	group->id = id;
	group->uid = uid;
	group->number = ++standin_cm.next_group;
	standin_cm_address_to_gid(address, group->gid);
	answer.id = group->number;
	error = standin_cm_answer(call, response, &answer, sizeof(answer),
				  sizeof(answer));
	if (error)
		goto err_free;
	group->next = standin_cm.groups;
	standin_cm.groups = group;
	standin_cm_fill_group(group, event);
	standin_cm_event_queue(event);
	return 0;

err_free:
	free(group);
	free(event);
	return error;
}

int standin_cm_do_join_ip_mcast(struct standin_cm_call *call)
{
	const struct rdma_ucm_join_ip_mcast *command = (const void *)call->in;
	union standin_cm_address address;

	if (!standin_cm_address_read(&address, &command->addr,
				     sizeof(command->addr)))
		return EINVAL;
	return standin_cm_join(call, command->id, &address, command->uid,
			       command->response);
}

int standin_cm_do_join_mcast(struct standin_cm_call *call)
{
	const struct rdma_ucm_join_mcast *command = (const void *)call->in;
	union standin_cm_address address;

	if (command->join_flags > RDMA_MC_JOIN_FLAG_SENDONLY_FULLMEMBER ||
	    command->addr_size > sizeof(command->addr) ||
	    !standin_cm_address_read(&address, &command->addr,
				     command->addr_size) ||
	    command->addr_size != standin_cm_address_size(&address))
		return EINVAL;
	return standin_cm_join(call, command->id, &address, command->uid,
			       command->response);
}

/* ENOENT: there is no such group; EINVAL: it is another file's. */
int standin_cm_do_leave_mcast(struct standin_cm_call *call)
{
	const struct rdma_ucm_destroy_id *command = (const void *)call->in;
	struct standin_cm_group **at = &standin_cm.groups;
	struct rdma_ucm_destroy_id_resp answer;
	struct standin_cm_group *group;

	if (call->out_length < sizeof(answer))
		return ENOSPC;
	while (*at && (*at)->number != command->id)
		at = &(*at)->next;
	group = *at;
	if (!group)
		return ENOENT;
	if (group->id->file != call->file)
		return EINVAL;
	*at = group->next;
	standin_cm_event_purge(call->file, call->fd, NULL, group);
	answer.events_reported = group->events_reported;
	free(group);
	return standin_cm_answer(call, command->response, &answer,
				 sizeof(answer), sizeof(answer));
}
