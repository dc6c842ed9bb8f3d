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

static void snapshot(struct adev_adopted *range)
{
	uint32_t i;

	if (adev_adopted_look(range, range->move.start))
		range->num_parts = 0;
	for (i = 0; i < range->num_parts; i++) {
		struct adev_move move =
			adev_adopted_part_move(range, &range->parts[i]);

		if (adev_move_snapshot(&move))
			adev_log_error("no memory for a forked child's copy of "
				       "%llu bytes of registered memory",
				       (unsigned long long)move.bytes);
	}
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
	uint32_t i;

	for (i = 0; i < adev_adopted.end; i++)
		if (adev_adopted.ranges[i].state >= ADEV_ADOPTED_HERE)
			adev_move_forget_snapshot(
				&adev_adopted.ranges[i].move);
	pthread_mutex_unlock(&adev_adopted.lock);
}

/* The child has no adapter, and no adopted memory. */
static void settle(struct adev_adopted *range)
{
	uint32_t i;

	for (i = 0; i < range->num_parts; i++) {
		struct adev_move move =
			adev_adopted_part_move(range, &range->parts[i]);

		adev_move_child(&move, range->parts[i].rights);
	}
	/* What is left of it: parts that the parent has unmapped. */
	adev_raw_munmap(range->move.parked, range->move.bytes);
	if (!range->fn)
		close(range->move.fd);
}

void adev_adopt_after_fork_child(void)
{
	uint32_t i;

	for (i = 0; i < adev_adopted.end; i++) {
		if (adev_adopted.ranges[i].state >= ADEV_ADOPTED_HERE)
			settle(&adev_adopted.ranges[i]);
		adev_adopted.ranges[i].state = ADEV_ADOPTED_NONE;
	}
	adev_adopted.end = 0;
	adev_adopted.used = 0;
	adev_adopted.kept = 0;
	adev_adopted.num_functions = 0;
	pthread_mutex_unlock(&adev_adopted.lock);
}
