/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Copies to and from the application's memory that survive when it is gone.
 *
 * An adapter pins what is registered; here the application can unmap it (free()
 * of a large buffer does) while a message is still to be placed. The copy runs
 * under a guard: a fault ends the copy, not the program.
 *
 * The guard needs the handler of SIGSEGV and SIGBUS. It is installed when the
 * first function is attached, and only where the program has none; a fault
 * outside a guarded copy gets the default treatment. A program (or sanitizer)
 * with a handler of its own keeps it and goes without the guard.
 */
#ifndef ADEV_DMA_GUARD_H
#define ADEV_DMA_GUARD_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

extern __thread jmp_buf *volatile adev_guard_escape
	__attribute__((tls_model("initial-exec")));

void adev_guard_install(void);

/* False when a fault ended it; part may have been copied. */
static inline bool adev_guard_copy(void *to, const void *from, size_t bytes)
{
	jmp_buf escape;

	if (_setjmp(escape)) {
		adev_guard_escape = NULL;
		return false;
	}
	adev_guard_escape = &escape;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(to, from, bytes);
	atomic_signal_fence(memory_order_seq_cst);
	adev_guard_escape = NULL;
	return true;
}

#endif
