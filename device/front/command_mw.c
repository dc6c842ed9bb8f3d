/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory windows come and go by command; they are bound by work requests. A
 * handle is the index of the window's entry in the table. The key that a new
 * window has was never valid and is not: the first bind brings one that is.
 */
#include <errno.h>

#include "front/command.h"
#include "front/keys.h"
#include "front/objects.h"
#include "tpt/window.h"

#define DRAIN_MS 2000u

ADEV_COMMAND_HANDLER(alloc_mw)
{
	uint32_t pd = arnica_from_le32(command->alloc_mw.pd);
	uint32_t type = arnica_from_le32(command->alloc_mw.type);
	uint32_t index;

	if (type != ARNICA_HW_WINDOW_1 && type != ARNICA_HW_WINDOW_2)
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (adev_key_take(fn, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	if (adev_window_create(fn, index, type, pd)) {
		adev_key_give(fn, index);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	fn->num_windows++;
	adev_pd_get(fn, pd);
	completion->mr.handle = arnica_to_le32(index);
	completion->mr.stag = arnica_to_le32(adev_key_make(fn, index));
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(dealloc_mw)
{
	uint32_t index = arnica_from_le32(command->object.handle), pd;
	int error;

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	error = adev_window_destroy(fn, index, DRAIN_MS, &pd);
	if (error)
		return error == ENOENT ? ARNICA_HW_COMMAND_NO_OBJECT :
					 adev_command_status(error);
	adev_pd_put(fn, pd);
	fn->num_windows--;
	adev_key_give(fn, index);
	return ARNICA_HW_COMMAND_OK;
}
