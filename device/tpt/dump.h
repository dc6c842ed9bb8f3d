/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table seen from outside: see arnica_bus_table(). */
#ifndef ADEV_TPT_DUMP_H
#define ADEV_TPT_DUMP_H

#include <arnica/hw/mirror.h>

#include "core/layout.h"
#include "tpt/tpt.h"

/* enum arnica_hw_stag_kind of an entry. */
static inline uint32_t adev_tpt_kind(const struct adev_tpt_entry *entry)
{
	uint32_t type = entry->type;

	/* A work request may have given a region many ranges. */
	if (entry->access & ADEV_TPT_TAKEN_BACK)
		return ARNICA_HW_STAG_FAST;
	if (type == ADEV_TPT_WINDOW_2A || type == ADEV_TPT_WINDOW_2B)
		return ARNICA_HW_STAG_WINDOW_2;
	return type <= ADEV_TPT_LIST ? type : ARNICA_HW_STAG_NONE;
}

/* The rights that the host knows of. */
static inline uint32_t adev_tpt_rights(const struct adev_tpt_entry *entry)
{
	return entry->access & ~ADEV_TPT_TAKEN_BACK;
}

#endif
