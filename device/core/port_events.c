/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/port_events.h"

#include <infiniband/verbs.h>

#include "comp/channel.h"
#include "core/adapter.h"
#include "domain/port.h"
#include "trace.h"

#define PORT 1u

void adev_port_events_begin(void)
{
	adev_port_follow_begin();
}

void adev_port_events_end(void)
{
	adev_port_follow_end();
}

int adev_port_events_fd(void)
{
	return adev_port_fd();
}

uint64_t adev_port_events_by_ns(void)
{
	return adev_port_deadline();
}

/* Functions leave the list before they ask the agent's thread to end them, so
 * one that it has found stays while it is told. */
static void raise_everywhere(uint32_t type)
{
	struct adev_function *fn, *next;

	pthread_mutex_lock(&adev_adapter.lock);
	fn = adev_adapter.functions;
	pthread_mutex_unlock(&adev_adapter.lock);
	for (; fn; fn = next) {
		adev_async_raise(fn, type, PORT);
		pthread_mutex_lock(&adev_adapter.lock);
		next = fn->next;
		pthread_mutex_unlock(&adev_adapter.lock);
	}
}

void adev_port_events_follow(void)
{
	static const uint32_t types[] = {
		[ADEV_PORT_EVENT_GIDS] = IBV_EVENT_GID_CHANGE,
		[ADEV_PORT_EVENT_DOWN] = IBV_EVENT_PORT_ERR,
		[ADEV_PORT_EVENT_UP] = IBV_EVENT_PORT_ACTIVE,
	};
	struct adev_port_news news;
	uint32_t i;

	do {
		adev_port_follow(&news);
		for (i = 0; i < news.count; i++) {
			arnica_trace_port_changed(types[news.events[i]],
						  adev_port_version());
			raise_everywhere(types[news.events[i]]);
		}
	} while (news.count == ADEV_PORT_NEWS_MAX);
}
