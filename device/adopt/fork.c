/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * fork(): adopted pages are shared, but a child must have its own.
 *
 * The range itself is left out of every child (MADV_DONTFORK), so a child that
 * is made past these handlers cannot write into its parent's memory. Before a
 * fork the contents are copied into the parked mappings, which are private; in
 * the child each takes the place of its range. What the application has done to
 * the pages since (unmapped, protected) holds for the child, too.
 *
 * vfork() and posix_spawn() run no handlers and need none.
 */
#include "adopt/adopt.h"

#include <unistd.h>

#include "adopt/process.h"
#include "adopt/raw.h"
#include "adopt/table.h"
#include "domain/log.h"

/* What each range has for a child, as it was before the fork: the child has no
 * such mappings to look at. There may be as many parts as pages, and the
 * allocator must not be called. */
#define COPIES 256u

struct copy {
	struct adev_move move;
	int rights;
	bool unseen; /* there was no way to look at the mappings */
};

struct copies {
	struct copies *next;
	uint32_t count;
	struct copy copies[COPIES];
};

static struct copies first_copies;
static struct copies *last_copies = &first_copies;

/* NULL: no memory. */
static struct copy *new_copy(void)
{
	uint64_t place = 0;

	if (last_copies->count == COPIES) {
		if (adev_raw_mmap(0, sizeof(struct copies),
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &place))
			return NULL;
		last_copies->next = (struct copies *)(uintptr_t)place;
		last_copies = last_copies->next;
	}
	return &last_copies->copies[last_copies->count++];
}

static void forget_copies(void)
{
	struct copies *block = first_copies.next, *next;

	for (; block; block = next) {
		next = block->next;
		adev_raw_munmap((uintptr_t)block, sizeof(*block));
	}
	first_copies.next = NULL;
	first_copies.count = 0;
	last_copies = &first_copies;
}

static void snapshot_part(const struct adev_adopted *range,
			  const struct adev_adopted_part *part, bool unseen)
{
	struct copy *copy = new_copy();

	if (copy)
		*copy = (struct copy){
			.move = adev_adopted_part_move(range, part),
			.rights = part->rights,
			.unseen = unseen,
		};
	if (!copy || adev_move_snapshot(&copy->move))
		adev_log_error("no memory for a forked child's copy of "
			       "%llu bytes of registered memory",
			       (unsigned long long)part->bytes);
}

/* Without a descriptor that is free, or without /proc, nobody tells what the
 * application left of a range: the child gets all of it from `from` on. */
static void snapshot_unseen(const struct adev_adopted *range, uint64_t from)
{
	uint64_t start = range->move.start + range->done;
	struct adev_adopted_part part;

	if (from > start)
		start = from;
	part = (struct adev_adopted_part){
		.start = start,
		.bytes = range->move.start + range->move.bytes - start,
		.rights = PROT_READ | PROT_WRITE,
	};
	if (part.bytes)
		snapshot_part(range, &part, true);
}

static void snapshot(struct adev_adopted *range)
{
	uint64_t from = range->move.start;
	uint32_t i;

	do {
		if (adev_adopted_look(range, from)) {
			snapshot_unseen(range, from);
			return;
		}
		for (i = 0; i < range->num_parts; i++) {
			snapshot_part(range, &range->parts[i], false);
			from = range->parts[i].start + range->parts[i].bytes;
		}
	} while (range->num_parts == ADEV_ADOPT_PARTS);
}

/* Not worth a look at the machine. */
#define LITTLE_BYTES (16ull << 20)

bool adev_adopt_fork_fits(void)
{
	uint64_t bytes = 0;
	uint32_t i;

	pthread_mutex_lock(&adev_adopted.lock);
	for (i = 0; i < adev_adopted.end; i++)
		if (adev_adopted.ranges[i].state >= ADEV_ADOPTED_HERE)
			bytes += adev_adopted.ranges[i].move.bytes;
	pthread_mutex_unlock(&adev_adopted.lock);
	return bytes <= LITTLE_BYTES || bytes <= adev_process_room() / 2;
}

/* Copies count as adopting does: who forks all the time adopts less. */
void adev_adopt_before_fork(void)
{
	uint64_t began_ns;
	uint32_t i;

	pthread_mutex_lock(&adev_adopted.lock);
	if (!adev_adopted.used)
		return;
	began_ns = adev_adopted_computed_ns();
	for (i = 0; i < adev_adopted.end; i++)
		if (adev_adopted.ranges[i].state >= ADEV_ADOPTED_HERE)
			snapshot(&adev_adopted.ranges[i]);
	adev_adopted_spend_since(began_ns);
}

void adev_adopt_after_fork_parent(void)
{
	const struct copies *block;
	uint32_t i;

	for (block = &first_copies; block; block = block->next)
		for (i = 0; i < block->count; i++)
			adev_move_forget_snapshot(&block->copies[i].move);
	forget_copies();
	pthread_mutex_unlock(&adev_adopted.lock);
}

static void settle(const struct copy *copy)
{
	if (copy->unseen)
		adev_move_child_unseen(&copy->move);
	else
		adev_move_child(&copy->move, copy->rights);
}

/* In the child: every copy takes the place that it is a copy of. */
static void settle_copies(void)
{
	const struct copies *block;
	uint32_t i;

	for (block = &first_copies; block; block = block->next)
		for (i = 0; i < block->count; i++)
			settle(&block->copies[i]);
}

/* What is left of a range: parts that the parent has unmapped. */
static void abandon(const struct adev_adopted *range)
{
	adev_raw_munmap(range->move.parked + range->done,
			range->move.bytes - range->done);
	if (!range->fn && adev_move_has_file(&range->move))
		close(range->move.fd);
}

/* The child has no adapter, and no adopted memory. */
void adev_adopt_after_fork_child(void)
{
	uint32_t i;

	settle_copies();
	forget_copies();
	for (i = 0; i < adev_adopted.end; i++) {
		if (adev_adopted.ranges[i].state >= ADEV_ADOPTED_HERE)
			abandon(&adev_adopted.ranges[i]);
		adev_adopted.ranges[i].state = ADEV_ADOPTED_NONE;
	}
	adev_adopted.end = 0;
	adev_adopted.used = 0;
	adev_adopted.kept = 0;
	adev_adopted.num_functions = 0;
	adev_adopted.giving = 0; /* by threads that are not here */
	pthread_mutex_unlock(&adev_adopted.lock);
}
