/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The process's mappings of segments: one for each segment, however many
 * functions and peers of this process use it, so that a race on it is a race on
 * one address. segment.h says what becomes of them in a forked child.
 */
#ifndef ADEV_DOMAIN_MAPPING_H
#define ADEV_DOMAIN_MAPPING_H

#include <stdint.h>

#include "arnica/hw/format.h"

/* Maps the file, which may be shorter yet. EEXIST: it is mapped already. */
int adev_mapping_create(int fd, uint64_t size, void **base) ARNICA_MUST_CHECK;

/* Maps the file, or takes one more use of its mapping. EPROTO: that one has
 * another size. */
int adev_mapping_get(int fd, uint64_t size, void **base) ARNICA_MUST_CHECK;

void adev_mapping_put(void *base, uint64_t size);

#endif
