/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* CREATE_RWQ_TABLE and DESTROY_RWQ_TABLE: tables of receive queues. */
#include <errno.h>
#include <stdlib.h>

#include "dma/guard.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/raw_status.h"
#include "transport/qp.h"
#include "transport/rss.h"

/* The queues that the caller names, each looked up once. */
static int read_queues(struct adev_function *fn, uint64_t address,
		       uint32_t count, struct adev_qp **queues)
{
	arnica_le32 *handles = malloc(count * sizeof(*handles));
	int error = 0;
	uint32_t i;

	if (!handles)
		return ENOMEM;
	if (!adev_guard_copy(handles, (const void *)(uintptr_t)address,
			     count * sizeof(*handles)))
		error = EFAULT;
	for (i = 0; i < count && !error; i++) {
		uint32_t index = arnica_from_le32(handles[i]);

		queues[i] = adev_qp_by_handle(fn, index);
		if (!queues[i] || queues[i]->type != ARNICA_HW_QP_WQ)
			error = EINVAL;
	}
	free(handles);
	return error;
}

ADEV_COMMAND_HANDLER(create_rwq_table)
{
	const struct arnica_hw_cmd_create_rwq_table *cmd =
		&command->create_rwq_table;
	uint32_t count = arnica_from_le32(cmd->count), handle;
	struct adev_qp **queues;
	int error;

	if (!count || count & (count - 1) || count > ARNICA_HW_MAX_RWQ_TABLE ||
	    cmd->reserved0.raw)
		return ARNICA_HW_COMMAND_INVALID;
	queues = malloc(count * sizeof(struct adev_qp *));
	if (!queues)
		return ARNICA_HW_COMMAND_NO_MEMORY;
	error = read_queues(fn, arnica_from_le64(cmd->queues), count, queues);
	if (!error)
		error = adev_rss_create_table(fn, queues, count, &handle);
	free(queues);
	if (error)
		return adev_raw_status(error);
	completion->object.handle = arnica_to_le32(handle);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(destroy_rwq_table)
{
	(void)completion;
	return adev_raw_status(adev_rss_destroy_table(
		fn, arnica_from_le32(command->object.handle)));
}
