/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Advice on adopted memory. */
#include "adopt/advice.h"

#include <fcntl.h>

#include "adopt/raw.h"
#include "adopt/table.h"
#include "core/cancel.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

enum meaning {
	FOR_PAGES,   /* means the same for shared pages */
	FOR_MAPPING, /* belongs to the private mapping */
	DROP,	     /* the contents go */
	REFUSED,     /* not for private pages */
};

static enum meaning meaning_of(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return DROP;
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		return FOR_MAPPING;
	case MADV_REMOVE:
		return REFUSED;
	default:
		return FOR_PAGES;
	}
}

/* Zeros for everybody who looks, the peers too. */
static int drop(const struct adev_move *move)
{
	if (!adev_move_has_file(move))
		return adev_raw_madvise(move->start, move->bytes, MADV_REMOVE);
	return syscall(SYS_fallocate, move->fd,
		       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, move->offset,
		       move->bytes) == -1 ?
		       errno :
		       0;
}

static int advise_adopted(const struct adev_move *move, int advice)
{
	switch (meaning_of(advice)) {
	case DROP:
		return drop(move);
	case FOR_MAPPING:
		return adev_raw_madvise(move->parked, move->bytes, advice);
	case REFUSED:
		return EINVAL;
	case FOR_PAGES:
		break;
	}
	return adev_raw_madvise(move->start, move->bytes, advice);
}

/* As madvise() does: a hole does not keep it from the rest. */
static int worse(int before, int error)
{
	return before && before != ENOMEM ? before : error ? error : before;
}

/* The first part of a range that ends above `at`; false: nothing of it is mapped
 * from there on. */
static bool first_part(struct adev_adopted *range, uint64_t at,
		       struct adev_adopted_part *part)
{
	uint64_t start = range->move.start;

	if (adev_adopted_look(range, at > start ? at : start) ||
	    !range->num_parts)
		return false;
	*part = range->parts[0];
	return true;
}

/* The part of [start, end) from `at` on that is adopted as a whole, or not at
 * all; its end is returned. */
static uint64_t next_part(uint64_t at, uint64_t end, struct adev_move *move,
			  bool *adopted)
{
	uint32_t i;

	*adopted = false;
	for (i = 0; i < adev_adopted.end; i++) {
		struct adev_adopted *range = &adev_adopted.ranges[i];
		struct adev_adopted_part part;

		if (range->state < ADEV_ADOPTED_HERE ||
		    range->move.start >= end ||
		    range->move.start + range->move.bytes <= at ||
		    !first_part(range, at, &part) || part.start >= end)
			continue;
		if (part.start > at) {
			end = part.start;
			continue;
		}
		part.bytes -= at - part.start;
		part.start = at;
		if (part.bytes > end - at)
			part.bytes = end - at;
		*move = adev_adopted_part_move(range, &part);
		*adopted = true;
		return at + part.bytes;
	}
	return end;
}

static bool touches_any(uint64_t start, uint64_t bytes)
{
	uint32_t i;

	for (i = 0; i < adev_adopted.end; i++) {
		const struct adev_adopted *range = &adev_adopted.ranges[i];

		if (range->state >= ADEV_ADOPTED_HERE &&
		    range->move.start < start + bytes &&
		    range->move.start + range->move.bytes > start)
			return true;
	}
	return false;
}

bool adev_adopt_concerns(uint64_t start, uint64_t bytes)
{
	bool found;

	/* Who adopts memory while another thread asks about the same has no
	 * order between the two anyhow. */
	if (!atomic_load_explicit(&adev_adopted.used, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&adev_adopted.lock);
	found = touches_any(start, bytes);
	pthread_mutex_unlock(&adev_adopted.lock);
	return found;
}

int adev_adopt_advise(uint64_t start, uint64_t bytes, int advice)
{
	const uint64_t page = ARNICA_HW_PAGE_BYTES;
	uint64_t end = (start + bytes + page - 1) & ~(page - 1), at, next;
	int cancel, error = 0;

	if (start & (page - 1) || end < start || (bytes && end == start))
		return EINVAL;
	if (meaning_of(advice) == FOR_PAGES)
		return adev_raw_madvise(start, bytes, advice);
	cancel = adev_cancel_off();
	pthread_mutex_lock(&adev_adopted.lock);
	for (at = start; at < end; at = next) {
		struct adev_move move;
		bool adopted;

		next = next_part(at, end, &move, &adopted);
		error = worse(error,
			      adopted ? advise_adopted(&move, advice) :
					adev_raw_madvise(at, next - at,
							 advice));
	}
	pthread_mutex_unlock(&adev_adopted.lock);
	adev_cancel_restore(cancel);
	return error;
}
