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

#include "comp/channel.h"
#include "core/qp_lock.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/opened.h"
#include "front/xrcd_table.h"
#include "link/link.h"
#include "transport/qp.h"

#define LOCK_RESTS 1000u

struct adev_opened {
	struct adev_link link;
	uint32_t life; /* of the queue pair among those of its place */
	uint32_t xrcd;
};

enum found {
	FOUND,
	FOUND_NONE,
	FOUND_BUSY, /* somebody has its lock */
};

/* With the lock of the queue pair: its fields are those of the life that is
 * counted. */
static bool join(struct adev_opened *opened, uint32_t qpn, uint64_t domain)
{
	struct adev_qp_shared *qp = opened->link.qp;
	uint64_t word = atomic_load(&qp->openers);

	opened->life = (uint32_t)(word >> 32);
	return qp->qpn == qpn && qp->type == ARNICA_HW_QP_XRC_RECV &&
	       qp->xrcd == domain && adev_openers_get(qp, word);
}

static enum found try_find(struct adev_function *fn, struct adev_opened *opened,
			   uint32_t qpn, uint64_t domain)
{
	struct adev_link *link = &opened->link;
	bool joined;

	switch (adev_link_open(fn, qpn, link)) {
	case ADEV_LINK_UP:
		break;
	case ADEV_LINK_BUSY:
		return FOUND_BUSY;
	case ADEV_LINK_ABSENT:
	case ADEV_LINK_DEAD:
		return FOUND_NONE;
	}
	if (!adev_qp_try_lock(link->qp, fn->view.function))
		return FOUND_BUSY;
	joined = join(opened, qpn, domain);
	adev_qp_unlock(link->qp);
	return joined ? FOUND : FOUND_NONE;
}

/* Its lock may be held for the moment of a message. */
static bool find(struct adev_function *fn, struct adev_opened *opened,
		 uint32_t qpn, uint64_t domain)
{
	enum found found;
	uint32_t rests = 0;

	do {
		found = try_find(fn, opened, qpn, domain);
		if (found == FOUND_BUSY)
			adev_rest();
	} while (found == FOUND_BUSY && ++rests < LOCK_RESTS);
	return found == FOUND;
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
	opened->xrcd = xrcd;
	if (!find(fn, opened, arnica_from_le32(cmd->qpn), domain)) {
		adev_link_close(&opened->link);
		free(opened);
		adev_index_give(&fn->free_opened, handle);
		return ARNICA_HW_COMMAND_NO_OBJECT;
	}
	fn->opened[handle] = opened;
	adev_xrcd_get(fn, xrcd);
	completion->object.handle = arnica_to_le32(handle);
	return ARNICA_HW_COMMAND_OK;
}

static void close_opened(struct adev_function *fn, uint32_t handle)
{
	struct adev_opened *opened = fn->opened[handle];

	/* Its segment stays mapped, even when its function is gone. */
	adev_openers_put(opened->link.qp, opened->life);
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

void adev_opened_forget_all(struct adev_function *fn)
{
	uint32_t handle;

	for (handle = 0; handle < fn->next_opened; handle++) {
		if (!fn->opened[handle])
			continue;
		adev_link_close(&fn->opened[handle]->link);
		free(fn->opened[handle]);
		fn->opened[handle] = NULL;
	}
}

bool adev_qp_orphan(struct adev_function *fn, struct adev_qp *qp,
		    uint32_t *events)
{
	if (qp->type != ARNICA_HW_QP_XRC_RECV ||
	    adev_openers_try_end(qp->shared))
		return false;
	qp->orphaned = true;
	*events = adev_async_end(fn, qp->shared->user_data,
				 &qp->async_written);
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

		if (!qp || !qp->orphaned ||
		    !adev_openers_try_end(qp->shared))
			continue;
		fn->num_orphans--;
		(void)adev_qp_destroy(fn, qp);
	}
}
