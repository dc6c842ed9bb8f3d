/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Golden bytes: literal bytes against field values, in both directions. A
 * structure filled with values must be the bytes, and the bytes must read as
 * the values.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <cmocka.h>
#include <stdint.h>
#include <string.h>

/* `value` is a structure that was filled in field by field. */
#define assert_golden(value, ...)                                              \
	do {                                                                   \
		static const unsigned char golden_bytes[] = { __VA_ARGS__ };   \
		assert_int_equal(sizeof(golden_bytes), sizeof(value));         \
		assert_memory_equal(&(value), golden_bytes, sizeof(value));    \
	} while (0)

/* Bytes 1, 2, 3, ... so that each field reads differently. */
static inline void fill_with_counter(void *memory, size_t bytes)
{
	unsigned char *byte = memory;
	size_t i;

	for (i = 0; i < bytes; i++)
		byte[i] = (unsigned char)(i + 1);
}

/* Little-endian value of `width` bytes at `offset` of such memory. */
static inline uint64_t counter_le(size_t offset, size_t width)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < width; i++)
		value |= (uint64_t)(unsigned char)(offset + i + 1) << (8 * i);
	return value;
}

#define assert_le32_at(structure, field, offset)                               \
	assert_int_equal(arnica_from_le32((structure).field),                  \
			 counter_le(offset, 4))
#define assert_le64_at(structure, field, offset)                               \
	assert_true(arnica_from_le64((structure).field) ==                     \
		    counter_le(offset, 8))
#define assert_atomic_at(structure, field, offset)                             \
	assert_int_equal(                                                      \
		arnica_load32(&(structure).field, memory_order_relaxed),       \
		counter_le(offset, 4))

#endif
