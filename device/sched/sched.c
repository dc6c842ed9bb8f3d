/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Queues by class, linked through the QPs, and who has which engine. */
#include "sched/sched.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "sched/arbiter.h"
#include "transport/qp.h"

void adev_sched_init(struct adev_scheduler *scheduler)
{
	struct adev_sched_config config;

	memset(scheduler, 0, sizeof(*scheduler));
	pthread_mutex_init(&scheduler->lock, NULL);
	adev_sched_defaults(&config);
	(void)adev_sched_configure(scheduler, &config);
}

void adev_sched_fini(struct adev_scheduler *scheduler)
{
	uint32_t i;

	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++)
		free(scheduler->engines[i].descriptors.bytes);
	pthread_mutex_destroy(&scheduler->lock);
}

static uint32_t class_of(const struct adev_qp *qp)
{
	return atomic_load_explicit(&qp->service_level, memory_order_relaxed) %
	       ADEV_CLASSES;
}

/* The engine that has the QP; NULL when none has. */
static struct adev_engine *engine_of(struct adev_scheduler *scheduler,
				     const struct adev_qp *qp)
{
	uint32_t i;

	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++)
		if (scheduler->engines[i].qp == qp)
			return &scheduler->engines[i];
	return NULL;
}

/* One more QP of the class that no thread has, or one less. */
static void count_waiting(struct adev_scheduler *scheduler, uint32_t class,
			  bool more)
{
	struct adev_class *counted = &scheduler->classes[class];
	uint32_t waiting = atomic_load_explicit(&scheduler->waiting,
						memory_order_relaxed);

	counted->num_waiting += more ? 1u : UINT32_MAX;
	atomic_fetch_add(&scheduler->num_queued, more ? 1u : UINT32_MAX);
	waiting &= ~(1u << class);
	if (counted->num_waiting)
		waiting |= 1u << class;
	atomic_store_explicit(&scheduler->waiting, waiting,
			      memory_order_relaxed);
}

static void append(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	struct adev_class *queue = &scheduler->classes[qp->scheduled_class];

	qp->next_scheduled = NULL;
	if (queue->last)
		queue->last->next_scheduled = qp;
	else
		queue->first = qp;
	queue->last = qp;
}

static void count_scheduled(struct adev_scheduler *scheduler, uint32_t class,
			    bool more)
{
	struct adev_class *counted = &scheduler->classes[class];

	counted->num_scheduled += more ? 1u : UINT32_MAX;
	scheduler->counters.classes[class].scheduled = counted->num_scheduled;
}

/* It is in no queue and with no engine any more. */
static void end(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	count_scheduled(scheduler, qp->scheduled_class, false);
	atomic_store(&qp->scheduled, false);
	atomic_fetch_sub(&scheduler->num_scheduled, 1);
}

static bool enter(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	uint32_t class = class_of(qp);

	if (!scheduler->classes[class].num_scheduled)
		adev_arbiter_enter(scheduler, class);
	atomic_store(&qp->scheduled, true);
	qp->scheduled_class = (uint8_t)class;
	append(scheduler, qp);
	count_scheduled(scheduler, class, true);
	count_waiting(scheduler, class, true);
	scheduler->counters.classes[class].entered++;
	return !atomic_fetch_add(&scheduler->num_scheduled, 1);
}

bool adev_sched_enqueue(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	bool begins = false;

	pthread_mutex_lock(&scheduler->lock);
	if (qp->scheduled) {
		struct adev_engine *engine = engine_of(scheduler, qp);

		if (engine)
			engine->again = true;
	} else if (!qp->withdrawn) {
		begins = enter(scheduler, qp);
	}
	pthread_mutex_unlock(&scheduler->lock);
	return begins;
}

static void unlink_from_queue(struct adev_scheduler *scheduler,
			      struct adev_qp *qp)
{
	struct adev_class *queue = &scheduler->classes[qp->scheduled_class];
	struct adev_qp *previous = NULL, *other = queue->first;

	while (other && other != qp) {
		previous = other;
		other = other->next_scheduled;
	}
	if (!other)
		return;
	if (previous)
		previous->next_scheduled = qp->next_scheduled;
	else
		queue->first = qp->next_scheduled;
	if (queue->last == qp)
		queue->last = previous;
	qp->next_scheduled = NULL;
}

void adev_sched_let_go(struct adev_scheduler *scheduler,
		       struct adev_engine *engine)
{
	engine->qp = NULL;
	scheduler->counters.engines[engine - scheduler->engines].qpn = 0;
}

static void take_out(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	struct adev_engine *engine;

	while ((engine = engine_of(scheduler, qp)) && engine->running) {
		pthread_mutex_unlock(&scheduler->lock);
		sched_yield();
		pthread_mutex_lock(&scheduler->lock);
	}
	if (!qp->scheduled)
		return;
	if (engine)
		adev_sched_let_go(scheduler, engine);
	else
		unlink_from_queue(scheduler, qp);
	count_waiting(scheduler, qp->scheduled_class, false);
	end(scheduler, qp);
}

void adev_sched_remove(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	pthread_mutex_lock(&scheduler->lock);
	take_out(scheduler, qp);
	pthread_mutex_unlock(&scheduler->lock);
}

void adev_sched_withdraw(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	pthread_mutex_lock(&scheduler->lock);
	qp->withdrawn = true;
	take_out(scheduler, qp);
	pthread_mutex_unlock(&scheduler->lock);
}

static bool find_gather(struct adev_scheduler *scheduler, uint32_t *number)
{
	uint32_t i;

	for (i = 0; i < scheduler->config.num_gathers; i++) {
		if (scheduler->gathers[i])
			continue;
		*number = i;
		return true;
	}
	return false;
}

static void begin(struct adev_scheduler *scheduler, struct adev_engine *engine)
{
	engine->running = true;
	engine->watermark = scheduler->config.watermark[engine->class];
	count_waiting(scheduler, engine->class, false);
}

bool adev_sched_take(struct adev_scheduler *scheduler, struct adev_grant *grant)
{
	memset(grant, 0, sizeof(*grant));
	pthread_mutex_lock(&scheduler->lock);
	if (find_gather(scheduler, &grant->gather)) {
		adev_arbiter_assign(scheduler);
		grant->engine = adev_arbiter_gather(scheduler);
	}
	if (grant->engine) {
		scheduler->gathers[grant->gather] = true;
		begin(scheduler, grant->engine);
		grant->fetcher = adev_arbiter_fetch(scheduler);
	}
	if (grant->fetcher)
		begin(scheduler, grant->fetcher);
	pthread_mutex_unlock(&scheduler->lock);
	return grant->engine;
}

/* Is anything left for a QP that its engine had? */
static bool has_left(struct adev_engine *engine, struct adev_qp *qp, bool left)
{
	left |= engine->again;
	engine->again = false;
	if (left)
		return true;
	/* C6: pairs with is_scheduled() in exec.c. Not scheduled again before the
	 * wish is seen: who finds it scheduled relies on that. */
	atomic_store(&qp->scheduled, false);
	arnica_fence_after_rmw();
	if (!atomic_load(&qp->again))
		return false;
	/* Who has the send queue sees the wish when he gives it back. Until then
	 * turns would come to nothing, and others would wait for them. */
	if (atomic_load(&qp->sq_lock))
		return false;
	atomic_store(&qp->scheduled, true);
	return true;
}

/* The engine's thread lets go of it. */
static void finish(struct adev_scheduler *scheduler, struct adev_engine *engine,
		   bool left)
{
	struct adev_qp *qp = engine->qp;

	engine->running = false;
	if (!has_left(engine, qp, left) || qp->withdrawn) {
		adev_sched_let_go(scheduler, engine);
		end(scheduler, qp);
		return;
	}
	count_waiting(scheduler, engine->class, true);
	if (adev_arbiter_keeps(scheduler, engine))
		return;
	adev_sched_let_go(scheduler, engine);
	append(scheduler, qp);
}

static void count(struct adev_scheduler *scheduler,
		  const struct adev_grant *grant, uint64_t bytes)
{
	struct adev_engine *engines[2] = { grant->engine, grant->fetcher };
	struct arnica_hw_sched_counters *counters = &scheduler->counters;
	struct arnica_hw_engine_counters *own =
		&counters->engines[grant->engine - scheduler->engines];
	uint32_t i;

	own->turns++;
	own->bytes += bytes;
	counters->gathers[grant->gather].turns++;
	counters->gathers[grant->gather].bytes += bytes;
	counters->classes[grant->engine->class].bytes += bytes;
	for (i = 0; i < 2 && engines[i]; i++) {
		own = &counters->engines[engines[i] - scheduler->engines];
		own->fetches += grant->fetches[i];
		own->fetched += grant->fetched[i];
	}
}

void adev_sched_give(struct adev_scheduler *scheduler,
		     const struct adev_grant *grant, bool left, uint64_t bytes)
{
	pthread_mutex_lock(&scheduler->lock);
	count(scheduler, grant, bytes);
	adev_arbiter_charge(scheduler, grant->engine->class, grant->engine,
			    bytes);
	scheduler->gathers[grant->gather] = false;
	finish(scheduler, grant->engine, left);
	if (grant->fetcher)
		finish(scheduler, grant->fetcher, true);
	pthread_mutex_unlock(&scheduler->lock);
}

bool adev_sched_must_wait(struct adev_scheduler *scheduler,
			  const struct adev_qp *qp)
{
	uint32_t class = class_of(qp);
	bool waits;

	pthread_mutex_lock(&scheduler->lock);
	if (!scheduler->classes[class].num_scheduled)
		adev_arbiter_enter(scheduler, class);
	waits = qp->scheduled || !adev_arbiter_ahead(scheduler, class);
	pthread_mutex_unlock(&scheduler->lock);
	return waits;
}

void adev_sched_charge(struct adev_scheduler *scheduler,
		       const struct adev_qp *qp, uint64_t bytes)
{
	uint32_t class = class_of(qp);

	pthread_mutex_lock(&scheduler->lock);
	adev_arbiter_charge(scheduler, class, NULL, bytes);
	scheduler->counters.classes[class].ahead += bytes;
	pthread_mutex_unlock(&scheduler->lock);
}
