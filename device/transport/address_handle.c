/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of address handles: grows in chunks that never move. */
#include "transport/address_handle.h"

#include <stdlib.h>

struct adev_ah *adev_ah_make(struct adev_ah_table *table, uint32_t number)
{
	_Atomic(struct adev_ah *) *place =
		&table->chunks[number / ADEV_AH_CHUNK];
	struct adev_ah *chunk = atomic_load(place);

	if (!chunk) {
		chunk = calloc(ADEV_AH_CHUNK, sizeof(*chunk));
		if (!chunk)
			return NULL;
		atomic_store(place, chunk);
	}
	return &chunk[number % ADEV_AH_CHUNK];
}

const struct adev_ah *adev_ah_find(const struct adev_ah_table *table,
				   uint32_t number)
{
	const struct adev_ah *chunk;

	if (number >= ADEV_MAX_AH)
		return NULL;
	chunk = atomic_load_explicit(&table->chunks[number / ADEV_AH_CHUNK],
				     memory_order_acquire);
	if (!chunk)
		return NULL;
	chunk += number % ADEV_AH_CHUNK;
	return atomic_load_explicit(&chunk->pd, memory_order_acquire) ? chunk :
									NULL;
}

void adev_ah_fini(struct adev_ah_table *table)
{
	uint32_t i;

	for (i = 0; i < ADEV_MAX_AH / ADEV_AH_CHUNK; i++) {
		free(atomic_load(&table->chunks[i]));
		atomic_store(&table->chunks[i], NULL);
	}
}
