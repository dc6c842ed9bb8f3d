/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/multicast.h"

#include "domain/directory.h"

void adev_directory_attached(struct adev_directory *directory,
			     uint32_t function, bool any)
{
	struct adev_table_header *header = &directory->table->header;
	_Atomic uint64_t *word =
		&header->mcast_members[function % ADEV_FUNCTIONS / 64];
	uint64_t bit = 1ull << function % 64;

	if (any)
		atomic_fetch_or(word, bit);
	else if (!(atomic_fetch_and(word, ~bit) & bit))
		return;
	/* M2: last; pairs with adev_mcast_epoch(). */
	atomic_fetch_add_explicit(&header->mcast_epoch, 1,
				  memory_order_release);
}

uint32_t adev_directory_next_attached(const struct adev_directory *directory,
				      uint32_t function, uint64_t *generation)
{
	const struct adev_table_header *header = &directory->table->header;

	while (function < ADEV_FUNCTIONS) {
		uint64_t word = atomic_load_explicit(
			&header->mcast_members[function / 64],
			memory_order_acquire);

		word &= ~0ull << function % 64;
		if (!word) {
			function = (function / 64 + 1) * 64;
			continue;
		}
		function = function / 64 * 64 +
			   (uint32_t)__builtin_ctzll(word);
		if (adev_directory_is_here(directory, function, generation))
			return function;
		function++;
	}
	return ADEV_FUNCTIONS;
}
