/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* CREATE_FLOW, QUERY_FLOW and DESTROY_FLOW: which frames a raw packet QP receives,
 * and how many. */
#include <errno.h>

#include "front/command.h"
#include "front/objects.h"
#include "front/raw_status.h"
#include "transport/raw_packet.h"

enum arnica_hw_command_status adev_raw_status(int error)
{
	switch (error) {
	case EPERM:
		return ARNICA_HW_COMMAND_PERMISSION;
	case EOPNOTSUPP:
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	default:
		return adev_command_status(error);
	}
}

ADEV_COMMAND_HANDLER(create_flow)
{
	const struct arnica_hw_cmd_create_flow *cmd = &command->create_flow;
	uint32_t index = arnica_from_le32(cmd->qp), handle;
	struct adev_qp *qp = adev_qp_by_handle(fn, index);
	int error;

	if (!qp)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (qp->type != ARNICA_HW_QP_RAW_PACKET && qp->type != ARNICA_HW_QP_RSS)
		return ARNICA_HW_COMMAND_INVALID;
	error = adev_flow_check(cmd);
	if (!error)
		error = adev_raw_add_rule(fn, qp, cmd, &handle);
	if (error)
		return adev_raw_status(error);
	qp->num_groups++;
	completion->object.handle = arnica_to_le32(handle);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(destroy_flow)
{
	struct adev_qp *qp = adev_raw_remove_rule(
		fn, arnica_from_le32(command->object.handle),
		&completion->flow);

	if (!qp)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	qp->num_groups--;
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(query_flow)
{
	return adev_raw_query_rule(fn, arnica_from_le32(command->object.handle),
				   &completion->flow) ?
		       ARNICA_HW_COMMAND_OK :
		       ARNICA_HW_COMMAND_NO_OBJECT;
}
