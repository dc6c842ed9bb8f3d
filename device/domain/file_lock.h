/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * flock(2) on a file or folder that processes share, waited for a bounded time:
 * its holder may have been stopped. The kernel gives it back when the last
 * descriptor of the open file is closed, so a process that is killed holds
 * none.
 */
#ifndef ADEV_DOMAIN_FILE_LOCK_H
#define ADEV_DOMAIN_FILE_LOCK_H

#include <stdint.h>

#include "arnica/hw/format.h"

/* EBUSY: somebody has had it for all that time; others as flock(2). */
int adev_file_lock(int fd, uint32_t patience_ms) ARNICA_MUST_CHECK;
void adev_file_unlock(int fd);

#endif
