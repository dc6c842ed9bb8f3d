/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tools for describing binary formats: masks with a derived shift, field
 * access, assertions on sizes and offsets, and powers of two, as which queues
 * have their sizes. No C bit-fields are used in the
 * contract, because their layout belongs to the compiler.
 */
#ifndef ARNICA_HW_FORMAT_H
#define ARNICA_HW_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARNICA_GENMASK32(high, low)                                            \
	((uint32_t)((0xffffffffu >> (31 - (high))) & (0xffffffffu << (low))))
#define ARNICA_GENMASK64(high, low)                                            \
	((0xffffffffffffffffull >> (63 - (high))) &                            \
	 (0xffffffffffffffffull << (low)))

#define ARNICA_FORMAT_SIZE(type, bytes)                                        \
	_Static_assert(sizeof(type) == (bytes), "size of " #type)
#define ARNICA_FORMAT_FIELD(type, field, offset)                               \
	_Static_assert(offsetof(type, field) == (offset),                      \
		       "offset of " #type "." #field)

#define ARNICA_MUST_CHECK __attribute__((warn_unused_result))

static inline uint64_t arnica_field_get(uint64_t word, uint64_t mask)
{
	return (word & mask) >> __builtin_ctzll(mask);
}

/* The value must fit: a field that overflows would change its neighbour. */
static inline uint64_t arnica_field_put(uint64_t mask, uint64_t value)
{
	assert(value <= mask >> __builtin_ctzll(mask));
	return (value << __builtin_ctzll(mask)) & mask;
}

static inline bool arnica_is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

/* The least power of two that is not below the value, which is 2^31 at most. */
static inline uint32_t arnica_round_up_power(uint32_t value)
{
	uint32_t power = 1;

	while (power < value)
		power *= 2;
	return power;
}

#endif
