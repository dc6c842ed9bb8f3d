/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Event records, as libibverbs reads them from the descriptors of completion
 * channels and of a context's asynchronous events (both are pipes).
 */
#ifndef ARNICA_HW_EVENT_H
#define ARNICA_HW_EVENT_H

#include <stdint.h>

#include "format.h"

struct arnica_hw_completion_event {
	uint64_t user_data; /* of the CQ, as given at creation; host order */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_completion_event, 8);

struct arnica_hw_async_event {
	uint64_t user_data; /* of the QP or CQ; port number for port events */
	uint32_t type;      /* enum ibv_event_type */
	uint32_t reserved0; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_async_event, 16);

#endif
