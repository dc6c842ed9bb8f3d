/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/block.h"

#include <errno.h>

#include "domain/directory.h"
#include "domain/proc.h"

#define RANDOM_PROBES 64

static uint32_t block_function(uint64_t word)
{
	return (uint32_t)(word & ADEV_BLOCK_FUNCTION_MASK);
}

/* As far as the word holds it: the low 43 bits, of which a slot's status
 * compares 38. */
static uint64_t block_generation(uint64_t word)
{
	return (word & ~ADEV_BLOCK_USED) >> ADEV_BLOCK_GENERATION_SHIFT;
}

bool adev_block_is_owned(const struct adev_directory *directory, uint64_t word)
{
	return (word & ADEV_BLOCK_USED) &&
	       adev_directory_alive(directory, block_function(word),
				    block_generation(word));
}

static bool release(_Atomic uint64_t *block, uint64_t word)
{
	return atomic_compare_exchange_strong_explicit(
		block, &word, 0, memory_order_acq_rel, memory_order_relaxed);
}

/* Takes the block if it is free, or its owner is not running any more. */
static bool take(struct adev_directory *directory, uint32_t block,
		 uint64_t word)
{
	_Atomic uint64_t *at = &directory->table->blocks[block];
	uint64_t found = atomic_load_explicit(at, memory_order_acquire);

	if (found && adev_block_is_owned(directory, found))
		return false;
	/* B1: publishes the owner, whose slot says RUNNING by now; pairs with
	 * the acquire loads of this table. */
	return atomic_compare_exchange_strong_explicit(
		at, &found, word, memory_order_acq_rel, memory_order_relaxed);
}

/* Block 0 holds QP 0 and QP 1, which belong to the port; the last one the
 * number that means a multicast group (IBTA 10.5). */
#define USABLE_BLOCKS (ADEV_BLOCKS - 2)

static uint32_t pick(uint64_t number)
{
	return 1 + (uint32_t)(number % USABLE_BLOCKS);
}

int adev_directory_lease(struct adev_directory *directory, uint32_t function,
			 uint32_t lease, uint32_t *block)
{
	uint64_t generation;
	uint64_t word;
	uint64_t start = adev_proc_random();
	uint32_t i;

	if (function >= ADEV_FUNCTIONS || lease >= ADEV_LEASES)
		return EINVAL;
	generation = atomic_load_explicit(
		&directory->table->slots[function].generation,
		memory_order_acquire);
	if (!adev_directory_alive(directory, function, generation))
		return ESRCH;
	word = adev_block_encode(generation, function, lease);
	/* Random, so that numbers tell nothing and return late; then all of
	 * them in turn, as the table may be nearly full. */
	for (i = 0; i < RANDOM_PROBES; i++) {
		*block = pick(adev_proc_random());
		if (take(directory, *block, word))
			return 0;
	}
	for (i = 0; i < USABLE_BLOCKS; i++) {
		*block = pick(start % ADEV_BLOCKS + i);
		if (take(directory, *block, word))
			return 0;
	}
	return ENOMEM;
}

void adev_directory_return(struct adev_directory *directory, uint32_t function,
			   uint32_t block)
{
	_Atomic uint64_t *at = &directory->table->blocks[block % ADEV_BLOCKS];
	uint64_t word = atomic_load_explicit(at, memory_order_acquire);

	if (block_function(word) == function && adev_block_is_owned(directory, word))
		release(at, word);
}

bool adev_block_owner(const struct adev_directory *directory, uint64_t word,
		      uint32_t *function, uint64_t *generation)
{
	uint32_t lease = (uint32_t)arnica_field_get(word, ADEV_BLOCK_LEASE_MASK);

	if (!adev_block_is_owned(directory, word))
		return false;
	*function = block_function(word);
	*generation = atomic_load_explicit(
		&directory->table->slots[*function].generation,
		memory_order_acquire);
	/* The slot may have changed hands in between. */
	return adev_block_encode(*generation, *function, lease) == word;
}

int adev_directory_find(const struct adev_directory *directory, uint32_t qpn,
			uint32_t *function, uint64_t *generation,
			uint32_t *lease)
{
	uint64_t word = atomic_load_explicit(
		&directory->table->blocks[qpn / ADEV_BLOCK_QPNS % ADEV_BLOCKS],
		memory_order_acquire);

	if (!adev_block_owner(directory, word, function, generation))
		return ENOENT;
	*lease = (uint32_t)arnica_field_get(word, ADEV_BLOCK_LEASE_MASK);
	return 0;
}

void adev_block_sweep(struct adev_directory *directory)
{
	uint32_t i;

	for (i = 0; i < ADEV_BLOCKS; i++) {
		_Atomic uint64_t *at = &directory->table->blocks[i];
		uint64_t word = atomic_load_explicit(at, memory_order_acquire);

		if (word && !adev_block_is_owned(directory, word))
			release(at, word);
	}
}

void adev_block_return_all(struct adev_directory *directory, uint32_t function,
			   uint64_t generation)
{
	uint64_t owner = adev_block_encode(generation, function, 0);
	uint32_t i;

	for (i = 0; i < ADEV_BLOCKS; i++) {
		_Atomic uint64_t *at = &directory->table->blocks[i];
		uint64_t word = atomic_load_explicit(at, memory_order_acquire);

		if ((word & ~ADEV_BLOCK_LEASE_MASK) == owner)
			release(at, word);
	}
}
