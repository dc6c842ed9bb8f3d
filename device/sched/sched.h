/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Scheduler: queue pairs with work that was not done at once. They are linked
 * through their own contexts into one queue for each class of service (the
 * service level of the QP), and assigned to execution engines, each of which
 * executes one QP at a time. A thread that is lent to the adapter takes a gather
 * engine and, by its arbiter, an execution engine whose gather entries it moves.
 * As many threads as there are gather engines do so at the same time.
 *
 * Strict policy: the highest class first. Weighted policy: each class gets its
 * share of the bytes; a class that has had more than that waits, even when a
 * thread is idle. Among the engines of a class always by their weights. Lock role
 * `scheduler`.
 */
#ifndef ADEV_SCHED_SCHED_H
#define ADEV_SCHED_SCHED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <arnica/hw/scheduler.h>

#define ADEV_CLASSES ARNICA_HW_CLASSES

struct adev_qp;
struct adev_function;

/* What is set from outside; see sched/config.c. */
struct adev_sched_config {
	uint32_t policy; /* enum arnica_hw_policy */
	uint32_t num_engines;
	uint32_t num_gathers;
	uint8_t class_weight[ADEV_CLASSES];
	uint8_t watermark[ADEV_CLASSES]; /* descriptors */
	uint16_t class_engines[ADEV_CLASSES]; /* a bit for each engine */
	uint8_t engine_weight[ARNICA_HW_MAX_ENGINES];
};

/* Descriptors that were fetched ahead: entries [first, first + count) of the send
 * queue, each at its index modulo `room`. Touched by the thread that runs the
 * engine, with the QP's sq_lock. */
struct adev_descriptors {
	uint32_t first, count;
	uint32_t room; /* power of two; by the size of a descriptor */
	char *bytes;   /* ARNICA_HW_ENGINE_BYTES; made at the first use */
};

/* An execution engine. */
struct adev_engine {
	struct adev_qp *qp; /* NULL: idle */
	bool running;       /* a thread has it */
	bool again;         /* the QP was to be scheduled meanwhile */
	uint8_t class;
	uint8_t watermark;  /* of the class */
	uint64_t served;    /* bytes by weight: whose turn it is */
	uint64_t turn;      /* bytes since it has the QP */
	struct adev_descriptors descriptors;
};

struct adev_class {
	struct adev_qp *first, *last;
	uint32_t num_scheduled; /* in the queue and with engines */
	uint32_t num_waiting;   /* ... that no thread has */
	uint64_t served;        /* bytes by weight */
};

/* What a thread has of the scheduler. */
struct adev_grant {
	struct adev_engine *engine;
	struct adev_engine *fetcher; /* to fetch descriptors for; or NULL */
	uint32_t gather;
	uint32_t fetches[2], fetched[2]; /* for the engine, for the fetcher */
};

struct adev_scheduler {
	/* QPs in the queues and with engines. Doorbells look at it. */
	_Atomic uint32_t num_scheduled;
	_Atomic uint32_t num_queued; /* ... that no thread has */
	/* Classes with QPs that no thread has, and for each class those that
	 * get in between its gather entries. */
	_Atomic uint32_t waiting;
	_Atomic uint32_t interrupts[ADEV_CLASSES];
	_Atomic bool weighted; /* the policy */
	_Atomic uint32_t used; /* classes that QPs of the function have had */
	pthread_mutex_t lock;
	struct adev_sched_config config;
	struct adev_class classes[ADEV_CLASSES];
	struct adev_engine engines[ARNICA_HW_MAX_ENGINES];
	bool gathers[ARNICA_HW_MAX_GATHERS]; /* taken */
	struct arnica_hw_sched_counters counters; /* tools read them */
};

void adev_sched_init(struct adev_scheduler *scheduler);
void adev_sched_fini(struct adev_scheduler *scheduler);

/* Appends the QP to the queue of its class unless it stands there already, or
 * is on its way out. True when there was no backlog before. */
bool adev_sched_enqueue(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* Takes the QP off its queue or engine. Returns when no thread has it any more:
 * it may be called with the QP's sq_lock held, for which no engine waits. */
void adev_sched_remove(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* The same, for good: before the QP is destroyed. */
void adev_sched_withdraw(struct adev_scheduler *scheduler, struct adev_qp *qp);

/* A gather engine, and the execution engine that its arbiter chooses. False:
 * there is nothing that this thread may do. */
bool adev_sched_take(struct adev_scheduler *scheduler,
		     struct adev_grant *grant);

/* The turn is over, `bytes` were moved. `left`: the QP has more to do. */
void adev_sched_give(struct adev_scheduler *scheduler,
		     const struct adev_grant *grant, bool left, uint64_t bytes);

/* Must this QP wait for its turn, because others of its class or of a higher one
 * have a backlog, because its class has had its share, or because it has a
 * backlog itself? */
bool adev_sched_must_wait(struct adev_scheduler *scheduler,
			  const struct adev_qp *qp);

/* A QP moved bytes without an engine while others had a backlog. */
void adev_sched_charge(struct adev_scheduler *scheduler,
		       const struct adev_qp *qp, uint64_t bytes);

/* The numbers and the policy. EINVAL: out of range, or a class that no engine
 * serves. */
int adev_sched_configure(struct adev_scheduler *scheduler,
			 const struct adev_sched_config *config);
void adev_sched_query(struct adev_scheduler *scheduler,
		      struct adev_sched_config *config);
void adev_sched_defaults(struct adev_sched_config *config);

/* settings.c: what environment and configuration file say. ENODEV: something
 * wrong, which was logged. */
int adev_sched_read_settings(struct adev_scheduler *scheduler);

static inline bool adev_sched_idle(struct adev_scheduler *scheduler)
{
	return !atomic_load_explicit(&scheduler->num_scheduled,
				     memory_order_relaxed);
}

/* A QP has this service level. */
static inline void adev_sched_note(struct adev_scheduler *scheduler,
				   uint32_t service_level)
{
	atomic_fetch_or(&scheduler->used,
			1u << service_level % ADEV_CLASSES);
}

/* Are there QPs of a higher class than those that wait? Their threads are not
 * to be kept by what waits for longer than an entry takes. */
static inline bool adev_sched_has_higher(struct adev_scheduler *scheduler)
{
	uint32_t waiting = atomic_load_explicit(&scheduler->waiting,
						memory_order_relaxed);

	return waiting && atomic_load_explicit(&scheduler->used,
					       memory_order_relaxed) >>
					  (32 - __builtin_clz(waiting));
}

/* Are there QPs that no thread has? */
static inline bool adev_sched_waits(struct adev_scheduler *scheduler)
{
	return atomic_load_explicit(&scheduler->num_queued,
				    memory_order_relaxed);
}

/* Arbiter of the access to data: must a QP of this service level let others get
 * at the memory, after each gather entry? */
static inline bool adev_sched_interrupts(struct adev_scheduler *scheduler,
					 uint32_t service_level)
{
	uint32_t by = atomic_load_explicit(
		&scheduler->interrupts[service_level % ADEV_CLASSES],
		memory_order_relaxed);

	return atomic_load_explicit(&scheduler->waiting, memory_order_relaxed) &
	       by;
}

/* May a turn of this service level be longer than an entry? With shares not while
 * others have a backlog, in whose hands it may be. */
static inline bool adev_sched_may_go_on(struct adev_scheduler *scheduler,
					uint32_t service_level)
{
	if (atomic_load_explicit(&scheduler->weighted, memory_order_relaxed))
		return atomic_load_explicit(&scheduler->num_scheduled,
					    memory_order_relaxed) < 2;
	return !adev_sched_interrupts(scheduler, service_level);
}

#endif
