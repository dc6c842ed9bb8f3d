/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Indirect keys: one key for many ranges, or for a pattern of them. The host
 * knows nothing of what a key is: the adapter looks it up, and places what
 * arrives by it at once.
 */
#ifndef ARNICA_MKEY_H
#define ARNICA_MKEY_H

#include <infiniband/arnicadv.h>

struct arnica_mkey {
	struct arnicadv_mkey verbs; /* first: the application's view */
	struct ibv_pd *pd;
	uint32_t handle;
	uint32_t max_entries;
};

#endif
