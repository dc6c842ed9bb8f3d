/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The lock of the group on port 4791: lock role `port_group`, among processes
 * by a lock on the file <folder>/port. The kernel gives it back when its holder
 * dies; one that is stopped is waited for as long as the caller says.
 */
#ifndef ADEV_LINK_GROUP_LOCK_H
#define ADEV_LINK_GROUP_LOCK_H

#include <stdint.h>

#include "arnica/hw/format.h"

/* EBUSY: nobody gave it back in time. */
int adev_group_lock(uint64_t patience_ns, int *lock) ARNICA_MUST_CHECK;
void adev_group_unlock(int lock);

/* In a forked child: whoever had it in the parent has it no more here. */
void adev_group_lock_forget(void);

#endif
