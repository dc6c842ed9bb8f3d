/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Indirect keys come and go by command, and may be set by one. A handle is the
 * index of the key's entry in the table.
 */
#include <errno.h>
#include <stdlib.h>

#include <arnica/hw/wqe.h>

#include "core/clock.h"
#include "dma/guard.h"
#include "front/begun.h"
#include "front/command.h"
#include "front/keys.h"
#include "front/objects.h"
#include "tpt/mkey.h"

#define DRAIN_MS 2000u

ADEV_COMMAND_HANDLER(create_mkey)
{
	uint32_t pd = arnica_from_le32(command->create_mkey.pd);
	uint32_t index, key;
	int error;

	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (adev_key_take(fn, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	key = adev_key_make(fn, index);
	error = adev_mkey_create(
		fn, index, key, pd,
		arnica_from_le32(command->create_mkey.max_entries));
	if (error) {
		adev_key_give(fn, index);
		return adev_command_status(error);
	}
	adev_pd_get(fn, pd);
	completion->mr.handle = arnica_to_le32(index);
	completion->mr.stag = arnica_to_le32(key);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(destroy_mkey)
{
	uint32_t index = arnica_from_le32(command->object.handle), pd;
	int error;

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	error = adev_mkey_destroy(fn, index, DRAIN_MS, &pd);
	if (error)
		return error == ENOENT ? ARNICA_HW_COMMAND_NO_OBJECT :
					 adev_command_status(error);
	/* Who saw the key valid may be about to look at the entry. */
	adev_regions_wait_for_own_work(fn);
	adev_pd_put(fn, pd);
	adev_key_give(fn, index);
	return ARNICA_HW_COMMAND_OK;
}

/* The caller's entries, copied once. */
static int read_items(uint64_t address, uint32_t count,
		      struct adev_tpt_item *items)
{
	struct arnica_hw_mkey_entry *entries;
	int error = 0;

	entries = malloc(count * sizeof(*entries));
	if (!entries)
		return ENOMEM;
	if (adev_guard_copy(entries, (const void *)(uintptr_t)address,
			    count * sizeof(*entries)))
		adev_mkey_read_items(entries, count, items);
	else
		error = EFAULT;
	free(entries);
	return error;
}

/* Of the key's own domain: who has the handle may set it. */
static enum arnica_hw_command_status set(struct adev_function *fn,
					 const struct adev_mkey_layout *layout,
					 uint32_t pd,
					 struct adev_tpt_item *items)
{
	uint64_t until = adev_now_ns() + DRAIN_MS * ADEV_MS_NS;

	for (;;) {
		switch (adev_mkey_set(fn, pd, layout, items)) {
		case ADEV_WINDOW_DONE:
			return ARNICA_HW_COMMAND_OK;
		case ADEV_WINDOW_REFUSED:
			return ARNICA_HW_COMMAND_INVALID;
		case ADEV_WINDOW_BUSY:
		case ADEV_WINDOW_PENDING: /* its registrations are over */
			break;
		}
		if (adev_now_ns() > until)
			return ARNICA_HW_COMMAND_BUSY;
	}
}

/* Commands are carried out in order: what was begun before is over. */
static void await_regions(struct adev_function *fn,
			  const struct adev_tpt_item *items, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		adev_begun_wait(fn, adev_tpt_index(items[i].stag));
}

ADEV_COMMAND_HANDLER(set_mkey)
{
	const struct arnica_hw_cmd_set_mkey *cmd = &command->set_mkey;
	uint32_t index = arnica_from_le32(cmd->handle), pd;
	const struct adev_mkey_layout layout = {
		.key = adev_mkey_key(fn, index, &pd),
		.access = arnica_from_le32(cmd->access),
		.count = arnica_from_le32(cmd->num_entries),
		.rows = arnica_from_le64(cmd->rows),
	};
	enum arnica_hw_command_status status;
	struct adev_tpt_item *items;

	(void)completion;
	if (!layout.key)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (arnica_from_le32(cmd->reserved0) || !layout.count ||
	    layout.count > ADEV_TPT_MAX_ITEMS)
		return ARNICA_HW_COMMAND_INVALID;
	items = malloc(layout.count * sizeof(*items));
	if (!items)
		return ARNICA_HW_COMMAND_NO_MEMORY;
	status = adev_command_status(read_items(arnica_from_le64(cmd->entries),
						layout.count, items));
	if (status == ARNICA_HW_COMMAND_OK) {
		await_regions(fn, items, layout.count);
		status = set(fn, &layout, pd, items);
	}
	free(items);
	return status;
}
