/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * RDMA WRITEs as packets of equal length.
 *
 * The first packet of a WRITE is longer than those that follow, by its RETH, and
 * the kernel takes only packets of equal length in one datagram. A WRITE that is
 * sent as so many WRITEs of one packet each has a RETH in all of them: its
 * packets, and those of the messages around it, fill datagrams. For the peer that
 * is any sequence of WRITEs; completions are by packet numbers and do not change.
 *
 * Two things would change. A WRITE with immediate data tells the peer how long it
 * was: it is never sent so. And a responder refuses a WRITE beyond a region at its
 * first packet, before it stored any of it: so this is done only where a WRITE
 * that named all of its memory at once has shown that the peer accepts it.
 *
 * With sq_lock held.
 */
#ifndef ADEV_TRANSPORT_EVEN_H
#define ADEV_TRANSPORT_EVEN_H

#include "transport/qp.h"

#define ADEV_EVEN_KEYS 4u

/* Memory of the peer: bytes from `begin` to before `end`. */
struct adev_even_range {
	uint32_t rkey;
	uint64_t begin, end; /* both zero: none */
};

struct adev_even {
	struct adev_even_range known[ADEV_EVEN_KEYS];
	struct adev_even_range tried;
	uint64_t tried_last; /* last packet of the WRITE that tries it */
	bool trying;
};

/* For a new connection. */
void adev_even_init(struct adev_even *even);

/* Nothing is on its way any more. */
void adev_even_forget(struct adev_even *even);

/* Decides how a message of `count` packets from `first` is sent, once for all
 * times that it is sent: true if in packets of equal length. */
bool adev_even_begin(struct adev_even *even, const struct adev_message *message,
		     uint64_t first, uint64_t count) ARNICA_MUST_CHECK;

/* Everything before packet `oldest` is acknowledged. */
void adev_even_acknowledge(struct adev_even *even, uint64_t oldest);

#endif
