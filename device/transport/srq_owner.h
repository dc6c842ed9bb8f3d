/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A shared receive queue as its own process holds it; what others see of it is
 * struct adev_srq_shared. Lock role `command`, but for the events, which are
 * under `channels`.
 */
#ifndef ADEV_TRANSPORT_SRQ_OWNER_H
#define ADEV_TRANSPORT_SRQ_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* A CQ to which QPs with this SRQ complete: together they have no more
 * completions there than the SRQ has entries. */
struct adev_srq_cq {
	uint32_t cq;
	uint32_t references; /* QPs */
};

struct adev_srq_owner {
	uint32_t number; /* 24 bits; zero: there is no such SRQ */
	uint32_t pd;
	uint32_t depth;
	uint32_t references; /* QPs */
	uint64_t user_data;
	uint64_t memory_offset;
	uint64_t memory_bytes;
	uint32_t async_written;
	/* A QP was destroyed while a stopped peer had it in its hands, and the
	 * SRQ with it: its memory is not used again. */
	bool quarantined;
	uint32_t num_cqs;
	struct adev_srq_cq *cqs;
};

#endif
