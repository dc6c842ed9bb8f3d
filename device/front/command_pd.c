/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protection domains and address handles. A protection domain lives as long as
 * something refers to it: regions, queue pairs and address handles do.
 */
#include <errno.h>

#include "front/address.h"
#include "front/command.h"
#include "front/imports.h"
#include "front/objects.h"
#include "transport/address_handle.h"

bool adev_pd_valid(const struct adev_function *fn, uint32_t pd)
{
	return pd < fn->view.layout.max_pd && fn->pd_references[pd];
}

ADEV_COMMAND_HANDLER(alloc_pd)
{
	uint32_t max_pd = fn->view.layout.max_pd, pd;

	(void)command;
	if (adev_index_take(&fn->free_pds, &fn->next_pd,
			    adev_import_limit(fn, max_pd), &pd))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	pd = adev_import_number(fn, max_pd, pd);
	fn->pd_references[pd] = 1;
	fn->pd_births[pd]++;
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
	/* Its owner ends it. */
	if (adev_import_is_foreign(fn, fn->view.layout.max_pd, pd))
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	if (fn->pd_references[pd] > 1)
		return ARNICA_HW_COMMAND_BUSY;
	fn->pd_references[pd] = 0;
	fn->num_pds--;
	adev_index_give(&fn->free_pds,
			adev_import_number(fn, fn->view.layout.max_pd, pd));
	return ARNICA_HW_COMMAND_OK;
}

/* Is there such a domain? */
ADEV_COMMAND_HANDLER(query_pd)
{
	uint32_t pd = arnica_from_le32(command->object.handle);

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	completion->object.handle = arnica_to_le32(pd);
	return ARNICA_HW_COMMAND_OK;
}

/* To another host there has to be a wire. */
static enum arnica_hw_command_status open_wire(struct adev_function *fn)
{
	int error = adev_wire_open(fn);

	if (error == EADDRINUSE || error == EACCES || error == EPERM)
		error = ENETUNREACH;
	return adev_command_status(error);
}

ADEV_COMMAND_HANDLER(create_ah)
{
	const struct arnica_hw_cmd_create_ah *create = &command->create_ah;
	uint32_t pd = arnica_from_le32(create->pd);
	enum arnica_hw_command_status status;
	struct adev_way way;
	struct adev_ah *ah;
	uint32_t number;

	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	status = adev_address_resolve(arnica_from_le32(create->port),
				      &create->attributes, &way);
	if (status == ARNICA_HW_COMMAND_OK && way.wire)
		status = open_wire(fn);
	/* A group is the members of this host domain, too. */
	if (status == ARNICA_HW_COMMAND_UNREACHABLE && way.group && way.here)
		status = ARNICA_HW_COMMAND_OK;
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	if (adev_index_take(&fn->free_ahs, &fn->next_ah, ADEV_MAX_AH, &number))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	ah = adev_ah_make(fn->ahs, number);
	if (!ah) {
		adev_index_give(&fn->free_ahs, number);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	ah->way = way;
	/* Last: from now on datagrams can use it. */
	atomic_store_explicit(&ah->pd, pd + 1, memory_order_release);
	fn->num_ahs++;
	adev_pd_get(fn, pd);
	completion->object.handle = arnica_to_le32(number);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(destroy_ah)
{
	uint32_t number = arnica_from_le32(command->object.handle);
	struct adev_ah *ah;

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_ah_find(fn->ahs, number))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	ah = adev_ah_make(fn->ahs, number); /* it is there */
	adev_pd_put(fn, atomic_load(&ah->pd) - 1);
	atomic_store(&ah->pd, 0);
	fn->num_ahs--;
	adev_index_give(&fn->free_ahs, number);
	return ARNICA_HW_COMMAND_OK;
}
