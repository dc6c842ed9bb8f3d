/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory of the application that is to be registered: is it there, and may it
 * be used so? The pages are brought in, as an adapter that pins them would.
 */
#ifndef ADEV_FRONT_MEMORY_H
#define ADEV_FRONT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/format.h>

/*
 * EFAULT: part of the range is not mapped, or not accessible; ENOMEM: there is
 * no memory for its pages. The range is not empty and does not wrap. Kernels
 * before 5.14 cannot bring pages in: there only mappings are looked at.
 */
int adev_memory_populate(uint64_t address, uint64_t length,
			 bool writable) ARNICA_MUST_CHECK;

#endif
