/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Registrations that are answered before they are done. */
#include <arnica/hw/mirror.h>

#include "front/begun.h"
#include "front/command.h"
#include "front/keys.h"
#include "front/objects.h"
#include "front/region.h"
#include "tpt/pending.h"
#include "trace.h"

/* What can be said at once is said at once: nothing but the memory can be
 * wrong later. */
ADEV_COMMAND_HANDLER(begin_mr)
{
	enum arnica_hw_command_status status;
	struct adev_region region;
	uint32_t index, stag;

	status = adev_region_read(fn, &command->reg_mr, &region);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	if (adev_key_take(fn, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	adev_region_store(fn, index, &region);
	stag = adev_key_make(fn, index);
	atomic_store(&fn->view.tpt[index].shared, adev_tpt_pending_word(stag));
	if (adev_begun_add(fn, index, &region)) {
		atomic_store(&fn->view.tpt[index].shared, 0);
		adev_key_give(fn, index);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	adev_region_count(fn, index, region.pd);
	adev_count(&fn->counters, registrations_begun);
	arnica_trace_region_begun(stag, region.pd);
	completion->mr.handle = arnica_to_le32(index);
	completion->mr.stag = arnica_to_le32(stag);
	return ARNICA_HW_COMMAND_OK;
}

/* Valid: whatever it was begun by. */
static enum arnica_hw_stag_state state_of(uint64_t word)
{
	if (!adev_tpt_is_unborn(word))
		return ARNICA_HW_STAG_VALID;
	return word & ADEV_TPT_PENDING_MARK ? ARNICA_HW_STAG_PENDING :
					      ARNICA_HW_STAG_FREE;
}

ADEV_COMMAND_HANDLER(query_begun)
{
	uint32_t index = arnica_from_le32(command->object.handle);
	enum arnica_hw_stag_state state;
	uint64_t word;

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (index >= fn->view.layout.max_mr || !fn->mr_pd[index] ||
	    fn->view.tpt[index].type != ADEV_TPT_REGION)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	word = atomic_load(&fn->view.tpt[index].shared);
	state = state_of(word);
	completion->begun.state = arnica_to_le32(state);
	completion->begun.status = arnica_to_le32(
		state == ARNICA_HW_STAG_FREE ? (uint32_t)(word & 0xff) : 0);
	return ARNICA_HW_COMMAND_OK;
}
