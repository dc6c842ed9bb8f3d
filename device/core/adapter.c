/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The process's adapter: functions and attached peers. */
#include "core/adapter.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/call.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "dma/dma.h"
#include "domain/directory.h"
#include "link/wire.h"
#include "mad/mad.h"
#include "transport/raw_packet.h"

struct adev_adapter adev_adapter = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Any generation when it is zero, which no function has. */
static struct adev_peer_entry *find_peer(uint32_t function, uint64_t generation)
{
	struct adev_peer_entry *entry;

	for (entry = adev_adapter.peers; entry; entry = entry->next)
		if (entry->view.function == function &&
		    (!generation || entry->view.generation == generation))
			return entry;
	return NULL;
}

/* Checks what a peer's segment says of itself. */
static int read_layout(const struct adev_peer *peer, struct adev_layout *layout)
{
	const struct adev_shared *shared =
		(const void *)((const char *)peer->base + ADEV_SHARED_OFFSET);

	if (peer->size < ADEV_SHARED_OFFSET + sizeof(*shared))
		return EPROTO;
	*layout = shared->layout;
	return adev_layout_check(layout, peer->size);
}

static int new_peer(struct adev_function *fn, uint32_t function,
		    uint64_t generation, struct adev_peer_entry **result)
{
	struct adev_peer_entry *entry = calloc(1, sizeof(*entry));
	struct adev_layout layout;
	int error;

	if (!entry)
		return ENOMEM;
	error = adev_peer_attach(fn->directory, function, generation,
				 &entry->peer);
	if (error)
		goto err_free;
	error = read_layout(&entry->peer, &layout);
	if (error)
		goto err_detach;
	adev_view_init(&entry->view, entry->peer.base, entry->peer.size,
		       &layout);
	entry->directory = fn->directory;
	entry->view.function = function;
	entry->view.generation = generation;
	entry->view.pid = entry->peer.pid;
	entry->view.wake_fd = entry->peer.wake_fd;
	atomic_init(&entry->view.method, adev_dma_probe(&entry->view));
	entry->next = adev_adapter.peers;
	adev_adapter.peers = entry;
	*result = entry;
	return 0;

err_detach:
	adev_peer_detach(&entry->peer);
err_free:
	free(entry);
	return error;
}

int adev_adapter_attach(struct adev_function *fn, uint32_t function,
			uint64_t generation, struct adev_view **view)
{
	int cancel = adev_cancel_off(), error = 0;
	struct adev_peer_entry *entry;
	bool added = false;

	pthread_mutex_lock(&adev_adapter.lock);
	entry = find_peer(function, generation);
	if (!entry) {
		error = new_peer(fn, function, generation, &entry);
		added = !error;
	}
	if (!error) {
		entry->references++;
		*view = &entry->view;
	}
	pthread_mutex_unlock(&adev_adapter.lock);
	/* The agent has one more process to watch. */
	if (added)
		adev_function_left_work(fn, 0);
	adev_cancel_restore(cancel);
	return error;
}

void adev_adapter_detach(struct adev_view *view)
{
	struct adev_peer_entry *entry = (void *)view, **link;
	int cancel;

	pthread_mutex_lock(&adev_adapter.lock);
	if (--entry->references) {
		pthread_mutex_unlock(&adev_adapter.lock);
		return;
	}
	for (link = &adev_adapter.peers; *link && *link != entry;
	     link = &(*link)->next)
		;
	if (*link)
		*link = entry->next;
	pthread_mutex_unlock(&adev_adapter.lock);
	cancel = adev_cancel_off();
	adev_peer_detach(&entry->peer);
	adev_cancel_restore(cancel);
	free(entry);
}

/* The view of a function that is attached, or of `fn` itself; any generation
 * when it is zero. NULL: not attached. With adev_adapter.lock held. */
static struct adev_view *find_view(struct adev_function *fn, uint32_t function,
				   uint64_t generation)
{
	struct adev_peer_entry *entry;

	if (function == fn->view.function)
		return &fn->view;
	entry = find_peer(function, generation);
	return entry ? &entry->view : NULL;
}

void adev_function_kick_peer(struct adev_function *fn, uint32_t function,
			     uint64_t generation)
{
	struct adev_view *view;

	pthread_mutex_lock(&adev_adapter.lock);
	view = find_view(fn, function, generation);
	if (view)
		adev_view_kick(view);
	pthread_mutex_unlock(&adev_adapter.lock);
}

void adev_function_nudge_peer(struct adev_function *fn, uint32_t function)
{
	struct adev_view *view;

	pthread_mutex_lock(&adev_adapter.lock);
	view = find_view(fn, function, 0);
	if (view)
		arnica_store32(&view->header->attention, 1,
			       memory_order_release);
	pthread_mutex_unlock(&adev_adapter.lock);
}

struct adev_function *adev_adapter_first(void)
{
	struct adev_function *fn;

	pthread_mutex_lock(&adev_adapter.lock);
	fn = adev_adapter.functions;
	pthread_mutex_unlock(&adev_adapter.lock);
	return fn;
}

struct adev_function *adev_adapter_next(const struct adev_function *fn)
{
	struct adev_function *next;

	pthread_mutex_lock(&adev_adapter.lock);
	next = fn->next;
	pthread_mutex_unlock(&adev_adapter.lock);
	return next;
}

bool adev_adapter_serve(void)
{
	struct adev_function *fn;
	bool left = false;

	for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn)) {
		adev_wire_maintain(fn);
		left |= adev_function_serve(fn);
		left |= adev_ended_serve(fn);
		left |= adev_calls_serve(fn);
		adev_mads_serve(fn);
	}
	return left;
}

enum adev_backlog adev_adapter_run(void)
{
	enum adev_backlog most = ADEV_BACKLOG_NONE;
	struct adev_function *fn;

	for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn)) {
		enum adev_backlog backlog = adev_function_run(fn);

		if (backlog > most)
			most = backlog;
	}
	return most;
}

bool adev_adapter_is_lively(void)
{
	struct adev_function *fn;

	for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn))
		if (adev_wire_is_lively(fn))
			return true;
	return false;
}

bool adev_adapter_follow(void)
{
	struct adev_function *fn;
	bool any = false;

	for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn))
		any |= adev_wire_follow(fn);
	return any;
}

uint64_t adev_adapter_deadline(void)
{
	uint64_t deadline = ADEV_NEVER_NS;
	struct adev_peer_entry *entry;
	struct adev_function *fn;

	pthread_mutex_lock(&adev_adapter.lock);
	for (entry = adev_adapter.peers; entry; entry = entry->next)
		if (!entry->peer.own_process && !entry->death_seen)
			deadline = adev_now_ns() + ADEV_LIFE_CHECK_NS;
	for (fn = adev_adapter.functions; fn; fn = fn->next) {
		uint64_t own = adev_function_deadline(fn);

		if (own < deadline)
			deadline = own;
	}
	pthread_mutex_unlock(&adev_adapter.lock);
	return deadline;
}

uint32_t adev_adapter_wire_fds(int *fds, uint32_t max, uint64_t *deadline)
{
	struct adev_function *fn;
	uint32_t count = 0;

	pthread_mutex_lock(&adev_adapter.lock);
	for (fn = adev_adapter.functions; fn; fn = fn->next) {
		if (adev_wire_is_open(fn))
			count += adev_wire_watch(fn, fds + count, max - count,
						 deadline);
		if (adev_raw_listens(fn) && count < max)
			fds[count++] = adev_raw_descriptor(fn);
	}
	pthread_mutex_unlock(&adev_adapter.lock);
	return count;
}

uint32_t adev_adapter_end_fds(int *fds, uint32_t max)
{
	struct adev_peer_entry *entry;
	uint32_t count = 0;

	pthread_mutex_lock(&adev_adapter.lock);
	for (entry = adev_adapter.peers; entry && count < max;
	     entry = entry->next)
		if (entry->peer.end_fd >= 0 && !entry->death_seen)
			fds[count++] = entry->peer.end_fd;
	pthread_mutex_unlock(&adev_adapter.lock);
	return count;
}

/* Peers that may have ended without anybody knowing. */
static bool is_watched(const struct adev_peer_entry *entry)
{
	return !entry->peer.own_process && !entry->death_seen;
}

/* Its word is free before its descriptors are closed. So one that hangs up while
 * the word is taken was closed by its program, or ours, and says no more; or the
 * kernel has missed the end, and only /proc shows it. */
static void look_at(struct adev_peer_entry *entry, bool hangs_up)
{
	if (hangs_up)
		adev_peer_forget_end(&entry->peer);
	if (entry->peer.end_fd < 0)
		adev_directory_ask(entry->directory, entry->view.function);
	if (!adev_directory_alive(entry->directory, entry->view.function,
				  entry->view.generation))
		entry->ended = true;
}

/* Asks for all of them in one call; without memory the life words alone have to
 * do. With adev_adapter.lock held. */
static void look_at_all(struct pollfd *fds)
{
	struct adev_peer_entry *entry;
	nfds_t count = 0, i = 0;

	for (entry = adev_adapter.peers; fds && entry; entry = entry->next)
		if (is_watched(entry))
			fds[count++] = (struct pollfd){
				.fd = entry->peer.end_fd, .events = POLLIN
			};
	if (fds && poll(fds, count, 0) <= 0)
		fds = NULL;
	for (entry = adev_adapter.peers; entry; entry = entry->next)
		if (is_watched(entry))
			look_at(entry, fds && fds[i++].revents);
}

static void look_for_ended(void)
{
	struct adev_peer_entry *entry;
	struct pollfd *fds;
	size_t count = 0;

	pthread_mutex_lock(&adev_adapter.lock);
	for (entry = adev_adapter.peers; entry; entry = entry->next)
		count += is_watched(entry);
	fds = calloc(count ? count : 1, sizeof(*fds));
	look_at_all(fds);
	free(fds);
	pthread_mutex_unlock(&adev_adapter.lock);
}

/* A peer whose function has ended, not reported yet. */
static bool next_ended(uint32_t *function, uint64_t *generation)
{
	struct adev_peer_entry *entry;
	bool found = false;

	pthread_mutex_lock(&adev_adapter.lock);
	for (entry = adev_adapter.peers; entry && !found; entry = entry->next) {
		if (!entry->ended || entry->death_seen)
			continue;
		entry->death_seen = true;
		*function = entry->view.function;
		*generation = entry->view.generation;
		found = true;
	}
	pthread_mutex_unlock(&adev_adapter.lock);
	return found;
}

void adev_adapter_check_peers(void)
{
	struct adev_function *fn;
	uint32_t function;
	uint64_t generation;

	look_for_ended();
	while (next_ended(&function, &generation))
		for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn))
			adev_function_peer_died(fn, function, generation);
}
