/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ATTACH_MCAST and DETACH_MCAST (IBTA 11.3.1, 11.3.2). */
#include "domain/gid.h"
#include "front/command.h"
#include "front/objects.h"
#include "link/wire.h"
#include "transport/multicast.h"
#include "transport/remote.h"

/* The command's QP, if it may be in a group. */
static enum arnica_hw_command_status
check(struct adev_function *fn, const struct arnica_hw_cmd_mcast *cmd,
      struct adev_qp **qp)
{
	uint32_t handle = arnica_from_le32(cmd->qp);

	*qp = adev_qp_by_handle(fn, handle);
	if (!*qp)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	return (*qp)->type == ARNICA_HW_QP_UD && !cmd->reserved0.raw &&
			       adev_gid_is_multicast(cmd->gid) ?
		       ARNICA_HW_COMMAND_OK :
		       ARNICA_HW_COMMAND_INVALID;
}

/* Where there are no others, or the port is another's, the group has the
 * members of this host domain; the wire has said so. */
static void join(struct adev_function *fn, const uint8_t gid[16])
{
	if (adev_remote_has_neighbours() && !adev_wire_open(fn))
		adev_wire_join(fn, gid);
}

ADEV_COMMAND_HANDLER(attach_mcast)
{
	const struct arnica_hw_cmd_mcast *cmd = &command->mcast;
	enum arnica_hw_command_status status;
	struct adev_qp *qp;
	bool first;

	(void)completion;
	status = check(fn, cmd, &qp);
	if (status == ARNICA_HW_COMMAND_OK)
		status = adev_command_status(
			adev_mcast_attach(fn, qp, cmd->gid, &first));
	if (status == ARNICA_HW_COMMAND_OK && first)
		join(fn, cmd->gid);
	return status;
}

ADEV_COMMAND_HANDLER(detach_mcast)
{
	const struct arnica_hw_cmd_mcast *cmd = &command->mcast;
	enum arnica_hw_command_status status;
	struct adev_qp *qp;
	bool last = false;

	(void)completion;
	status = check(fn, cmd, &qp);
	if (status == ARNICA_HW_COMMAND_OK)
		status = adev_command_status(
			adev_mcast_detach(fn, qp, cmd->gid, &last));
	if (last)
		adev_wire_part(fn, cmd->gid);
	return status;
}
