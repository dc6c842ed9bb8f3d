/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The memory of a function: a sparse memfd, mapped once per process.
 *
 * The range is reserved in full and populated piece by piece, so a store never
 * meets SIGBUS: what cannot be had is ENOMEM from adev_segment_populate().
 * Mappings are left out of core dumps.
 *
 * fork: a child gets none of the mappings. In their place it finds private
 * zero pages at the same addresses, so a child that still uses an inherited
 * context neither crashes nor reaches the parent's function; the header reads
 * as zeros, whose state is not RUNNING.
 */
#ifndef ADEV_DOMAIN_SEGMENT_H
#define ADEV_DOMAIN_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/format.h"

#define ADEV_SEGMENT_DEFAULT_BYTES (16ull << 30)
#define ADEV_SEGMENT_SMALLEST_BYTES (64ull << 20)
#define ADEV_SEGMENT_LARGEST_BYTES (1ull << 40)

/* The largest segment that the user allows: ARNICA_SEGMENT_MAX (bytes, or with
 * suffix K, M, G) or the default; a wrong value writes a line and is ignored.
 */
uint64_t adev_segment_max_bytes(void);

/*
 * Makes a segment of an opened device file: a power of two of at most max_bytes
 * (zero: adev_segment_max_bytes()), halved down to 64 MiB while the address
 * space or RLIMIT_FSIZE does not hold it; sealed against any change of size.
 * EBADF: not a device file; EBUSY: a segment already; EPROTO: of another
 * version; ENOMEM.
 */
int adev_segment_reserve(int device_fd, uint64_t max_bytes, void **base,
			 uint64_t *size) ARNICA_MUST_CHECK;

/*
 * Gives the range its memory, zeros where there was none. ENOMEM: part of the
 * range may have memory then, which is harmless. EINVAL: outside of the file.
 */
int adev_segment_populate(int fd, uint64_t offset,
			  uint64_t length) ARNICA_MUST_CHECK;

/* Drops one use of a mapping; also right in a forked child. */
void adev_segment_release(void *base, uint64_t size);

#endif
