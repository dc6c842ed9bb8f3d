/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion channels and asynchronous events: pipes whose read end the
 * application owns. Only the function's own process writes records, in its
 * agent thread (docs/adr/0003): a record names host memory, so it must never
 * arrive after its object is gone, and a peer may be stopped at any moment.
 */
#ifndef ADEV_COMP_CHANNEL_H
#define ADEV_COMP_CHANNEL_H

#include "core/function.h"

int adev_channels_init(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_channels_fini(struct adev_function *fn);

/* Creates a channel; *fd is the read end. Channels that the application has
 * closed are reused. */
int adev_channel_open(struct adev_function *fn, int *fd) ARNICA_MUST_CHECK;
int adev_channel_index(struct adev_function *fn, int fd, uint32_t *index)
	ARNICA_MUST_CHECK;
bool adev_channel_valid(struct adev_function *fn, uint32_t index);
/* A CQ refers to a valid channel, or no more: a channel is not used for another
 * descriptor while one does. */
bool adev_channel_get(struct adev_function *fn, uint32_t index);
void adev_channel_put(struct adev_function *fn, uint32_t index);
int adev_async_open(struct adev_function *fn, int *fd) ARNICA_MUST_CHECK;

/*
 * The end of an object of which `written` events were written to the channel, or
 * raised: takes back those that nobody has read, and returns how many the
 * application has. ARNICA_HW_EVENTS_UNKNOWN when it cannot be told.
 */
uint32_t adev_channel_settle(struct adev_function *fn, uint32_t index,
			     uint64_t user_data, uint32_t written);
uint32_t adev_async_settle(struct adev_function *fn, uint64_t user_data,
			   uint32_t written);

/* The same for what may be raised by any thread until the very last: from the
 * moment that it looks at *written, nothing is raised with that any more. A
 * second time returns 0. */
#define ADEV_ASYNC_ENDED UINT32_MAX
uint32_t adev_async_end(struct adev_function *fn, uint64_t user_data,
			uint32_t *written);

/* Queues an asynchronous event (enum ibv_event_type) of an object; it is
 * written at once when there is room and delivered later otherwise. With
 * `written` it is counted there, under channel_lock. */
void adev_async_raise_for(struct adev_function *fn, uint32_t type,
			  uint64_t user_data, uint32_t *written);

/* Likewise, for those that nothing is destroyed with: ports, the device. */
static inline void adev_async_raise(struct adev_function *fn, uint32_t type,
				    uint64_t user_data)
{
	adev_async_raise_for(fn, type, user_data, NULL);
}

/*
 * Writes the records of all CQs that fired, and the async events that wait.
 * Any thread of the owner. Returns true when some found no room; these are tried
 * again by the first call after deliver_again_ns: a channel that is full has
 * thousands of records that the application has still to read.
 */
bool adev_channels_deliver(struct adev_function *fn);

/* After a peer died: it may have fired a CQ and not told. Marks every CQ that
 * has something to deliver. */
void adev_channels_rescan(struct adev_function *fn);

#endif
