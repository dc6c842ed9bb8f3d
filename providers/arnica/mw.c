/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Memory windows; see mw.h. */
#include "mw.h"

#include <errno.h>
#include <stdlib.h>

#include "abi.h"
#include "context.h"
#include "infiniband/arnicadv.h"
#include "mr.h"
#include "qp.h"

/* Local write is meant for the region; some applications say it here. */
#define ACCESS_KNOWN                                                           \
	((unsigned int)IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |      \
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC |                   \
	 IBV_ACCESS_ZERO_BASED | ARNICADV_ACCESS_ONE_TOUCH)

struct ibv_mw *arnica_mw_alloc(struct ibv_pd *pd, enum ibv_mw_type type)
{
	struct arnica_context *context = arnica_context_of(pd->context);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_MW),
		.alloc_mw = {
			.pd = arnica_to_le32(pd->handle),
			.type = arnica_to_le32((uint32_t)type),
		},
	};
	struct arnica_hw_completion answer;
	struct ibv_mw *mw = calloc(1, sizeof(*mw));
	int error = ENOMEM;

	if (!mw)
		goto err_out;
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		goto err_free;
	mw->context = pd->context;
	mw->pd = pd;
	mw->type = type;
	mw->handle = arnica_from_le32(answer.mr.handle);
	mw->rkey = arnica_from_le32(answer.mr.stag);
	return mw;

err_free:
	free(mw);
err_out:
	errno = error;
	return NULL;
}

int arnica_mw_dealloc(struct ibv_mw *mw)
{
	int error = arnica_command_object(
		&arnica_context_of(mw->context)->commands,
		ARNICA_HW_CMD_DEALLOC_MW, mw->handle);

	if (!error)
		free(mw);
	return error;
}

/* A region of this context that has an address. */
static bool is_bindable(const struct ibv_mw *mw, struct ibv_mr *mr)
{
	return mr->context == mw->context && !arnica_mr_is_null(mr);
}

int arnica_mw_check_bind(const struct ibv_mw *mw, enum ibv_mw_type type,
			 uint32_t rkey, const struct ibv_mw_bind_info *info)
{
	if (!mw || mw->type != type || rkey >> 8 != mw->handle ||
	    info->mw_access_flags & ~ACCESS_KNOWN)
		return EINVAL;
	if (!info->mr)
		return info->addr || info->length ? EINVAL : 0;
	return is_bindable(mw, info->mr) ? 0 : EINVAL;
}

/*
 * The new key is told at once, because the request is in order: a SEND behind
 * it may carry the key (ibv_bind_mw(3)).
 */
int arnica_mw_bind(struct ibv_qp *qp, struct ibv_mw *mw,
		   struct ibv_mw_bind *bind)
{
	struct ibv_send_wr wr = {
		.wr_id = bind->wr_id,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = bind->send_flags,
		.bind_mw = {
			.mw = mw,
			.rkey = ibv_inc_rkey(mw->rkey),
			.bind_info = bind->bind_info,
		},
	};
	int error = EINVAL;

	if (!(bind->bind_info.mw_access_flags & IBV_ACCESS_ZERO_BASED) &&
	    qp->context == mw->context)
		error = arnica_send_bind(qp, &wr);
	if (error)
		errno = error;
	else
		mw->rkey = wr.bind_mw.rkey;
	return error;
}
