/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Rate under congestion: the reaction point of DCQCN. */
#include "transport/rate.h"

#include <string.h>

#define ONE (1u << 16)
#define GAIN_SHIFT 4 /* of alpha: 1/16 */
#define CUT_EVERY_NS 50000u
#define DECAY_EVERY_NS 55000u
#define STEP_EVERY_NS 300000u
#define FAST_STEPS 5u
#define STEP_BYTES 5000000ull  /* 40 Mb/s */
#define LEAP_BYTES 50000000ull /* 400 Mb/s */
#define LEAST_BYTES 1250000ull /* 10 Mb/s */
#define FREE_BYTES 12500000000ull /* 100 Gb/s: no limit any more */
#define BURST_NS 50000u /* what an idle connection may send at once */

void adev_rate_init(struct adev_rate *rate)
{
	memset(rate, 0, sizeof(*rate));
	rate->alpha = ONE;
}

static uint64_t at_least(uint64_t bytes)
{
	return bytes < LEAST_BYTES ? LEAST_BYTES : bytes;
}

void adev_rate_cut(struct adev_rate *rate, uint64_t estimate, uint64_t now_ns)
{
	if (!rate->limits) {
		adev_rate_init(rate);
		rate->limits = true;
		rate->current = at_least(estimate < FREE_BYTES ? estimate :
								 FREE_BYTES);
		rate->free_ns = now_ns;
	} else if (now_ns - rate->cut_ns < CUT_EVERY_NS) {
		return;
	}
	rate->target = rate->current;
	rate->current -= (rate->current * rate->alpha) >> 17;
	rate->current = at_least(rate->current);
	rate->alpha += (ONE - rate->alpha) >> GAIN_SHIFT;
	rate->steps = 0;
	rate->cut_ns = now_ns;
	rate->decay_ns = now_ns + DECAY_EVERY_NS;
	rate->step_ns = now_ns + STEP_EVERY_NS;
}

static void step_up(struct adev_rate *rate)
{
	rate->steps++;
	if (rate->steps > 2 * FAST_STEPS)
		rate->target += LEAP_BYTES;
	else if (rate->steps > FAST_STEPS)
		rate->target += STEP_BYTES;
	rate->current = (rate->current + rate->target) / 2;
	if (rate->current >= FREE_BYTES - LEAP_BYTES)
		rate->limits = false;
}

/* What time has done since it was looked at last. The loops end: a rate that
 * nobody cuts stops to limit after a few hundred steps. */
static void recover(struct adev_rate *rate, uint64_t now_ns)
{
	while (rate->alpha && rate->decay_ns <= now_ns) {
		rate->alpha -= (rate->alpha + 15) >> GAIN_SHIFT;
		rate->decay_ns += DECAY_EVERY_NS;
	}
	while (rate->limits && rate->step_ns <= now_ns) {
		step_up(rate);
		rate->step_ns += STEP_EVERY_NS;
	}
}

uint64_t adev_rate_ready(struct adev_rate *rate, uint64_t now_ns)
{
	if (!rate->limits)
		return now_ns;
	recover(rate, now_ns);
	return rate->limits ? rate->free_ns : now_ns;
}

void adev_rate_sent(struct adev_rate *rate, uint32_t bytes, uint64_t now_ns)
{
	if (!rate->limits)
		return;
	if (rate->free_ns + BURST_NS < now_ns)
		rate->free_ns = now_ns - BURST_NS;
	rate->free_ns += bytes * 1000000000ull / rate->current;
}
