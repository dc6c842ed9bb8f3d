/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STANDIN_CM_FIRST_IDS 64u

static int standin_cm_table_grow(void)
{
	uint32_t size = standin_cm.table_size ? 2 * standin_cm.table_size :
						STANDIN_CM_FIRST_IDS;
	struct standin_cm_id **table;

	if (size > STANDIN_CM_MAX_IDS)
		return ENOMEM;
	table = realloc(standin_cm.table, size * sizeof(*table));
	if (!table)
		return ENOMEM;
	memset(table + standin_cm.table_size, 0,
	       (size - standin_cm.table_size) * sizeof(*table));
	standin_cm.table = table;
	standin_cm.table_size = size;
	return 0;
}

static int standin_cm_table_enter(struct standin_cm_id *id)
{
	uint32_t number = standin_cm.table_free;

	while (number < standin_cm.table_size && standin_cm.table[number])
		number++;
	if (number == standin_cm.table_size && standin_cm_table_grow())
		return ENOMEM;
	standin_cm.table[number] = id;
	standin_cm.table_free = number + 1;
	id->number = number;
	return 0;
}

int standin_cm_id_create(struct standin_cm_file *file, uint16_t ps,
			 uint8_t qp_type, struct standin_cm_id **id)
{
	struct standin_cm_id *made = calloc(1, sizeof(*made));

	if (!made || standin_cm_table_enter(made)) {
		free(made);
		return ENOMEM;
	}
	made->file = file;
	made->ps = ps;
	made->qp_type = qp_type;
	*id = made;
	return 0;
}

static struct standin_cm_id **standin_cm_bucket_local(uint32_t id)
{
	return &standin_cm.by_local[id % STANDIN_CM_BUCKETS];
}

static struct standin_cm_id **standin_cm_bucket_remote(uint32_t id)
{
	return &standin_cm.by_remote[id % STANDIN_CM_BUCKETS];
}

static void standin_cm_link_leave(struct standin_cm_id *id)
{
	struct standin_cm_id **at = standin_cm_bucket_local(id->link.local_id);

	while (*at && *at != id)
		at = &(*at)->same_local;
	if (*at)
		*at = id->same_local;
	at = standin_cm_bucket_remote(id->link.remote_id);
	while (*at && *at != id)
		at = &(*at)->same_remote;
	if (*at)
		*at = id->same_remote;
}

void standin_cm_id_free(struct standin_cm_id *id)
{
	standin_cm_timer_set(id, 0);
	standin_cm_link_leave(id);
	if (id->has_service)
		(void)!standin_cm.world->service_give(id->service);
	standin_cm.table[id->number] = NULL;
	if (id->number < standin_cm.table_free)
		standin_cm.table_free = id->number;
	free(id);
}

int standin_cm_id_find(struct standin_cm_file *file, uint32_t number,
		       struct standin_cm_id **id)
{
	*id = number < standin_cm.table_size ? standin_cm.table[number] : NULL;
	if (!*id)
		return ENOENT;
	return (*id)->file == file ? 0 : EINVAL;
}

struct standin_cm_id *standin_cm_link_find(uint32_t local_id)
{
	struct standin_cm_id *id = *standin_cm_bucket_local(local_id);

	while (id && id->link.local_id != local_id)
		id = id->same_local;
	return id;
}

struct standin_cm_id *standin_cm_link_find_remote(uint32_t remote_id,
						  uint64_t remote_guid,
						  const uint8_t remote_gid[16])
{
	struct standin_cm_id *id = *standin_cm_bucket_remote(remote_id);

	while (id && (id->link.state == STANDIN_CM_NONE ||
		      id->link.remote_id != remote_id ||
		      id->link.remote_guid != remote_guid ||
		      memcmp(id->remote_gid, remote_gid, 16) != 0))
		id = id->same_remote;
	return id;
}

/* There are more names than ids, so that one is free. One that was given back
 * is used again as late as possible: its messages may still be on their way. */
void standin_cm_link_name(struct standin_cm_id *id)
{
	struct standin_cm_id **bucket;
	uint32_t name;

	do {
		name = standin_cm.ids.base |
		       (++standin_cm.next_comm_id & ~standin_cm.ids.mask);
	} while (!name || standin_cm_link_find(name));
	bucket = standin_cm_bucket_local(name);
	id->link.local_id = name;
	id->same_local = *bucket;
	*bucket = id;
}

void standin_cm_link_enter(struct standin_cm_id *id)
{
	struct standin_cm_id **bucket = standin_cm_bucket_remote(
		id->link.remote_id);

	id->same_remote = *bucket;
	*bucket = id;
}

void standin_cm_timer_set(struct standin_cm_id *id, uint64_t interval)
{
	if (id->timer_place) {
		*id->timer_place = id->timer_next;
		if (id->timer_next)
			id->timer_next->timer_place = id->timer_place;
		id->timer_place = NULL;
	}
	id->link.interval = interval;
	id->link.due = 0;
	if (!interval)
		return;
	id->link.due = standin_cm.world->now() + interval;
	id->timer_next = standin_cm.timers;
	if (id->timer_next)
		id->timer_next->timer_place = &id->timer_next;
	standin_cm.timers = id;
	id->timer_place = &standin_cm.timers;
	standin_cm.world->wake();
}
