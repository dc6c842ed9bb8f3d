/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/spinner.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A yield may not be enough: the scheduler can go on with the one that yields, and
 * does so where the other belongs to another session or group. To rest always
 * works, but lasts longer than what is waited for. */
#define YIELDS 16u
#define RESTS 16u
#define REST_NS 1000

/* Since another's name was found; zero: it is not waited for. */
static __thread uint32_t tries;

/* Unlike any other thread's of the domain: the function is the process's, and the
 * address the thread's. Never zero. */
static uint64_t own_name(uint32_t function)
{
	return (uint64_t)(function + 1) << 32 | (uint32_t)(uintptr_t)&tries;
}

static void let_go(void)
{
	const struct timespec moment = { .tv_nsec = REST_NS };

	if (tries <= YIELDS)
		sched_yield();
	else
		/* Directly: the C library's is a cancellation point. */
		(void)syscall(SYS_nanosleep, &moment, NULL);
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
	if (found != name) {
		atomic_store_explicit(word, name, memory_order_relaxed);
		tries = found != 0;
	} else if (tries) {
		/* Not there again so far. */
		tries = tries < YIELDS + RESTS ? tries + 1 : 0;
	}
	if (!tries)
		return false;
	let_go();
	return true;
}
