/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Numbers as the wire has them: big-endian, at any alignment. Only files of
 * wire/ use them; values go in and out by structs.
 */
#ifndef ROCE_BYTES_H
#define ROCE_BYTES_H

#include <stdint.h>

static inline uint32_t roce_get16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

static inline uint32_t roce_get24(const uint8_t *bytes)
{
	return roce_get16(bytes) << 8 | bytes[2];
}

static inline uint32_t roce_get32(const uint8_t *bytes)
{
	return roce_get16(bytes) << 16 | roce_get16(bytes + 2);
}

static inline uint64_t roce_get64(const uint8_t *bytes)
{
	return (uint64_t)roce_get32(bytes) << 32 | roce_get32(bytes + 4);
}

static inline void roce_put16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline void roce_put24(uint8_t *bytes, uint32_t value)
{
	roce_put16(bytes, value >> 8);
	bytes[2] = (uint8_t)value;
}

static inline void roce_put32(uint8_t *bytes, uint32_t value)
{
	roce_put16(bytes, value >> 16);
	roce_put16(bytes + 2, value);
}

static inline void roce_put64(uint8_t *bytes, uint64_t value)
{
	roce_put32(bytes, (uint32_t)(value >> 32));
	roce_put32(bytes + 4, (uint32_t)value);
}

#endif
