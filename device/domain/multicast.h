/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which functions of the domain have queue pairs in multicast groups: a bit for
 * each in the directory, and an epoch that changes with every attachment, so
 * that a sender that remembers who they were knows when to look again. Which
 * groups and queue pairs is in the functions' segments
 * (transport/multicast.h).
 *
 * A bit may stand for a function that died: who follows it asks whether the
 * function lives.
 */
#ifndef ADEV_DOMAIN_MULTICAST_H
#define ADEV_DOMAIN_MULTICAST_H

#include <stdbool.h>
#include <stdint.h>

#include "domain/table.h"

struct adev_directory;

/* Something changed in a function's attachments, of which there are now some
 * or none. */
void adev_directory_attached(struct adev_directory *directory,
			     uint32_t function, bool any);

/* M2: what was attached before the change to this number is seen after it. */
static inline uint32_t adev_mcast_epoch(const struct adev_table *table)
{
	return atomic_load_explicit(&table->header.mcast_epoch,
				    memory_order_acquire);
}

/* The first function from this one on that has attachments, alive and of this
 * network namespace (others get packets), and its generation; ADEV_FUNCTIONS:
 * there is none. */
uint32_t adev_directory_next_attached(const struct adev_directory *directory,
				      uint32_t function, uint64_t *generation);

#endif
