/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ranges of this process that are adopted. Not in allocated memory: while
 * pages move, the allocator's own may be among them. Lock role `adopt`.
 */
#ifndef ADEV_ADOPT_TABLE_H
#define ADEV_ADOPT_TABLE_H

#include <pthread.h>

#include "adopt/move.h"
#include "adopt/process.h"
#include "core/function.h"

#define ADEV_ADOPT_RANGES 4096u
#define ADEV_ADOPT_PARTS 8u

enum adev_adopted_state {
	ADEV_ADOPTED_NONE,   /* a free entry */
	ADEV_ADOPTED_COMING, /* about to be moved; no lock is held */
	ADEV_ADOPTED_HERE,
	ADEV_ADOPTED_KEPT, /* nobody needs it, but it could not be turned back
			    */
};

/* A part of a range that is still as it was adopted. */
struct adev_adopted_part {
	uint64_t start, bytes;
	int rights;
};

struct adev_adopted {
	enum adev_adopted_state state;
	struct adev_move move;
	struct adev_function *fn; /* whose segment it is in; NULL: closed */
	uint64_t inode;           /* of that segment */
	uint32_t references;      /* regions */
	/* What the application left of it, when last looked at. */
	uint32_t num_parts;
	struct adev_adopted_part parts[ADEV_ADOPT_PARTS];
};

struct adev_adopted_table {
	pthread_mutex_t lock;
	_Atomic int mode; /* enum adev_adopt_mode */
	uint32_t own_threads;
	uint32_t num_functions;
	uint32_t end; /* one past the last entry that is in use */
	_Atomic uint32_t used;
	_Atomic uint32_t kept;
	uint32_t turn; /* which of the kept is tried next */
	struct adev_adopted ranges[ADEV_ADOPT_RANGES];
};

extern struct adev_adopted_table adev_adopted;

/* Finds the parts of a range that are mapped still. */
int adev_adopted_look(struct adev_adopted *range) ARNICA_MUST_CHECK;

/* The part of the move that concerns one part of the range. */
struct adev_move adev_adopted_part_move(const struct adev_adopted *range,
					const struct adev_adopted_part *part);

#endif
