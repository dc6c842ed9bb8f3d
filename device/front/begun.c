/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The thread that brings pages in, and the end of its registrations. */
#include "front/begun.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/thread.h"
#include "front/keys.h"
#include "front/memory.h"
#include "tpt/pending.h"
#include "tpt/tpt.h"
#include "trace.h"

/* Between two of these somebody may give a registration up. */
#define PIECE_BYTES (16ull << 20)

enum step { QUEUED, RUNNING, POPULATED, OVER };

struct begun {
	uint32_t index;
	struct adev_region region;
	enum step step;
	int error; /* POPULATED */
	_Atomic bool cancelled;
	struct begun *next;
};

struct adev_begun_queue {
	pthread_mutex_t lock; /* lock role `begun` */
	pthread_cond_t queued;
	pthread_cond_t populated;
	pthread_t thread;
	bool running;
	bool stop;
	struct begun *first;
};

static int populate_piece(uint64_t address, uint64_t bytes, bool writable)
{
	int error = adev_memory_populate(address, bytes, writable);

	if (error != EFAULT)
		return error;
	/* It may have been on its way into or out of a segment. */
	adev_adopt_hold();
	error = adev_memory_populate(address, bytes, writable);
	adev_adopt_let_go();
	return error;
}

static int populate(const struct begun *begun)
{
	const struct adev_region *region = &begun->region;
	uint64_t left = adev_region_needs_pages(region) ? region->length : 0;
	uint64_t done = 0;
	int error = 0;

	while (left && !error) {
		uint64_t bytes = left < PIECE_BYTES ? left : PIECE_BYTES;

		if (atomic_load(&begun->cancelled))
			return ECANCELED;
		error = populate_piece(region->address + done, bytes,
				       region->access &
					       ARNICA_HW_ACCESS_LOCAL_WRITE);
		done += bytes;
		left -= bytes;
	}
	return error;
}

static void fail(struct adev_function *fn, uint32_t index, int error)
{
	uint32_t status = adev_command_status(error);

	atomic_store(&fn->view.tpt[index].shared, adev_tpt_failed_word(status));
	adev_count(&fn->counters, registrations_failed);
	arnica_trace_region_failed(adev_key_of(fn, index), status);
}

static void succeed(struct adev_function *fn, uint32_t index)
{
	struct adev_tpt_entry *entry = &fn->view.tpt[index];
	uint64_t shared = adev_region_adopt(fn, index, ADEV_ADOPT_JOINS);

	/* Q1: the tag before the word; see tpt/pending.h. */
	adev_tpt_publish(entry, adev_key_of(fn, index));
	atomic_store_explicit(&entry->shared, shared, memory_order_release);
	arnica_trace_region_ready(adev_key_of(fn, index), entry->pd);
}

/* With both locks. Requests that wait for it go on. */
static void end(struct adev_function *fn, struct begun *begun)
{
	if (begun->error)
		fail(fn, begun->index, begun->error);
	else
		succeed(fn, begun->index);
	begun->step = OVER;
	adev_function_left_work(fn, 0);
}

/* Brings the pages of the first one in, unless that is done. With the lock,
 * but not meanwhile. */
static void run_first(struct adev_begun_queue *queue)
{
	struct begun *begun = queue->first;
	int error;

	if (begun->step != QUEUED)
		return;
	begun->step = RUNNING;
	pthread_mutex_unlock(&queue->lock);
	error = populate(begun);
	pthread_mutex_lock(&queue->lock);
	begun->error = error;
	begun->step = POPULATED;
	pthread_cond_broadcast(&queue->populated);
}

/* It leaves the queue, whoever ended it. Without the lock. */
static void retire_first(struct adev_function *fn,
			 struct adev_begun_queue *queue)
{
	struct begun *begun;

	pthread_mutex_lock(&fn->command_lock);
	pthread_mutex_lock(&queue->lock);
	begun = queue->first;
	if (begun->step != OVER)
		end(fn, begun);
	queue->first = begun->next;
	pthread_mutex_unlock(&queue->lock);
	pthread_mutex_unlock(&fn->command_lock);
	free(begun);
}

static void *run(void *argument)
{
	struct adev_function *fn = argument;
	struct adev_begun_queue *queue = fn->begun;

	adev_adopt_own_threads(1);
	pthread_mutex_lock(&queue->lock);
	while (!queue->stop) {
		if (!queue->first) {
			pthread_cond_wait(&queue->queued, &queue->lock);
			continue;
		}
		run_first(queue);
		pthread_mutex_unlock(&queue->lock);
		retire_first(fn, queue);
		pthread_mutex_lock(&queue->lock);
	}
	pthread_mutex_unlock(&queue->lock);
	adev_adopt_own_threads(-1);
	return NULL;
}

static int start_thread(struct adev_function *fn)
{
	int error = adev_thread_create(&fn->begun->thread, "arnica-control",
				       run, fn);

	fn->begun->running = !error;
	return error ? ENOMEM : 0;
}

/* With the first of them: most functions have none. */
static int start(struct adev_function *fn)
{
	struct adev_begun_queue *queue = fn->begun;

	if (!queue) {
		queue = calloc(1, sizeof(*queue));
		if (!queue)
			return ENOMEM;
		pthread_mutex_init(&queue->lock, NULL);
		pthread_cond_init(&queue->queued, NULL);
		pthread_cond_init(&queue->populated, NULL);
		fn->begun = queue;
	}
	return queue->running ? 0 : start_thread(fn);
}

int adev_begun_add(struct adev_function *fn, uint32_t index,
		   const struct adev_region *region)
{
	struct begun *begun, **link;
	int error = start(fn);

	if (error)
		return error;
	begun = calloc(1, sizeof(*begun));
	if (!begun)
		return ENOMEM;
	begun->index = index;
	begun->region = *region;
	pthread_mutex_lock(&fn->begun->lock);
	for (link = &fn->begun->first; *link; link = &(*link)->next)
		;
	*link = begun;
	pthread_cond_signal(&fn->begun->queued);
	pthread_mutex_unlock(&fn->begun->lock);
	return 0;
}

/* With the lock. */
static struct begun *find(struct adev_begun_queue *queue, uint32_t index)
{
	struct begun *begun = queue->first;

	while (begun && (begun->index != index || begun->step == OVER))
		begun = begun->next;
	return begun;
}

static void await(struct adev_function *fn, uint32_t index, bool cancel)
{
	struct adev_begun_queue *queue = fn->begun;
	struct begun *begun;

	if (!queue || index >= fn->view.layout.max_mr ||
	    !adev_region_is_unborn(fn, index))
		return;
	pthread_mutex_lock(&queue->lock);
	begun = find(queue, index);
	if (begun && cancel) {
		atomic_store(&begun->cancelled, true);
		/* Its turn need not be waited for. */
		if (begun->step == QUEUED) {
			begun->error = ECANCELED;
			begun->step = POPULATED;
		}
	}
	/* It stays in the queue: to leave it takes the command lock. */
	while (begun && begun->step < POPULATED)
		pthread_cond_wait(&queue->populated, &queue->lock);
	if (begun && begun->step == POPULATED)
		end(fn, begun);
	pthread_mutex_unlock(&queue->lock);
}

void adev_begun_wait(struct adev_function *fn, uint32_t index)
{
	await(fn, index, false);
}

void adev_begun_cancel(struct adev_function *fn, uint32_t index)
{
	await(fn, index, true);
}

static void free_all(struct adev_function *fn)
{
	struct begun *begun, *next;

	for (begun = fn->begun->first; begun; begun = next) {
		next = begun->next;
		free(begun);
	}
	free(fn->begun);
	fn->begun = NULL;
}

void adev_begun_stop(struct adev_function *fn)
{
	struct adev_begun_queue *queue = fn->begun;
	struct begun *begun;

	if (!queue)
		return;
	pthread_mutex_lock(&queue->lock);
	queue->stop = true;
	for (begun = queue->first; begun; begun = begun->next)
		atomic_store(&begun->cancelled, true);
	pthread_cond_signal(&queue->queued);
	pthread_mutex_unlock(&queue->lock);
	if (queue->running)
		pthread_join(queue->thread, NULL);
	pthread_cond_destroy(&queue->populated);
	pthread_cond_destroy(&queue->queued);
	pthread_mutex_destroy(&queue->lock);
	free_all(fn);
}

void adev_begun_forget(struct adev_function *fn)
{
	if (fn->begun)
		free_all(fn);
}
