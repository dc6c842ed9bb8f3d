/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/spinner.h"

#include <sched.h>

#include "core/rest.h"

/* A yield may not be enough: the scheduler can go on with the one that yields, and
 * does so where the other belongs to another session or group. To rest always
 * works, but lasts longer than what is waited for. */
#define YIELDS 16u
#define RESTS 4u

/* Since another's name was found; zero: it is not waited for. */
static __thread uint32_t tries;

/* What this thread wrote last, as whichever of its functions. */
static __thread uint64_t last_name;

/*
 * Unlike any other thread's of the domain: the function is the process's, and the
 * address the thread's. With the processor, as others may have the same word.
 *  63      48 47       32 31                      0
 *  +----------+-----------+------------------------+
 *  | function | processor | address, low 32 bits   |
 *  | plus one |           |                        |
 *  +----------+-----------+------------------------+
 */
#define PROCESSOR_SHIFT 32
#define FUNCTION_SHIFT 48

_Static_assert(ADEV_FUNCTIONS < 1u << 16, "a name is never zero");

static uint64_t own_name(uint32_t function, int processor)
{
	return (uint64_t)(function + 1) << FUNCTION_SHIFT |
	       (uint64_t)(uint16_t)processor << PROCESSOR_SHIFT |
	       (uint32_t)(uintptr_t)&tries;
}

static bool has_same_processor(uint64_t one, uint64_t other)
{
	return (uint16_t)(one >> PROCESSOR_SHIFT) ==
	       (uint16_t)(other >> PROCESSOR_SHIFT);
}

static void let_go(void)
{
	if (tries <= YIELDS)
		sched_yield();
	else
		adev_rest();
}

bool adev_spinner_step_aside(const struct adev_directory *directory,
			     uint32_t function)
{
	const int processor = sched_getcpu();
	const uint64_t name = own_name(function, processor);
	_Atomic uint64_t *word;
	uint64_t found;

	if (processor < 0)
		return false;
	word = &directory->table->header
			.spinners[(uint32_t)processor % ADEV_SPINNERS];
	found = atomic_load_explicit(word, memory_order_relaxed);
	if (found != name)
		atomic_store_explicit(word, name, memory_order_relaxed);
	if (found != name && found != last_name)
		tries = found && has_same_processor(found, name);
	else if (tries) /* Not there again so far. */
		tries = tries < YIELDS + RESTS ? tries + 1 : 0;
	last_name = name;
	if (!tries)
		return false;
	let_go();
	return true;
}
