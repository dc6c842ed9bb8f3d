/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Multicast groups: the adapter keeps who is in which. A group is its GID; the
 * LID says nothing, as on every Ethernet link. As with devices of the kernel, a
 * queue pair is attached once however often that was asked for.
 */
#include "mcast.h"

#include <errno.h>
#include <string.h>

#include "context.h"

static int execute(enum arnica_hw_command_opcode opcode, struct ibv_qp *qp,
		   const union ibv_gid *gid)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.mcast = { .qp = arnica_to_le32(qp->handle) },
	};

	/* The handle of one from ibv_open_qp() is no queue pair's. */
	if (qp->qp_type != IBV_QPT_UD)
		return EINVAL;
	memcpy(command.mcast.gid, gid->raw, sizeof(command.mcast.gid));
	return arnica_command_execute(
		&arnica_context_of(qp->context)->commands, &command, NULL);
}

int arnica_mcast_attach(struct ibv_qp *qp, const union ibv_gid *gid,
			uint16_t lid)
{
	(void)lid;
	return execute(ARNICA_HW_CMD_ATTACH_MCAST, qp, gid);
}

int arnica_mcast_detach(struct ibv_qp *qp, const union ibv_gid *gid,
			uint16_t lid)
{
	(void)lid;
	return execute(ARNICA_HW_CMD_DETACH_MCAST, qp, gid);
}
