/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table, for the host to look at. */
#include <arnica/hw/mirror.h>

#include "front/command.h"
#include "tpt/dump.h"
#include "tpt/pending.h"
#include "tpt/tpt.h"

/* Only tools read it, and only by asking the kernel: any address will do. */
ADEV_COMMAND_HANDLER(set_mirror)
{
	const struct arnica_hw_cmd_set_mirror *cmd = &command->set_mirror;
	uint32_t entries = arnica_from_le32(cmd->num_entries);

	(void)completion;
	if (arnica_from_le32(cmd->entry_bytes) !=
		    sizeof(struct arnica_hw_mirror_entry) ||
	    entries > fn->view.layout.max_mr)
		return ARNICA_HW_COMMAND_INVALID;
	fn->view.shared->mirror_entries = entries;
	fn->view.shared->mirror_address = arnica_from_le64(cmd->address);
	return ARNICA_HW_COMMAND_OK;
}

/* An entry may be taken back by a peer meanwhile; it does not change into
 * another, for that takes time or this lock. */
ADEV_COMMAND_HANDLER(query_stag)
{
	uint32_t stag = arnica_from_le32(command->object.handle);
	uint32_t index = adev_tpt_index(stag), tag;
	enum arnica_hw_stag_state state = ARNICA_HW_STAG_VALID;
	const struct adev_tpt_entry *entry;

	if (arnica_from_le32(command->object.reserved0) ||
	    index >= fn->view.layout.max_mr)
		return ARNICA_HW_COMMAND_INVALID;
	entry = &fn->view.tpt[index];
	tag = atomic_load_explicit(&entry->tag, memory_order_acquire);
	if (!tag && adev_tpt_is_pending(atomic_load(&entry->shared), stag)) {
		tag = stag;
		state = ARNICA_HW_STAG_PENDING;
	}
	if (!tag)
		return ARNICA_HW_COMMAND_OK;
	completion->stag = (struct arnica_hw_res_stag){
		.stag = arnica_to_le32(tag),
		.kind = arnica_to_le32(adev_tpt_kind(entry)),
		.pd = arnica_to_le32(entry->pd),
		.access = arnica_to_le32(adev_tpt_rights(entry)),
		.iova = arnica_to_le64(entry->iova),
		.length = arnica_to_le64(entry->length),
		.qpn = arnica_to_le32(entry->type == ADEV_TPT_LIST ?
					      0 :
					      entry->qpn),
		.state = arnica_to_le32(state),
	};
	return ARNICA_HW_COMMAND_OK;
}
