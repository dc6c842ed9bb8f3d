/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The entries of the mirror, for the files that write them. With its lock. */
#ifndef ARNICA_MIRROR_TABLE_H
#define ARNICA_MIRROR_TABLE_H

#include <infiniband/verbs.h>

#include "mirror.h"

#define ARNICA_MIRROR_ACCESS_OPTIONAL ((uint32_t)IBV_ACCESS_OPTIONAL_RANGE)

/* The adapter says which index: believed as far as it goes. */
static inline struct arnica_hw_mirror_entry *arnica_mirror_entry(
	struct arnica_mirror *mirror, uint32_t index)
{
	return index < mirror->num_entries ? &mirror->entries[index] : NULL;
}

/* A key over the ranges `entries` (struct arnica_hw_mkey_entry, unaligned), of
 * which each row has one turn. */
void arnica_mirror_set_mkey(struct arnica_hw_mirror_entry *entry,
			    uint32_t access, uint64_t rows, const void *entries,
			    uint32_t count);

/* Takes the entry as the adapter has it. Without the lock. */
void arnica_mirror_ask_for(struct arnica_context *context, uint32_t stag);

#endif
