/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Choices by class and weight. What a class or an engine was served is counted in
 * bytes divided by its weight; the one that was served least is next.
 */
#include "sched/arbiter.h"

#include "transport/qp.h"

/* Of fractions of a byte, so that small messages count by their weight, too. */
#define SCALE 256u

static uint64_t by_weight(uint64_t bytes, uint32_t weight)
{
	return bytes * SCALE / weight;
}

static bool is_weighted(const struct adev_scheduler *scheduler)
{
	return scheduler->config.policy == ARNICA_HW_POLICY_WEIGHTED;
}

static bool may_serve(const struct adev_scheduler *scheduler, uint32_t engine,
		      uint32_t class)
{
	return scheduler->config.class_engines[class] >> engine & 1;
}

/* What the class that has a backlog and was served least was served. False: no
 * class has a backlog. */
static bool least_served(const struct adev_scheduler *scheduler,
			 uint64_t *served)
{
	bool any = false;
	uint32_t i;

	for (i = 0; i < ADEV_CLASSES; i++) {
		const struct adev_class *class = &scheduler->classes[i];

		if (!class->num_scheduled || (any && class->served >= *served))
			continue;
		*served = class->served;
		any = true;
	}
	return any;
}

/* Who comes begins with what others have had. Alone he begins with the most that
 * any had: what somebody did while nobody else wanted to is not held against
 * him later. */
void adev_arbiter_enter(struct adev_scheduler *scheduler, uint32_t class)
{
	uint64_t served = 0;
	uint32_t i;

	if (!least_served(scheduler, &served))
		for (i = 0; i < ADEV_CLASSES; i++)
			if (scheduler->classes[i].served > served)
				served = scheduler->classes[i].served;
	if (scheduler->classes[class].served < served)
		scheduler->classes[class].served = served;
}

bool adev_arbiter_ahead(struct adev_scheduler *scheduler, uint32_t class)
{
	uint64_t served = 0;
	uint32_t i;

	if (scheduler->classes[class].num_scheduled)
		return false;
	if (is_weighted(scheduler))
		return !least_served(scheduler, &served) ||
		       scheduler->classes[class].served <= served;
	for (i = class + 1; i < ADEV_CLASSES; i++)
		if (scheduler->classes[i].num_scheduled)
			return false;
	return true;
}

void adev_arbiter_charge(struct adev_scheduler *scheduler, uint32_t class,
			 struct adev_engine *engine, uint64_t bytes)
{
	const struct adev_sched_config *config = &scheduler->config;

	scheduler->classes[class].served +=
		by_weight(bytes, config->class_weight[class]);
	if (!engine)
		return;
	engine->turn += bytes;
	engine->served += by_weight(
		bytes,
		config->engine_weight[engine - scheduler->engines]);
}

/* Does class `a` go before class `b`? */
static bool goes_before(const struct adev_scheduler *scheduler, uint32_t a,
			uint32_t b)
{
	if (is_weighted(scheduler) &&
	    scheduler->classes[a].served != scheduler->classes[b].served)
		return scheduler->classes[a].served <
		       scheduler->classes[b].served;
	return a > b;
}

/* The class whose queue is served next by this engine; ADEV_CLASSES: none. */
static uint32_t queue_for(const struct adev_scheduler *scheduler,
			  uint32_t engine)
{
	uint32_t best = ADEV_CLASSES, i;

	for (i = 0; i < ADEV_CLASSES; i++)
		if (scheduler->classes[i].first &&
		    may_serve(scheduler, engine, i) &&
		    (best == ADEV_CLASSES || goes_before(scheduler, i, best)))
			best = i;
	return best;
}

/* The same for an engine that comes to a class. */
static void join(struct adev_scheduler *scheduler, struct adev_engine *engine,
		 uint32_t class)
{
	uint64_t least = UINT64_MAX, most = 0;
	uint32_t i;

	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++) {
		const struct adev_engine *other = &scheduler->engines[i];

		if (other->served > most)
			most = other->served;
		if (other->qp && other->class == class && other->served < least)
			least = other->served;
	}
	if (least == UINT64_MAX)
		least = most;
	if (engine->served < least)
		engine->served = least;
	engine->class = (uint8_t)class;
	engine->turn = 0;
	engine->again = false;
	engine->descriptors.count = 0;
}

static void assign(struct adev_scheduler *scheduler, uint32_t number,
		   uint32_t class)
{
	struct adev_engine *engine = &scheduler->engines[number];
	struct adev_class *queue = &scheduler->classes[class];
	struct adev_qp *qp = queue->first;

	queue->first = qp->next_scheduled;
	if (!queue->first)
		queue->last = NULL;
	qp->next_scheduled = NULL;
	join(scheduler, engine, class);
	engine->qp = qp;
	scheduler->counters.engines[number].qpn = qp->qpn;
	scheduler->counters.engines[number].class = class;
}

/* Back to the head of its queue: it has not had its turn. */
static void put_back(struct adev_scheduler *scheduler, uint32_t number)
{
	struct adev_engine *engine = &scheduler->engines[number];
	struct adev_class *queue = &scheduler->classes[engine->class];
	struct adev_qp *qp = engine->qp;

	qp->next_scheduled = queue->first;
	queue->first = qp;
	if (!queue->last)
		queue->last = qp;
	adev_sched_let_go(scheduler, engine);
}

/* A class has no engine, because others have all that may serve it: one that no
 * thread has is taken from the class that would come last. */
static void displace(struct adev_scheduler *scheduler, uint32_t class)
{
	uint32_t last = UINT32_MAX, i;

	for (i = 0; i < scheduler->config.num_engines; i++) {
		const struct adev_engine *engine = &scheduler->engines[i];

		if (!engine->qp)
			continue;
		if (engine->class == class)
			return;
		if (!engine->running && may_serve(scheduler, i, class) &&
		    goes_before(scheduler, class, engine->class) &&
		    (last == UINT32_MAX ||
		     goes_before(scheduler, scheduler->engines[last].class,
				 engine->class)))
			last = i;
	}
	if (last == UINT32_MAX)
		return;
	put_back(scheduler, last);
	assign(scheduler, last, class);
}

void adev_arbiter_assign(struct adev_scheduler *scheduler)
{
	uint32_t i;

	for (i = 0; i < scheduler->config.num_engines; i++) {
		uint32_t class;

		if (scheduler->engines[i].qp)
			continue;
		class = queue_for(scheduler, i);
		if (class < ADEV_CLASSES)
			assign(scheduler, i, class);
	}
	for (i = ADEV_CLASSES; i-- > 0;)
		if (scheduler->classes[i].first)
			displace(scheduler, i);
}

bool adev_arbiter_keeps(const struct adev_scheduler *scheduler,
			const struct adev_engine *engine)
{
	uint32_t number = (uint32_t)(engine - scheduler->engines);

	return number < scheduler->config.num_engines &&
	       may_serve(scheduler, number, engine->class) &&
	       (engine->turn < ADEV_SERVICE_BYTES ||
		queue_for(scheduler, number) == ADEV_CLASSES);
}

void adev_arbiter_vacate(struct adev_scheduler *scheduler)
{
	uint32_t i;

	/* The last first, so that the heads keep their order. */
	for (i = ARNICA_HW_MAX_ENGINES; i-- > 0;)
		if (scheduler->engines[i].qp && !scheduler->engines[i].running)
			put_back(scheduler, i);
}

/* Is engine `a` to be chosen rather than `b`? */
static bool is_better(const struct adev_scheduler *scheduler,
		      const struct adev_engine *a, const struct adev_engine *b)
{
	if (a->class != b->class)
		return goes_before(scheduler, a->class, b->class);
	return a->served < b->served;
}

struct adev_engine *adev_arbiter_gather(struct adev_scheduler *scheduler)
{
	const struct adev_sched_config *config = &scheduler->config;
	struct adev_engine *best = NULL;
	uint64_t served = 0;
	uint32_t i;

	for (i = 0; i < config->num_engines; i++) {
		struct adev_engine *engine = &scheduler->engines[i];

		if (engine->qp && !engine->running &&
		    (!best || is_better(scheduler, engine, best)))
			best = engine;
	}
	/* With shares a class waits for one that has had less, and that other
	 * threads have in hands. */
	if (best && is_weighted(scheduler) &&
	    least_served(scheduler, &served) &&
	    scheduler->classes[best->class].served >
		    served + by_weight(ADEV_SERVICE_BYTES,
				       config->class_weight[best->class]))
		return NULL;
	return best;
}

/* Is anything announced that the engine does not have yet? */
static bool wants(const struct adev_scheduler *scheduler,
		  const struct adev_engine *engine)
{
	const struct adev_descriptors *has = &engine->descriptors;

	return engine->qp && !engine->running && has->count &&
	       has->count < scheduler->config.watermark[engine->class] &&
	       atomic_load_explicit(&engine->qp->producer,
				    memory_order_relaxed) !=
		       has->first + has->count;
}

struct adev_engine *adev_arbiter_fetch(struct adev_scheduler *scheduler)
{
	struct adev_engine *best = NULL;
	uint32_t i;

	for (i = 0; i < scheduler->config.num_engines; i++) {
		struct adev_engine *engine = &scheduler->engines[i];

		if (wants(scheduler, engine) &&
		    (!best || engine->class > best->class))
			best = engine;
	}
	return best;
}
