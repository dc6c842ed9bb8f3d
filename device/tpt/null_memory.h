/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory behind null regions: one range that holds nothing but zeros and cannot
 * be written, and one that takes what is written to it and keeps it for nobody.
 * Both are as long as the longest message, so that whoever moves data, in this
 * process or a peer's, need not know of null regions. They hold next to no
 * pages: the kernel's page of zeros, and a few that all of the sink shares.
 */
#ifndef ADEV_TPT_NULL_MEMORY_H
#define ADEV_TPT_NULL_MEMORY_H

#include <stdint.h>

#include <arnica/hw/format.h>

/* The process's ranges, made when they are first asked for. ENOMEM. */
int adev_null_memory(uint64_t *zeros, uint64_t *sink) ARNICA_MUST_CHECK;

#endif
