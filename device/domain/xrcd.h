/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * XRC domains that processes share: which ones are open in the host domain.
 * There is one for each file (inode) that somebody has named, and it exists as
 * long as a process has it open.
 *
 * Nothing is written down. A process that has one open holds a record lock on a
 * byte of <folder>/xrcd whose offset follows from the file, so the kernel forgets
 * it when the process ends, however it ends. A second byte orders those who ask
 * whether there is one and then make it.
 */
#ifndef ADEV_DOMAIN_XRCD_H
#define ADEV_DOMAIN_XRCD_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/format.h"

/*
 * Opens the domain of a file once more. EAGAIN: nobody has it open, and `create`
 * was not asked for; EINVAL: somebody has, and `exclusive` was. EBUSY: a process
 * that was stopped is in the way; others as open(2) and fcntl(2). *id, which is
 * never zero, is the same for all who name the file.
 */
int adev_xrcd_open(uint64_t device, uint64_t inode, bool create, bool exclusive,
		   uint64_t *id) ARNICA_MUST_CHECK;

/* One that nobody else can name. */
uint64_t adev_xrcd_private(void);

/* Once for each of both. */
void adev_xrcd_close(uint64_t id);

#endif
