/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The end of a range: what is left of it becomes private again, now or later. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <time.h>

#include "adopt/adopt.h"
#include "adopt/raw.h"
#include "adopt/table.h"
#include "core/cancel.h"
#include "core/attach.h"
#include "core/agent.h"
#include "core/clock.h"
#include "front/command.h"
#include "tpt/shared.h"
#include "trace.h"

/* What cannot be turned back is not tried at every turn. */
#define RETRY_NS (10 * ADEV_MS_NS)

uint64_t adev_adopted_computed_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void adev_adopted_spend_since(uint64_t began_ns)
{
	adev_adopt_budget_spend(&adev_adopted.budget,
				adev_adopted_computed_ns() - began_ns);
}

static bool collect(const struct adev_vma *vma, void *argument)
{
	struct adev_adopted *range = argument;
	const struct adev_move *move = &range->move;
	uint64_t start = vma->start > move->start ? vma->start : move->start;
	uint64_t end = move->start + move->bytes;

	if (vma->end < end)
		end = vma->end;
	if (vma->shared && vma->inode == move->file.inode &&
	    vma->offset + (start - vma->start) ==
		    move->offset + (start - move->start))
		range->parts[range->num_parts++] = (struct adev_adopted_part){
			.start = start,
			.bytes = end - start,
			.rights = vma->rights,
		};
	return range->num_parts < ADEV_ADOPT_PARTS;
}

int adev_adopted_look(struct adev_adopted *range, uint64_t from)
{
	const uint64_t end = range->move.start + range->move.bytes;

	if (from < range->move.start + range->done)
		from = range->move.start + range->done;
	range->num_parts = 0;
	return from < end ? adev_mappings_visit(from, end, collect, range) : 0;
}

bool adev_adopted_holds(struct adev_adopted *range, uint64_t start,
			uint64_t end)
{
	const int both = PROT_READ | PROT_WRITE;
	uint32_t i;

	do {
		if (adev_adopted_look(range, start))
			return false;
		for (i = 0; i < range->num_parts; i++) {
			const struct adev_adopted_part *part =
				&range->parts[i];

			if (part->start > start || (part->rights & both) != both)
				return false;
			start = part->start + part->bytes;
			if (start >= end)
				return true;
		}
	} while (range->num_parts == ADEV_ADOPT_PARTS);
	return false;
}

struct adev_move adev_adopted_part_move(const struct adev_adopted *range,
					const struct adev_adopted_part *part)
{
	uint64_t inside = part->start - range->move.start;

	return (struct adev_move){
		.start = part->start,
		.bytes = part->bytes,
		.parked = range->move.parked + inside,
		.offset = range->move.offset + inside,
		.fd = range->move.fd,
		.file = range->move.file,
	};
}

/* What was parked for pages below `end` that are not ours any more goes. */
static void drop_until(struct adev_adopted *range, uint64_t end)
{
	const uint64_t wanted = end - range->move.start;

	adev_raw_munmap(range->move.parked + range->done, wanted - range->done);
	range->done = wanted;
}

static int move_part(struct adev_adopted *range,
		     const struct adev_adopted_part *part, bool trapped)
{
	struct adev_move move = adev_adopted_part_move(range, part);
	int error;

	drop_until(range, part->start);
	error = adev_move_back(&move, part->rights, trapped);
	if (!error)
		range->done += part->bytes;
	return error;
}

/* All parts that are still mapped; those that the application unmapped, or put
 * something else in the place of, are none of ours any more. */
static int move_parts(struct adev_adopted *range, bool trapped)
{
	do {
		uint32_t i;
		int error = adev_adopted_look(range, range->move.start);

		for (i = 0; !error && i < range->num_parts; i++)
			error = move_part(range, &range->parts[i], trapped);
		if (error)
			return error;
	} while (range->num_parts == ADEV_ADOPT_PARTS);
	drop_until(range, range->move.start + range->move.bytes);
	return 0;
}

struct adev_adopt_question adev_adopted_question(
	const struct adev_adopted *range)
{
	const struct adev_move *move = &range->move;

	return (struct adev_adopt_question){
		.mode = adev_adopted.mode,
		.start = move->start,
		.bytes = move->bytes,
		.file_end = range->fn ? range->fn->view.size :
					move->offset + move->bytes,
		/* The agent itself is no thread that leaves the range alone. */
		.own_threads = adev_adopted.own_threads -
			       (adev_agent_is_self() ? 1 : 0),
	};
}

/* Regions of other functions of this process, as far as one can look now. */
static bool has_elsewhere(const struct adev_adopted_asker *asker,
			  const struct adev_adopted *range)
{
	return adev_adopted.num_functions > 1 &&
	       adev_functions_overlap(asker->fn, range->move.start,
				      range->move.bytes);
}

bool adev_adopted_has_others(const struct adev_adopted_asker *asker,
			     const struct adev_adopted *range, bool trapped)
{
	if (!trapped && (asker->users == ADEV_ADOPT_USED_HERE ||
			 adev_adopted.num_functions > 1 ||
			 range->fn != asker->fn))
		return true;
	if (has_elsewhere(asker, range))
		return true;
	/* Who reads waits at a trap, too; without one it would see zeros. */
	return asker->users == ADEV_ADOPT_NEW && !asker->closing &&
	       adev_regions_overlap(asker->fn, asker->index, range->move.start,
				    range->move.bytes, !trapped);
}

/* With the lock held. */
static bool turn_back(struct adev_adopted *range, const struct adev_adopted_asker *asker)
{
	const struct adev_adopt_question question = adev_adopted_question(range);
	uint64_t began_ns = adev_adopted_computed_ns();
	bool trapped, back;

	back = adev_adopt_judge_return(&question, &trapped) ==
		       ADEV_ADOPT_FIT &&
	       !adev_adopted_has_others(asker, range, trapped) &&
	       !move_parts(range, trapped);
	adev_adopted_spend_since(began_ns);
	return back;
}

static struct adev_adopted_leftover clear(struct adev_adopted *range)
{
	struct adev_adopted_leftover leftover = { .fn = range->fn,
				     .offset = range->move.offset,
				     .bytes = range->move.bytes };

	/* Of a function that is closed: the file was open for this alone. */
	if (!range->fn && adev_move_has_file(&range->move))
		close(range->move.fd);
	if (leftover.fn)
		atomic_fetch_add(&adev_adopted.giving, 1);
	range->state = ADEV_ADOPTED_NONE;
	adev_adopted.used--;
	while (adev_adopted.end &&
	       adev_adopted.ranges[adev_adopted.end - 1].state ==
		       ADEV_ADOPTED_NONE)
		adev_adopted.end--;
	return leftover;
}

void adev_adopted_give_to_heap(const struct adev_adopted_leftover *leftover)
{
	if (!leftover->fn)
		return;
	adev_heap_free(&leftover->fn->heap, leftover->offset, leftover->bytes);
	atomic_fetch_sub(&adev_adopted.giving, 1);
}

struct adev_adopted_leftover
adev_adopted_retry(const struct adev_adopted_asker *asker)
{
	uint32_t i;

	if (!adev_adopted.kept || adev_now_ns() < adev_adopted.retry_ns)
		return (struct adev_adopted_leftover){ 0 };
	adev_adopted.turn++;
	for (i = 0; i < adev_adopted.end; i++) {
		struct adev_adopted *range =
			&adev_adopted.ranges[(adev_adopted.turn + i) %
					     adev_adopted.end];

		if (range->state != ADEV_ADOPTED_KEPT)
			continue;
		if (!turn_back(range, asker)) {
			adev_adopted.retry_ns = adev_now_ns() + RETRY_NS;
			break;
		}
		adev_adopted.kept--;
		if (range->fn)
			adev_count(&range->fn->counters, adopt_returned);
		return clear(range);
	}
	return (struct adev_adopted_leftover){ 0 };
}

static struct adev_adopted_leftover release(struct adev_adopted *range,
			       const struct adev_adopted_asker *asker)
{
	struct adev_function *fn = range->fn;

	if (turn_back(range, asker)) {
		adev_count(&fn->counters, adopt_returned);
		return clear(range);
	}
	range->state = ADEV_ADOPTED_KEPT;
	adev_adopted.kept++;
	adev_count(&fn->counters, adopt_kept);
	arnica_trace_adopt_kept((uint32_t)(range->move.start >> 12),
				(uint32_t)(range->move.bytes >> 12));
	return (struct adev_adopted_leftover){ 0 };
}

/* The range that the pages of a word belong to. */
static struct adev_adopted *find_used(const struct adev_function *fn,
				      uint64_t shared)
{
	uint64_t offset = adev_tpt_shared_offset(shared);
	uint32_t i;

	for (i = 0; i < adev_adopted.end; i++) {
		struct adev_adopted *range = &adev_adopted.ranges[i];

		if (range->state == ADEV_ADOPTED_HERE && range->fn == fn &&
		    offset >= range->move.offset &&
		    offset < range->move.offset + range->move.bytes)
			return range;
	}
	return NULL;
}

bool adev_adopt_is_in(const struct adev_function *fn, uint64_t shared,
		      uint64_t start, uint64_t bytes)
{
	const struct adev_adopted *range;
	bool found;

	pthread_mutex_lock(&adev_adopted.lock);
	range = find_used(fn, shared);
	found = range && (range->move.start >= start ?
				  range->move.start - start < bytes :
				  start - range->move.start <
					  range->move.bytes);
	pthread_mutex_unlock(&adev_adopted.lock);
	return found;
}

void adev_adopt_put(struct adev_function *fn, uint32_t index, uint64_t shared)
{
	const struct adev_adopted_asker asker = { .fn = fn, .index = index };
	struct adev_adopted_leftover leftover = { 0 }, old;
	struct adev_adopted *range;
	int cancel;

	/* A region that adopted nothing may have been what kept a range. */
	if (!shared && !adev_adopted.kept)
		return;
	cancel = adev_cancel_off();
	pthread_mutex_lock(&adev_adopted.lock);
	old = adev_adopted_retry(&asker);
	range = shared ? find_used(fn, shared) : NULL;
	if (range && !--range->references)
		leftover = release(range, &asker);
	pthread_mutex_unlock(&adev_adopted.lock);
	adev_adopted_give_to_heap(&old);
	adev_adopted_give_to_heap(&leftover);
	adev_cancel_restore(cancel);
}

/* What goes on without its function has a descriptor of its own. Without one
 * it stays for good: the pages are the application's as they are. */
static void orphan(struct adev_adopted *range)
{
	int fd = fcntl(range->move.fd, F_DUPFD_CLOEXEC, 3);

	range->fn = NULL;
	range->references = 0;
	range->move.fd = fd;
}

void adev_adopt_close(struct adev_function *fn)
{
	const struct adev_adopted_asker asker = { .fn = fn, .closing = true };
	int cancel = adev_cancel_off();
	uint32_t i;

	pthread_mutex_lock(&adev_adopted.lock);
	for (i = 0; i < adev_adopted.end; i++) {
		struct adev_adopted *range = &adev_adopted.ranges[i];
		struct adev_adopted_leftover leftover = { 0 };

		if (range->fn != fn || range->state < ADEV_ADOPTED_HERE)
			continue;
		if (range->state == ADEV_ADOPTED_KEPT)
			adev_adopted.kept--;
		leftover = release(range, &asker);
		/* The heap ends with the function: nothing to give back. */
		if (leftover.fn)
			atomic_fetch_sub(&adev_adopted.giving, 1);
		if (range->state == ADEV_ADOPTED_KEPT)
			orphan(range);
	}
	adev_adopted.num_functions--;
	pthread_mutex_unlock(&adev_adopted.lock);
	/* Another function's thread may have turned a range of this one back. */
	while (atomic_load(&adev_adopted.giving))
		sched_yield();
	adev_cancel_restore(cancel);
}
