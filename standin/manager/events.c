/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "events.h"

#include <rdma/ib_user_verbs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "machine.h"

struct standin_cm_event *standin_cm_event_make(struct standin_cm_id *id,
					       uint32_t kind, int status)
{
	struct standin_cm_event *event = calloc(1, sizeof(*event));

	if (!event)
		return NULL;
	event->id = id;
	event->answer.uid = id->uid;
	event->answer.id = id->number;
	event->answer.event = kind;
	event->answer.status = (uint32_t)status;
	return event;
}

/* One byte for each event, as far as there is room. Who waits at a file whose
 * end is gone is told by the engine, which ends the file. */
static void standin_cm_event_signal(struct standin_cm_file *file)
{
	if (!standin_cm_end_is_ours(&file->own)) {
		standin_cm.files_lost = true;
		standin_cm.world->wake();
		return;
	}
	while (file->signaled < file->queued && standin_cm_end_send(&file->own))
		file->signaled++;
}

static void standin_cm_event_append(struct standin_cm_file *file,
				    struct standin_cm_event *event)
{
	event->next = NULL;
	*file->last = event;
	file->last = &event->next;
	file->queued++;
	standin_cm_event_signal(file);
}

/* Who has been asked to connect and has not said yet by what name he calls the
 * new id could make nothing of its events. */
void standin_cm_event_queue(struct standin_cm_event *event)
{
	if (!event->made && !event->id->uid) {
		free(event);
		return;
	}
	standin_cm_event_append(event->id->file, event);
}

void standin_cm_event_report(struct standin_cm_id *id, uint32_t kind,
			     int status)
{
	struct standin_cm_event *event = standin_cm_event_make(id, kind,
							       status);

	if (event)
		standin_cm_event_queue(event);
}

void standin_cm_event_leave(struct standin_cm_file *file)
{
	file->signaled--;
	standin_cm_event_signal(file);
}

struct standin_cm_event *standin_cm_event_take(struct standin_cm_file *file)
{
	struct standin_cm_event *event = file->first;

	file->signaled--;
	if (event) {
		file->first = event->next;
		if (!file->first)
			file->last = &file->first;
		file->queued--;
		event->id->events_reported++;
		if (event->group)
			event->group->events_reported++;
		if (event->made)
			event->id->backlog++;
	}
	standin_cm_event_signal(file);
	return event;
}

/* A thread that has just read the byte finds its event gone, and reads on. */
static void standin_cm_event_unlink(struct standin_cm_file *file, int fd,
				    struct standin_cm_event **at)
{
	struct standin_cm_event *event = *at;
	char byte;

	*at = event->next;
	if (file->last == &event->next)
		file->last = at;
	file->queued--;
	if (fd >= 0 && recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		file->signaled--;
}

void standin_cm_event_purge(struct standin_cm_file *file, int fd,
			    const struct standin_cm_id *id,
			    const struct standin_cm_group *group)
{
	struct standin_cm_event **at = &file->first;
	struct standin_cm_event *event;
	struct standin_cm_event *made = NULL;

	while ((event = *at)) {
		if (group ? event->group != group : event->id != id) {
			at = &event->next;
			continue;
		}
		standin_cm_event_unlink(file, fd, at);
		event->next = made;
		made = event;
	}
	standin_cm_event_signal(file);
	/* Destroying an id purges events too: not while walking the list. */
	while ((event = made)) {
		made = event->next;
		if (event->made)
			standin_cm_destroy(event->made, fd);
		free(event);
	}
}

void standin_cm_event_move(struct standin_cm_id *id, int fd,
			   struct standin_cm_file *file)
{
	struct standin_cm_event **at = &id->file->first;
	struct standin_cm_event *event;

	while ((event = *at)) {
		if (event->id != id) {
			at = &event->next;
			continue;
		}
		standin_cm_event_unlink(id->file, fd, at);
		if (event->made)
			event->made->file = file;
		standin_cm_event_append(file, event);
	}
	id->file = file;
}
