/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* arnicadv_query_stag(): what the mirror, or the adapter, says of a key. */
#include <errno.h>

#include "context.h"
#include "dv.h"
#include "mirror.h"

/* Of what is not valid nothing else is said. */
static void clear_range(struct arnicadv_stag_attr *attr)
{
	attr->access = 0;
	attr->addr = 0;
	attr->length = 0;
	attr->parent = 0;
}

static int from_mirror(struct arnica_context *context, uint32_t stag,
		       struct arnicadv_stag_attr *attr)
{
	struct arnica_hw_mirror_entry entry;

	arnica_mirror_follow(context, stag);
	if (!arnica_mirror_find(&context->mirror, stag, &entry))
		return ENOENT;
	*attr = (struct arnicadv_stag_attr){
		.type = (enum arnicadv_stag_type)entry.kind,
		.state = (enum arnicadv_stag_state)entry.state,
		.stag = stag,
		.instance = (uint8_t)stag,
		.access = entry.access,
		.addr = entry.iova,
		.length = entry.length,
		.pd_handle = entry.pd,
		.parent = entry.parent,
	};
	if (entry.state == ARNICA_HW_STAG_FREE)
		clear_range(attr);
	return 0;
}

static int from_table(struct arnica_context *context, uint32_t stag,
		      struct arnicadv_stag_attr *attr)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_STAG),
		.object.handle = arnica_to_le32(stag),
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&context->commands, &command,
					   &answer);

	if (error)
		return error;
	attr->state = ARNICADV_STAG_FREE;
	clear_range(attr);
	if (arnica_from_le32(answer.stag.stag) != stag)
		return 0;
	attr->state = (enum arnicadv_stag_state)arnica_from_le32(
		answer.stag.state);
	attr->type = (enum arnicadv_stag_type)arnica_from_le32(
		answer.stag.kind);
	attr->access = arnica_from_le32(answer.stag.access);
	attr->addr = arnica_from_le64(answer.stag.iova);
	attr->length = arnica_from_le64(answer.stag.length);
	attr->pd_handle = arnica_from_le32(answer.stag.pd);
	return 0;
}

ARNICA_PUBLIC int arnicadv_query_stag(struct ibv_context *ibv, uint32_t stag,
				      uint32_t flags,
				      struct arnicadv_stag_attr *attr)
{
	uint32_t parent;
	int error;

	if (!arnicadv_is_supported(ibv->device))
		return errno = EOPNOTSUPP;
	if (attr->comp_mask || flags & ~(uint32_t)ARNICADV_QUERY_STAG_TABLE)
		return errno = EINVAL;
	error = from_mirror(arnica_context_of(ibv), stag, attr);
	parent = attr->parent;
	if (!error && flags & ARNICADV_QUERY_STAG_TABLE)
		error = from_table(arnica_context_of(ibv), stag, attr);
	/* Which region a window is of stands in no table but the host's. */
	if (!error && attr->state == ARNICADV_STAG_VALID)
		attr->parent = parent;
	if (error)
		errno = error;
	return error;
}
