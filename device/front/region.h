/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions as commands ask for them, and their entries; what REG_MR and BEGIN_MR
 * have in common. With lock role `command`.
 */
#ifndef ADEV_FRONT_REGION_H
#define ADEV_FRONT_REGION_H

#include "adopt/adopt.h"
#include "front/command.h"

struct adev_region {
	uint32_t pd;
	uint32_t access;
	uint64_t address;
	uint64_t length;
	uint64_t iova;
};

/* What pages on demand need not be there yet, nor ever. */
static inline bool adev_region_needs_pages(const struct adev_region *region)
{
	return region->length &&
	       !(region->access & ARNICA_HW_ACCESS_ON_DEMAND);
}

/* As the command has it, and whether it may be so: rights, domain, bounds. */
struct adev_region adev_region_from(const struct arnica_hw_cmd_reg_mr *command);
enum arnica_hw_command_status
adev_region_check(const struct adev_function *fn,
		  const struct adev_region *region) ARNICA_MUST_CHECK;

/* Both, of REG_MR or BEGIN_MR. Anything but OK: the command is refused. */
enum arnica_hw_command_status
adev_region_read(const struct adev_function *fn,
		 const struct arnica_hw_cmd_reg_mr *command,
		 struct adev_region *region) ARNICA_MUST_CHECK;

/* Fills in an entry that is not valid. */
void adev_region_store(struct adev_function *fn, uint32_t index,
		       const struct adev_region *region);

/* The entry counts as a region of its domain from now on. */
void adev_region_count(struct adev_function *fn, uint32_t index, uint32_t pd);

/* The word for the entry (tpt/shared.h): what is or becomes adopted of it. */
uint64_t adev_region_adopt(struct adev_function *fn, uint32_t index,
			   enum adev_adopt_users users);

/* Has a registration of this entry begun that is not over, or failed? */
bool adev_region_is_unborn(const struct adev_function *fn, uint32_t index);

#endif
