/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The ranges that are adopted, from the first region on them to the last. */
#include "adopt/adopt.h"

#include <errno.h>
#include <fcntl.h>

#include "adopt/policy.h"
#include "adopt/raw.h"
#include "adopt/table.h"
#include "core/cancel.h"
#include "front/command.h"
#include "tpt/shared.h"
#include "trace.h"

#define PAGE ((uint64_t)ARNICA_HW_PAGE_BYTES)

/* Peers reach into regions with one of these; others would gain nothing. */
#define WORTH                                                                  \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE |                              \
	 ARNICA_HW_ACCESS_REMOTE_WRITE | ARNICA_HW_ACCESS_REMOTE_READ |        \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC)

struct adev_adopted_table adev_adopted = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* What the heap gets back when the lock is free again. */
struct leftover {
	struct adev_function *fn; /* NULL: nothing */
	uint64_t offset, bytes;
};

static uint64_t page_of(uint64_t address)
{
	return address & ~(PAGE - 1);
}

static uint64_t page_end(uint64_t address)
{
	return page_of(address + PAGE - 1);
}

/* The pages that hold nothing but the region: [*start, *end). */
static bool find_pages(uint64_t address, uint64_t length, uint64_t *start,
		       uint64_t *end)
{
	if (length < PAGE || address > UINT64_MAX - PAGE - length)
		return false;
	*start = page_end(address);
	*end = page_of(address + length);
	return *end > *start;
}

void adev_adopt_open(uint32_t own_threads)
{
	pthread_mutex_lock(&adev_adopted.lock);
	adev_adopted.mode = adev_adopt_mode();
	adev_adopted.own_threads = own_threads;
	adev_adopted.num_functions++;
	pthread_mutex_unlock(&adev_adopted.lock);
}

static bool collect(const struct adev_vma *vma, void *argument)
{
	struct adev_adopted *range = argument;
	const struct adev_move *move = &range->move;
	uint64_t start = vma->start > move->start ? vma->start : move->start;
	uint64_t end = move->start + move->bytes;

	if (vma->end < end)
		end = vma->end;
	if (vma->shared && vma->inode == range->inode &&
	    vma->offset + (start - vma->start) ==
		    move->offset + (start - move->start))
		range->parts[range->num_parts++] = (struct adev_adopted_part){
			.start = start,
			.bytes = end - start,
			.rights = vma->rights,
		};
	return range->num_parts < ADEV_ADOPT_PARTS;
}

int adev_adopted_look(struct adev_adopted *range)
{
	range->num_parts = 0;
	return adev_process_mappings(range->move.start,
				     range->move.start + range->move.bytes,
				     collect, range);
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
	};
}

/* All parts that are still mapped; those that the application unmapped, or put
 * something else in the place of, are none of ours any more. */
static int move_parts(struct adev_adopted *range, bool trapped)
{
	do {
		uint32_t i;
		int error = adev_adopted_look(range);

		for (i = 0; !error && i < range->num_parts; i++) {
			struct adev_move move = adev_adopted_part_move(
				range, &range->parts[i]);

			error = adev_move_back(&move, range->parts[i].rights,
					       trapped);
		}
		if (error)
			return error;
	} while (range->num_parts == ADEV_ADOPT_PARTS);
	return 0;
}

/* Is the range in use by somebody who would not wait? Regions of `fn` are known
 * (its command lock is held), but for the one that comes or goes. */
static bool has_others(const struct adev_function *fn, uint32_t index,
		       const struct adev_adopted *range)
{
	return adev_adopted.num_functions > 1 || range->fn != fn ||
	       adev_regions_overlap(fn, index, range->move.start,
				    range->move.bytes);
}

static bool turn_back(struct adev_adopted *range, bool others)
{
	const struct adev_adopt_question question = {
		.mode = adev_adopted.mode,
		.start = range->move.start,
		.bytes = range->move.bytes,
		.own_threads = adev_adopted.own_threads,
		.others = others,
	};
	bool trapped;

	return adev_adopt_judge_return(&question, &trapped) ==
		       ADEV_ADOPT_FIT &&
	       !move_parts(range, trapped);
}

static struct leftover clear(struct adev_adopted *range)
{
	struct leftover leftover = { .fn = range->fn,
				     .offset = range->move.offset,
				     .bytes = range->move.bytes };

	adev_raw_munmap(range->move.parked, range->move.bytes);
	/* Of a function that is closed: the file was open for this alone. */
	if (!range->fn)
		close(range->move.fd);
	range->state = ADEV_ADOPTED_NONE;
	adev_adopted.used--;
	while (adev_adopted.end &&
	       adev_adopted.ranges[adev_adopted.end - 1].state ==
		       ADEV_ADOPTED_NONE)
		adev_adopted.end--;
	return leftover;
}

static void give_to_heap(const struct leftover *leftover)
{
	if (leftover->fn)
		adev_heap_free(&leftover->fn->heap, leftover->offset,
			       leftover->bytes);
}

/* One of those that could not be turned back before. With the lock held. */
static struct leftover retry_kept(const struct adev_function *fn,
				  uint32_t index)
{
	uint32_t i;

	if (!adev_adopted.kept)
		return (struct leftover){ 0 };
	adev_adopted.turn++;
	for (i = 0; i < adev_adopted.end; i++) {
		struct adev_adopted *range =
			&adev_adopted.ranges[(adev_adopted.turn + i) %
					     adev_adopted.end];

		if (range->state != ADEV_ADOPTED_KEPT)
			continue;
		if (!turn_back(range, has_others(fn, index, range)))
			break;
		adev_adopted.kept--;
		if (range->fn)
			adev_count(&range->fn->counters, adopt_returned);
		return clear(range);
	}
	return (struct leftover){ 0 };
}

static struct leftover release(struct adev_adopted *range, bool others)
{
	struct adev_function *fn = range->fn;

	if (turn_back(range, others)) {
		adev_count(&fn->counters, adopt_returned);
		return clear(range);
	}
	range->state = ADEV_ADOPTED_KEPT;
	adev_adopted.kept++;
	adev_count(&fn->counters, adopt_kept);
	arnica_trace_adopt_kept((uint32_t)(range->move.start >> 12),
				(uint32_t)(range->move.bytes >> 12));
	return (struct leftover){ 0 };
}

static bool touches(const struct adev_adopted *range, uint64_t start,
		    uint64_t end)
{
	return range->state != ADEV_ADOPTED_NONE && range->move.start < end &&
	       range->move.start + range->move.bytes > start;
}

/* A range that a region with these pages of its own has to do with. */
static struct adev_adopted *find_touching(uint64_t start, uint64_t end)
{
	uint32_t i;

	for (i = 0; i < adev_adopted.end; i++)
		if (touches(&adev_adopted.ranges[i], start, end))
			return &adev_adopted.ranges[i];
	return NULL;
}

/* Uses a range for one more region, when it holds all pages of the region but
 * those at its ends. With the lock held. */
static uint64_t join(struct adev_function *fn, struct adev_adopted *range,
		     uint64_t address, uint64_t length)
{
	uint64_t first = page_of(address), end = page_end(address + length);
	uint64_t range_end = range->move.start + range->move.bytes;
	bool skip = first < range->move.start;

	if (range->fn != fn || range->state < ADEV_ADOPTED_HERE)
		return 0;
	if (skip)
		first += PAGE;
	if (end > range_end)
		end -= PAGE;
	if (first < range->move.start || end > range_end || end <= first)
		return 0;
	if (range->state == ADEV_ADOPTED_KEPT) {
		range->state = ADEV_ADOPTED_HERE;
		adev_adopted.kept--;
	}
	range->references++;
	return adev_tpt_shared_encode(
		range->move.offset + (first - range->move.start), end - first,
		skip);
}

/* An entry for a range that is to come; NULL when there are enough. */
static struct adev_adopted *reserve(struct adev_function *fn, uint64_t start,
				    uint64_t end)
{
	uint32_t i;

	if (adev_adopted.used >= adev_adopt_limit(adev_adopted.mode))
		return NULL;
	for (i = 0; adev_adopted.ranges[i].state != ADEV_ADOPTED_NONE; i++)
		;
	if (i >= adev_adopted.end)
		adev_adopted.end = i + 1;
	adev_adopted.used++;
	adev_adopted.ranges[i] = (struct adev_adopted){
		.state = ADEV_ADOPTED_COMING,
		.move = { .start = start, .bytes = end - start,
			  .fd = fn->segment_fd },
		.fn = fn,
		.inode = fn->segment_inode,
	};
	return &adev_adopted.ranges[i];
}

static void count_refusal(struct adev_function *fn,
			  enum adev_adopt_verdict verdict)
{
	switch (verdict) {
	case ADEV_ADOPT_UNFIT:
		adev_count(&fn->counters, adopt_unfit);
		break;
	case ADEV_ADOPT_UNSAFE:
		adev_count(&fn->counters, adopt_unsafe);
		break;
	case ADEV_ADOPT_SMALL:
	case ADEV_ADOPT_FIT:
		return;
	}
	arnica_trace_adopt_refused(fn->view.function, verdict);
}

/* Moves a range that has its entry. Without the lock, but for the move. */
static uint64_t bring(struct adev_function *fn, uint32_t index,
		      struct adev_adopted *range, uint64_t address,
		      uint64_t length)
{
	const struct adev_adopt_question question = {
		.mode = adev_adopted.mode,
		.start = range->move.start,
		.bytes = range->move.bytes,
		.own_threads = adev_adopted.own_threads,
		.others = has_others(fn, index, range),
	};
	enum adev_adopt_verdict verdict;
	uint64_t shared = 0, offset = 0;
	bool trapped = false, room = false;
	int error = ECANCELED;

	verdict = adev_adopt_judge(&question, &trapped);
	count_refusal(fn, verdict);
	if (verdict == ADEV_ADOPT_FIT) {
		room = !adev_heap_reserve(&fn->heap, question.bytes, &offset);
		if (!room)
			adev_count(&fn->counters, adopt_no_room);
	}
	pthread_mutex_lock(&adev_adopted.lock);
	if (room) {
		range->move.offset = offset;
		error = adev_move_out(&range->move, trapped);
	}
	if (!error) {
		range->state = ADEV_ADOPTED_HERE;
		shared = join(fn, range, address, length);
		adev_count(&fn->counters, adopt_taken);
	} else {
		range->fn = NULL; /* the heap's part is given back below */
		range->move.bytes = 0;
		range->state = ADEV_ADOPTED_NONE;
		adev_adopted.used--;
	}
	pthread_mutex_unlock(&adev_adopted.lock);
	if (error && room) {
		adev_heap_free(&fn->heap, offset, question.bytes);
		adev_count(&fn->counters, adopt_failed);
		arnica_trace_adopt_failed(fn->view.function, (uint32_t)error);
	}
	return shared;
}

static uint64_t take(struct adev_function *fn, uint32_t index,
		     uint64_t address, uint64_t length, bool worth)
{
	struct adev_adopted *range = NULL;
	struct leftover leftover;
	uint64_t start = 0, end = 0, shared = 0;
	bool fresh = worth && find_pages(address, length, &start, &end) &&
		     end - start >= adev_adopt_smallest(adev_adopted.mode);

	pthread_mutex_lock(&adev_adopted.lock);
	leftover = retry_kept(fn, index);
	range = find_touching(page_of(address), page_end(address + length));
	if (range)
		shared = join(fn, range, address, length);
	if (!shared && fresh && find_touching(start, end)) {
		adev_count(&fn->counters, adopt_unfit);
		fresh = false;
	}
	range = NULL;
	if (!shared && fresh) {
		range = reserve(fn, start, end);
		if (!range)
			adev_count(&fn->counters, adopt_no_room);
	}
	pthread_mutex_unlock(&adev_adopted.lock);
	give_to_heap(&leftover);
	return range ? bring(fn, index, range, address, length) : shared;
}

uint64_t adev_adopt_take(struct adev_function *fn, uint32_t index,
			 uint64_t address, uint64_t length, uint32_t access)
{
	uint64_t shared;
	int cancel;

	if (!length || !adev_adopt_wants(length))
		return 0;
	cancel = adev_cancel_off();
	shared = take(fn, index, address, length,
		      access & WORTH && !(access & ARNICA_HW_ACCESS_ON_DEMAND));
	adev_cancel_restore(cancel);
	return shared;
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
	struct leftover leftover = { 0 }, old;
	struct adev_adopted *range;
	int cancel;

	/* A region that adopted nothing may have been what kept a range. */
	if (!shared && !adev_adopted.kept)
		return;
	cancel = adev_cancel_off();
	pthread_mutex_lock(&adev_adopted.lock);
	old = retry_kept(fn, index);
	range = shared ? find_used(fn, shared) : NULL;
	if (range && !--range->references)
		leftover = release(range, has_others(fn, index, range));
	pthread_mutex_unlock(&adev_adopted.lock);
	give_to_heap(&old);
	give_to_heap(&leftover);
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
	int cancel = adev_cancel_off();
	uint32_t i;

	pthread_mutex_lock(&adev_adopted.lock);
	for (i = 0; i < adev_adopted.end; i++) {
		struct adev_adopted *range = &adev_adopted.ranges[i];
		struct leftover leftover = { 0 };

		if (range->fn != fn || range->state < ADEV_ADOPTED_HERE)
			continue;
		if (range->state == ADEV_ADOPTED_KEPT)
			adev_adopted.kept--;
		/* Its regions are as good as gone. */
		leftover = release(range, adev_adopted.num_functions > 1);
		/* The heap ends with the function: nothing to give back. */
		(void)leftover;
		if (range->state == ADEV_ADOPTED_KEPT)
			orphan(range);
	}
	adev_adopted.num_functions--;
	pthread_mutex_unlock(&adev_adopted.lock);
	adev_cancel_restore(cancel);
}

bool adev_adopt_wants(uint64_t length)
{
	return adev_adopted.mode != ADEV_ADOPT_OFF &&
	       (adev_adopted.used ||
		length >= adev_adopt_smallest(adev_adopted.mode));
}
