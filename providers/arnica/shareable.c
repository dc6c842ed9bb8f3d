/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What was allocated, by its address. */
#include "shareable.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "context.h"
#include "dm.h"

struct arnica_shareable {
	struct ibv_dm *dm;
	void *start;
	struct arnica_shareable *next;
};

void *arnica_shareable_alloc(struct ibv_context *ibv, size_t length)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct arnica_shareable *memory = calloc(1, sizeof(*memory));

	if (!memory) {
		errno = ENOMEM;
		return NULL;
	}
	memory->dm = arnica_dm_alloc_shareable(ibv, length);
	if (!memory->dm) {
		int error = errno;

		free(memory);
		errno = error;
		return NULL;
	}
	memory->start = arnica_dm_start(memory->dm);
	pthread_mutex_lock(&context->objects);
	memory->next = context->shareables;
	context->shareables = memory;
	pthread_mutex_unlock(&context->objects);
	return memory->start;
}

static struct arnica_shareable *take(struct arnica_context *context,
				     const void *start)
{
	struct arnica_shareable **link, *memory;

	pthread_mutex_lock(&context->objects);
	for (link = &context->shareables; *link && (*link)->start != start;
	     link = &(*link)->next)
		;
	memory = *link;
	if (memory)
		*link = memory->next;
	pthread_mutex_unlock(&context->objects);
	return memory;
}

int arnica_shareable_free(struct ibv_context *ibv, void *address)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct arnica_shareable *memory = take(context, address);
	int error;

	if (!memory)
		return EINVAL;
	/* It may have been allocated by another context of the function, which
	 * is closed by now. */
	memory->dm->context = ibv;
	error = arnica_dm_free(memory->dm);
	if (!error) {
		free(memory);
		return 0;
	}
	pthread_mutex_lock(&context->objects);
	memory->next = context->shareables;
	context->shareables = memory;
	pthread_mutex_unlock(&context->objects);
	return error;
}

void arnica_shareable_forget(struct arnica_context *context)
{
	while (context->shareables) {
		struct arnica_shareable *memory = context->shareables;

		context->shareables = memory->next;
		arnica_dm_unimport(memory->dm);
		free(memory);
	}
}
