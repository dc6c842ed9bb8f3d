/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * OPEN_QP and CLOSE_QP: XRC_RECV queue pairs of the domain, which others made.
 * They are counted where they are. A queue pair that its maker destroys while
 * others have it open goes on without him, and ends with a later command of his
 * function once nobody has; or with his function. A process that is killed
 * does not uncount itself, so that what it had open ends with its maker's
 * function.
 */
#include <stdlib.h>

#include "core/qp_lock.h"
#include "domain/directory.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/opened.h"
#include "front/xrcd_table.h"
#include "link/link.h"
#include "transport/qp.h"

#define LOCK_RESTS 1000u

struct adev_opened {
	struct adev_link link;
	uint32_t qpn;
	uint32_t xrcd;
};

/* Its lock may be held for the moment of a message. */
static bool find(struct adev_function *fn, uint32_t qpn, struct adev_link *link)
{
	enum adev_link_state state;
	uint32_t rests = 0;

	do {
		state = adev_link_open(fn, qpn, link);
		if (state == ADEV_LINK_BUSY)
			adev_rest();
	} while (state == ADEV_LINK_BUSY && ++rests < LOCK_RESTS);
	return state == ADEV_LINK_UP;
}

static bool belongs(const struct adev_link *link, uint64_t domain)
{
	return link->qp->type == ARNICA_HW_QP_XRC_RECV &&
	       link->qp->xrcd == domain;
}

ADEV_COMMAND_HANDLER(open_qp)
{
	const struct arnica_hw_cmd_open_qp *cmd = &command->open_qp;
	uint32_t xrcd = arnica_from_le32(cmd->xrcd), handle;
	uint64_t domain = adev_xrcd_id(fn, xrcd);
	struct adev_opened *opened;

	if (!domain)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (adev_index_take(&fn->free_opened, &fn->next_opened,
			    ADEV_MAX_OPENED, &handle))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	opened = calloc(1, sizeof(*opened));
	if (!opened) {
		adev_index_give(&fn->free_opened, handle);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	opened->qpn = arnica_from_le32(cmd->qpn);
	opened->xrcd = xrcd;
	if (!find(fn, opened->qpn, &opened->link) ||
	    !belongs(&opened->link, domain)) {
		adev_link_close(&opened->link);
		free(opened);
		adev_index_give(&fn->free_opened, handle);
		return ARNICA_HW_COMMAND_NO_OBJECT;
	}
	atomic_fetch_add(&opened->link.qp->openers, 1);
	fn->opened[handle] = opened;
	adev_xrcd_get(fn, xrcd);
	completion->object.handle = arnica_to_le32(handle);
	return ARNICA_HW_COMMAND_OK;
}

static void close_opened(struct adev_function *fn, uint32_t handle)
{
	struct adev_opened *opened = fn->opened[handle];
	struct adev_view *view = opened->link.view;

	if (adev_directory_alive(fn->directory, view->function,
				 view->generation) &&
	    opened->link.qp->qpn == opened->qpn &&
	    atomic_load(&opened->link.qp->openers))
		atomic_fetch_sub(&opened->link.qp->openers, 1);
	adev_link_close(&opened->link);
	adev_xrcd_put(fn, opened->xrcd);
	free(opened);
	fn->opened[handle] = NULL;
	adev_index_give(&fn->free_opened, handle);
}

ADEV_COMMAND_HANDLER(close_qp)
{
	uint32_t handle = arnica_from_le32(command->object.handle);

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (handle >= fn->next_opened || !fn->opened[handle])
		return ARNICA_HW_COMMAND_NO_OBJECT;
	close_opened(fn, handle);
	return ARNICA_HW_COMMAND_OK;
}

void adev_opened_close_all(struct adev_function *fn)
{
	uint32_t handle;

	for (handle = 0; handle < fn->next_opened; handle++)
		if (fn->opened[handle])
			close_opened(fn, handle);
}

bool adev_qp_orphan(struct adev_function *fn, struct adev_qp *qp)
{
	if (qp->type != ARNICA_HW_QP_XRC_RECV ||
	    !atomic_load(&qp->shared->openers))
		return false;
	qp->orphaned = true;
	adev_xrcd_put(fn, qp->xrcd);
	qp->xrcd = ADEV_NO_XRCD;
	fn->num_orphans++;
	return true;
}

void adev_orphans_reap(struct adev_function *fn)
{
	uint32_t index;

	for (index = 0; fn->num_orphans && index < fn->qp_scan_end; index++) {
		struct adev_qp *qp = fn->qps[index];

		if (!qp || !qp->orphaned || atomic_load(&qp->shared->openers))
			continue;
		fn->num_orphans--;
		(void)adev_qp_destroy(fn, qp);
	}
}
