/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Registration by work request. */
#include "exec/registration.h"

#include "dma/guard.h"
#include "front/memory.h"
#include "tpt/fast.h"
#include "trace.h"

/* Hints that may be ignored: IBV_ACCESS_OPTIONAL_RANGE. */
#define ACCESS_OPTIONAL ARNICA_GENMASK32(29, 20)
#define REMOTE_STORES                                                          \
	((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE |                             \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC)
/* No MW_BIND: a peer that takes the region back could not take the windows. */
#define ACCESS_RIGHTS                                                          \
	(REMOTE_STORES | (uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE |              \
	 ARNICA_HW_ACCESS_REMOTE_READ | ARNICA_HW_ACCESS_ZERO_BASED |          \
	 ARNICA_HW_ACCESS_ON_DEMAND | ARNICA_HW_ACCESS_HUGETLB |               \
	 ARNICA_HW_ACCESS_ONE_TOUCH)

#define MAX_PAGE_LOG 28u /* 256 MiB */

static bool wraps(uint64_t start, uint64_t length)
{
	return length && length - 1 > UINT64_MAX - start;
}

static uint32_t check(const struct adev_registration *wish, uint32_t max_ranges)
{
	uint32_t access = wish->access & ~ACCESS_OPTIONAL;
	uint32_t log = wish->page_log;

	if (access & ~ACCESS_RIGHTS ||
	    (access & REMOTE_STORES &&
	     !(access & ARNICA_HW_ACCESS_LOCAL_WRITE)))
		return ARNICA_HW_REFUSAL_ACCESS;
	if (!wish->length || wraps(wish->iova, wish->length) || !wish->count ||
	    wish->count > max_ranges ||
	    (log && (log < ARNICA_HW_PAGE_SHIFT || log > MAX_PAGE_LOG)))
		return ARNICA_HW_REFUSAL_RANGES;
	return 0;
}

struct range {
	uint64_t address;
	uint64_t length;
};

/* Entry `number` of a list in the program's memory. False: it is not there. */
static bool read_entry(const struct adev_registration *wish, uint32_t number,
		       struct range *range)
{
	const char *list = (const char *)(uintptr_t)wish->memory;
	struct arnica_hw_range entry;
	uint64_t page;

	if (wish->page_log) {
		if (!adev_guard_copy(&page, list + number * sizeof(page),
				     sizeof(page)))
			return false;
		range->address = page;
		range->length = 1ull << wish->page_log;
		return true;
	}
	if (!adev_guard_copy(&entry, list + number * sizeof(entry),
			     sizeof(entry)))
		return false;
	range->address = entry.address;
	range->length = entry.length;
	return true;
}

/*
 * Of pages the region is the part that begins where its own address begins in a
 * page, and is as long as it says (IBTA 10.6.4.5, "first byte offset").
 */
static bool cut(const struct adev_registration *wish, uint32_t number,
		uint64_t done, struct range *range)
{
	uint64_t skip = number ? 0 : wish->iova & (range->length - 1);

	if (!wish->page_log)
		return range->length && range->length <= wish->length - done &&
		       !wraps(range->address, range->length);
	if (range->address & (range->length - 1))
		return false;
	range->address += skip;
	range->length -= skip;
	if (range->length > wish->length - done)
		range->length = wish->length - done;
	return range->length;
}

/* The same promise as that of ibv_reg_mr(): it is there, and may be used so. */
static uint32_t touch(const struct range *range, uint32_t access)
{
	if (access & ARNICA_HW_ACCESS_ON_DEMAND)
		return 0;
	return adev_memory_populate(range->address, range->length,
				    access & ARNICA_HW_ACCESS_LOCAL_WRITE) ?
		       ARNICA_HW_REFUSAL_MEMORY :
		       0;
}

/* Adds a range to the items, or to the last of them that it goes on from. */
static void add(struct adev_tpt_item *items, uint32_t *count,
		const struct range *range)
{
	struct adev_tpt_item *last = *count ? &items[*count - 1] : NULL;

	if (last && last->iova + last->length == range->address)
		last->length += range->length;
	else
		items[(*count)++] = (struct adev_tpt_item){
			.iova = range->address,
			.length = range->length,
		};
}

/* The list as items of the table, every range looked at. */
static uint32_t collect(const struct adev_registration *wish,
			struct adev_tpt_item *items, uint32_t *count)
{
	struct range range = { 0 };
	uint64_t done = 0;
	uint32_t i, cause;

	*count = 0;
	for (i = 0; i < wish->count; i++) {
		if (!read_entry(wish, i, &range))
			return ARNICA_HW_REFUSAL_MEMORY;
		if (!cut(wish, i, done, &range))
			return ARNICA_HW_REFUSAL_RANGES;
		cause = touch(&range, wish->access);
		if (cause)
			return cause;
		add(items, count, &range);
		done += range.length;
	}
	return done == wish->length ? 0 : ARNICA_HW_REFUSAL_RANGES;
}

/* One range, whose address is in the request. */
static uint32_t take_range(const struct adev_registration *wish,
			   struct adev_tpt_item *item, uint32_t *count)
{
	const struct range whole = { wish->memory, wish->length };

	*count = 1;
	*item = (struct adev_tpt_item){
		.iova = whole.address,
		.length = whole.length,
	};
	return wraps(whole.address, whole.length) ? ARNICA_HW_REFUSAL_RANGES :
						    touch(&whole, wish->access);
}

/* Items that are one range need none in the segment. */
static uint32_t arrange(struct adev_tpt_item *items, uint32_t count,
			struct adev_fast_memory *memory)
{
	memory->address = items[0].iova;
	if (count == 1)
		return 0;
	/* The answer to it could not be repeated: see tpt/touch.h. */
	if (memory->access & ARNICA_HW_ACCESS_ONE_TOUCH)
		return ARNICA_HW_REFUSAL_ACCESS;
	memory->count = count;
	return adev_tpt_list_arrange(items, count, 1, &memory->row,
				     &memory->length) ?
		       ARNICA_HW_REFUSAL_RANGES :
		       0;
}

static uint32_t fill(struct adev_qp *qp, struct adev_fast *fast)
{
	const struct adev_registration *wish = &qp->message->registration;
	struct adev_tpt_item one, *items = adev_fast_items(qp->fn, fast);
	struct adev_fast_memory memory = {
		.iova = wish->iova,
		.length = wish->length,
		.access = wish->access & ~ACCESS_OPTIONAL,
	};
	uint32_t cause = check(wish, adev_fast_max_ranges(fast)), count;

	if (!items)
		items = &one;
	if (!cause)
		cause = wish->count == 1 && !wish->page_log ?
				take_range(wish, items, &count) :
				collect(wish, items, &count);
	if (!cause)
		cause = arrange(items, count, &memory);
	if (!cause)
		adev_fast_commit(qp->fn, fast, &memory, wish->key);
	return cause;
}

enum adev_window_result adev_registration_execute(struct adev_qp *qp)
{
	uint32_t key = qp->message->registration.key, cause = 0;
	struct adev_fast *fast;
	enum adev_window_result result =
		adev_fast_begin(qp->fn, qp->pd, key, &fast, &cause);

	if (result == ADEV_WINDOW_DONE) {
		cause = fill(qp, fast);
		if (cause) {
			adev_fast_abort(qp->fn, fast);
			result = ADEV_WINDOW_REFUSED;
		}
	}
	if (result == ADEV_WINDOW_DONE) {
		adev_count(&qp->fn->counters, registrations);
		arnica_trace_region_registered(qp->qpn, key);
	} else {
		qp->message->refusal = (uint8_t)cause;
	}
	return result;
}
