/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a command asks for, checked, and the entry that it becomes. */
#include "front/region.h"

#include "front/objects.h"
#include "tpt/pending.h"

/* Hints that may be ignored: IBV_ACCESS_OPTIONAL_RANGE. */
#define ACCESS_OPTIONAL ARNICA_GENMASK32(29, 20)
#define ACCESS_RIGHTS                                                          \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE |                              \
	 ARNICA_HW_ACCESS_REMOTE_WRITE | ARNICA_HW_ACCESS_REMOTE_READ |        \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC | ARNICA_HW_ACCESS_MW_BIND |           \
	 ARNICA_HW_ACCESS_ZERO_BASED | ARNICA_HW_ACCESS_ON_DEMAND |           \
	 ARNICA_HW_ACCESS_HUGETLB)
#define ACCESS_NOT_THERE                                                       \
	((uint32_t)ARNICA_HW_ACCESS_FLUSH_GLOBAL |                             \
	 ARNICA_HW_ACCESS_FLUSH_PERSISTENT)
#define ACCESS_REMOTE_STORES                                                   \
	((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE |                             \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC)

struct adev_region adev_region_from(const struct arnica_hw_cmd_reg_mr *command)
{
	return (struct adev_region){
		.pd = arnica_from_le32(command->pd),
		.access = arnica_from_le32(command->access) & ~ACCESS_OPTIONAL,
		.address = arnica_from_le64(command->address),
		.length = arnica_from_le64(command->length),
		.iova = arnica_from_le64(command->iova),
	};
}

static enum arnica_hw_command_status check_access(uint32_t access)
{
	if (access & ~(ACCESS_RIGHTS | ACCESS_NOT_THERE))
		return ARNICA_HW_COMMAND_INVALID;
	if (access & ACCESS_NOT_THERE)
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;
	if (access & ACCESS_REMOTE_STORES &&
	    !(access & ARNICA_HW_ACCESS_LOCAL_WRITE))
		return ARNICA_HW_COMMAND_INVALID;
	return ARNICA_HW_COMMAND_OK;
}

static bool range_wraps(uint64_t start, uint64_t length)
{
	return length && length - 1 > UINT64_MAX - start;
}

enum arnica_hw_command_status adev_region_check(
	const struct adev_function *fn, const struct adev_region *region)
{
	enum arnica_hw_command_status status = check_access(region->access);

	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	if (!adev_pd_valid(fn, region->pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (range_wraps(region->address, region->length) ||
	    range_wraps(region->iova, region->length))
		return ARNICA_HW_COMMAND_INVALID;
	return ARNICA_HW_COMMAND_OK;
}

void adev_region_store(struct adev_function *fn, uint32_t index,
		       const struct adev_region *region)
{
	struct adev_tpt_entry *entry = &fn->view.tpt[index];

	entry->type = ADEV_TPT_REGION;
	entry->pd = region->pd;
	entry->access = region->access;
	entry->iova = region->iova;
	entry->length = region->length;
	entry->address = region->address;
	entry->address_space = fn->view.function;
	entry->qpn = 0;
	entry->sink = 0;
}

/* No peer uses the region yet. */
uint64_t adev_region_adopt(struct adev_function *fn, uint32_t index,
			   enum adev_adopt_users users)
{
	const struct adev_tpt_entry *entry = &fn->view.tpt[index];
	const struct adev_adopt_region region = {
		.index = index,
		.access = entry->access,
		.address = entry->address,
		.length = entry->length,
		.users = users,
	};

	return adev_adopt_wants(fn, entry->length) ?
		       adev_adopt_take(fn, &region) :
		       0;
}

void adev_region_count(struct adev_function *fn, uint32_t index, uint32_t pd)
{
	fn->mr_pd[index] = pd + 1;
	fn->num_mrs++;
	adev_pd_get(fn, pd);
}

bool adev_region_is_unborn(const struct adev_function *fn, uint32_t index)
{
	const struct adev_tpt_entry *entry = &fn->view.tpt[index];

	return fn->mr_pd[index] && entry->type == ADEV_TPT_REGION &&
	       adev_tpt_is_unborn(atomic_load(&entry->shared));
}

enum arnica_hw_command_status
adev_region_read(const struct adev_function *fn,
		 const struct arnica_hw_cmd_reg_mr *command,
		 struct adev_region *region)
{
	if (arnica_from_le32(command->handle) ||
	    arnica_from_le32(command->change))
		return ARNICA_HW_COMMAND_INVALID;
	*region = adev_region_from(command);
	return adev_region_check(fn, region);
}
