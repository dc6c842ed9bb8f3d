/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The list of contexts, and what fork does to them; see contexts.h.
 */
#include "contexts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t contexts_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct arnica_context *contexts; /* all open ones of this process */

static int dead_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
			  struct ibv_send_wr **bad_wr)
{
	(void)qp;
	*bad_wr = wr;
	return EIO;
}

static int dead_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr,
			  struct ibv_recv_wr **bad_wr)
{
	(void)qp;
	*bad_wr = wr;
	return EIO;
}

static int dead_poll(struct ibv_cq *cq, int num_entries, struct ibv_wc *wc)
{
	(void)cq;
	(void)num_entries;
	(void)wc;
	return -EIO;
}

static int dead_req_notify(struct ibv_cq *cq, int solicited_only)
{
	(void)cq;
	(void)solicited_only;
	return EIO;
}

static void before_fork(void)
{
	pthread_mutex_lock(&contexts_mutex);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&contexts_mutex);
}

static bool is_used(struct arnica_context *context)
{
	return atomic_load_explicit(&context->commands.used,
				    memory_order_relaxed);
}

static void exchange_functions(struct ibv_context *ibv)
{
	for (; ibv; ibv = arnica_opening_of(ibv)->next) {
		ibv->ops.post_send = dead_post_send;
		ibv->ops.post_recv = dead_post_recv;
		ibv->ops.poll_cq = dead_poll;
		ibv->ops.req_notify_cq = dead_req_notify;
	}
}

static void after_fork_in_child(void)
{
	struct arnica_context *context;

	for (context = contexts; context; context = context->next) {
		atomic_store_explicit(&context->commands.orphaned, true,
				      memory_order_relaxed);
		if (!is_used(context))
			continue; /* and so there is nothing to post to */
		atomic_store_explicit(&context->dead, true,
				      memory_order_relaxed);
		exchange_functions(context->ibv);
	}
	pthread_mutex_unlock(&contexts_mutex);
}

static void register_fork_handlers(void)
{
	/* Out of memory costs the child clear errors, nothing else. */
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int arnica_contexts_open_device(const struct ibv_context *ibv, int *device_fd)
{
	char path[sizeof("/dev/infiniband/") + IBV_SYSFS_NAME_MAX];

	snprintf(path, sizeof(path), "/dev/infiniband/%s",
		 ibv->device->dev_name);
	*device_fd = open(path, O_RDWR | O_CLOEXEC);
	return *device_fd < 0 ? errno : 0;
}

/* The new function is complete before the context is changed. */
static int open_function(struct arnica_context *context,
			 struct arnica_context *fresh)
{
	struct ibv_context *ibv = context->ibv;
	int device_fd, async_fd, error;

	error = arnica_contexts_open_device(ibv, &device_fd);
	if (error)
		return error;
	fresh->ibv = ibv;
	error = arnica_context_bring_up(fresh, device_fd, -1, &async_fd);
	if (error) {
		close(device_fd);
		return error;
	}
	/* The program may have told others the numbers, and made the one for
	 * events non-blocking. */
	fcntl(async_fd, F_SETFL, fcntl(ibv->async_fd, F_GETFL));
	if (dup3(device_fd, ibv->cmd_fd, O_CLOEXEC) < 0 ||
	    dup3(async_fd, ibv->async_fd, O_CLOEXEC) < 0) {
		error = errno;
		arnica_command_fini(&fresh->commands);
		arnica_bus_detach(fresh->bus);
	}
	close(device_fd);
	close(async_fd);
	return error;
}

static int give_function(struct arnica_context *context)
{
	struct arnica_context *fresh = aligned_alloc(64, ARNICA_CONTEXT_BYTES);
	struct arnica_bus *old = context->bus;
	int error;

	if (!fresh)
		return ENOMEM;
	memset(fresh, 0, ARNICA_CONTEXT_BYTES);
	error = open_function(context, fresh);
	if (!error) {
		context->bus = fresh->bus;
		context->header = fresh->header;
		memcpy(context->pages, fresh->pages, sizeof(context->pages));
		context->caps = fresh->caps;
		arnica_mirror_fini(&context->mirror);
		context->mirror = fresh->mirror;
		context->commands.bus = fresh->bus;
		context->commands.slots = fresh->commands.slots;
		context->commands.next = fresh->commands.next;
		pthread_mutex_init(&context->commands.mutex, NULL);
		pthread_mutex_init(&context->objects, NULL);
		if (fstat(context->ibv->cmd_fd, &context->device_file))
			context->device_file.st_ino = 0;
		arnica_command_fini(&fresh->commands);
		arnica_bus_detach(old);
	} else {
		arnica_mirror_fini(&fresh->mirror);
	}
	free(fresh);
	return error;
}

/* The first command of an orphaned context. */
static int renew(struct arnica_command_queue *queue)
{
	struct arnica_context *context = (struct arnica_context *)(void *)(
		(char *)queue - offsetof(struct arnica_context, commands));
	int error = 0;

	pthread_mutex_lock(&contexts_mutex);
	/* Relaxed: whoever cleared it held the mutex. */
	if (atomic_load_explicit(&queue->orphaned, memory_order_relaxed)) {
		error = is_used(context) ? EIO : give_function(context);
		if (!error)
			atomic_store_explicit(&queue->orphaned, false,
					      memory_order_release);
	}
	pthread_mutex_unlock(&contexts_mutex);
	return error;
}

void arnica_contexts_add(struct arnica_context *context)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_fork_handlers);
	context->commands.renew = renew;
	if (fstat(context->ibv->cmd_fd, &context->device_file))
		context->device_file.st_ino = 0;
	pthread_mutex_lock(&contexts_mutex);
	context->next = contexts;
	context->link = &contexts;
	if (context->next)
		context->next->link = &context->next;
	contexts = context;
	pthread_mutex_unlock(&contexts_mutex);
}

static struct arnica_context *find(const struct stat *file)
{
	struct arnica_context *context;

	for (context = contexts; context; context = context->next)
		if (context->device_file.st_ino == file->st_ino &&
		    context->device_file.st_dev == file->st_dev)
			return context;
	return NULL;
}

struct arnica_context *arnica_contexts_share(struct ibv_context *ibv)
{
	struct arnica_context *context;
	struct stat file;

	if (fstat(ibv->cmd_fd, &file) || !file.st_ino)
		return NULL;
	pthread_mutex_lock(&contexts_mutex);
	context = find(&file);
	/* What is orphaned has no function to share. */
	if (context && atomic_load_explicit(&context->commands.orphaned,
					    memory_order_relaxed))
		context = NULL;
	if (context) {
		arnica_opening_of(ibv)->next = context->ibv;
		context->ibv = ibv;
		/* A child cannot have it anew: it has two descriptors. */
		atomic_store_explicit(&context->commands.used, true,
				      memory_order_relaxed);
	}
	pthread_mutex_unlock(&contexts_mutex);
	return context;
}

bool arnica_contexts_remove(struct ibv_context *ibv)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct ibv_context **link;
	bool last;

	pthread_mutex_lock(&contexts_mutex);
	for (link = &context->ibv; *link != ibv;
	     link = &arnica_opening_of(*link)->next)
		;
	*link = arnica_opening_of(ibv)->next;
	last = !context->ibv;
	if (last) {
		*context->link = context->next;
		if (context->next)
			context->next->link = context->link;
	}
	pthread_mutex_unlock(&contexts_mutex);
	return last;
}

int arnica_contexts_ask(struct arnica_context *context,
			enum arnica_hw_command_opcode query,
			enum arnica_hw_command_opcode import, uint32_t handle,
			uint32_t pd, struct arnica_hw_completion *answer)
{
	struct arnica_hw_command command = { 0 };

	if (context->imports) {
		command.opcode = arnica_to_le32(import);
		command.import.handle = arnica_to_le32(handle);
		command.import.pd = arnica_to_le32(pd);
	} else {
		command.opcode = arnica_to_le32(query);
		command.object.handle = arnica_to_le32(handle);
	}
	return arnica_command_execute(&context->commands, &command, answer);
}
