/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The reflected CRC-32 of IEEE 802.3, as zlib's crc32() takes and returns it:
 * with both inversions inside, so that the result of one piece is the start of
 * the next.
 *
 * ISA-L's is the fastest where the processor multiplies without carries. Where
 * it does not, or only seems to (an emulated one), ISA-L goes byte by byte;
 * shifting words takes a twentieth of that, and needs none of the processor's
 * extensions. Which of the two a process uses is measured when it needs the
 * first CRC.
 */
#ifndef ROCE_CRC_H
#define ROCE_CRC_H

#include <stdint.h>

typedef uint32_t roce_crc_function(uint32_t crc, const uint8_t *bytes,
				   uint64_t length);

uint32_t roce_crc32(uint32_t crc, const uint8_t *bytes, uint64_t length);

/* By ISA-L. */
uint32_t roce_crc32_by_isal(uint32_t crc, const uint8_t *bytes,
			    uint64_t length);

/* By shifting words, and the last ones by tables, which are made when it is
 * called for the first time. */
uint32_t roce_crc32_by_words(uint32_t crc, const uint8_t *bytes,
			     uint64_t length);

/* Which of two is faster by this clock (ns); `first` when both are as fast. */
roce_crc_function *roce_crc_faster(roce_crc_function *first,
				   roce_crc_function *second,
				   uint64_t (*now_ns)(void));

#endif
