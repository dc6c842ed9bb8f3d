/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Asynchronous events of a function. */
#include "comp/async.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <arnica/hw/cqp.h>
#include <arnica/hw/event.h>

#include "comp/channel.h"
#include "comp/pipe.h"

struct adev_async_waiting {
	struct arnica_hw_async_event event;
	struct adev_async_waiting *next;
};

/* False without memory: then nobody can be told. */
static bool append(struct adev_function *fn,
		   const struct arnica_hw_async_event *event)
{
	struct adev_async_waiting *waiting = malloc(sizeof(*waiting));

	if (!waiting)
		return false;
	waiting->event = *event;
	waiting->next = NULL;
	if (fn->async_last)
		fn->async_last->next = waiting;
	else
		fn->async_first = waiting;
	fn->async_last = waiting;
	atomic_fetch_add(&fn->num_async_waiting, 1);
	return true;
}

/* Takes *link out of the list; `previous` is the one before it. */
static void unlink_waiting(struct adev_function *fn,
			   struct adev_async_waiting **link,
			   struct adev_async_waiting *previous)
{
	struct adev_async_waiting *waiting = *link;

	*link = waiting->next;
	if (fn->async_last == waiting)
		fn->async_last = previous;
	free(waiting);
	atomic_fetch_sub(&fn->num_async_waiting, 1);
}

bool adev_async_flush_locked(struct adev_function *fn)
{
	/* Before the descriptor is open its opening is what they wait for. */
	while (fn->async_first && fn->async_fd >= 0) {
		int error = adev_pipe_write(fn->async_fd,
					    &fn->async_first->event,
					    sizeof(fn->async_first->event));

		if (error == EAGAIN)
			return true;
		fn->async_lost |= error != 0;
		unlink_waiting(fn, &fn->async_first, NULL);
	}
	return false;
}

bool adev_async_raise_locked(struct adev_function *fn, uint32_t type,
			     uint64_t user_data, uint32_t *written)
{
	const struct arnica_hw_async_event event = {
		.user_data = user_data,
		.type = type,
	};
	bool waits = false, raised;
	int error = EAGAIN;

	if (written && *written == ADEV_ASYNC_ENDED)
		return false;
	if (!fn->async_first && fn->async_fd >= 0) {
		error = adev_pipe_write(fn->async_fd, &event, sizeof(event));
		if (error == EAGAIN)
			adev_count(&fn->counters, events_deferred);
	}
	raised = !error;
	if (error == EAGAIN) {
		raised = append(fn, &event);
		waits = raised && fn->async_fd >= 0;
		if (waits)
			adev_channels_pause(fn);
	}
	if (raised && written)
		++*written;
	return waits;
}

void adev_async_raise_for(struct adev_function *fn, uint32_t type,
			  uint64_t user_data, uint32_t *written)
{
	bool waits;

	pthread_mutex_lock(&fn->channel_lock);
	waits = adev_async_raise_locked(fn, type, user_data, written);
	pthread_mutex_unlock(&fn->channel_lock);
	if (waits)
		adev_view_kick(&fn->view);
}

static int open_locked(struct adev_function *fn, int *fd)
{
	int write_fd, error;

	if (fn->async_fd >= 0 && !adev_pipe_abandoned(fn->async_fd))
		return adev_pipe_join(fn->async_fd, fd);
	error = adev_pipe_create(fd, &write_fd);
	if (error)
		return error;
	if (fn->async_fd >= 0) {
		close(fn->async_fd);
		fn->async_lost = true;
	}
	fn->async_fd = write_fd;
	adev_async_flush_locked(fn);
	return 0;
}

/* Contexts of one function share the stream: each event is read once. */
int adev_async_open(struct adev_function *fn, int *fd)
{
	int error;

	pthread_mutex_lock(&fn->channel_lock);
	error = open_locked(fn, fd);
	pthread_mutex_unlock(&fn->channel_lock);
	return error;
}

/* Of those that wait for room; returns how many. */
static uint32_t purge_waiting(struct adev_function *fn, uint64_t user_data)
{
	struct adev_async_waiting **link = &fn->async_first;
	struct adev_async_waiting *previous = NULL;
	uint32_t removed = 0;

	while (*link) {
		if ((*link)->event.user_data == user_data) {
			unlink_waiting(fn, link, previous);
			removed++;
			continue;
		}
		previous = *link;
		link = &previous->next;
	}
	return removed;
}

static uint32_t settle_locked(struct adev_function *fn, uint64_t user_data,
			      uint32_t written)
{
	uint32_t waited, removed = 0;
	bool lost;

	if (!written || written == ADEV_ASYNC_ENDED)
		return 0;
	waited = purge_waiting(fn, user_data);
	if (fn->async_fd >= 0)
		removed = adev_pipe_purge(fn->async_fd,
					  sizeof(struct arnica_hw_async_event),
					  user_data);
	lost = fn->async_lost || removed == ADEV_PURGE_UNKNOWN;
	if (lost)
		return ARNICA_HW_EVENTS_UNKNOWN;
	removed += waited;
	return removed < written ? written - removed : 0;
}

uint32_t adev_async_settle(struct adev_function *fn, uint64_t user_data,
			   uint32_t written)
{
	uint32_t events;

	pthread_mutex_lock(&fn->channel_lock);
	events = settle_locked(fn, user_data, written);
	pthread_mutex_unlock(&fn->channel_lock);
	return events;
}

uint32_t adev_async_end(struct adev_function *fn, uint64_t user_data,
			uint32_t *written)
{
	uint32_t events;

	pthread_mutex_lock(&fn->channel_lock);
	events = settle_locked(fn, user_data, *written);
	*written = ADEV_ASYNC_ENDED;
	pthread_mutex_unlock(&fn->channel_lock);
	return events;
}

void adev_async_fini(struct adev_function *fn)
{
	while (fn->async_first)
		unlink_waiting(fn, &fn->async_first, NULL);
	if (fn->async_fd >= 0)
		close(fn->async_fd);
	fn->async_fd = -1;
}
