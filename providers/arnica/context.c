/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opening and closing the device; see context.h.
 *
 * A forked child inherits the memory of a context but not the function behind
 * it. It may close the context; everything else answers EIO. For the data path
 * this costs nothing, because the child exchanges the functions.
 */
#include "context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "arnica/hw/registers.h"
#include "calibrate.h"
#include "device_query.h"
#include "ops.h"

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

static void after_fork_in_child(void)
{
	struct arnica_context *context;

	for (context = contexts; context; context = context->next) {
		struct ibv_context_ops *ops = &context->ibv->ops;

		atomic_store_explicit(&context->dead, true,
				      memory_order_relaxed);
		ops->post_send = dead_post_send;
		ops->post_recv = dead_post_recv;
		ops->poll_cq = dead_poll;
		ops->req_notify_cq = dead_req_notify;
	}
	pthread_mutex_unlock(&contexts_mutex);
}

static void register_fork_handlers(void)
{
	/* Out of memory costs the child clear errors, nothing else. */
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static void link_context(struct arnica_context *context)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_fork_handlers);
	pthread_mutex_lock(&contexts_mutex);
	context->next = contexts;
	context->link = &contexts;
	if (context->next)
		context->next->link = &context->next;
	contexts = context;
	pthread_mutex_unlock(&contexts_mutex);
}

static void unlink_context(struct arnica_context *context)
{
	pthread_mutex_lock(&contexts_mutex);
	*context->link = context->next;
	if (context->next)
		context->next->link = context->link;
	pthread_mutex_unlock(&contexts_mutex);
}

void *arnica_context_map(struct arnica_context *context, uint64_t offset,
			 uint64_t length)
{
	if (offset < ARNICA_HW_BAR_END || length == 0 ||
	    offset % sizeof(uint64_t) != 0)
		return NULL;
	return arnica_bus_map(context->bus, offset, length);
}

static uint32_t read_register(const unsigned char *registers,
			      enum arnica_hw_register offset)
{
	arnica_le32 word;

	memcpy(&word, registers + offset, sizeof(word));
	return arnica_from_le32(word);
}

/* Is the thing on the bus the adapter that this provider was built for? */
static int check_adapter(struct arnica_context *context)
{
	const unsigned char *registers = arnica_bus_map(
		context->bus, ARNICA_HW_BAR_REGISTERS, ARNICA_HW_PAGE_BYTES);
	uint32_t id;
	uint32_t version;

	if (!registers)
		return EIO;
	id = read_register(registers, ARNICA_HW_REG_DEVICE_ID);
	version = read_register(registers, ARNICA_HW_REG_VERSION);
	if (id == ARNICA_HW_DEVICE_ID && version == ARNICA_HW_VERSION)
		return 0;
	fprintf(stderr,
		"arnica: %s: adapter 0x%x has version %u, this provider needs version %u; install both from one release\n",
		context->ibv->device->name, id, version, ARNICA_HW_VERSION);
	return ENODEV;
}

static int map_bar(struct arnica_context *context)
{
	unsigned char *doorbells;
	uint32_t i;

	context->header = arnica_bus_map(context->bus, 0,
					 sizeof(*context->header));
	doorbells = arnica_bus_map(context->bus, ARNICA_HW_BAR_DOORBELLS,
				   ARNICA_HW_DOORBELL_PAGES *
					   ARNICA_HW_PAGE_BYTES);
	if (!context->header || !doorbells)
		return EIO;
	for (i = 0; i < ARNICA_HW_DOORBELL_PAGES; i++) {
		context->pages[i].memory = doorbells + i * ARNICA_HW_PAGE_BYTES;
		context->pages[i].number = i;
		arnica_spinlock_init(&context->pages[i].lock);
	}
	return 0;
}

static struct arnica_context *create_context(struct ibv_context *ibv)
{
	struct arnica_context *context = aligned_alloc(
		64, (sizeof(*context) + 63) & ~(size_t)63);

	if (!context)
		return NULL;
	memset(context, 0, sizeof(*context));
	context->ibv = ibv;
	context->rings = calloc(ARNICA_NUM_RINGS, sizeof(*context->rings));
	if (!context->rings) {
		free(context);
		return NULL;
	}
	pthread_mutex_init(&context->objects, NULL);
	arnica_spinlock_init(&context->translations_lock);
	return context;
}

static void destroy_context(struct arnica_context *context)
{
	pthread_mutex_destroy(&context->objects);
	free(context->rings);
	free(context);
}

/* Everything between the open device file and a context that works. */
static int bring_up(struct arnica_context *context)
{
	struct ibv_context *ibv = context->ibv;
	int error = arnica_bus_attach(ibv->cmd_fd, &context->bus);

	if (error)
		return error;
	error = check_adapter(context);
	if (!error)
		error = map_bar(context);
	if (!error)
		error = arnica_command_init(&context->commands, context->bus);
	if (error)
		goto err_detach;
	error = arnica_device_load_caps(context);
	if (!error)
		error = arnica_bus_async_open(ibv->cmd_fd, &ibv->async_fd);
	if (error)
		goto err_commands;
	ibv->num_comp_vectors = (int)arnica_from_le32(
		context->caps.num_comp_vectors);
	return 0;

err_commands:
	arnica_command_fini(&context->commands);
err_detach:
	arnica_bus_detach(context->bus);
	return error;
}

static void complain(const struct ibv_device *device, int error)
{
	if (error == EBADF)
		fprintf(stderr,
			"arnica: %s: its device file is not an adapter's; start the program with 'arnica run --'\n",
			device->name);
	else if (error != ENODEV) /* which was explained where it was found */
		fprintf(stderr, "arnica: %s: cannot start the adapter: %s\n",
			device->name, strerror(error));
}

void *arnica_context_alloc(struct ibv_device *device, int cmd_fd,
			   void *private_data)
{
	const struct arnica_calibration *calibration = &arnica_calibration;
	struct arnica_context *context;
	struct ibv_context *ibv;
	char *base;
	int error;

	(void)private_data;
	/* Owns cmd_fd from here on, also when it fails. */
	base = calibration->init_context(
		device, cmd_fd,
		calibration->context_bytes + sizeof(struct arnica_context *),
		NULL, 0);
	if (!base)
		return NULL;
	ibv = (struct ibv_context *)(void *)(base + calibration->context_bytes -
					     sizeof(*ibv));
	context = create_context(ibv);
	if (!context) {
		error = ENOMEM;
		goto err_uninit;
	}
	*(struct arnica_context **)(void *)(ibv + 1) = context;
	error = bring_up(context);
	if (error)
		goto err_destroy;
	arnica_ops_install(calibration, base);
	link_context(context);
	return base;

err_destroy:
	complain(device, error);
	destroy_context(context);
err_uninit:
	calibration->uninit_context(base);
	free(base);
	errno = error;
	return NULL;
}

void arnica_context_free(struct ibv_context *ibv)
{
	struct arnica_context *context = arnica_context_of(ibv);
	void *base = arnica_calibrate_base(&arnica_calibration, ibv);

	unlink_context(context);
	arnica_bus_detach(context->bus);
	/* In a child the mutexes may be held by threads that it has not. */
	if (!atomic_load_explicit(&context->dead, memory_order_relaxed))
		arnica_command_fini(&context->commands);
	destroy_context(context);
	arnica_calibration.uninit_context(base);
	free(base);
}
