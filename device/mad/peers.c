/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "mad/peers.h"

#include <stdlib.h>

#include "core/adapter.h"

#define NUM_PEERS 16u

struct adev_mad_peers {
	struct adev_view *views[NUM_PEERS]; /* referenced; NULL: free */
	uint32_t next;			    /* that gives way */
};

static void let_go(struct adev_view **view)
{
	if (*view)
		adev_adapter_detach(*view);
	*view = NULL;
}

static struct adev_view **find(struct adev_function *fn, uint32_t function,
			       uint64_t generation)
{
	uint32_t i;

	for (i = 0; fn->mad_peers && i < NUM_PEERS; i++) {
		struct adev_view **view = &fn->mad_peers->views[i];

		if (*view && (*view)->function == function &&
		    (*view)->generation == generation)
			return view;
	}
	return NULL;
}

struct adev_view *adev_mad_peer(struct adev_function *fn, uint32_t function,
				uint64_t generation)
{
	struct adev_view **place = find(fn, function, generation);

	if (place)
		return *place;
	if (!fn->mad_peers)
		fn->mad_peers = calloc(1, sizeof(*fn->mad_peers));
	if (!fn->mad_peers)
		return NULL;
	place = &fn->mad_peers->views[fn->mad_peers->next++ % NUM_PEERS];
	let_go(place);
	if (adev_adapter_attach(fn, function, generation, place))
		*place = NULL;
	return *place;
}

void adev_mad_peer_forget(struct adev_function *fn, uint32_t function,
			  uint64_t generation)
{
	struct adev_view **place = find(fn, function, generation);

	if (place)
		let_go(place);
}

void adev_mad_peers_close(struct adev_function *fn)
{
	uint32_t i;

	for (i = 0; fn->mad_peers && i < NUM_PEERS; i++)
		let_go(&fn->mad_peers->views[i]);
	free(fn->mad_peers);
	fn->mad_peers = NULL;
}
