/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/spinner.h"

#include <sched.h>

/* Unlike any other thread's of the domain: the function is the process's, and the
 * address the thread's. Never zero. */
static uint64_t own_name(uint32_t function)
{
	static __thread char own;

	return (uint64_t)(function + 1) << 32 | (uint32_t)(uintptr_t)&own;
}

bool adev_spinner_step_aside(const struct adev_directory *directory,
			     uint32_t function)
{
	const uint64_t name = own_name(function);
	const int processor = sched_getcpu();
	_Atomic uint64_t *word;
	uint64_t found;

	if (processor < 0)
		return false;
	word = &directory->table->header
			.spinners[(uint32_t)processor % ADEV_SPINNERS];
	found = atomic_load_explicit(word, memory_order_relaxed);
	if (found == name)
		return false;
	atomic_store_explicit(word, name, memory_order_relaxed);
	if (!found)
		return false;
	sched_yield();
	return true;
}
