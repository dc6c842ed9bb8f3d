/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receive side scaling: tables of receive queues, and queue pairs that spread
 * what they get over one. A frame without the fields that the hash is of goes to
 * the first entry.
 *
 * With lock role `command`; what changes is changed with lock role `raw` held,
 * which each of these takes unless it says otherwise.
 */
#ifndef ADEV_TRANSPORT_RSS_H
#define ADEV_TRANSPORT_RSS_H

#include "transport/flow.h"

struct adev_raw;

struct adev_rwq_table {
	uint32_t handle;
	uint32_t count; /* a power of two */
	uint32_t uses;  /* queue pairs that spread over it */
	struct adev_rwq_table *next;
	struct adev_flow_target *queues[];
};

struct adev_rss {
	struct adev_qp *qp;
	struct adev_rwq_table *table;
	uint32_t fields;
	uint8_t key[ARNICA_HW_HASH_KEY_BYTES];
	struct adev_rss *next;
};

/* Of `count` queues; each may stand in it more than once. 0; ENOMEM. */
int adev_rss_create_table(struct adev_function *fn, struct adev_qp **queues,
			  uint32_t count, uint32_t *handle) ARNICA_MUST_CHECK;
/* 0; EINVAL: no such table; EBUSY. */
int adev_rss_destroy_table(struct adev_function *fn, uint32_t handle)
	ARNICA_MUST_CHECK;

/* Is there such a table, and may frames be hashed like this? There is one
 * protocol of each layer. */
bool adev_rss_check(const struct adev_function *fn,
		    const struct arnica_hw_rss *rss) ARNICA_MUST_CHECK;

/* A queue pair spreads over a table, which was checked, from now on, or no more;
 * those that do not are left alone. 0; ENOMEM. */
int adev_rss_attach(struct adev_qp *qp, const struct arnica_hw_rss *wish)
	ARNICA_MUST_CHECK;
void adev_rss_detach(struct adev_qp *qp);

/* With the lock: how the QP spreads; NULL: it does not. */
const struct adev_rss *adev_rss_find(const struct adev_raw *raw,
				     const struct adev_qp *qp);
/* With the lock: the receive queue that gets a frame. */
struct adev_flow_target *adev_rss_pick(const struct adev_rss *rss,
				       const struct adev_frame_fields *frame);

/* The function ends; nobody has the lock. */
void adev_rss_forget_all(struct adev_raw *raw);

#endif
