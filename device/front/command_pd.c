/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protection domains and address handles. A protection domain lives as long as
 * something refers to it: regions, queue pairs and address handles do.
 */
#include "front/address.h"
#include "front/command.h"
#include "front/objects.h"

bool adev_pd_valid(const struct adev_function *fn, uint32_t pd)
{
	return pd < fn->view.layout.max_pd && fn->pd_references[pd];
}

ADEV_COMMAND_HANDLER(alloc_pd)
{
	uint32_t pd;

	(void)command;
	if (adev_index_take(&fn->free_pds, &fn->next_pd, fn->view.layout.max_pd,
			    &pd))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	fn->pd_references[pd] = 1;
	fn->num_pds++;
	completion->object.handle = arnica_to_le32(pd);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(dealloc_pd)
{
	uint32_t pd = arnica_from_le32(command->object.handle);

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (fn->pd_references[pd] > 1)
		return ARNICA_HW_COMMAND_BUSY;
	fn->pd_references[pd] = 0;
	fn->num_pds--;
	adev_index_give(&fn->free_pds, pd);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(create_ah)
{
	const struct arnica_hw_cmd_create_ah *create = &command->create_ah;
	uint32_t pd = arnica_from_le32(create->pd);
	enum arnica_hw_command_status status;
	uint32_t ah;

	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	status = adev_address_check(arnica_from_le32(create->port),
				    &create->attributes);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	if (adev_index_take(&fn->free_ahs, &fn->next_ah, ADEV_MAX_AH, &ah))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	fn->ah_pd[ah] = pd + 1;
	fn->num_ahs++;
	adev_pd_get(fn, pd);
	completion->object.handle = arnica_to_le32(ah);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(destroy_ah)
{
	uint32_t ah = arnica_from_le32(command->object.handle);

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (ah >= ADEV_MAX_AH || !fn->ah_pd[ah])
		return ARNICA_HW_COMMAND_NO_OBJECT;
	adev_pd_put(fn, fn->ah_pd[ah] - 1);
	fn->ah_pd[ah] = 0;
	fn->num_ahs--;
	adev_index_give(&fn->free_ahs, ah);
	return ARNICA_HW_COMMAND_OK;
}
