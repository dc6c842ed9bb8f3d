/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Making a function of a device file, and its orderly end. */
#ifndef ADEV_CORE_ATTACH_H
#define ADEV_CORE_ATTACH_H

#include "core/function.h"

int adev_function_attach(int device_fd, struct adev_function **fn)
	ARNICA_MUST_CHECK;
void adev_function_detach(struct adev_function *fn);

/* The function that was made of a device file; NULL when there is none here. */
struct adev_function *adev_function_of_fd(int device_fd);

/* Does a region of a function of this process other than `but` let peers write
 * into [start, start + bytes)? True also when one cannot look now. */
bool adev_functions_overlap(const struct adev_function *but, uint64_t start,
			    uint64_t bytes);

/* What is adopted of [start, start + bytes) becomes private memory, as far as
 * that is possible now; the regions stay. */
void adev_functions_release_memory(uint64_t start, uint64_t bytes);

/* Counts the forks between this process and the first. */
extern uint32_t adev_fork_epoch;

/* False in a forked child that inherited the function. */
static inline bool adev_function_alive(const struct adev_function *fn)
{
	return fn->fork_epoch == adev_fork_epoch;
}

#endif
