/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Scheduling queues by class of service, linked through the QPs. */
#include "sched/sched.h"

#include "transport/qp.h"

void adev_sched_init(struct adev_scheduler *scheduler)
{
	uint32_t class;

	pthread_mutex_init(&scheduler->lock, NULL);
	atomic_init(&scheduler->num_scheduled, 0);
	for (class = 0; class < ADEV_CLASSES; class++) {
		scheduler->first[class] = NULL;
		scheduler->last[class] = NULL;
	}
}

void adev_sched_fini(struct adev_scheduler *scheduler)
{
	pthread_mutex_destroy(&scheduler->lock);
}

static uint32_t class_of(const struct adev_qp *qp)
{
	return qp->service_level % ADEV_CLASSES;
}

void adev_sched_enqueue(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	uint32_t class = class_of(qp);

	pthread_mutex_lock(&scheduler->lock);
	if (!qp->scheduled) {
		qp->scheduled = true;
		qp->scheduled_class = class;
		qp->next_scheduled = NULL;
		if (scheduler->last[class])
			scheduler->last[class]->next_scheduled = qp;
		else
			scheduler->first[class] = qp;
		scheduler->last[class] = qp;
		atomic_fetch_add(&scheduler->num_scheduled, 1);
	}
	pthread_mutex_unlock(&scheduler->lock);
}

/* Unlinks the QP behind `previous` (NULL: the first) of a class. */
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
	qp->scheduled = false;
	atomic_fetch_sub(&scheduler->num_scheduled, 1);
}

void adev_sched_remove(struct adev_scheduler *scheduler, struct adev_qp *qp)
{
	struct adev_qp *previous = NULL, *other;

	pthread_mutex_lock(&scheduler->lock);
	if (qp->scheduled) {
		other = scheduler->first[qp->scheduled_class];
		while (other && other != qp) {
			previous = other;
			other = other->next_scheduled;
		}
		if (other)
			unlink_qp(scheduler, qp->scheduled_class, previous,
				  qp);
	}
	pthread_mutex_unlock(&scheduler->lock);
}

struct adev_qp *adev_sched_next(struct adev_scheduler *scheduler)
{
	struct adev_qp *qp = NULL;
	uint32_t class;

	pthread_mutex_lock(&scheduler->lock);
	for (class = ADEV_CLASSES; class-- > 0 && !qp;) {
		qp = scheduler->first[class];
		if (qp)
			unlink_qp(scheduler, class, NULL, qp);
	}
	pthread_mutex_unlock(&scheduler->lock);
	return qp;
}
