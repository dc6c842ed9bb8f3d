/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The Toeplitz hash, as receive side scaling has it: each bit of the input that
 * is set adds (exclusive or) the 32 bits of the key that begin at its place.
 */
#ifndef ADEV_TRANSPORT_TOEPLITZ_H
#define ADEV_TRANSPORT_TOEPLITZ_H

#include <stdint.h>

#include <arnica/hw/cqp_flow.h>

/* Of an input that the key covers: both addresses of IPv6, and two ports. */
#define ADEV_TOEPLITZ_MAX_INPUT (ARNICA_HW_HASH_KEY_BYTES - 4u)

uint32_t adev_toeplitz(const uint8_t key[ARNICA_HW_HASH_KEY_BYTES],
		       const uint8_t *input, uint32_t bytes);

#endif
