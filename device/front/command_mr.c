/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory regions: entries of the translation and protection table.
 *
 * A handle is the index of the entry. An entry changes only while it is
 * invalid and nobody uses it any more; every registration has another STag,
 * and the one before it on the same entry is never the same.
 */
#include <errno.h>
#include <sched.h>

#include "adopt/adopt.h"
#include "adopt/advice.h"
#include "core/qp_lock.h"
#include "exec/exec.h"
#include "front/begun.h"
#include "front/command.h"
#include "front/exports.h"
#include "front/imports.h"
#include "front/keys.h"
#include "front/memory.h"
#include "front/objects.h"
#include "front/region.h"
#include "tpt/fast.h"
#include "tpt/null_memory.h"
#include "tpt/shared.h"
#include "tpt/tpt.h"
#include "tpt/window.h"

#define QUIESCE_MS 2000u

#define REREG_ALL                                                              \
	((uint32_t)ARNICA_HW_REREG_TRANSLATION | ARNICA_HW_REREG_PD |          \
	 ARNICA_HW_REREG_ACCESS)

static enum arnica_hw_command_status touch(const struct adev_region *region)
{
	if (!adev_region_needs_pages(region))
		return ARNICA_HW_COMMAND_OK;
	return adev_command_status(adev_memory_populate(
		region->address, region->length,
		region->access & ARNICA_HW_ACCESS_LOCAL_WRITE));
}

/* May a store, or with `loads` any access, through this entry be on its way to
 * [start, start + bytes)? What work requests register, and what stands behind
 * lists, changes without a command. */
static bool may_be_used(const struct adev_tpt_entry *entry, uint64_t start,
			uint64_t bytes, bool loads)
{
	switch (entry->type) {
	case ADEV_TPT_REGION:
		return atomic_load(&entry->tag) &&
		       (loads ||
			entry->access & ARNICA_HW_ACCESS_LOCAL_WRITE) &&
		       entry->address < start + bytes &&
		       entry->address + entry->length > start;
	case ADEV_TPT_FAST:
	case ADEV_TPT_LIST:
		return true;
	default:
		return false;
	}
}

bool adev_regions_overlap(const struct adev_function *fn, uint32_t index,
			  uint64_t address, uint64_t length, bool loads)
{
	uint32_t number;

	for (number = 0; number < fn->next_mr; number++) {
		uint32_t other = number ^ fn->tpt_mask;

		if (other != index && fn->mr_pd[other] &&
		    may_be_used(&fn->view.tpt[other], address, length, loads))
			return true;
	}
	return false;
}

/* Makes its pages reachable for peers, if they may be. */
static void adopt(struct adev_function *fn, uint32_t index,
		  enum adev_adopt_users users)
{
	uint64_t shared = adev_region_adopt(fn, index, users);

	/* P9: the contents are in the pages before a peer looks there. */
	if (shared)
		atomic_store_explicit(&fn->view.tpt[index].shared, shared,
				      memory_order_release);
}

/* Does this process itself send or receive? */
static bool is_at_work(const struct adev_function *fn)
{
	uint32_t index;

	for (index = 0; index < fn->qp_scan_end; index++) {
		const struct adev_qp *qp = fn->qps[index];

		if (qp && atomic_load(&qp->shared->state) >= ARNICA_HW_QPS_RTR)
			return true;
	}
	return false;
}

void adev_regions_meet_peers(struct adev_function *fn)
{
	enum adev_adopt_users users;
	uint32_t number;

	if (fn->has_peers)
		return;
	fn->has_peers = true;
	users = is_at_work(fn) ? ADEV_ADOPT_USED_HERE : ADEV_ADOPT_USED_BY_NONE;
	for (number = 0; number < fn->next_mr; number++) {
		uint32_t index = number ^ fn->tpt_mask;
		const struct adev_tpt_entry *entry = &fn->view.tpt[index];

		if (!adev_adopt_wants_more(fn))
			break;
		if (fn->mr_pd[index] && entry->type == ADEV_TPT_REGION &&
		    !atomic_load(&entry->shared))
			adopt(fn, index, users);
	}
}

/* Where the region lies in the segment, if all of it does. */
static bool find_offset(const struct adev_function *fn,
			const struct adev_tpt_entry *entry, uint64_t *offset)
{
	uint64_t shared = atomic_load(&entry->shared), inside;

	*offset = entry->address - (uintptr_t)fn->view.base;
	if (adev_view_at(&fn->view, *offset, entry->length))
		return true;
	inside = entry->address - adev_tpt_shared_start(shared, entry->address);
	*offset = adev_tpt_shared_offset(shared) + inside;
	return shared && inside < adev_tpt_shared_bytes(shared) &&
	       entry->length <= adev_tpt_shared_bytes(shared) - inside;
}

enum arnica_hw_command_status
adev_region_export(struct adev_function *fn, uint32_t index, uint32_t pd,
		   uint64_t *offset)
{
	const struct adev_tpt_entry *entry;

	if (index >= fn->view.layout.max_mr || fn->mr_pd[index] != pd + 1)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	entry = &fn->view.tpt[index];
	if (entry->type != ADEV_TPT_REGION || !entry->length ||
	    !atomic_load(&entry->tag))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (find_offset(fn, entry, offset))
		return ARNICA_HW_COMMAND_OK;
	adev_regions_meet_peers(fn);
	return find_offset(fn, entry, offset) ?
		       ARNICA_HW_COMMAND_OK :
		       ARNICA_HW_COMMAND_NOT_SUPPORTED;
}

/* The entry is invalid, and nobody uses what it named. */
static void disown(struct adev_function *fn, uint32_t index)
{
	struct adev_tpt_entry *entry = &fn->view.tpt[index];
	uint64_t shared = 0;

	/* The word of others is another one. */
	if (entry->type == ADEV_TPT_REGION && !adev_region_is_unborn(fn, index))
		shared = atomic_load(&entry->shared);
	atomic_store(&entry->shared, 0);
	adev_adopt_put(fn, index, shared);
}

static void publish(struct adev_function *fn, uint32_t index, uint32_t stag,
		    struct arnica_hw_completion *completion)
{
	adev_tpt_publish(&fn->view.tpt[index], stag);
	completion->mr.handle = arnica_to_le32(index);
	completion->mr.stag = arnica_to_le32(stag);
}

/* A region whose entry is filled in. */
static void begin(struct adev_function *fn, uint32_t index, uint32_t pd,
		  struct arnica_hw_completion *completion)
{
	adev_region_count(fn, index, pd);
	publish(fn, index, adev_key_make(fn, index), completion);
}

ADEV_COMMAND_HANDLER(reg_mr)
{
	enum arnica_hw_command_status status;
	struct adev_region region;
	uint32_t index;

	status = adev_region_read(fn, &command->reg_mr, &region);
	if (status == ARNICA_HW_COMMAND_OK)
		status = touch(&region);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	if (adev_key_take(fn, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	adev_region_store(fn, index, &region);
	adopt(fn, index, ADEV_ADOPT_NEW);
	begin(fn, index, region.pd, completion);
	return ARNICA_HW_COMMAND_OK;
}

/* Regions of memory only: what else has a key is of no use without the objects
 * that the host has beside it. */
ADEV_COMMAND_HANDLER(query_mr)
{
	uint32_t index = arnica_from_le32(command->object.handle);
	struct arnica_hw_res_region *region = &completion->region;
	const struct adev_tpt_entry *entry;

	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (index >= fn->view.layout.max_mr || !fn->mr_pd[index])
		return ARNICA_HW_COMMAND_NO_OBJECT;
	entry = &fn->view.tpt[index];
	if (entry->type != ADEV_TPT_REGION || entry->sink ||
	    adev_region_is_unborn(fn, index))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	region->stag = arnica_to_le32(index << 8 | fn->mr_instance[index]);
	region->pd = arnica_to_le32(fn->mr_pd[index] - 1);
	region->length = arnica_to_le64(entry->length);
	region->iova = arnica_to_le64(entry->iova);
	return ARNICA_HW_COMMAND_OK;
}

/* It has a place for what is read and one for what is written, and no end; it
 * is not for peers (ibv_alloc_null_mr(3)). */
ADEV_COMMAND_HANDLER(alloc_null_mr)
{
	uint32_t pd = arnica_from_le32(command->alloc_null_mr.pd), index;
	struct adev_tpt_entry *entry;
	uint64_t zeros, sink;

	if (arnica_from_le32(command->alloc_null_mr.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (adev_null_memory(&zeros, &sink) || adev_key_take(fn, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	adev_region_store(fn, index,
		     &(struct adev_region){
			     .pd = pd,
			     .access = ARNICA_HW_ACCESS_LOCAL_WRITE,
			     .address = zeros,
		     });
	entry = &fn->view.tpt[index];
	entry->type = ADEV_TPT_NULL;
	entry->sink = sink;
	begin(fn, index, pd, completion);
	return ARNICA_HW_COMMAND_OK;
}

/* It has no memory, and no key that is valid, before a work request says so. */
ADEV_COMMAND_HANDLER(alloc_mr)
{
	uint32_t pd = arnica_from_le32(command->alloc_mr.pd), index;
	uint32_t max_ranges = arnica_from_le32(command->alloc_mr.max_ranges);

	if (!max_ranges || max_ranges > ARNICA_HW_MAX_RANGES)
		return ARNICA_HW_COMMAND_INVALID;
	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (adev_key_take(fn, &index))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	if (adev_fast_create(fn, index, pd, max_ranges)) {
		adev_key_give(fn, index);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	adev_region_store(fn, index, &(struct adev_region){ .pd = pd });
	fn->view.tpt[index].type = ADEV_TPT_FAST;
	adev_region_count(fn, index, pd);
	completion->mr.handle = arnica_to_le32(index);
	completion->mr.stag = arnica_to_le32(adev_key_make(fn, index));
	return ARNICA_HW_COMMAND_OK;
}

static bool mr_valid(const struct adev_function *fn, uint32_t index)
{
	return index < fn->view.layout.max_mr && fn->mr_pd[index];
}

/*
 * Waits for what this process itself does with regions: requests of peers that
 * it serves, and its own messages. A message that goes on later checks its
 * regions again.
 */
void adev_regions_wait_for_own_work(struct adev_function *fn)
{
	uint32_t index;

	while (atomic_flag_test_and_set(&fn->serving))
		sched_yield();
	atomic_flag_clear(&fn->serving);
	for (index = 0; index < fn->qp_scan_end; index++) {
		struct adev_qp *qp = fn->qps[index];

		if (!qp)
			continue;
		adev_qp_lock_send(qp);
		adev_exec_release(qp);
	}
}

/* No access is under way when this returns OK. BUSY: as if never tried; as
 * long as a window stands on the region, too (IBTA 11.2.8.4, 11.2.8.5). */
static enum arnica_hw_command_status invalidate(struct adev_function *fn,
						uint32_t index)
{
	struct adev_tpt_entry *entry = &fn->view.tpt[index];
	uint32_t stag = adev_key_of(fn, index);

	if (!adev_windows_leave_region(fn, index))
		return ARNICA_HW_COMMAND_BUSY;
	if (!adev_qp_lock_quiesce(fn, index, QUIESCE_MS) &&
	    !adev_exports_revoke(fn, index)) {
		adev_regions_wait_for_own_work(fn);
		return ARNICA_HW_COMMAND_OK;
	}
	adev_tpt_publish(entry, stag);
	return ARNICA_HW_COMMAND_BUSY;
}

/* The same for one of ALLOC_MR, for good: also what a peer or a work request
 * made invalid may be in use. */
static enum arnica_hw_command_status end_fast(struct adev_function *fn,
					      uint32_t index)
{
	uint32_t tag;
	struct adev_fast *fast = adev_fast_withdraw(fn, index, &tag);

	if (!fast)
		return ARNICA_HW_COMMAND_BUSY;
	if (adev_qp_lock_quiesce(fn, index, QUIESCE_MS)) {
		adev_fast_restore(fn, fast, tag);
		return ARNICA_HW_COMMAND_BUSY;
	}
	adev_regions_wait_for_own_work(fn);
	/* The next key of this entry is to be another one. */
	fn->mr_instance[index] = (uint8_t)adev_fast_destroy(fn, fast);
	return ARNICA_HW_COMMAND_OK;
}

/* The region as it will be: what does not change is taken from the entry. */
static struct adev_region merge(const struct adev_function *fn, uint32_t index,
			   const struct adev_region *wanted, uint32_t change)
{
	const struct adev_tpt_entry *entry = &fn->view.tpt[index];
	struct adev_region region = *wanted;

	if (!(change & ARNICA_HW_REREG_TRANSLATION)) {
		region.address = entry->address;
		region.length = entry->length;
		region.iova = entry->iova;
	}
	if (!(change & ARNICA_HW_REREG_PD))
		region.pd = fn->mr_pd[index] - 1;
	if (!(change & ARNICA_HW_REREG_ACCESS))
		region.access = entry->access;
	return region;
}

/*
 * Everything that can fail comes before the change, so that a refused command
 * leaves the region as it was. Pages are touched again when only the rights
 * change: what was read-only may be written from then on.
 */
ADEV_COMMAND_HANDLER(rereg_mr)
{
	const struct adev_region wanted = adev_region_from(&command->reg_mr);
	uint32_t index = arnica_from_le32(command->reg_mr.handle);
	uint32_t change = arnica_from_le32(command->reg_mr.change);
	enum arnica_hw_command_status status;
	struct adev_region region;

	if (!change || change & ~REREG_ALL)
		return ARNICA_HW_COMMAND_INVALID;
	if (!mr_valid(fn, index))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	adev_begun_wait(fn, index);
	if (adev_region_is_unborn(fn, index))
		return ARNICA_HW_COMMAND_INVALID;
	if (fn->view.tpt[index].type == ADEV_TPT_NULL || adev_fast_exists(fn, index))
		return ARNICA_HW_COMMAND_INVALID;
	region = merge(fn, index, &wanted, change);
	status = adev_region_check(fn, &region);
	if (status == ARNICA_HW_COMMAND_OK && change != ARNICA_HW_REREG_PD)
		status = touch(&region);
	if (status == ARNICA_HW_COMMAND_OK)
		status = invalidate(fn, index);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	adev_pd_get(fn, region.pd);
	adev_pd_put(fn, fn->mr_pd[index] - 1);
	fn->mr_pd[index] = region.pd + 1;
	if (change != ARNICA_HW_REREG_PD)
		disown(fn, index);
	adev_region_store(fn, index, &region);
	if (change != ARNICA_HW_REREG_PD)
		adopt(fn, index, ADEV_ADOPT_NEW);
	/* The key stays, as with hardware: peers hold copies of it. */
	publish(fn, index, adev_key_of(fn, index), completion);
	return ARNICA_HW_COMMAND_OK;
}

static bool is_region(const struct adev_function *fn, uint32_t index)
{
	return fn->mr_pd[index] &&
	       fn->view.tpt[index].type == ADEV_TPT_REGION &&
	       !adev_region_is_unborn(fn, index);
}

/* Is it among the adopted pages that [start, start + bytes) has a part in, or
 * does it reach into adopted pages without being among them? */
static bool is_concerned(const struct adev_function *fn, uint32_t index,
			 uint64_t start, uint64_t bytes)
{
	const struct adev_tpt_entry *entry = &fn->view.tpt[index];
	uint64_t shared = atomic_load(&entry->shared);

	return shared ? adev_adopt_is_in(fn, shared, start, bytes) :
			adev_adopt_concerns(entry->address, entry->length);
}

/* Those that are invalid let nobody at the pages when the last of them goes. */
void adev_regions_release(struct adev_function *fn, uint64_t start,
			  uint64_t bytes)
{
	uint32_t number, index;

	for (number = 0; number < fn->next_mr; number++) {
		index = number ^ fn->tpt_mask;
		if (is_region(fn, index) &&
		    is_concerned(fn, index, start, bytes))
			(void)!invalidate(fn, index);
	}
	for (number = 0; number < fn->next_mr; number++) {
		index = number ^ fn->tpt_mask;
		if (is_region(fn, index) &&
		    !atomic_load(&fn->view.tpt[index].tag))
			disown(fn, index);
	}
	for (number = 0; number < fn->next_mr; number++) {
		index = number ^ fn->tpt_mask;
		if (is_region(fn, index) &&
		    !atomic_load(&fn->view.tpt[index].tag))
			adev_tpt_publish(&fn->view.tpt[index],
					 adev_key_of(fn, index));
	}
}

static enum arnica_hw_command_status end_region(struct adev_function *fn,
						uint32_t index)
{
	if (adev_fast_exists(fn, index))
		return end_fast(fn, index);
	adev_begun_cancel(fn, index);
	/* It never was valid: there is nobody to wait for. */
	if (adev_region_is_unborn(fn, index))
		return ARNICA_HW_COMMAND_OK;
	return invalidate(fn, index);
}

ADEV_COMMAND_HANDLER(dereg_mr)
{
	uint32_t index = arnica_from_le32(command->object.handle);
	enum arnica_hw_command_status status;

	(void)completion;
	if (arnica_from_le32(command->object.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	/* Its owner ends it. */
	if (adev_import_has_region(fn, index))
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	if (!mr_valid(fn, index))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	status = end_region(fn, index);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	disown(fn, index);
	adev_pd_put(fn, fn->mr_pd[index] - 1);
	fn->mr_pd[index] = 0;
	fn->num_mrs--;
	adev_key_give(fn, index);
	return ARNICA_HW_COMMAND_OK;
}
