/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Advice about regions that page on demand: brings pages in before they are
 * needed. The statuses are those of ibv_advise_mr(3).
 */
#include "front/begun.h"
#include "front/command.h"
#include "front/memory.h"
#include "tpt/tpt.h"

static enum arnica_hw_command_status status_of(enum adev_tpt_verdict verdict)
{
	switch (verdict) {
	case ADEV_TPT_OK:
		return ARNICA_HW_COMMAND_OK;
	case ADEV_TPT_BAD_KEY:
	case ADEV_TPT_IS_LIST: /* not a region */
		return ARNICA_HW_COMMAND_NO_KEY;
	case ADEV_TPT_BAD_PD:
	case ADEV_TPT_BAD_QP:
	case ADEV_TPT_BAD_ACCESS:
		return ARNICA_HW_COMMAND_PERMISSION;
	case ADEV_TPT_BAD_BOUNDS:
	case ADEV_TPT_PENDING: /* waited for */
		break;
	}
	return ARNICA_HW_COMMAND_FAULT;
}

ADEV_COMMAND_HANDLER(advise_mr)
{
	const struct arnica_hw_cmd_advise_mr *cmd = &command->advise_mr;
	uint32_t advice = arnica_from_le32(cmd->advice);
	uint32_t pd = arnica_from_le32(cmd->pd);
	uint32_t stag = arnica_from_le32(cmd->stag);
	uint64_t length = arnica_from_le64(cmd->length), address;
	bool writable = advice == ARNICA_HW_ADVICE_PREFETCH_WRITE;
	enum arnica_hw_command_status status;

	(void)completion;
	if (advice > ARNICA_HW_ADVICE_PREFETCH_NO_FAULT ||
	    arnica_from_le32(cmd->reserved0))
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	adev_begun_wait(fn, adev_tpt_index(stag));
	/* Without a length, too, the key is looked at. */
	status = status_of(adev_tpt_check(
		&fn->view, stag, pd, arnica_from_le64(cmd->iova), length,
		writable ? ARNICA_HW_ACCESS_LOCAL_WRITE : 0, &address));
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	if (!(fn->view.tpt[adev_tpt_index(stag)].access &
	      ARNICA_HW_ACCESS_ON_DEMAND))
		return ARNICA_HW_COMMAND_INVALID;
	/* There is no second table of pages: what the processor sees is
	 * present to the adapter. */
	if (advice == ARNICA_HW_ADVICE_PREFETCH_NO_FAULT || !length)
		return ARNICA_HW_COMMAND_OK;
	return adev_command_status(
		adev_memory_populate(address, length, writable));
}
