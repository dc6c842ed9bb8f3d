/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The adapter of this process: its functions, the peers that it has attached,
 * and its agent thread. One for each process, made with the first function.
 *
 * Lock role `adapter`: the lists. Not taken on the data path.
 */
#ifndef ADEV_CORE_ADAPTER_H
#define ADEV_CORE_ADAPTER_H

#include <pthread.h>
#include <stdbool.h>

#include "core/clock.h"
#include "core/function.h"
#include "domain/peer.h"

/* The end of a process, and exec, are seen at once (peer.end_fd). What that does
 * not show (a function that is closed while its process goes on, a peer without
 * such a descriptor) requesters see at their next message, and those who only
 * wait within this time. */
#define ADEV_LIFE_CHECK_NS (1000 * ADEV_MS_NS)

struct adev_peer_entry {
	struct adev_view view; /* first: a view leads to its entry */
	struct adev_peer peer;
	struct adev_directory *directory;
	uint32_t references;
	bool death_seen;
	bool ended; /* as last looked at */
	struct adev_peer_entry *next;
};

struct adev_adapter {
	pthread_mutex_t lock;
	struct adev_function *functions;
	struct adev_peer_entry *peers;
};

extern struct adev_adapter adev_adapter;

/* A referenced view of a function, own or foreign. Errors as
 * adev_peer_attach(). */
int adev_adapter_attach(struct adev_function *fn, uint32_t function,
			uint64_t generation, struct adev_view **view)
	ARNICA_MUST_CHECK;
void adev_adapter_detach(struct adev_view *view);

/*
 * The functions of the process, one after the other; NULL: no more. For the
 * agent's thread: a function is taken from the list before the agent is asked
 * to leave it, so one that it has found stays until it answers requests again.
 */
struct adev_function *adev_adapter_first(void);
struct adev_function *adev_adapter_next(const struct adev_function *fn);

/* For every function of the process. */
bool adev_adapter_serve(void);
enum adev_backlog adev_adapter_run(void);
uint64_t adev_adapter_deadline(void);

/* Did packets come a moment ago? And serves those functions to which they did;
 * true when there were any. */
bool adev_adapter_is_lively(void);
bool adev_adapter_follow(void);

/* Looks for peers that died since; tells all functions. */
void adev_adapter_check_peers(void);

/* The descriptors of those wires that the agent shall watch while it sleeps;
 * returns how many were stored. Those that it shall look at again have brought
 * *deadline forward. */
uint32_t adev_adapter_wire_fds(int *fds, uint32_t max, uint64_t *deadline);

/* Descriptors that tell the end of attached peers; returns how many were
 * stored. */
uint32_t adev_adapter_end_fds(int *fds, uint32_t max);

#endif
