/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owners of queue pair numbers, 256 numbers at a time. A word belongs to a
 * function only as long as that function runs, whatever else it says; so a
 * block of the dead is free from the moment of death and the table is merely
 * tidied later.
 */
#ifndef ADEV_DOMAIN_BLOCK_H
#define ADEV_DOMAIN_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct adev_directory;

/* Does the word name a running function? */
bool adev_block_is_owned(const struct adev_directory *directory, uint64_t word);

/* The function that the word names, and its generation; false: it does not run
 * (any more). */
bool adev_block_owner(const struct adev_directory *directory, uint64_t word,
		      uint32_t *function, uint64_t *generation);

/* Frees the words of functions that do not run; any thread at any time. */
void adev_block_sweep(struct adev_directory *directory);

/* Frees the words of one function that has stopped running. */
void adev_block_return_all(struct adev_directory *directory, uint32_t function,
			   uint64_t generation);

#endif
