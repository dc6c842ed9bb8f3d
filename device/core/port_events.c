/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/port_events.h"

#include <infiniband/verbs.h>

#include "comp/channel.h"
#include "core/adapter.h"
#include "domain/port.h"
#include "link/wire.h"
#include "transport/remote.h"
#include "trace.h"

#define PORT 1u

static void raise_everywhere(uint32_t type)
{
	struct adev_function *fn;

	for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn))
		adev_async_raise(fn, type, PORT);
}

/* Interfaces that are new are to join the groups, too. */
static void rejoin_everywhere(void)
{
	struct adev_function *fn;

	for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn)) {
		pthread_mutex_lock(&fn->command_lock);
		if (fn->num_groups && adev_remote_has_neighbours() &&
		    !adev_wire_open(fn))
			adev_wire_rejoin(fn);
		pthread_mutex_unlock(&fn->command_lock);
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
		if (news.count)
			rejoin_everywhere();
	} while (news.count == ADEV_PORT_NEWS_MAX);
}
