/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Entries of the translation and protection table as they are handed out to
 * regions and windows, and their STags. With lock role `command`.
 */
#ifndef ADEV_FRONT_KEYS_H
#define ADEV_FRONT_KEYS_H

#include "core/function.h"

/* Takes a free entry and makes its memory. ENOMEM. */
int adev_key_take(struct adev_function *fn, uint32_t *index) ARNICA_MUST_CHECK;
void adev_key_give(struct adev_function *fn, uint32_t index);

/* An unpredictable STag for the entry: neither zero nor the last one that was
 * made for it. */
uint32_t adev_key_make(struct adev_function *fn, uint32_t index);

/* The last one that was made. */
static inline uint32_t adev_key_of(const struct adev_function *fn,
				   uint32_t index)
{
	return index << 8 | fn->mr_instance[index];
}

#endif
