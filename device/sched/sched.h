/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Scheduler: queue pairs with work that was not done at once, linked through
 * their own contexts into one queue for each class of service (the service
 * level of the QP). Strict priority: the highest class first, in turn within a
 * class. Lock role `scheduler`.
 */
#ifndef ADEV_SCHED_SCHED_H
#define ADEV_SCHED_SCHED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ADEV_CLASSES 16u

struct adev_qp;
struct adev_function;

struct adev_scheduler {
	pthread_mutex_t lock;
	_Atomic uint32_t num_scheduled;
	struct adev_qp *first[ADEV_CLASSES];
	struct adev_qp *last[ADEV_CLASSES];
};

void adev_sched_init(struct adev_scheduler *scheduler);
void adev_sched_fini(struct adev_scheduler *scheduler);

/* Appends the QP to the queue of its class unless it stands there already. */
void adev_sched_enqueue(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* Takes the QP off its queue, before it is destroyed. */
void adev_sched_remove(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* First QP of the highest class that has one; NULL when there is none. */
struct adev_qp *adev_sched_next(struct adev_scheduler *scheduler);

static inline bool adev_sched_idle(struct adev_scheduler *scheduler)
{
	return !atomic_load_explicit(&scheduler->num_scheduled,
				     memory_order_relaxed);
}

#endif
