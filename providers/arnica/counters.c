/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counters of verbs; see counters.h. What a rule had when it ended stays: values
 * never go down. The lock covers a command, as the end of a rule and a look at it
 * must not meet.
 */
#include "counters.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "flow.h"

/* Values of one object, and points of it. */
#define MAX_POINTS 65536u

struct sums {
	uint64_t packets, bytes;
};

struct point {
	uint32_t index;
	enum ibv_counter_description what;
};

struct arnica_counters {
	struct ibv_counters base;
	pthread_mutex_t lock;
	struct point *points;
	uint32_t num_points;
	uint32_t num_values;       /* one past the highest index */
	struct arnica_flow *flows; /* that name them */
	struct sums over;          /* of those that did */
};

static struct arnica_counters *counters_of(struct ibv_counters *counters)
{
	return (struct arnica_counters *)counters;
}

struct ibv_counters *
arnica_counters_create(struct ibv_context *context,
		       struct ibv_counters_init_attr *attr)
{
	struct arnica_counters *counters;

	if (attr->comp_mask) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	counters = calloc(1, sizeof(*counters));
	if (!counters) {
		errno = ENOMEM;
		return NULL;
	}
	counters->base.context = context;
	pthread_mutex_init(&counters->lock, NULL);
	return &counters->base;
}

int arnica_counters_destroy(struct ibv_counters *ibv)
{
	struct arnica_counters *counters = counters_of(ibv);
	bool bound;

	pthread_mutex_lock(&counters->lock);
	bound = counters->flows;
	pthread_mutex_unlock(&counters->lock);
	if (bound)
		return EBUSY;
	pthread_mutex_destroy(&counters->lock);
	free(counters->points);
	free(counters);
	return 0;
}

static int add_point(struct arnica_counters *counters,
		     const struct ibv_counter_attach_attr *attr)
{
	struct point *points;

	if (counters->flows)
		return EBUSY;
	if (counters->num_points >= MAX_POINTS)
		return ENOMEM;
	points = realloc(counters->points,
			 (counters->num_points + 1) * sizeof(*points));
	if (!points)
		return ENOMEM;
	counters->points = points;
	points[counters->num_points++] = (struct point){
		.index = attr->index,
		.what = attr->counter_desc,
	};
	if (counters->num_values <= attr->index)
		counters->num_values = attr->index + 1;
	return 0;
}

/* Rules that exist already get no counters. */
int arnica_counters_attach(struct ibv_counters *ibv,
			   struct ibv_counter_attach_attr *attr,
			   struct ibv_flow *flow)
{
	struct arnica_counters *counters = counters_of(ibv);
	int error;

	if (flow || attr->comp_mask)
		return EOPNOTSUPP;
	if (attr->counter_desc != IBV_COUNTER_PACKETS &&
	    attr->counter_desc != IBV_COUNTER_BYTES)
		return ENOTSUP;
	if (attr->index >= MAX_POINTS)
		return EINVAL;
	pthread_mutex_lock(&counters->lock);
	error = add_point(counters, attr);
	pthread_mutex_unlock(&counters->lock);
	return error;
}

static void add(struct sums *sums, const struct arnica_hw_res_flow *counts)
{
	sums->packets += arnica_from_le64(counts->packets);
	sums->bytes += arnica_from_le64(counts->bytes);
}

/* Of all rules, those that are over included. */
static int sum_up(struct arnica_counters *counters, struct sums *sums)
{
	struct arnica_context *context = arnica_context_of(counters->base.context);
	const struct arnica_flow *flow;

	*sums = counters->over;
	for (flow = counters->flows; flow; flow = flow->next) {
		struct arnica_hw_command command = {
			.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_FLOW),
			.object = { .handle = arnica_to_le32(
					    flow->base.handle) },
		};
		struct arnica_hw_completion answer;
		int error = arnica_command_execute(&context->commands, &command,
						   &answer);

		if (error)
			return error;
		add(sums, &answer.flow);
	}
	return 0;
}

static int read_values(struct arnica_counters *counters, uint64_t *values,
		       uint32_t count)
{
	struct sums sums;
	uint32_t i;
	int error;

	if (!counters->flows || count < counters->num_values)
		return EINVAL;
	error = sum_up(counters, &sums);
	if (error)
		return error;
	memset(values, 0, count * sizeof(*values));
	for (i = 0; i < counters->num_points; i++) {
		const struct point *point = &counters->points[i];

		values[point->index] += point->what == IBV_COUNTER_PACKETS ?
						sums.packets :
						sums.bytes;
	}
	return 0;
}

/* There is no cache that could be preferred: the adapter is as near. */
int arnica_counters_read(struct ibv_counters *ibv, uint64_t *values,
			 uint32_t count, uint32_t flags)
{
	struct arnica_counters *counters = counters_of(ibv);
	int error;

	if (flags & ~(uint32_t)IBV_READ_COUNTERS_ATTR_PREFER_CACHED)
		return EINVAL;
	pthread_mutex_lock(&counters->lock);
	error = read_values(counters, values, count);
	pthread_mutex_unlock(&counters->lock);
	return error;
}

int arnica_counters_begin(struct ibv_counters *ibv, struct arnica_flow *flow,
			  const struct arnica_hw_command *command,
			  struct arnica_hw_completion *answer)
{
	struct arnica_context *context = arnica_context_of(flow->base.context);
	struct arnica_counters *counters = counters_of(ibv);
	int error = EINVAL;

	if (!ibv || ibv->context != flow->base.context)
		return EINVAL;
	pthread_mutex_lock(&counters->lock);
	if (counters->num_points)
		error = arnica_command_execute(&context->commands, command,
					       answer);
	if (!error) {
		flow->base.handle = arnica_from_le32(answer->object.handle);
		flow->counters = counters;
		flow->next = counters->flows;
		counters->flows = flow;
	}
	pthread_mutex_unlock(&counters->lock);
	return error;
}

int arnica_counters_end(struct arnica_flow *flow)
{
	struct arnica_context *context = arnica_context_of(flow->base.context);
	struct arnica_counters *counters = flow->counters;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_DESTROY_FLOW),
		.object = { .handle = arnica_to_le32(flow->base.handle) },
	};
	struct arnica_hw_completion answer;
	struct arnica_flow **link;
	int error;

	pthread_mutex_lock(&counters->lock);
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (!error) {
		add(&counters->over, &answer.flow);
		for (link = &counters->flows; *link != flow;)
			link = &(*link)->next;
		*link = flow->next;
	}
	pthread_mutex_unlock(&counters->lock);
	return error;
}
