/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Asynchronous events, for those that hold `channel_lock` already. What does
 * not fit into the pipe, or comes before it is opened, waits in order.
 */
#ifndef ADEV_COMP_ASYNC_H
#define ADEV_COMP_ASYNC_H

#include "core/function.h"

#define ADEV_EVENT_CQ_ERR 0u /* IBV_EVENT_CQ_ERR */

/* Returns true when the event waits for room. `written` as
 * adev_async_raise_for(). */
bool adev_async_raise_locked(struct adev_function *fn, uint32_t type,
			     uint64_t user_data, uint32_t *written);

/* Writes what waits; returns true when some did not fit. */
bool adev_async_flush_locked(struct adev_function *fn);

/* Something found no room: it is tried again after a pause. Something else is
 * due at that time. */
void adev_channels_pause(struct adev_function *fn);
void adev_channels_wait(struct adev_function *fn, uint64_t until_ns);

void adev_async_fini(struct adev_function *fn);

#endif
