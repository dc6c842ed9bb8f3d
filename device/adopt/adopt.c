/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Adopting: what a region brings, and what it finds. Its end is in back.c. */
#include "adopt/adopt.h"

#include <errno.h>

#include "adopt/policy.h"
#include "adopt/table.h"
#include "core/cancel.h"
#include "core/clock.h"
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
	if (!adev_adopted.num_functions++)
		adev_adopted.own_threads = own_threads;
	adev_adopt_budget_open(&adev_adopted.budget, adev_now_ns());
	pthread_mutex_unlock(&adev_adopted.lock);
}

void adev_adopt_own_threads(int more)
{
	pthread_mutex_lock(&adev_adopted.lock);
	adev_adopted.own_threads += (uint32_t)more;
	pthread_mutex_unlock(&adev_adopted.lock);
}

void adev_adopt_hold(void)
{
	pthread_mutex_lock(&adev_adopted.lock);
}

void adev_adopt_let_go(void)
{
	pthread_mutex_unlock(&adev_adopted.lock);
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

/* The word for a region of which a range holds all pages but those at its ends;
 * zero when it does not. */
static uint64_t word_for(const struct adev_adopted *range, uint64_t address,
			 uint64_t length)
{
	uint64_t first = page_of(address), end = page_end(address + length);
	uint64_t range_end = range->move.start + range->move.bytes;
	bool skip = first < range->move.start;

	if (skip)
		first += PAGE;
	if (end > range_end)
		end -= PAGE;
	if (first < range->move.start || end > range_end || end <= first)
		return 0;
	return adev_tpt_shared_encode(
		range->move.offset + (first - range->move.start), end - first,
		skip);
}

/* One region more is on it. */
static void use(struct adev_adopted *range)
{
	if (range->state == ADEV_ADOPTED_KEPT) {
		range->state = ADEV_ADOPTED_HERE;
		adev_adopted.kept--;
	}
	range->references++;
}

/*
 * Uses a range that has been there for one more region. The application may have
 * put other pages in its place since, which peers must not miss, or taken rights
 * away: so look. With the lock held.
 */
static uint64_t join(const struct adev_function *fn, struct adev_adopted *range,
		     uint64_t address, uint64_t length)
{
	uint64_t shared = 0, start;

	if (range->fn == fn && range->state >= ADEV_ADOPTED_HERE)
		shared = word_for(range, address, length);
	if (!shared)
		return 0;
	start = range->move.start +
		(adev_tpt_shared_offset(shared) - range->move.offset);
	if (!adev_adopted_holds(range, start,
				start + adev_tpt_shared_bytes(shared)))
		return 0;
	use(range);
	return shared;
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
			  .fd = fn->segment_fd,
			  .file = fn->segment_file },
		.fn = fn,
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
	case ADEV_ADOPT_IN_USE:
		adev_count(&fn->counters, adopt_unsafe);
		break;
	case ADEV_ADOPT_COSTLY:
		adev_count(&fn->counters, adopt_costly);
		break;
	case ADEV_ADOPT_SMALL:
	case ADEV_ADOPT_FIT:
		return;
	}
	arnica_trace_adopt_refused(fn->view.function, verdict);
}

/* Is it worth a look? With the lock held. */
static enum adev_adopt_verdict judge_cost(uint64_t bytes)
{
	uint64_t now_ns = adev_now_ns();

	if (!adev_adopt_is_thrifty(adev_adopted.mode))
		return ADEV_ADOPT_FIT;
	if (!adev_adopt_budget_allows(&adev_adopted.budget, bytes, now_ns))
		return ADEV_ADOPT_COSTLY;
	return adev_adopt_budget_is_quiet(&adev_adopted.budget, now_ns) ?
		       ADEV_ADOPT_UNSAFE :
		       ADEV_ADOPT_FIT;
}

/* The memory and the process, and room for it. Without the lock. */
static enum adev_adopt_verdict judge(struct adev_function *fn,
				     const struct adev_adopted_asker *asker,
				     const struct adev_adopted *range,
				     bool *trapped)
{
	const struct adev_adopt_question question = adev_adopted_question(range);
	enum adev_adopt_verdict verdict = adev_adopt_judge(&question, trapped);

	if (verdict == ADEV_ADOPT_FIT &&
	    adev_adopted_has_others(asker, range, *trapped))
		verdict = ADEV_ADOPT_IN_USE;
	count_refusal(fn, verdict);
	return verdict;
}

/* Nothing came of it: the entry is free again. With the lock held. */
static void forget(struct adev_adopted *range)
{
	range->fn = NULL; /* who has the heap's part gives it back */
	range->move.bytes = 0;
	range->state = ADEV_ADOPTED_NONE;
	adev_adopted.used--;
}

/* Moves a range that has its entry. Without the lock, but for the move. */
static uint64_t bring(struct adev_function *fn, const struct adev_adopted_asker *asker,
		      struct adev_adopted *range,
		      const struct adev_adopt_region *region)
{
	const uint64_t bytes = range->move.bytes;
	const uint64_t began_ns = adev_adopted_computed_ns();
	uint64_t shared = 0, offset = 0;
	bool trapped = false, room = false;
	enum adev_adopt_verdict verdict = judge(fn, asker, range, &trapped);
	int error = ECANCELED;

	if (verdict == ADEV_ADOPT_FIT) {
		room = !adev_heap_reserve(&fn->heap, bytes, &offset);
		if (!room)
			adev_count(&fn->counters, adopt_no_room);
	}
	pthread_mutex_lock(&adev_adopted.lock);
	adev_adopt_budget_note(&adev_adopted.budget,
			       verdict != ADEV_ADOPT_UNSAFE, adev_now_ns());
	if (room) {
		range->move.offset = offset;
		error = adev_move_out(&range->move, trapped);
	}
	if (!error) {
		range->state = ADEV_ADOPTED_HERE;
		shared = word_for(range, region->address, region->length);
		use(range);
		adev_count(&fn->counters, adopt_taken);
	} else {
		forget(range);
	}
	adev_adopted_spend_since(began_ns);
	pthread_mutex_unlock(&adev_adopted.lock);
	if (error && room) {
		adev_heap_free(&fn->heap, offset, bytes);
		adev_count(&fn->counters, adopt_failed);
		arnica_trace_adopt_failed(fn->view.function, (uint32_t)error);
	}
	return shared;
}

/* What a region that no range serves makes of its own pages: an entry for them,
 * or NULL. With the lock held. */
static struct adev_adopted *claim(struct adev_function *fn, uint64_t start,
				  uint64_t end)
{
	enum adev_adopt_verdict verdict = find_touching(start, end) ?
						  ADEV_ADOPT_UNFIT :
						  judge_cost(end - start);
	struct adev_adopted *range;

	if (verdict != ADEV_ADOPT_FIT) {
		count_refusal(fn, verdict);
		return NULL;
	}
	range = reserve(fn, start, end);
	if (!range)
		adev_count(&fn->counters, adopt_no_room);
	return range;
}

/* May its pages be adopted for the sake of this region alone? */
static bool is_worth(const struct adev_function *fn,
		     const struct adev_adopt_region *region)
{
	/* Device memory, and what was allocated shareable, is there already. */
	if (region->address - (uintptr_t)fn->view.base < fn->view.size)
		return false;
	return region->access & WORTH &&
	       !(region->access & ARNICA_HW_ACCESS_ON_DEMAND) &&
	       (fn->has_peers || !adev_adopt_is_thrifty(adev_adopted.mode));
}

static uint64_t take(struct adev_function *fn,
		     const struct adev_adopt_region *region)
{
	const struct adev_adopted_asker asker = { .fn = fn,
				     .index = region->index,
				     .users = region->users };
	uint64_t address = region->address, length = region->length;
	uint64_t start = 0, end = 0, shared = 0;
	struct adev_adopted *range;
	struct adev_adopted_leftover leftover;
	bool fresh = region->users != ADEV_ADOPT_JOINS &&
		     is_worth(fn, region) &&
		     find_pages(address, length, &start, &end) &&
		     end - start >= adev_adopt_smallest(adev_adopted.mode);

	pthread_mutex_lock(&adev_adopted.lock);
	leftover = adev_adopted_retry(&asker);
	range = find_touching(page_of(address), page_end(address + length));
	if (range)
		shared = join(fn, range, address, length);
	range = !shared && fresh ? claim(fn, start, end) : NULL;
	pthread_mutex_unlock(&adev_adopted.lock);
	adev_adopted_give_to_heap(&leftover);
	return range ? bring(fn, &asker, range, region) : shared;
}

uint64_t adev_adopt_take(struct adev_function *fn,
			 const struct adev_adopt_region *region)
{
	uint64_t shared;
	int cancel;

	if (!region->length)
		return 0;
	cancel = adev_cancel_off();
	shared = take(fn, region);
	adev_cancel_restore(cancel);
	return shared;
}

bool adev_adopt_wants(const struct adev_function *fn, uint64_t length)
{
	int mode = adev_adopted.mode;

	if (mode == ADEV_ADOPT_OFF)
		return false;
	return adev_adopted.used ||
	       (length >= adev_adopt_smallest(mode) &&
		(fn->has_peers || !adev_adopt_is_thrifty(mode)));
}

bool adev_adopt_wants_more(const struct adev_function *fn)
{
	bool more;

	if (!fn->has_peers || !adev_adopt_is_thrifty(adev_adopted.mode))
		return false;
	pthread_mutex_lock(&adev_adopted.lock);
	more = adev_adopted.used < adev_adopt_limit(adev_adopted.mode) &&
	       judge_cost(0) == ADEV_ADOPT_FIT;
	pthread_mutex_unlock(&adev_adopted.lock);
	return more;
}
