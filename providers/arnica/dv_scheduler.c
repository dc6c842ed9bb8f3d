/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* arnicadv_query_scheduler(), arnicadv_set_scheduler(). */
#include <errno.h>
#include <string.h>

#include "context.h"
#include "dv.h"

#define KNOWN                                                                  \
	((uint64_t)ARNICADV_SCHEDULER_POLICY | ARNICADV_SCHEDULER_ENGINES |    \
	 ARNICADV_SCHEDULER_CLASS_WEIGHTS | ARNICADV_SCHEDULER_WATERMARKS |    \
	 ARNICADV_SCHEDULER_CLASS_ENGINES | ARNICADV_SCHEDULER_ENGINE_WEIGHTS)

_Static_assert(ARNICADV_NUM_CLASSES == ARNICA_HW_CLASSES, "contract");
_Static_assert(ARNICADV_MAX_ENGINES == ARNICA_HW_MAX_ENGINES, "contract");
_Static_assert(ARNICADV_MAX_GATHER_ENGINES == ARNICA_HW_MAX_GATHERS,
	       "contract");
_Static_assert(ARNICADV_MAX_WATERMARK == ARNICA_HW_ENGINE_DESCRIPTORS,
	       "contract");

static int query(struct arnica_context *context,
		 struct arnica_hw_scheduler *scheduler)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_SCHEDULER),
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&context->commands, &command,
					   &answer);

	if (!error)
		*scheduler = answer.scheduler;
	return error;
}

static int fail(int error)
{
	if (error)
		errno = error;
	return error;
}

ARNICA_PUBLIC int
arnicadv_query_scheduler(struct ibv_context *context,
			 struct arnicadv_scheduler_attr *attr)
{
	struct arnica_hw_scheduler now;
	uint32_t i;
	int error;

	if (!arnicadv_is_supported(context->device))
		return fail(EOPNOTSUPP);
	if (attr->comp_mask)
		return fail(EINVAL);
	error = query(arnica_context_of(context), &now);
	if (error)
		return fail(error);
	attr->comp_mask = KNOWN;
	attr->policy = (enum arnicadv_scheduler_policy)arnica_from_le32(
		now.policy);
	attr->num_engines = arnica_from_le32(now.num_engines);
	attr->num_gather_engines = arnica_from_le32(now.num_gathers);
	for (i = 0; i < ARNICADV_NUM_CLASSES; i++)
		attr->class_engines[i] =
			(uint16_t)arnica_from_le32(now.class_engines[i]);
	memcpy(attr->class_weight, now.class_weight,
	       sizeof(attr->class_weight));
	memcpy(attr->watermark, now.watermark, sizeof(attr->watermark));
	memcpy(attr->engine_weight, now.engine_weight,
	       sizeof(attr->engine_weight));
	return 0;
}

/* What is named of `attr` over what is set. */
static void change(struct arnica_hw_scheduler *to,
		   const struct arnicadv_scheduler_attr *attr)
{
	uint32_t i;

	if (attr->comp_mask & ARNICADV_SCHEDULER_POLICY)
		to->policy = arnica_to_le32((uint32_t)attr->policy);
	if (attr->comp_mask & ARNICADV_SCHEDULER_ENGINES) {
		to->num_engines = arnica_to_le32(attr->num_engines);
		to->num_gathers = arnica_to_le32(attr->num_gather_engines);
	}
	if (attr->comp_mask & ARNICADV_SCHEDULER_CLASS_WEIGHTS)
		memcpy(to->class_weight, attr->class_weight,
		       sizeof(to->class_weight));
	if (attr->comp_mask & ARNICADV_SCHEDULER_WATERMARKS)
		memcpy(to->watermark, attr->watermark, sizeof(to->watermark));
	if (attr->comp_mask & ARNICADV_SCHEDULER_ENGINE_WEIGHTS)
		memcpy(to->engine_weight, attr->engine_weight,
		       sizeof(to->engine_weight));
	if (!(attr->comp_mask & ARNICADV_SCHEDULER_CLASS_ENGINES))
		return;
	for (i = 0; i < ARNICADV_NUM_CLASSES; i++)
		to->class_engines[i] = arnica_to_le32(attr->class_engines[i]);
}

ARNICA_PUBLIC int
arnicadv_set_scheduler(struct ibv_context *ibv,
		       const struct arnicadv_scheduler_attr *attr)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_SET_SCHEDULER),
	};
	struct arnica_context *context;
	int error;

	if (!arnicadv_is_supported(ibv->device))
		return fail(EOPNOTSUPP);
	context = arnica_context_of(ibv);
	if (attr->comp_mask & ~KNOWN)
		return fail(EINVAL);
	error = query(context, &command.scheduler);
	if (error)
		return fail(error);
	change(&command.scheduler, attr);
	return fail(arnica_command_execute(&context->commands, &command,
					   NULL));
}
