/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Mirror of the adapter's table: what the host knows of every STag. It is kept
 * by looking at what the adapter answers: to commands, when they are answered;
 * to work requests, when the application polls their completion; to a peer's
 * SEND with invalidate, when its receive is polled. What nobody polls, because
 * its queue pair was reset or destroyed, is asked for.
 *
 * Memory has a place in it when it has an STag: tools read it from outside.
 */
#ifndef ARNICA_MIRROR_H
#define ARNICA_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/cqp.h"
#include "arnica/hw/mirror.h"
#include "spinlock.h"

struct arnica_context;
struct arnica_qp;
struct arnica_ring;

struct arnica_mirror {
	struct arnica_spinlock lock;
	struct arnica_hw_mirror_entry *entries; /* by index of the STag */
	uint32_t *before; /* by index of a window: the one whose next it is */
	uint32_t num_entries;
	uint32_t windows; /* index of the first; zero: none */
};

/* ENOMEM. The adapter is told where it is, if it wants to know. Once more for a
 * new function of a context that has nothing yet. */
int arnica_mirror_init(struct arnica_context *context) ARNICA_MUST_CHECK;
void arnica_mirror_fini(struct arnica_mirror *mirror);

/* A command that was done. */
void arnica_mirror_command(struct arnica_mirror *mirror,
			   const struct arnica_hw_command *command,
			   const struct arnica_hw_completion *answer);

/* The requests of a send queue from `tail` to `index` are over, the last one
 * with success or not. With the lock of the CQ. */
void arnica_mirror_retire(struct arnica_ring *ring, uint32_t tail,
			  uint32_t index, bool success);

/* A peer took this key back. */
void arnica_mirror_taken_back(struct arnica_mirror *mirror, uint32_t stag);

/* The send queue forgets what was posted and not polled. */
void arnica_mirror_ask(struct arnica_qp *qp);

/* Is its registration over? Asks the adapter if that is not known. */
void arnica_mirror_follow(struct arnica_context *context, uint32_t stag);

/* A copy of the entry of that key; false: nobody has had it. */
bool arnica_mirror_find(struct arnica_mirror *mirror, uint32_t stag,
			struct arnica_hw_mirror_entry *entry);

#endif
