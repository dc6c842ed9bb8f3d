/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Scheduler: queue pairs with work that was not done at once, linked through
 * their own contexts into one queue for each class of service (the service
 * level of the QP), and assigned to execution engines. An engine is what a
 * thread takes to execute one QP for a turn; as many threads as there are
 * engines do so at the same time. Strict priority: the highest class first, in
 * turn within a class. Lock role `scheduler`.
 */
#ifndef ADEV_SCHED_SCHED_H
#define ADEV_SCHED_SCHED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ADEV_CLASSES 16u
#define ADEV_ENGINES 8u

struct adev_qp;
struct adev_function;

struct adev_engine {
	struct adev_qp *qp; /* NULL: idle */
	bool again;         /* it was to be scheduled meanwhile */
};

struct adev_scheduler {
	/* QPs in the queues and with engines. Doorbells look at it. */
	_Atomic uint32_t num_scheduled;
	_Atomic uint32_t num_queued; /* ... in the queues */
	pthread_mutex_t lock;
	struct adev_qp *first[ADEV_CLASSES];
	struct adev_qp *last[ADEV_CLASSES];
	struct adev_engine engines[ADEV_ENGINES];
};

void adev_sched_init(struct adev_scheduler *scheduler);
void adev_sched_fini(struct adev_scheduler *scheduler);

/* Appends the QP to the queue of its class unless it stands there already, or
 * is on its way out. True when there was no backlog before. */
bool adev_sched_enqueue(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* Takes the QP off its queue. Returns when no engine has it any more: it may be
 * called with the QP's sq_lock held, for which no engine waits. */
void adev_sched_remove(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* The same, for good: before the QP is destroyed. */
void adev_sched_withdraw(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* An idle engine, with the first QP of the highest class that has one; NULL
 * when there is none. */
struct adev_engine *adev_sched_take(struct adev_scheduler *scheduler);

/* The turn is over. `left`: back to the end of the queue. */
void adev_sched_give(struct adev_scheduler *scheduler,
		     struct adev_engine *engine, bool left);

/* Must this QP wait for its turn, because others of its class or of a higher one
 * have a backlog, or it has one itself? */
bool adev_sched_must_wait(struct adev_scheduler *scheduler,
			  const struct adev_qp *qp);

static inline bool adev_sched_idle(struct adev_scheduler *scheduler)
{
	return !atomic_load_explicit(&scheduler->num_scheduled,
				     memory_order_relaxed);
}

/* Are there QPs that no thread has in hands? */
static inline bool adev_sched_waits(struct adev_scheduler *scheduler)
{
	return atomic_load_explicit(&scheduler->num_queued,
				    memory_order_relaxed);
}

#endif
