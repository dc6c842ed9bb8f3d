/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Events: a queue for each file, and a byte in the file's socket for each
 * event, by which poll(), O_NONBLOCK, signals and cancellation do what they do
 * with any descriptor. A socket holds fewer bytes than a queue may have events;
 * the others follow as events are taken. All under standin_cm.lock.
 */
#ifndef STANDIN_CM_EVENTS_H
#define STANDIN_CM_EVENTS_H

#include "cm.h"

/* A new event for `id`, not queued yet; NULL: no memory. */
struct standin_cm_event *standin_cm_event_make(struct standin_cm_id *id,
					       uint32_t kind, int status);
void standin_cm_event_queue(struct standin_cm_event *event);

/* Both at once. An event that there is no memory for is lost, and with it what
 * waits for it; so it is in a kernel. */
void standin_cm_event_report(struct standin_cm_id *id, uint32_t kind,
			     int status);

/* GET_EVENT after a byte was read: the oldest, or NULL. The caller frees it. */
struct standin_cm_event *standin_cm_event_take(struct standin_cm_file *file);

/* ... or leaves it, for the next one who asks. */
void standin_cm_event_leave(struct standin_cm_file *file);

/* Takes back what is queued for an id, or for a group (the other is NULL).
 * `fd` is the program's end, or -1. Ids that requests made are destroyed. */
void standin_cm_event_purge(struct standin_cm_file *file, int fd,
			    const struct standin_cm_id *id,
			    const struct standin_cm_group *group);

/* The id's events go to another file, with it. */
void standin_cm_event_move(struct standin_cm_id *id, int fd,
			   struct standin_cm_file *file);

#endif
