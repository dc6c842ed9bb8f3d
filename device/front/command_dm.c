/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Device memory: ranges of the segment that the application asked for. They
 * are mapped by the process already; a region over them is a region like any
 * other, registered by their address.
 */
#include <stdlib.h>

#include "front/command.h"
#include "front/exports.h"
#include "front/imports.h"
#include "front/objects.h"
#include "tpt/list.h"

#define FIRST_ROOM 16u

struct adev_dm {
	uint64_t offset; /* in the segment */
	uint64_t bytes;  /* zero: free */
	uint64_t length; /* that was asked for */
	uint32_t exports; /* functions of other processes that have it, too */
	bool freed; /* but for those */
};

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + ARNICA_HW_PAGE_BYTES - 1) &
	       ~(uint64_t)(ARNICA_HW_PAGE_BYTES - 1);
}

/* The table grows with what is allocated: most functions have none. */
static bool make_room(struct adev_function *fn)
{
	uint32_t room = fn->dm_room ? 2 * fn->dm_room : FIRST_ROOM;
	struct adev_dm *dms;

	if (fn->free_dms.count || fn->next_dm < fn->dm_room)
		return true;
	if (fn->dm_room >= adev_import_limit(fn, ARNICA_HW_MAX_DM))
		return false;
	dms = realloc(fn->dms, room * sizeof(*dms));
	if (!dms)
		return false;
	fn->dms = dms;
	fn->dm_room = room;
	return true;
}

/* Ranges begin at a page, which is the largest alignment there is. */
static bool is_sane(const struct arnica_hw_cmd_alloc_dm *wish)
{
	uint64_t length = arnica_from_le64(wish->length);
	uint32_t flags = arnica_from_le32(wish->flags);
	uint64_t most = flags & ARNICA_HW_DM_SHAREABLE ? UINT64_MAX / 2 :
							 ARNICA_HW_MAX_DM_BYTES;

	return length && length <= most &&
	       arnica_from_le32(wish->log_align) <= ARNICA_HW_PAGE_SHIFT &&
	       !(flags & ~(uint32_t)ARNICA_HW_DM_SHAREABLE);
}

/* The range under a handle, or NULL. */
static struct adev_dm *find(const struct adev_function *fn, uint32_t handle)
{
	uint32_t index = adev_import_number(fn, ARNICA_HW_MAX_DM, handle);

	return index < fn->next_dm && fn->dms[index].bytes &&
			       !fn->dms[index].freed ?
		       &fn->dms[index] :
		       NULL;
}

static void release(struct adev_function *fn, struct adev_dm *dm)
{
	adev_heap_free(&fn->heap, dm->offset, dm->bytes);
	*dm = (struct adev_dm){ 0 };
	adev_index_give(&fn->free_dms, (uint32_t)(dm - fn->dms));
}

bool adev_dm_export(struct adev_function *fn, uint32_t handle, uint64_t *offset,
		    uint64_t *length)
{
	struct adev_dm *dm = find(fn, handle);

	if (!dm)
		return false;
	dm->exports++;
	*offset = dm->offset;
	*length = dm->length;
	return true;
}

void adev_dm_return(struct adev_function *fn, uint32_t handle)
{
	struct adev_dm *dm =
		&fn->dms[adev_import_number(fn, ARNICA_HW_MAX_DM, handle)];

	if (!--dm->exports && dm->freed)
		release(fn, dm);
}

static void tell(const struct adev_function *fn, uint32_t index,
		 struct arnica_hw_completion *completion)
{
	completion->dm.handle = arnica_to_le32(
		adev_import_number(fn, ARNICA_HW_MAX_DM, index));
	completion->dm.offset = arnica_to_le64(fn->dms[index].offset);
	completion->dm.length = arnica_to_le64(fn->dms[index].length);
}

ADEV_COMMAND_HANDLER(alloc_dm)
{
	uint64_t bytes = arnica_from_le64(command->alloc_dm.length), offset;
	uint32_t index;

	if (!is_sane(&command->alloc_dm))
		return ARNICA_HW_COMMAND_INVALID;
	if (!make_room(fn) ||
	    adev_index_take(&fn->free_dms, &fn->next_dm, fn->dm_room, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	bytes = whole_pages(bytes);
	fn->dms[index].bytes = 0; /* it may be given back unused */
	if (adev_heap_alloc(&fn->heap, bytes, &offset)) {
		adev_index_give(&fn->free_dms, index);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	fn->dms[index] = (struct adev_dm){
		.offset = offset,
		.bytes = bytes,
		.length = arnica_from_le64(command->alloc_dm.length),
	};
	tell(fn, index, completion);
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(query_dm)
{
	const struct adev_dm *dm = find(
		fn, arnica_from_le32(command->object.handle));

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!dm)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	tell(fn, (uint32_t)(dm - fn->dms), completion);
	return ARNICA_HW_COMMAND_OK;
}

static bool overlaps(uint64_t address, uint64_t length, uint64_t start,
		     uint64_t bytes)
{
	return address < start + bytes && address + length > start;
}

/* Does a list have memory of its own, not a region's, in this range? */
static bool list_overlaps(const struct adev_function *fn,
			  const struct adev_tpt_entry *entry, uint64_t start,
			  uint64_t bytes)
{
	uint32_t count = entry->qpn, i;
	const struct adev_tpt_item *items;

	if (count > ADEV_TPT_MAX_ITEMS)
		return true;
	items = adev_view_at(&fn->view, entry->address,
			     count * sizeof(*items));
	for (i = 0; items && i < count; i++)
		if (!items[i].stag && overlaps(items[i].iova, items[i].length,
					       start, bytes))
			return true;
	return false;
}

/* Does a region stand in this range? Of those that work requests register, also
 * one that was taken back: peers may not be through with it. */
static bool is_registered(const struct adev_function *fn,
			  const struct adev_dm *dm)
{
	uint64_t start = (uintptr_t)fn->view.base + dm->offset;
	uint32_t number;

	for (number = 0; number < fn->next_mr; number++) {
		uint32_t index = number ^ fn->tpt_mask;
		const struct adev_tpt_entry *entry = &fn->view.tpt[index];

		if (fn->mr_pd[index] &&
		    (entry->type == ADEV_TPT_LIST ?
			     list_overlaps(fn, entry, start, dm->bytes) :
			     overlaps(entry->address, entry->length, start,
				      dm->bytes)))
			return true;
	}
	return false;
}

ADEV_COMMAND_HANDLER(free_dm)
{
	uint32_t handle = arnica_from_le32(command->object.handle);
	struct adev_dm *dm = find(fn, handle);

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	/* Its owner ends it. */
	if (adev_import_is_foreign(fn, ARNICA_HW_MAX_DM, handle))
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	if (!dm)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (is_registered(fn, dm))
		return ARNICA_HW_COMMAND_BUSY;
	dm->freed = true;
	if (!dm->exports)
		release(fn, dm);
	return ARNICA_HW_COMMAND_OK;
}
