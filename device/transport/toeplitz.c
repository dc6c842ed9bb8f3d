/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "transport/toeplitz.h"

uint32_t adev_toeplitz(const uint8_t key[ARNICA_HW_HASH_KEY_BYTES],
		       const uint8_t *input, uint32_t bytes)
{
	uint32_t window = (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 |
			  (uint32_t)key[2] << 8 | key[3];
	uint32_t hash = 0, i, bit;

	for (i = 0; i < bytes; i++)
		for (bit = 0; bit < 8; bit++) {
			if (input[i] >> (7 - bit) & 1)
				hash ^= window;
			window = window << 1 | (key[i + 4] >> (7 - bit) & 1);
		}
	return hash;
}
