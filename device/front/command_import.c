/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * IMPORT_* and UNIMPORT_*: what another process's function has, by its handles.
 *
 * An imported region is an entry of our own table, at the index that it has in
 * the exporter's, with the same key; its address is that of our mapping of the
 * exporter's segment. The data path sees a region of this process.
 */
#include <stdlib.h>

#include "core/call.h"
#include "domain/segment.h"
#include "front/command.h"
#include "front/import_table.h"
#include "front/region.h"

/* Rights that an imported region has: none to put windows on it, which would
 * keep its owner from ending it. */
#define RIGHTS                                                                 \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE |                              \
	 ARNICA_HW_ACCESS_REMOTE_WRITE | ARNICA_HW_ACCESS_REMOTE_READ |        \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC | ARNICA_HW_ACCESS_ZERO_BASED)

/* Asks the exporter for what it has under `handle`, of `limit`. */
static enum arnica_hw_command_status ask(struct adev_function *fn,
					 uint32_t limit, uint32_t handle,
					 struct adev_call *call)
{
	if (!fn->import)
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	if (handle >= limit)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	return adev_call(fn, fn->import->view, call);
}

ADEV_COMMAND_HANDLER(import_pd)
{
	uint32_t pd = arnica_from_le32(command->import.handle), births;
	struct adev_call call = {
		.operation = ADEV_CALL_EXPORT_PD,
		.arguments = { pd },
	};
	enum arnica_hw_command_status status;

	if (arnica_from_le32(command->import.pd))
		return ARNICA_HW_COMMAND_INVALID;
	status = ask(fn, fn->view.layout.max_pd, pd, &call);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	/* The exporter has so many that this is a number of ours. */
	if (!adev_import_is_foreign(fn, fn->view.layout.max_pd, pd))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	births = (uint32_t)call.answers[0];
	/* Another one by now, and objects of ours are in the one before. */
	if (fn->import->births[pd] != births && fn->pd_references[pd] > 1)
		return ARNICA_HW_COMMAND_BUSY;
	fn->import->births[pd] = births;
	if (!fn->pd_references[pd])
		fn->pd_references[pd] = 1;
	completion->object.handle = arnica_to_le32(pd);
	return ARNICA_HW_COMMAND_OK;
}

/* As the exporter says; whatever that is, the place is in its segment. */
static bool store_region(struct adev_function *fn, uint32_t index, uint32_t pd,
			 const struct adev_call *call)
{
	struct adev_tpt_entry *entry = &fn->view.tpt[index];
	const char *place = adev_view_at(fn->import->view, call->answers[0],
					 call->answers[2]);

	if (!place || call->answers[3] + call->answers[2] < call->answers[3])
		return false;
	adev_region_store(
		fn, index,
		&(struct adev_region){
			.pd = pd,
			.access = (uint32_t)(call->answers[1] >> 32) & RIGHTS,
			.address = (uintptr_t)place,
			.length = call->answers[2],
			.iova = call->answers[3],
		});
	entry->type = ADEV_TPT_IMPORTED;
	entry->address_space = fn->import->view->function;
	atomic_store(&entry->shared, 0);
	return true;
}

static enum arnica_hw_command_status add_region(struct adev_function *fn,
						uint32_t index, uint32_t pd,
						const struct adev_call *call)
{
	uint64_t entry_offset = fn->view.layout.tpt_offset +
				index * sizeof(struct adev_tpt_entry);
	uint32_t stag = (uint32_t)call->answers[1];
	struct adev_imported_region *region;

	if (adev_tpt_index(stag) != index || !(stag & 0xff))
		return ARNICA_HW_COMMAND_IO;
	region = calloc(1, sizeof(*region));
	if (!region || adev_segment_populate(fn->segment_fd, entry_offset,
					     sizeof(struct adev_tpt_entry))) {
		free(region);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	if (!store_region(fn, index, pd, call)) {
		free(region);
		return ARNICA_HW_COMMAND_IO;
	}
	region->stag = stag;
	region->references = 1;
	region->next = fn->import->regions;
	fn->import->regions = region;
	adev_tpt_publish(&fn->view.tpt[index], stag);
	return ARNICA_HW_COMMAND_OK;
}

static void tell_region(const struct adev_function *fn, uint32_t index,
			struct arnica_hw_completion *completion)
{
	const struct adev_tpt_entry *entry = &fn->view.tpt[index];
	struct arnica_hw_res_region *region = &completion->region;

	region->stag = arnica_to_le32(
		(*adev_import_find_region(fn, index))->stag);
	region->pd = arnica_to_le32(entry->pd);
	region->length = arnica_to_le64(entry->length);
	region->iova = arnica_to_le64(entry->iova);
	region->access = arnica_to_le32(entry->access);
}

/* The exporter need not keep it for us. */
static void give_back(struct adev_function *fn,
		      enum adev_call_operation operation, uint32_t handle)
{
	struct adev_call call = {
		.operation = operation,
		.arguments = { handle },
	};

	(void)!adev_call(fn, fn->import->view, &call);
}

/* What was ended while we waited may be what was answered: asks again. */
static enum arnica_hw_command_status
ask_for_region(struct adev_function *fn, uint32_t index, uint32_t pd,
	       struct adev_call *call)
{
	enum arnica_hw_command_status status;
	uint32_t before;

	do {
		*call = (struct adev_call){
			.operation = ADEV_CALL_EXPORT_MR,
			.arguments = { index, pd, fn->import->births[pd] },
		};
		before = fn->import->num_revoked;
		status = adev_call(fn, fn->import->view, call);
	} while (status == ARNICA_HW_COMMAND_OK &&
		 fn->import->num_revoked != before);
	return status;
}

ADEV_COMMAND_HANDLER(import_mr)
{
	uint32_t index = arnica_from_le32(command->import.handle);
	uint32_t pd = arnica_from_le32(command->import.pd);
	struct adev_imported_region *region;
	enum arnica_hw_command_status status;
	struct adev_call call;

	if (!fn->import)
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	if (index >= fn->view.layout.max_mr ||
	    !adev_import_is_foreign(fn, fn->view.layout.max_pd, pd) ||
	    !adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	status = ask_for_region(fn, index, pd, &call);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	region = *adev_import_find_region(fn, index);
	if (!((index ^ fn->tpt_mask) & fn->view.layout.max_mr / 2))
		status = ARNICA_HW_COMMAND_NO_MEMORY; /* our own half */
	else if (region && region->stag != (uint32_t)call.answers[1])
		return ARNICA_HW_COMMAND_IO; /* it would have been revoked */
	else if (region)
		region->references++;
	else
		status = add_region(fn, index, pd, &call);
	if (status == ARNICA_HW_COMMAND_OK)
		tell_region(fn, index, completion);
	else
		give_back(fn, ADEV_CALL_RETURN_MR, index);
	return status;
}

ADEV_COMMAND_HANDLER(unimport_mr)
{
	uint32_t index = arnica_from_le32(command->object.handle);
	struct adev_imported_region **link;
	enum arnica_hw_command_status status;

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!fn->import)
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	link = adev_import_find_region(fn, index);
	if (!*link)
		return ARNICA_HW_COMMAND_NO_OBJECT; /* revoked */
	completion->object.handle = arnica_to_le32(--(*link)->references);
	if ((*link)->references)
		return ARNICA_HW_COMMAND_OK;
	status = adev_import_end_region(fn, link);
	if (status == ARNICA_HW_COMMAND_OK)
		give_back(fn, ADEV_CALL_RETURN_MR, index);
	else
		(*link)->references++;
	return status;
}

static void tell_dm(const struct adev_imported_dm *dm,
		    struct arnica_hw_completion *completion)
{
	completion->dm.handle = arnica_to_le32(dm->handle);
	completion->dm.offset = arnica_to_le64(dm->offset);
	completion->dm.length = arnica_to_le64(dm->length);
}

static enum arnica_hw_command_status add_dm(struct adev_function *fn,
					    const struct adev_call *call)
{
	struct adev_imported_dm *dm;

	if (call->answers[0] < ARNICA_HW_BAR_END ||
	    !adev_view_at(fn->import->view, call->answers[0],
			  call->answers[1]))
		return ARNICA_HW_COMMAND_IO;
	dm = calloc(1, sizeof(*dm));
	if (!dm)
		return ARNICA_HW_COMMAND_NO_MEMORY;
	*dm = (struct adev_imported_dm){
		.handle = call->arguments[0],
		.offset = call->answers[0],
		.length = call->answers[1],
		.next = fn->import->dms,
	};
	fn->import->dms = dm;
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(import_dm)
{
	uint32_t handle = arnica_from_le32(command->import.handle);
	struct adev_call call = {
		.operation = ADEV_CALL_EXPORT_DM,
		.arguments = { handle },
	};
	enum arnica_hw_command_status status;

	if (arnica_from_le32(command->import.pd))
		return ARNICA_HW_COMMAND_INVALID;
	if (!fn->import || !*adev_import_find_dm(fn, handle)) {
		status = ask(fn, ARNICA_HW_MAX_DM, handle, &call);
		if (status != ARNICA_HW_COMMAND_OK)
			return status;
		/* With a number of ours, as above? */
		status = adev_import_is_foreign(fn, ARNICA_HW_MAX_DM, handle) ?
				 add_dm(fn, &call) :
				 ARNICA_HW_COMMAND_NO_MEMORY;
		if (status != ARNICA_HW_COMMAND_OK) {
			give_back(fn, ADEV_CALL_RETURN_DM, handle);
			return status;
		}
	}
	(*adev_import_find_dm(fn, handle))->references++;
	tell_dm(*adev_import_find_dm(fn, handle), completion);
	return ARNICA_HW_COMMAND_OK;
}

/* A region of ours that stands on it keeps it until we end. */
ADEV_COMMAND_HANDLER(unimport_dm)
{
	uint32_t handle = arnica_from_le32(command->object.handle);
	struct adev_imported_dm **link, *dm;

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!fn->import)
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	link = adev_import_find_dm(fn, handle);
	dm = *link;
	if (!dm || !dm->references)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	dm->references--;
	if (dm->references ||
	    adev_regions_overlap(fn, UINT32_MAX,
				 (uintptr_t)fn->import->view->base + dm->offset,
				 dm->length, true))
		return ARNICA_HW_COMMAND_OK;
	*link = dm->next;
	free(dm);
	give_back(fn, ADEV_CALL_RETURN_DM, handle);
	return ARNICA_HW_COMMAND_OK;
}
