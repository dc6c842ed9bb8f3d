/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Raw packets of a function, for the files that deal with them. */
#ifndef ADEV_TRANSPORT_RAW_STATE_H
#define ADEV_TRANSPORT_RAW_STATE_H

#include "link/tap.h"
#include "transport/flow.h"
#include "transport/rss.h"

struct adev_raw {
	struct adev_tap tap; /* receiving: with `lock` */
	pthread_mutex_t lock; /* lock role `raw`: everything below */
	struct adev_flows flows;
	struct adev_rss *spreaders;
	struct adev_rwq_table *tables;
	uint32_t num_tables;
	uint32_t next_table;
	uint8_t *room; /* ADEV_TAP_ROOM */
};

/* R1: pairs with the release in adev_raw_open(). NULL: none yet. */
static inline struct adev_raw *adev_raw_of(const struct adev_function *fn)
{
	return atomic_load_explicit(&fn->raw, memory_order_acquire);
}

#endif
