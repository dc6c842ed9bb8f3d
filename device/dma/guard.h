/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Copies to and from the application's memory that survive when it is gone.
 *
 * An adapter pins what is registered; here the application can unmap it (free()
 * of a large buffer does) while a message is still to be placed. The copy runs
 * under a guard: a fault ends the copy, not the program.
 *
 * The guard needs the handler of SIGSEGV and SIGBUS. It is installed when the
 * first function is attached, in front of one that the program has by then: a
 * fault outside a guarded copy, or on a page that is only protected, goes on to
 * that one, or gets the default treatment. A program that sets its handler later
 * goes without the guard from then on, unless it passes on what is not its own;
 * for such a program memory must stay mapped as long as it is registered. (A copy
 * by process_vm_writev() on oneself would not need a handler. It takes a
 * microsecond, which is more than a message.)
 */
#ifndef ADEV_DMA_GUARD_H
#define ADEV_DMA_GUARD_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "dma/guard_move.h"

extern __thread jmp_buf *volatile adev_guard_escape
	__attribute__((tls_model("initial-exec")));

void adev_guard_install(void);

/* The same for lengths that outweigh the cost of setjmp(). */
bool adev_guard_copy_long(void *to, const void *from, size_t bytes);

/* False when a fault ended it; part may have been copied. */
static inline bool adev_guard_copy(void *to, const void *from, size_t bytes)
{
#ifdef ADEV_GUARD_MOVES
	if (__builtin_expect(bytes - 1 < ADEV_GUARD_MOVE_MAX, 1))
		return adev_guard_move(to, from, bytes);
#endif
	return adev_guard_copy_long(to, from, bytes);
}

#endif
