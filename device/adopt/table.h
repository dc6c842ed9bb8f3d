/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ranges of this process that are adopted. Not in allocated memory: while
 * pages move, the allocator's own may be among them. Lock role `adopt`.
 */
#ifndef ADEV_ADOPT_TABLE_H
#define ADEV_ADOPT_TABLE_H

#include <pthread.h>

#include "adopt/adopt.h"
#include "adopt/budget.h"
#include "adopt/mappings.h"
#include "adopt/move.h"
#include "adopt/policy.h"
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
	uint32_t references;      /* regions */
	/* So much of it, from its start on, is private again or gone: nothing
	 * is parked for that, and its place may be somebody else's. */
	uint64_t done;
	/* What the application left of it, when last looked at. */
	uint32_t num_parts;
	struct adev_adopted_part parts[ADEV_ADOPT_PARTS];
};

struct adev_adopted_table {
	pthread_mutex_t lock;
	_Atomic int mode; /* enum adev_adopt_mode */
	/* These two are read without the lock, too. */
	_Atomic uint32_t own_threads;
	_Atomic uint32_t num_functions;
	uint32_t end; /* one past the last entry that is in use */
	_Atomic uint32_t used;
	_Atomic uint32_t kept;
	/* Leftovers under way to a heap: of a function that is not closed before
	 * they are there. */
	_Atomic uint32_t giving;
	uint32_t turn; /* which of the kept is tried next */
	uint64_t retry_ns; /* when one of them is tried next */
	struct adev_adopt_budget budget;
	struct adev_adopted ranges[ADEV_ADOPT_RANGES];
};

extern struct adev_adopted_table adev_adopted;

/* Who asks, and for which of its regions. */
struct adev_adopted_asker {
	const struct adev_function *fn;
	uint32_t index;
	enum adev_adopt_users users;
	bool closing; /* all its regions are as good as gone */
};

/* What the heap gets back when the lock is free again. Whoever has one gives it,
 * so that the function can be closed. */
struct adev_adopted_leftover {
	struct adev_function *fn; /* NULL: nothing */
	uint64_t offset, bytes;
};

void adev_adopted_give_to_heap(const struct adev_adopted_leftover *leftover);

/* The question about a range for policy.h. */
struct adev_adopt_question adev_adopted_question(
	const struct adev_adopted *range);

/*
 * Is the range in use by somebody who would not wait? The asker's command lock
 * is held. This process's own threads wait at a trap; a peer whose transfer goes
 * by process_vm does not, so no other region on these pages may let it write.
 * Without a trap nobody waits, and no other region may be there at all.
 */
bool adev_adopted_has_others(const struct adev_adopted_asker *asker,
			     const struct adev_adopted *range, bool trapped);

/* Tries to turn back one range that could not be before, if it is time. With
 * the lock held. */
struct adev_adopted_leftover
adev_adopted_retry(const struct adev_adopted_asker *asker);

/* What this thread has computed (ns): waiting costs the program nothing. */
uint64_t adev_adopted_computed_ns(void);
/* Charges the budget with what it has computed since; with the lock held. */
void adev_adopted_spend_since(uint64_t began_ns);

/* Finds the parts of a range that are mapped still, by ascending address, from
 * the one on that `from` is in or before. When ADEV_ADOPT_PARTS are found there
 * may be more. */
int adev_adopted_look(struct adev_adopted *range,
		      uint64_t from) ARNICA_MUST_CHECK;

/* Are these pages of a range mapped still, for loads and stores? No when nobody
 * can tell. */
bool adev_adopted_holds(struct adev_adopted *range, uint64_t start,
			uint64_t end);

/* The part of the move that concerns one part of the range. */
struct adev_move adev_adopted_part_move(const struct adev_adopted *range,
					const struct adev_adopted_part *part);

#endif
