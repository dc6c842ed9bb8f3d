/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Scheduling queues by class of service, linked through the QPs. */
#include "sched/sched.h"

#include <sched.h>

#include "transport/qp.h"

void adev_sched_init(struct adev_scheduler *scheduler)
{
	uint32_t i;

	pthread_mutex_init(&scheduler->lock, NULL);
	atomic_init(&scheduler->num_scheduled, 0);
	atomic_init(&scheduler->num_queued, 0);
	for (i = 0; i < ADEV_CLASSES; i++) {
		scheduler->first[i] = NULL;
		scheduler->last[i] = NULL;
	}
	for (i = 0; i < ADEV_ENGINES; i++) {
		scheduler->engines[i].qp = NULL;
		scheduler->engines[i].again = false;
	}
}

void adev_sched_fini(struct adev_scheduler *scheduler)
{
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

	for (i = 0; i < ADEV_ENGINES; i++)
		if (scheduler->engines[i].qp == qp)
			return &scheduler->engines[i];
	return NULL;
}

static void append(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	uint32_t class = class_of(qp);

	qp->scheduled_class = (uint8_t)class;
	qp->next_scheduled = NULL;
	if (scheduler->last[class])
		scheduler->last[class]->next_scheduled = qp;
	else
		scheduler->first[class] = qp;
	scheduler->last[class] = qp;
	atomic_fetch_add(&scheduler->num_queued, 1);
}

static void unlink_qp(struct adev_scheduler *scheduler, uint32_t class,
		      struct adev_qp *previous, struct adev_qp *qp)
{
	if (previous)
		previous->next_scheduled = qp->next_scheduled;
	else
		scheduler->first[class] = qp->next_scheduled;
	if (scheduler->last[class] == qp)
		scheduler->last[class] = previous;
	qp->next_scheduled = NULL;
	atomic_fetch_sub(&scheduler->num_queued, 1);
}

/* It is in no queue and with no engine any more. */
static void end(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	atomic_store(&qp->scheduled, false);
	atomic_fetch_sub(&scheduler->num_scheduled, 1);
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
		qp->scheduled = true;
		append(scheduler, qp);
		begins = !atomic_fetch_add(&scheduler->num_scheduled, 1);
	}
	pthread_mutex_unlock(&scheduler->lock);
	return begins;
}

static void unlink_from_queue(struct adev_scheduler *scheduler,
			      struct adev_qp *qp)
{
	struct adev_qp *previous = NULL, *other;

	other = scheduler->first[qp->scheduled_class];
	while (other && other != qp) {
		previous = other;
		other = other->next_scheduled;
	}
	if (!other)
		return;
	unlink_qp(scheduler, qp->scheduled_class, previous, qp);
	end(scheduler, qp);
}

static void take_out(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	while (engine_of(scheduler, qp)) {
		pthread_mutex_unlock(&scheduler->lock);
		sched_yield();
		pthread_mutex_lock(&scheduler->lock);
	}
	if (qp->scheduled)
		unlink_from_queue(scheduler, qp);
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

struct adev_engine *adev_sched_take(struct adev_scheduler *scheduler)
{
	struct adev_engine *engine;
	struct adev_qp *qp = NULL;
	uint32_t class;

	pthread_mutex_lock(&scheduler->lock);
	engine = engine_of(scheduler, NULL);
	for (class = ADEV_CLASSES; engine && class-- > 0 && !qp;) {
		qp = scheduler->first[class];
		if (qp)
			unlink_qp(scheduler, class, NULL, qp);
	}
	if (qp) {
		engine->qp = qp;
		engine->again = false;
	} else {
		engine = NULL;
	}
	pthread_mutex_unlock(&scheduler->lock);
	return engine;
}

void adev_sched_give(struct adev_scheduler *scheduler,
		     struct adev_engine *engine, bool left)
{
	struct adev_qp *qp = engine->qp;

	pthread_mutex_lock(&scheduler->lock);
	left |= engine->again;
	if (!left) {
		/* C6: pairs with is_scheduled() in exec.c. */
		atomic_store(&qp->scheduled, false);
		arnica_fence_after_rmw();
		left = atomic_load(&qp->again);
		atomic_store(&qp->scheduled, true);
	}
	if (left && !qp->withdrawn)
		append(scheduler, qp);
	else
		end(scheduler, qp);
	engine->qp = NULL;
	pthread_mutex_unlock(&scheduler->lock);
}

bool adev_sched_must_wait(struct adev_scheduler *scheduler,
			  const struct adev_qp *qp)
{
	uint32_t class = class_of(qp), i;
	bool waits;

	pthread_mutex_lock(&scheduler->lock);
	waits = qp->scheduled;
	for (i = class; i < ADEV_CLASSES && !waits; i++)
		waits = scheduler->first[i] != NULL;
	for (i = 0; i < ADEV_ENGINES && !waits; i++)
		waits = scheduler->engines[i].qp &&
			scheduler->engines[i].qp->scheduled_class >= class;
	pthread_mutex_unlock(&scheduler->lock);
	return waits;
}
