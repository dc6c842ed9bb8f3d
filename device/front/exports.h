/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What functions of other processes have imported of this one, and who they are
 * (ADR 0018). They ask by calls (core/call.h). Lock role `command`.
 *
 * A region that is exported lies wholly in this function's segment, where the
 * importer has it mapped. It ends, or changes, only after every importer has
 * let go of it. Device memory that its owner has freed stays until then.
 */
#ifndef ADEV_FRONT_EXPORTS_H
#define ADEV_FRONT_EXPORTS_H

#include <arnica/hw/cqp.h>

#include "core/function.h"

/*
 * The region of entry `index` has been made invalid: its importers let go of it.
 * EBUSY: one of them is alive and does not.
 */
int adev_exports_revoke(struct adev_function *fn,
			uint32_t index) ARNICA_MUST_CHECK;

/* Another function has ended: what it had imported is given back. */
void adev_exports_ended(struct adev_function *fn, uint32_t function,
			uint64_t generation);

/* This function ends in good order: importers lose its regions. */
void adev_exports_close(struct adev_function *fn);

/* The same in a child that inherited the function: tells nobody. */
void adev_exports_forget(struct adev_function *fn);

/* A range of device memory is imported once more, or once less:
 * command_dm.c. */
bool adev_dm_export(struct adev_function *fn, uint32_t handle, uint64_t *offset,
		    uint64_t *length) ARNICA_MUST_CHECK;
void adev_dm_return(struct adev_function *fn, uint32_t handle);

/* Is entry `index` a region of this domain that can be exported? Then what its
 * importer has to know; and where it lies in the segment, which it is brought to
 * if need be (NOT_SUPPORTED: it cannot be). command_mr.c */
enum arnica_hw_command_status
adev_region_export(struct adev_function *fn, uint32_t index, uint32_t pd,
		   uint64_t *offset) ARNICA_MUST_CHECK;

#endif
