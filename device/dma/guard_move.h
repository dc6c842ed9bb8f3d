/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Guarded copies of a few bytes: on the path of every short message, where
 * setjmp() would cost more than all the rest of the copy.
 *
 * Each place where such a copy may fault stands in a table of the library, with
 * the place where the program then goes on. The handler of faults (guard.c)
 * looks the instruction up; nothing is done before or after a copy that does not
 * fault. x86-64 and aarch64 have these; elsewhere, and where a sanitizer has to see
 * the access, ADEV_GUARD_MOVES is not defined and guard.h copies in its other way.
 */
#ifndef ADEV_DMA_GUARD_MOVE_H
#define ADEV_DMA_GUARD_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__LP64__) &&      \
	!defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ADEV_GUARD_MOVES 1

#define ADEV_GUARD_MOVE_MAX 32u /* bytes */

/* An entry of the table: both are distances from the word itself. */
struct adev_guard_site {
	int32_t at;   /* the instruction that may fault */
	int32_t then; /* where to go on */
};

#define ADEV_GUARD_SITE(label)                                                 \
	".pushsection adev_guard_sites, \"a\"\n"                               \
	".balign 4\n"                                                          \
	".long " label " - .\n"                                                \
	".long %l[faulted] - .\n"                                              \
	".popsection\n"

/* One load and one store of the same width, through a register. Both may
 * fault. */
#define ADEV_GUARD_MOVE(name, load, store)                                     \
	static inline bool name(void *to, const void *from)                    \
	{                                                                      \
		__asm__ goto("1: " load "\n"                                   \
			     "2: " store "\n"                                  \
			     ADEV_GUARD_SITE("1b")                             \
			     ADEV_GUARD_SITE("2b")                             \
			     :                                                 \
			     : "r"(to), "r"(from)                              \
			     : ADEV_GUARD_SCRATCH, "memory"                    \
			     : faulted);                                       \
		return true;                                                   \
	faulted:                                                               \
		return false;                                                  \
	}

#if defined(__x86_64__)
#define ADEV_GUARD_SCRATCH "rax", "xmm0"
#define ADEV_GUARD_PLACE gregs[REG_RIP] /* of uc_mcontext */
ADEV_GUARD_MOVE(adev_guard_move1, "movb (%1), %%al", "movb %%al, (%0)")
ADEV_GUARD_MOVE(adev_guard_move2, "movw (%1), %%ax", "movw %%ax, (%0)")
ADEV_GUARD_MOVE(adev_guard_move4, "movl (%1), %%eax", "movl %%eax, (%0)")
ADEV_GUARD_MOVE(adev_guard_move8, "movq (%1), %%rax", "movq %%rax, (%0)")
ADEV_GUARD_MOVE(adev_guard_move16, "movups (%1), %%xmm0", "movups %%xmm0, (%0)")
#else
#define ADEV_GUARD_SCRATCH "x9", "v0"
#define ADEV_GUARD_PLACE pc
ADEV_GUARD_MOVE(adev_guard_move1, "ldrb w9, [%1]", "strb w9, [%0]")
ADEV_GUARD_MOVE(adev_guard_move2, "ldrh w9, [%1]", "strh w9, [%0]")
ADEV_GUARD_MOVE(adev_guard_move4, "ldr w9, [%1]", "str w9, [%0]")
ADEV_GUARD_MOVE(adev_guard_move8, "ldr x9, [%1]", "str x9, [%0]")
ADEV_GUARD_MOVE(adev_guard_move16, "ldr q0, [%1]", "str q0, [%0]")
#endif

/*
 * Copies 1 to ADEV_GUARD_MOVE_MAX bytes; false when a fault ended it. The first
 * and the last bytes may overlap: what is copied twice is the same.
 */
static inline bool adev_guard_move(void *to, const void *from, size_t bytes)
{
	char *end = (char *)to + bytes;
	const char *from_end = (const char *)from + bytes;

	if (__builtin_expect(bytes == 8, 1))
		return adev_guard_move8(to, from);
	if (bytes > 16)
		return adev_guard_move16(to, from) &&
		       adev_guard_move16(end - 16, from_end - 16);
	if (bytes > 8)
		return adev_guard_move8(to, from) &&
		       adev_guard_move8(end - 8, from_end - 8);
	if (bytes >= 4)
		return adev_guard_move4(to, from) &&
		       adev_guard_move4(end - 4, from_end - 4);
	if (bytes >= 2)
		return adev_guard_move2(to, from) &&
		       adev_guard_move2(end - 2, from_end - 2);
	return adev_guard_move1(to, from);
}

#endif
#endif
