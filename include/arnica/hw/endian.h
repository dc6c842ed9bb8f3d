/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Fixed-endian words of the contract.
 *
 * Each type is a structure with one member, so that mixing byte orders, or
 * doing arithmetic on raw bytes, does not compile. The conversions cost
 * nothing where the order is the machine's own.
 *
 * The `atomic` types are words that both sides of the contract, or several
 * processes, write and read at the same time. They have no plain accessors:
 * each access names its ordering.
 */
#ifndef ARNICA_HW_ENDIAN_H
#define ARNICA_HW_ENDIAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARNICA_SWAP_LE(bits, v) (v)
#define ARNICA_SWAP_BE(bits, v) __builtin_bswap##bits(v)
#else
#define ARNICA_SWAP_LE(bits, v) __builtin_bswap##bits(v)
#define ARNICA_SWAP_BE(bits, v) (v)
#endif

#define ARNICA_ENDIAN_TYPE(order, bits, swap)                                  \
	struct arnica_##order##bits##_word {                                   \
		uint##bits##_t raw;                                            \
	};                                                                     \
	typedef struct arnica_##order##bits##_word arnica_##order##bits;       \
	static inline arnica_##order##bits arnica_to_##order##bits(            \
		uint##bits##_t value)                                          \
	{                                                                      \
		return (arnica_##order##bits){ (uint##bits##_t)swap(bits,      \
								    value) };  \
	}                                                                      \
	static inline uint##bits##_t arnica_from_##order##bits(                \
		arnica_##order##bits word)                                     \
	{                                                                      \
		return (uint##bits##_t)swap(bits, word.raw);                   \
	}

ARNICA_ENDIAN_TYPE(le, 16, ARNICA_SWAP_LE)
ARNICA_ENDIAN_TYPE(le, 32, ARNICA_SWAP_LE)
ARNICA_ENDIAN_TYPE(le, 64, ARNICA_SWAP_LE)
ARNICA_ENDIAN_TYPE(be, 16, ARNICA_SWAP_BE)
ARNICA_ENDIAN_TYPE(be, 32, ARNICA_SWAP_BE)
ARNICA_ENDIAN_TYPE(be, 64, ARNICA_SWAP_BE)

/*
 * Makes a full barrier of the sequentially consistent store, exchange or
 * compare-exchange before it: the accesses that follow, of whatever order, come
 * after it. On x86 it is one by itself; elsewhere a relaxed or acquire load may
 * overtake it, for these have no part in the single order.
 */
static inline void arnica_fence_after_rmw(void)
{
#if defined(__x86_64__) || defined(__i386__)
	atomic_signal_fence(memory_order_seq_cst);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

#define ARNICA_ATOMIC_TYPE(bits)                                               \
	struct arnica_atomic_le##bits##_word {                                 \
		_Atomic uint##bits##_t raw;                                    \
	};                                                                     \
	typedef struct arnica_atomic_le##bits##_word arnica_atomic_le##bits;   \
	static inline uint##bits##_t arnica_load##bits(                        \
		const arnica_atomic_le##bits *word, memory_order order)        \
	{                                                                      \
		uint##bits##_t raw =                                           \
			atomic_load_explicit(&word->raw, order);               \
		return (uint##bits##_t)ARNICA_SWAP_LE(bits, raw);              \
	}                                                                      \
	static inline void arnica_store##bits(arnica_atomic_le##bits *word,    \
					      uint##bits##_t value,            \
					      memory_order order)              \
	{                                                                      \
		atomic_store_explicit(                                         \
			&word->raw,                                            \
			(uint##bits##_t)ARNICA_SWAP_LE(bits, value), order);   \
	}                                                                      \
	static inline uint##bits##_t arnica_exchange##bits(                    \
		arnica_atomic_le##bits *word, uint##bits##_t value,            \
		memory_order order)                                            \
	{                                                                      \
		uint##bits##_t raw = atomic_exchange_explicit(                 \
			&word->raw,                                            \
			(uint##bits##_t)ARNICA_SWAP_LE(bits, value), order);   \
		return (uint##bits##_t)ARNICA_SWAP_LE(bits, raw);              \
	}                                                                      \
	/* On failure *expected receives the value that was found. */          \
	static inline bool arnica_compare_exchange##bits(                      \
		arnica_atomic_le##bits *word, uint##bits##_t *expected,        \
		uint##bits##_t desired, memory_order success)                  \
	{                                                                      \
		uint##bits##_t raw =                                           \
			(uint##bits##_t)ARNICA_SWAP_LE(bits, *expected);       \
		bool swapped = atomic_compare_exchange_strong_explicit(        \
			&word->raw, &raw,                                      \
			(uint##bits##_t)ARNICA_SWAP_LE(bits, desired),         \
			success, memory_order_relaxed);                        \
		*expected = (uint##bits##_t)ARNICA_SWAP_LE(bits, raw);         \
		return swapped;                                                \
	}

ARNICA_ATOMIC_TYPE(32)
ARNICA_ATOMIC_TYPE(64)

#endif
