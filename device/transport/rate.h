/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rate of a requester under congestion, after DCQCN: a congestion notification
 * cuts the rate by a share (alpha) that grows with each one and decays without;
 * then the rate goes back half way to where it was, five times, and upwards
 * from there, until it limits nothing any more. Time is an argument.
 */
#ifndef ADEV_TRANSPORT_RATE_H
#define ADEV_TRANSPORT_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct adev_rate {
	bool limits;
	uint32_t alpha;   /* of 1 << 16 */
	uint32_t steps;   /* up, since the last cut */
	uint64_t current; /* bytes in a second */
	uint64_t target;
	uint64_t cut_ns;   /* when it was cut last */
	uint64_t decay_ns; /* when alpha decays next */
	uint64_t step_ns;  /* when the next step up is due */
	uint64_t free_ns;  /* when the next packet may go */
};

void adev_rate_init(struct adev_rate *rate);

/* A congestion notification. `estimate`: how fast the connection was, for the
 * first one. */
void adev_rate_cut(struct adev_rate *rate, uint64_t estimate, uint64_t now_ns);

/* When the next packet may go; not after now_ns: now. */
uint64_t adev_rate_ready(struct adev_rate *rate, uint64_t now_ns);

/* A packet went. */
void adev_rate_sent(struct adev_rate *rate, uint32_t bytes, uint64_t now_ns);

#endif
