/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The rules, one function each. */
#include "adopt/policy.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <arnica/hw/limits.h>

#include "adopt/mappings.h"
#include "adopt/process.h"
#include "adopt/trap.h"
#include "domain/identity.h"
#include "domain/proc.h"

/* Each range costs the process up to three mappings of the 65530 that it may
 * have, and turning it in or back some ten system calls. */
#define AUTO_RANGES 256u
#define ALL_RANGES 4096u

/* Two pages: what perftest allocates for its smallest messages. */
#define AUTO_SMALLEST_BYTES (2ull * ARNICA_HW_PAGE_BYTES)

enum adev_adopt_mode adev_adopt_mode(void)
{
	/* In the order of the setting's words. */
	static const enum adev_adopt_mode modes[] = { ADEV_ADOPT_AUTO,
						      ADEV_ADOPT_OFF,
						      ADEV_ADOPT_ALL };
	uint64_t place;

	/* A wrong one has been told of. */
	return adev_setting_number(ARNICA_SETTING(ADOPT), 0, &place) ?
		       ADEV_ADOPT_DEFAULT :
		       modes[place];
}

bool adev_adopt_is_thrifty(enum adev_adopt_mode mode)
{
	return mode == ADEV_ADOPT_AUTO;
}

uint32_t adev_adopt_limit(enum adev_adopt_mode mode)
{
	return mode == ADEV_ADOPT_ALL ? ALL_RANGES : AUTO_RANGES;
}

uint64_t adev_adopt_smallest(enum adev_adopt_mode mode)
{
	return mode == ADEV_ADOPT_ALL ? ARNICA_HW_PAGE_BYTES :
					AUTO_SMALLEST_BYTES;
}

/* The mapping that holds the whole range, if there is such a one. */
struct search {
	uint64_t start, end;
	bool fits;
};

/* The stack of this thread is where the move itself keeps its variables. */
static bool holds_stack(const struct adev_vma *vma)
{
	uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);

	return here >= vma->start && here < vma->end;
}

static bool is_plain(const struct adev_vma *vma)
{
	return !vma->shared && !vma->inode && vma->name != ADEV_VMA_OTHER &&
	       vma->rights == (PROT_READ | PROT_WRITE) && !holds_stack(vma);
}

static bool look_at(const struct adev_vma *vma, void *argument)
{
	struct search *search = argument;

	/* Above a guard: most likely the stack of a thread. */
	search->fits = vma->start <= search->start && vma->end >= search->end &&
		       is_plain(vma) && !vma->guarded;
	return false;
}

static bool is_plain_memory(const struct adev_adopt_question *question)
{
	struct search search = { .start = question->start,
				 .end = question->start + question->bytes };

	return !adev_mappings_visit(search.start, search.end, look_at,
				      &search) &&
	       search.fits;
}

/*
 * Whoever holds on to a page itself, instead of its address, goes on with the old
 * one. Locked memory could not be kept locked on the way.
 */
static bool is_held(enum adev_adopt_mode mode,
		    const struct adev_process_status *status, bool alone)
{
	if (status->locked_kib || status->pinned_kib)
		return true;
	switch (adev_process_pins()) {
	case ADEV_PINS_NONE:
		return false;
	case ADEV_PINS_IN_CALLS:
		return !alone && mode != ADEV_ADOPT_ALL;
	case ADEV_PINS_UNKNOWN:
		return mode != ADEV_ADOPT_ALL;
	case ADEV_PINS_LIKELY:
		break;
	}
	return true;
}

/* What is cheap to know comes first. */
static enum adev_adopt_verdict
judge_process(const struct adev_adopt_question *question, bool *trapped)
{
	struct adev_process_status status;
	bool alone;

	*trapped = adev_trap_possible();
	if (adev_process_status(&status))
		return ADEV_ADOPT_UNSAFE;
	alone = status.threads <= 1 + question->own_threads;
	if ((!*trapped && !alone) || is_held(question->mode, &status, alone))
		return ADEV_ADOPT_UNSAFE;
	return ADEV_ADOPT_FIT;
}

/* Writing the segment must not raise SIGXFSZ. Places in it are multiples of our
 * page. */
static bool can_be_moved(const struct adev_adopt_question *question)
{
	return sysconf(_SC_PAGESIZE) == (long)ARNICA_HW_PAGE_BYTES &&
	       adev_proc_file_limit() >= question->file_end;
}

enum adev_adopt_verdict
adev_adopt_judge(const struct adev_adopt_question *question, bool *trapped)
{
	if (question->mode == ADEV_ADOPT_OFF ||
	    question->bytes < adev_adopt_smallest(question->mode))
		return ADEV_ADOPT_SMALL;
	if (!can_be_moved(question) || !is_plain_memory(question))
		return ADEV_ADOPT_UNFIT;
	return judge_process(question, trapped);
}

enum adev_adopt_verdict
adev_adopt_judge_return(const struct adev_adopt_question *question,
			bool *trapped)
{
	return can_be_moved(question) ? judge_process(question, trapped) :
					ADEV_ADOPT_UNFIT;
}
