/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Engine threads.
 *
 * E1: an engine thread announces its sleep and then looks at the scheduling
 * queues; who leaves work puts it there and then looks for one that sleeps. One
 * of the two sees the other.
 *
 * E2: `turn` is odd while a thread may be at any function. A function that has
 * been taken from the list is nobody's when each turn that was odd has ended.
 */
#include "exec/threads.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/adapter.h"
#include "core/agent.h"
#include "core/qp_lock.h"
#include "core/thread.h"
#include "domain/identity.h"
#include "domain/log.h"
#include "exec/exec.h"
#include "settings.h"

#define MAX_ENGINES 64u /* as util/settings.h has it */

enum state { STATE_AWAKE, STATE_SLEEPING };

struct engine {
	_Alignas(ARNICA_HW_LINE_BYTES) _Atomic uint32_t state; /* futex */
	_Atomic uint32_t turn;
	struct adev_waking waking;
	pthread_t thread;
};

static struct {
	uint32_t users;
	_Atomic uint32_t count;
	_Atomic bool stopping;
	struct engine engines[MAX_ENGINES];
} pool;

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	(void)syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value,
		      NULL, NULL, 0);
}

static void wake(struct engine *engine)
{
	uint32_t sleeping = STATE_SLEEPING;

	adev_waking_begin(&engine->waking);
	if (atomic_compare_exchange_strong(&engine->state, &sleeping,
					   STATE_AWAKE))
		futex(&engine->state, FUTEX_WAKE, 1);
	adev_waking_end(&engine->waking);
}

/* Wakes one that sleeps. When all are awake, one of them will look. */
static void wake_one(void)
{
	uint32_t i, count = atomic_load(&pool.count);

	for (i = 0; i < count; i++) {
		struct engine *engine = &pool.engines[i];

		if (atomic_load(&engine->state) == STATE_SLEEPING) {
			wake(engine);
			return;
		}
	}
}

void adev_exec_left(struct adev_function *fn)
{
	/* E1: after the queue pair was put on its queue. */
	arnica_store32(&fn->view.header->attention, ARNICA_HW_ATTENTION_WORK,
		       memory_order_seq_cst);
	arnica_fence_after_rmw();
	if (atomic_load(&pool.count)) {
		wake_one();
		return;
	}
	atomic_store(&fn->backlog_left, true);
	adev_agent_expect(0);
}

/* One turn of one function. True when there is more for this thread. */
static bool run_turn(struct adev_function *fn)
{
	struct adev_scheduler *scheduler = &fn->scheduler;

	if (!adev_sched_waits(scheduler))
		return false;
	/* More than this thread can take. */
	if (atomic_load_explicit(&scheduler->num_queued,
				 memory_order_relaxed) > 1)
		wake_one();
	adev_count(&fn->counters, turns_by_engines);
	return adev_exec_turn(fn, ADEV_TURN_MOST) == ADEV_TURN_MORE;
}

/* A look at all functions; true when another one is worth it. */
static bool run_all(struct engine *engine)
{
	struct adev_function *fn;
	bool more = false;

	atomic_fetch_add(&engine->turn, 1); /* E2 */
	for (fn = adev_adapter_first(); fn; fn = adev_adapter_next(fn))
		more |= run_turn(fn);
	atomic_fetch_add(&engine->turn, 1);
	return more;
}

static void sleep_unless(struct engine *engine)
{
	atomic_store(&engine->state, STATE_SLEEPING); /* E1 */
	arnica_fence_after_rmw();
	if (atomic_load(&pool.stopping) || run_all(engine)) {
		atomic_store(&engine->state, STATE_AWAKE);
		return;
	}
	while (atomic_load(&engine->state) == STATE_SLEEPING)
		futex(&engine->state, FUTEX_WAIT, STATE_SLEEPING);
	adev_waking_let_return(&engine->waking);
}

static void *run(void *argument)
{
	struct engine *engine = argument;

	while (!atomic_load(&pool.stopping))
		if (!run_all(engine))
			sleep_unless(engine);
	return NULL;
}

static uint32_t wanted(void)
{
	uint64_t count;

	/* A wrong one has been told of. */
	return adev_setting_number(ARNICA_SETTING(ENGINES), 0, &count) ?
		       0 :
		       (uint32_t)count;
}

static void start_threads(uint32_t count)
{
	uint32_t i;

	atomic_store(&pool.stopping, false);
	for (i = 0; i < count; i++) {
		struct engine *engine = &pool.engines[i];
		char name[24];
		int error;

		snprintf(name, sizeof(name), "arnica-engine%u", i);
		atomic_store(&engine->state, STATE_AWAKE);
		error = adev_thread_create(&engine->thread, name, run, engine);
		if (error) {
			adev_log_error("there are only %u of %u engine "
				       "threads: %s",
				       i, count, strerror(error));
			break;
		}
		atomic_store(&pool.count, i + 1);
	}
}

void adev_engine_threads_start(void)
{
	if (!pool.users++)
		start_threads(wanted());
}

void adev_engine_threads_stop(void)
{
	uint32_t i, count = atomic_load(&pool.count);

	if (--pool.users)
		return;
	atomic_store(&pool.stopping, true);
	atomic_store(&pool.count, 0);
	for (i = 0; i < count; i++) {
		wake(&pool.engines[i]);
		pthread_join(pool.engines[i].thread, NULL);
	}
}

uint32_t adev_engine_threads_count(void)
{
	return atomic_load(&pool.count);
}

void adev_engine_threads_leave(void)
{
	uint32_t i, count = atomic_load(&pool.count);

	for (i = 0; i < count; i++) {
		uint32_t turn = atomic_load(&pool.engines[i].turn);

		while (turn & 1 && atomic_load(&pool.engines[i].turn) == turn)
			adev_rest();
	}
}

void adev_engine_threads_forget(void)
{
	uint32_t i;

	pool.users = 0;
	atomic_store(&pool.count, 0);
	for (i = 0; i < MAX_ENGINES; i++) {
		atomic_store(&pool.engines[i].state, STATE_AWAKE);
		atomic_store(&pool.engines[i].turn, 0);
		atomic_store(&pool.engines[i].waking.threads, 0);
	}
}
