/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "roce/crc.h"

#include <isa-l/crc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define POLYNOMIAL 0xedb88320u
#define SLICES 8u

/* slices[k][b]: what the byte b adds to the CRC, k bytes before the end. */
static uint32_t slices[SLICES][256];
static pthread_once_t slices_once = PTHREAD_ONCE_INIT;

static void make_slices(void)
{
	uint32_t byte, bit, k, crc;

	for (byte = 0; byte < 256; byte++) {
		crc = byte;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (POLYNOMIAL & -(crc & 1));
		slices[0][byte] = crc;
	}
	for (k = 1; k < SLICES; k++) {
		for (byte = 0; byte < 256; byte++) {
			crc = slices[k - 1][byte];
			slices[k][byte] = crc >> 8 ^ slices[0][crc & 0xff];
		}
	}
}

static uint64_t little_endian(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* Eight bytes, the first of which lies lowest. The CRC goes with the first four
 * of them. */
static uint32_t add_word(uint64_t word)
{
	return slices[7][word & 0xff] ^ slices[6][word >> 8 & 0xff] ^
	       slices[5][word >> 16 & 0xff] ^ slices[4][word >> 24 & 0xff] ^
	       slices[3][word >> 32 & 0xff] ^ slices[2][word >> 40 & 0xff] ^
	       slices[1][word >> 48 & 0xff] ^ slices[0][word >> 56];
}

/* Without the inversions. */
static uint32_t by_tables(uint32_t crc, const uint8_t *bytes, uint64_t length)
{
	for (; length >= SLICES; length -= SLICES, bytes += SLICES)
		crc = add_word(little_endian(bytes) ^ crc);
	for (; length; length--, bytes++)
		crc = crc >> 8 ^ slices[0][(crc ^ *bytes) & 0xff];
	return crc;
}

/*
 * The polynomial divides x^300 + x^155 + x^117 + x^89 + 1. So a bit may be
 * taken away if those are inverted that follow 145, 183, 211 and 300 bits
 * behind it: the CRC stays. (Of the multiples with so few terms it is the
 * shortest: the code's distance is 6 up to 300 bits.) Done with a word, that
 * changes the second to the fifth word behind it; what is left at the end goes
 * through the tables.
 */
#define WORD_BYTES 8u
#define WORDS_CHANGED 5u
#define CHANGED_BYTES (WORDS_CHANGED * WORD_BYTES)
/* For fewer it is not worth it. */
#define LEAST_BYTES (2 * CHANGED_BYTES)

/* Takes `words` off the front; changes[k] is what to add to the k-th word that
 * follows. */
static void shift_words(uint64_t changes[WORDS_CHANGED], const uint8_t *bytes,
			uint64_t words)
{
	uint64_t c0 = changes[0], c1 = changes[1], c2 = changes[2];
	uint64_t c3 = changes[3], c4 = changes[4];

	for (; words; words--, bytes += WORD_BYTES) {
		uint64_t word = little_endian(bytes) ^ c0;

		c0 = c1;
		c1 = c2 ^ word << 17 ^ word << 55;
		c2 = c3 ^ word >> 47 ^ word >> 9 ^ word << 19;
		c3 = c4 ^ word >> 45 ^ word << 44;
		c4 = word >> 20;
	}
	changes[0] = c0;
	changes[1] = c1;
	changes[2] = c2;
	changes[3] = c3;
	changes[4] = c4;
}

/* The changed words, and what of the next there is. */
static uint32_t finish(const uint64_t changes[WORDS_CHANGED],
		       const uint8_t *bytes, uint64_t length)
{
	uint32_t crc = 0, i;

	for (i = 0; i < WORDS_CHANGED; i++, bytes += WORD_BYTES)
		crc = add_word(little_endian(bytes) ^ changes[i] ^ crc);
	return by_tables(crc, bytes, length - CHANGED_BYTES);
}

uint32_t roce_crc32_by_words(uint32_t crc, const uint8_t *bytes,
			     uint64_t length)
{
	uint64_t changes[WORDS_CHANGED] = { ~crc }, words;

	pthread_once(&slices_once, make_slices);
	if (length < LEAST_BYTES)
		return ~by_tables(~crc, bytes, length);
	words = (length - CHANGED_BYTES) / WORD_BYTES;
	shift_words(changes, bytes, words);
	return ~finish(changes, bytes + words * WORD_BYTES,
		       length - words * WORD_BYTES);
}

/*
 * ISA-L's leaves what it had in the upper halves of the vector registers. While
 * they are in use, a processor pays for each change between instructions that
 * know of them and those that do not, as most of a program: 70 ns for the first
 * one behind the CRC, and as much for the next CRC, which takes 100.
 */
#if defined(__x86_64__)
static __attribute__((target("avx"))) void zero_upper_halves(void)
{
	__builtin_ia32_vzeroupper();
}

static void leave_vectors(void)
{
	if (__builtin_cpu_supports("avx"))
		zero_upper_halves();
}
#else
static void leave_vectors(void)
{
}
#endif

uint32_t roce_crc32_by_isal(uint32_t crc, const uint8_t *bytes, uint64_t length)
{
	crc = crc32_gzip_refl(crc, bytes, length);
	leave_vectors();
	return crc;
}

/*
 * The choice. A thread may lose its processor in any of the measurements: the
 * shortest of a few counts. The first call of each function makes tables or
 * looks at the processor, and its time counts for nothing.
 */
#define MEASURED_BYTES 2048u
#define MEASUREMENTS 6u

static uint64_t shortest(roce_crc_function *function, uint64_t (*now_ns)(void))
{
	static const uint8_t bytes[MEASURED_BYTES];
	uint64_t least = UINT64_MAX;
	uint32_t crc = 0, i;

	crc = function(crc, bytes, sizeof(bytes));
	for (i = 0; i < MEASUREMENTS; i++) {
		uint64_t begin = now_ns(), took;

		crc = function(crc, bytes, sizeof(bytes));
		took = now_ns() - begin;
		if (took < least)
			least = took;
	}
	/* A compiler that sees the function would leave out what nobody reads. */
	__asm__ volatile("" : : "r"(crc));
	return least;
}

roce_crc_function *roce_crc_faster(roce_crc_function *first,
				   roce_crc_function *second,
				   uint64_t (*now_ns)(void))
{
	return shortest(second, now_ns) < shortest(first, now_ns) ? second :
								    first;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t measure_first(uint32_t crc, const uint8_t *bytes,
			      uint64_t length);

/* Threads that come here together measure each for itself, and may choose each
 * its own: all of them return the same. */
static _Atomic(roce_crc_function *) chosen = measure_first;

static uint32_t measure_first(uint32_t crc, const uint8_t *bytes,
			      uint64_t length)
{
	roce_crc_function *faster = roce_crc_faster(
		roce_crc32_by_isal, roce_crc32_by_words, clock_ns);

	atomic_store_explicit(&chosen, faster, memory_order_relaxed);
	return faster(crc, bytes, length);
}

uint32_t roce_crc32(uint32_t crc, const uint8_t *bytes, uint64_t length)
{
	return atomic_load_explicit(&chosen, memory_order_relaxed)(crc, bytes,
								   length);
}
