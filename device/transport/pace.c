/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Pace of a queue pair: a bucket that is a time. */
#include "transport/pace.h"

#include "gather/gather.h"

#define SECOND_NS 1000000000ull
/* What goes at once where the program did not say: who sends is a thread, which
 * may come as much later than it should. */
#define BURST_NS 4000000ull
/* A step is a part of a burst, so that what is late can be made up for; and at
 * least a packet of the largest path MTU. */
#define STEPS 4u
#define LEAST_STEP 4096u

static uint32_t step_of(uint64_t burst)
{
	uint64_t bytes = burst / STEPS;

	if (bytes < LEAST_STEP)
		return LEAST_STEP;
	return bytes < ADEV_GATHER_ENTRY_BYTES ? (uint32_t)bytes :
						 ADEV_GATHER_ENTRY_BYTES;
}

static uint64_t time_of(const struct adev_pace *pace, uint64_t bytes)
{
	/* Messages are of 32 bits: this does not overflow. */
	return bytes * SECOND_NS / pace->rate;
}

/* The last step of a burst that was asked for belongs to it. */
void adev_pace_set(struct adev_pace *pace, uint32_t kbps, uint32_t burst,
		   uint64_t now_ns)
{
	pace->rate = kbps * 125ull;
	pace->step_bytes = step_of(
		burst ? burst : pace->rate / (SECOND_NS / BURST_NS));
	pace->burst_ns = BURST_NS;
	if (burst)
		pace->burst_ns = burst > pace->step_bytes ?
					 time_of(pace,
						 burst - pace->step_bytes) :
					 0;
	pace->free_ns = now_ns;
	pace->waits = false;
}

uint64_t adev_pace_after(const struct adev_pace *pace, uint64_t bytes,
			 uint64_t now_ns)
{
	uint64_t begin_ns = pace->free_ns;

	if (begin_ns + pace->burst_ns < now_ns)
		begin_ns = now_ns - pace->burst_ns;
	return begin_ns + time_of(pace, bytes);
}
