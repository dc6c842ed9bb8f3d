/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tables of receive queues, and the hash; see rss.h. */
#include "transport/rss.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport/qp.h"
#include "transport/raw_state.h"
#include "transport/toeplitz.h"

#define IPV4_FIELDS                                                            \
	(ARNICA_HW_HASH_SOURCE_IPV4 | ARNICA_HW_HASH_DESTINATION_IPV4)
#define IPV6_FIELDS                                                            \
	(ARNICA_HW_HASH_SOURCE_IPV6 | ARNICA_HW_HASH_DESTINATION_IPV6)
#define TCP_FIELDS (ARNICA_HW_HASH_SOURCE_TCP | ARNICA_HW_HASH_DESTINATION_TCP)
#define UDP_FIELDS (ARNICA_HW_HASH_SOURCE_UDP | ARNICA_HW_HASH_DESTINATION_UDP)

/* With the lock: takes the queues back of which the table has `count`. */
static void drop(struct adev_raw *raw, struct adev_rwq_table *table,
		 uint32_t count)
{
	while (count--)
		adev_flow_target_put(&raw->flows, table->queues[count]);
	free(table);
}

/* With the lock. */
static struct adev_rwq_table *make_table(struct adev_raw *raw,
					 struct adev_qp **queues,
					 uint32_t count)
{
	struct adev_rwq_table *table;
	uint32_t i;

	table = calloc(1, sizeof(*table) + count * sizeof(table->queues[0]));
	if (!table)
		return NULL;
	table->count = count;
	for (i = 0; i < count; i++) {
		table->queues[i] = adev_flow_target_get(&raw->flows, queues[i]);
		if (!table->queues[i]) {
			drop(raw, table, i);
			return NULL;
		}
	}
	return table;
}

static struct adev_rwq_table **find_table(struct adev_raw *raw, uint32_t handle)
{
	struct adev_rwq_table **link = &raw->tables;

	while (*link && (*link)->handle != handle)
		link = &(*link)->next;
	return link;
}

int adev_rss_create_table(struct adev_function *fn, struct adev_qp **queues,
			  uint32_t count, uint32_t *handle)
{
	struct adev_raw *raw = adev_raw_of(fn);
	struct adev_rwq_table *table = NULL;
	uint32_t i;

	pthread_mutex_lock(&raw->lock);
	if (raw->num_tables < ARNICA_HW_MAX_RWQ_TABLES)
		table = make_table(raw, queues, count);
	if (table) {
		do
			table->handle = ++raw->next_table & INT32_MAX;
		while (*find_table(raw, table->handle));
		table->next = raw->tables;
		raw->tables = table;
		raw->num_tables++;
		*handle = table->handle;
	}
	pthread_mutex_unlock(&raw->lock);
	for (i = 0; table && i < count; i++)
		queues[i]->num_groups++;
	return table ? 0 : ENOMEM;
}

int adev_rss_destroy_table(struct adev_function *fn, uint32_t handle)
{
	struct adev_raw *raw = adev_raw_of(fn);
	struct adev_rwq_table **link, *table;
	uint32_t i;

	if (!raw)
		return EINVAL;
	/* Only with the command lock the list changes. */
	link = find_table(raw, handle);
	table = *link;
	if (!table || table->uses)
		return table ? EBUSY : EINVAL;
	for (i = 0; i < table->count; i++)
		table->queues[i]->qp->num_groups--;
	pthread_mutex_lock(&raw->lock);
	*link = table->next;
	raw->num_tables--;
	drop(raw, table, table->count);
	pthread_mutex_unlock(&raw->lock);
	return 0;
}

bool adev_rss_check(const struct adev_function *fn,
		    const struct arnica_hw_rss *rss)
{
	struct adev_raw *raw = adev_raw_of(fn);
	uint32_t fields = arnica_from_le32(rss->fields);

	return raw && *find_table(raw, arnica_from_le32(rss->table) - 1) &&
	       !(fields & ~ARNICA_HW_HASH_FIELDS) &&
	       !(fields & IPV4_FIELDS && fields & IPV6_FIELDS) &&
	       !(fields & TCP_FIELDS && fields & UDP_FIELDS);
}

int adev_rss_attach(struct adev_qp *qp, const struct arnica_hw_rss *wish)
{
	struct adev_raw *raw = adev_raw_of(qp->fn);
	struct adev_rss *rss = calloc(1, sizeof(*rss));

	if (!rss)
		return ENOMEM;
	rss->qp = qp;
	rss->table = *find_table(raw, arnica_from_le32(wish->table) - 1);
	rss->fields = arnica_from_le32(wish->fields);
	memcpy(rss->key, wish->key, sizeof(rss->key));
	rss->table->uses++;
	pthread_mutex_lock(&raw->lock);
	rss->next = raw->spreaders;
	raw->spreaders = rss;
	pthread_mutex_unlock(&raw->lock);
	return 0;
}

void adev_rss_detach(struct adev_qp *qp)
{
	struct adev_raw *raw = adev_raw_of(qp->fn);
	struct adev_rss **link, *rss;

	if (!raw)
		return;
	pthread_mutex_lock(&raw->lock);
	for (link = &raw->spreaders; *link && (*link)->qp != qp;)
		link = &(*link)->next;
	rss = *link;
	if (rss) {
		*link = rss->next;
		rss->table->uses--;
	}
	pthread_mutex_unlock(&raw->lock);
	free(rss);
}

const struct adev_rss *adev_rss_find(const struct adev_raw *raw,
				     const struct adev_qp *qp)
{
	const struct adev_rss *rss = raw->spreaders;

	while (rss && rss->qp != qp)
		rss = rss->next;
	return rss;
}

/* Adds a field to the input if the frame has it and it was chosen. */
static void add(uint8_t *input, uint32_t *bytes, bool chosen,
		const uint8_t *field, uint32_t length)
{
	if (!chosen)
		return;
	memcpy(input + *bytes, field, length);
	*bytes += length;
}

struct adev_flow_target *adev_rss_pick(const struct adev_rss *rss,
				       const struct adev_frame_fields *frame)
{
	const struct arnica_hw_flow_fields *fields = &frame->fields;
	uint32_t address = frame->headers & ARNICA_HW_FLOW_IPV4 ? 4 : 16;
	uint8_t input[ADEV_TOEPLITZ_MAX_INPUT];
	uint32_t chosen = 0, bytes = 0;

	if (frame->headers & ARNICA_HW_FLOW_IPV4)
		chosen |= IPV4_FIELDS;
	if (frame->headers & ARNICA_HW_FLOW_IPV6)
		chosen |= IPV6_FIELDS;
	if (frame->headers & ARNICA_HW_FLOW_TCP)
		chosen |= TCP_FIELDS;
	if (frame->headers & ARNICA_HW_FLOW_UDP)
		chosen |= UDP_FIELDS;
	chosen &= rss->fields;
	add(input, &bytes,
	    chosen & (ARNICA_HW_HASH_SOURCE_IPV4 | ARNICA_HW_HASH_SOURCE_IPV6),
	    fields->source, address);
	add(input, &bytes,
	    chosen & (ARNICA_HW_HASH_DESTINATION_IPV4 |
		      ARNICA_HW_HASH_DESTINATION_IPV6),
	    fields->destination, address);
	add(input, &bytes,
	    chosen & (ARNICA_HW_HASH_SOURCE_TCP | ARNICA_HW_HASH_SOURCE_UDP),
	    fields->source_port, 2);
	add(input, &bytes,
	    chosen & (ARNICA_HW_HASH_DESTINATION_TCP |
		      ARNICA_HW_HASH_DESTINATION_UDP),
	    fields->destination_port, 2);
	return rss->table->queues[adev_toeplitz(rss->key, input, bytes) &
				  (rss->table->count - 1)];
}

void adev_rss_forget_all(struct adev_raw *raw)
{
	struct adev_rwq_table *table;
	struct adev_rss *rss;

	while ((rss = raw->spreaders)) {
		raw->spreaders = rss->next;
		free(rss);
	}
	while ((table = raw->tables)) {
		raw->tables = table->next;
		drop(raw, table, table->count);
	}
}
