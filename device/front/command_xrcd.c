/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* OPEN_XRCD and CLOSE_XRCD. */
#include <errno.h>
#include <stdlib.h>

#include "domain/xrcd.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/xrcd_table.h"

#define FLAGS                                                                  \
	((uint32_t)ARNICA_HW_XRCD_CREATE | ARNICA_HW_XRCD_EXCLUSIVE |          \
	 ARNICA_HW_XRCD_PRIVATE)

uint64_t adev_xrcd_id(const struct adev_function *fn, uint32_t xrcd)
{
	return xrcd < fn->next_xrcd ? fn->xrcds[xrcd].id : 0;
}

void adev_xrcd_get(struct adev_function *fn, uint32_t xrcd)
{
	if (xrcd != ADEV_NO_XRCD)
		fn->xrcds[xrcd].references++;
}

void adev_xrcd_put(struct adev_function *fn, uint32_t xrcd)
{
	if (xrcd != ADEV_NO_XRCD)
		fn->xrcds[xrcd].references--;
}

void adev_xrcds_fini(struct adev_function *fn)
{
	uint32_t i;

	for (i = 0; fn->xrcds && i < fn->next_xrcd; i++)
		if (fn->xrcds[i].id)
			adev_xrcd_close(fn->xrcds[i].id);
	free(fn->xrcds);
	fn->xrcds = NULL;
}

static enum arnica_hw_command_status
open_domain(const struct arnica_hw_cmd_open_xrcd *cmd, uint64_t *id)
{
	uint32_t flags = arnica_from_le32(cmd->flags);
	int error;

	if (flags & ~FLAGS || cmd->reserved0.raw)
		return ARNICA_HW_COMMAND_INVALID;
	if (flags & ARNICA_HW_XRCD_PRIVATE) {
		if (!(flags & ARNICA_HW_XRCD_CREATE) || cmd->device.raw ||
		    cmd->inode.raw)
			return ARNICA_HW_COMMAND_INVALID;
		*id = adev_xrcd_private();
		return ARNICA_HW_COMMAND_OK;
	}
	error = adev_xrcd_open(arnica_from_le64(cmd->device),
			       arnica_from_le64(cmd->inode),
			       flags & ARNICA_HW_XRCD_CREATE,
			       flags & ARNICA_HW_XRCD_EXCLUSIVE, id);
	return error == EAGAIN ? ARNICA_HW_COMMAND_NO_DOMAIN :
				 adev_command_status(error);
}

ADEV_COMMAND_HANDLER(open_xrcd)
{
	enum arnica_hw_command_status status;
	uint32_t xrcd;
	uint64_t id;

	if (adev_index_take(&fn->free_xrcds, &fn->next_xrcd, ADEV_MAX_XRCD,
			    &xrcd))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	status = open_domain(&command->open_xrcd, &id);
	if (status) {
		adev_index_give(&fn->free_xrcds, xrcd);
		return status;
	}
	fn->xrcds[xrcd] = (struct adev_xrcd){ .id = id };
	fn->num_xrcds++;
	completion->object.handle = arnica_to_le32(xrcd);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(close_xrcd)
{
	uint32_t xrcd = arnica_from_le32(command->object.handle);
	uint64_t id = adev_xrcd_id(fn, xrcd);

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!id)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (fn->xrcds[xrcd].references)
		return ARNICA_HW_COMMAND_BUSY;
	adev_xrcd_close(id);
	fn->xrcds[xrcd].id = 0;
	fn->num_xrcds--;
	adev_index_give(&fn->free_xrcds, xrcd);
	return ARNICA_HW_COMMAND_OK;
}
