/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A function that imports from another process's (ADR 0018): its link to it, and
 * what it has of it. Lock role `command`, but for the link itself, which stands
 * as long as the function.
 *
 * Handles and keys mean the same in both. So that they stay apart from what is
 * the importer's own, that is numbered from the other end (protection domains,
 * device memory), or has entries of the other half of the table (regions).
 */
#ifndef ADEV_FRONT_IMPORTS_H
#define ADEV_FRONT_IMPORTS_H

#include "core/call.h"
#include "core/function.h"

/* Links a new function, which has no objects yet. Errors as
 * arnica_bus_import(). */
int adev_import_link(struct adev_function *fn,
		     int exported_fd) ARNICA_MUST_CHECK;

/* The function's end; also in a forked child. */
void adev_import_unlink(struct adev_function *fn);

/* The exporter's segment, as it is mapped here; NULL: it imports nothing. */
const struct adev_view *adev_import_view(const struct adev_function *fn);

/* Is entry `index` of the table an imported region? */
bool adev_import_has_region(const struct adev_function *fn, uint32_t index);

/* Is this inode the device file that it imports from? */
bool adev_import_is_of(const struct adev_function *fn, uint64_t inode);

/* The exporter ends a region, by its key. */
enum arnica_hw_command_status
adev_import_revoke(struct adev_function *fn, const struct adev_caller *caller,
		   uint32_t stag) ARNICA_MUST_CHECK;

/* Another function has ended: if it is the exporter, so have its regions. Waits
 * for nobody. */
void adev_import_ended(struct adev_function *fn, uint32_t function,
		       uint64_t generation);

/* Number of an own object `n`th of `limit`, and back: those of a function that
 * imports are the last ones. */
static inline uint32_t adev_import_number(const struct adev_function *fn,
					  uint32_t limit, uint32_t n)
{
	return __builtin_expect(fn->import != NULL, 0) ? limit - 1 - n : n;
}

/* How many own objects, or entries of the table, there may be of `limit`. */
static inline uint32_t adev_import_limit(const struct adev_function *fn,
					 uint32_t limit)
{
	return __builtin_expect(fn->import != NULL, 0) ? limit / 2 : limit;
}

/* Is this number one of the exporter's? */
static inline bool adev_import_is_foreign(const struct adev_function *fn,
					  uint32_t limit, uint32_t number)
{
	return __builtin_expect(fn->import != NULL, 0) && number < limit / 2;
}

#endif
