/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Numbers and policy of a scheduler. */
#include <errno.h>

#include "sched/arbiter.h"

#define ENGINES 8u
#define GATHERS 4u

/* Urgent classes have their descriptors ready early; others fetch many at a
 * time. */
static uint8_t default_watermark(uint32_t class)
{
	return (uint8_t)(2 + class / 2);
}

void adev_sched_defaults(struct adev_sched_config *config)
{
	uint32_t i;

	config->policy = ARNICA_HW_POLICY_STRICT;
	config->num_engines = ENGINES;
	config->num_gathers = GATHERS;
	for (i = 0; i < ADEV_CLASSES; i++) {
		config->class_weight[i] = 1;
		config->watermark[i] = default_watermark(i);
		config->class_engines[i] = UINT16_MAX;
	}
	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++)
		config->engine_weight[i] = 1;
}

static int check(const struct adev_sched_config *config)
{
	uint32_t engines = (1u << config->num_engines % 32) - 1, i;

	if (config->policy > ARNICA_HW_POLICY_WEIGHTED ||
	    !config->num_gathers ||
	    config->num_gathers > ARNICA_HW_MAX_GATHERS ||
	    config->num_engines < config->num_gathers ||
	    config->num_engines > ARNICA_HW_MAX_ENGINES)
		return EINVAL;
	for (i = 0; i < ADEV_CLASSES; i++)
		if (!config->class_weight[i] || !config->watermark[i] ||
		    config->watermark[i] > ARNICA_HW_ENGINE_DESCRIPTORS ||
		    !(config->class_engines[i] & engines))
			return EINVAL;
	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++)
		if (!config->engine_weight[i])
			return EINVAL;
	return 0;
}

/* What tools are shown. */
static void show(struct adev_scheduler *scheduler)
{
	const struct adev_sched_config *config = &scheduler->config;
	struct arnica_hw_sched_counters *counters = &scheduler->counters;
	uint32_t i;

	counters->policy = config->policy;
	counters->num_engines = config->num_engines;
	counters->num_gathers = config->num_gathers;
	for (i = 0; i < ADEV_CLASSES; i++) {
		counters->class_weight[i] = config->class_weight[i];
		counters->watermark[i] = config->watermark[i];
	}
	for (i = 0; i < ARNICA_HW_MAX_ENGINES; i++)
		counters->engine_weight[i] = config->engine_weight[i];
}

/* Which classes get in between the gather entries of one: with strict priority
 * those that are as high. */
static void set_interrupts(struct adev_scheduler *scheduler)
{
	bool strict = scheduler->config.policy == ARNICA_HW_POLICY_STRICT;
	uint32_t i;

	atomic_store_explicit(&scheduler->weighted, !strict,
			      memory_order_relaxed);
	for (i = 0; i < ADEV_CLASSES; i++)
		atomic_store_explicit(&scheduler->interrupts[i],
				      strict ? UINT32_MAX << i : UINT32_MAX,
				      memory_order_relaxed);
}

int adev_sched_configure(struct adev_scheduler *scheduler,
			 const struct adev_sched_config *config)
{
	int error = check(config);

	if (error)
		return error;
	pthread_mutex_lock(&scheduler->lock);
	scheduler->config = *config;
	adev_arbiter_vacate(scheduler);
	set_interrupts(scheduler);
	show(scheduler);
	pthread_mutex_unlock(&scheduler->lock);
	return 0;
}

void adev_sched_query(struct adev_scheduler *scheduler,
		      struct adev_sched_config *config)
{
	pthread_mutex_lock(&scheduler->lock);
	*config = scheduler->config;
	pthread_mutex_unlock(&scheduler->lock);
}
