/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Copies from and to addresses that a program passed in a message, as a
 * kernel's copy_from_user(): a wrong address is EFAULT, not a signal. Where the
 * system refuses process_vm_readv (Yama and seccomp may), a wrong address is a
 * fault of the program after all.
 */
#ifndef STANDIN_USER_MEMORY_H
#define STANDIN_USER_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "arnica/hw/format.h"

int standin_user_read(void *to, uint64_t from, size_t length) ARNICA_MUST_CHECK;
int standin_user_write(uint64_t to, const void *from,
		       size_t length) ARNICA_MUST_CHECK;

#endif
