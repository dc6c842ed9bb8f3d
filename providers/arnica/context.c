/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opening and closing the device; see context.h.
 */
#include "context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "arnica/hw/registers.h"
#include "calibrate.h"
#include "contexts.h"
#include "device_query.h"
#include "ops.h"
#include "shareable.h"

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
	struct arnica_context *context = aligned_alloc(64,
						       ARNICA_CONTEXT_BYTES);

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
	arnica_shareable_forget(context);
	arnica_mirror_fini(&context->mirror);
	pthread_mutex_destroy(&context->objects);
	free(context->rings);
	free(context);
}

int arnica_context_bring_up(struct arnica_context *context, int device_fd,
			    int exported_fd, int *async_fd)
{
	int error = exported_fd < 0 ?
			    arnica_bus_attach(device_fd, &context->bus) :
			    arnica_bus_import(device_fd, exported_fd,
					      &context->bus);

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
		error = arnica_mirror_init(context);
	if (!error && async_fd)
		error = arnica_bus_async_open(device_fd, async_fd);
	if (error)
		goto err_commands;
	context->imports = exported_fd >= 0;
	return 0;

err_commands:
	arnica_command_fini(&context->commands);
err_detach:
	arnica_bus_detach(context->bus);
	return error;
}

/* What to do about it, for the end of a line. */
static const char *advice_for(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
		return "; raise the limit of open files (ulimit -n)";
	case ENOMEM:
		return "; raise the limits of the address space and of file sizes (ulimit -v, ulimit -f), or that of memory";
	case EAGAIN:
		return "; raise the limit of processes (ulimit -u)";
	default:
		return "; 'arnica doctor' looks for the reason";
	}
}

static void complain(const struct ibv_device *device, int error)
{
	if (error == EBADF)
		fprintf(stderr,
			"arnica: %s: its device file is not an adapter's; start the program with 'arnica run --'\n",
			device->name);
	else if (error != ENODEV) /* which was explained where it was found */
		fprintf(stderr, "arnica: %s: cannot start the adapter: %s%s\n",
			device->name, strerror(error), advice_for(error));
}

/* The library's part; owns cmd_fd from here on, also when it fails. */
static struct ibv_context *init_library_context(struct ibv_device *device,
						int cmd_fd)
{
	const struct arnica_calibration *calibration = &arnica_calibration;
	char *base = calibration->init_context(
		device, cmd_fd,
		calibration->context_bytes + sizeof(struct arnica_opening),
		NULL, 0);

	if (!base)
		return NULL;
	return (struct ibv_context *)(void *)(base +
					      calibration->context_bytes -
					      sizeof(struct ibv_context));
}

static void uninit_library_context(struct ibv_context *ibv)
{
	void *base = arnica_calibrate_base(&arnica_calibration, ibv);

	arnica_calibration.uninit_context(base);
	free(base);
}

/* Another one of this function's: it works from now on. */
static void *join(struct arnica_context *context, struct ibv_context *ibv)
{
	void *base = arnica_calibrate_base(&arnica_calibration, ibv);

	arnica_opening_of(ibv)->context = context;
	ibv->num_comp_vectors = (int)arnica_from_le32(
		context->caps.num_comp_vectors);
	arnica_ops_install(&arnica_calibration, base);
	return base;
}

void *arnica_context_alloc(struct ibv_device *device, int cmd_fd,
			   void *private_data)
{
	struct ibv_context *ibv = init_library_context(device, cmd_fd);
	struct arnica_context *context;
	void *base;
	int error;

	(void)private_data;
	if (!ibv)
		return NULL;
	context = create_context(ibv);
	if (!context) {
		error = ENOMEM;
		goto err_uninit;
	}
	error = arnica_context_bring_up(context, cmd_fd, -1, &ibv->async_fd);
	if (error)
		goto err_destroy;
	base = join(context, ibv);
	arnica_contexts_add(context);
	return base;

err_destroy:
	complain(device, error);
	destroy_context(context);
err_uninit:
	uninit_library_context(ibv);
	errno = error;
	return NULL;
}

/* A function of this process's own, which imports. Its device file is nobody's
 * business; the library opens the descriptor of events by that of the other. */
static int import_function(struct ibv_context *ibv,
			   struct arnica_context **result)
{
	struct arnica_context *context = create_context(ibv);
	int device_fd, error;

	if (!context)
		return ENOMEM;
	error = arnica_contexts_open_device(ibv, &device_fd);
	if (!error) {
		error = arnica_context_bring_up(context, device_fd,
						ibv->cmd_fd, NULL);
		close(device_fd);
	}
	if (error) {
		destroy_context(context);
		return error;
	}
	arnica_contexts_add(context);
	/* A child cannot have it anew. */
	atomic_store_explicit(&context->commands.used, true,
			      memory_order_relaxed);
	*result = context;
	return 0;
}

void *arnica_context_import(struct ibv_device *device, int cmd_fd)
{
	/* Who imports the same at the same time shares it. */
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	struct ibv_context *ibv = init_library_context(device, cmd_fd);
	struct arnica_context *context;
	int error = 0;

	if (!ibv)
		return NULL;
	pthread_mutex_lock(&one_at_a_time);
	context = arnica_contexts_share(ibv);
	if (!context)
		error = import_function(ibv, &context);
	pthread_mutex_unlock(&one_at_a_time);
	if (!error)
		return join(context, ibv);
	uninit_library_context(ibv);
	errno = error;
	return NULL;
}

void arnica_context_free(struct ibv_context *ibv)
{
	struct arnica_context *context = arnica_context_of(ibv);

	if (arnica_contexts_remove(ibv)) {
		arnica_bus_detach(context->bus);
		/* In a child the mutexes may be held by threads that it has
		 * not. */
		if (!atomic_load_explicit(&context->commands.orphaned,
					  memory_order_relaxed))
			arnica_command_fini(&context->commands);
		destroy_context(context);
	}
	uninit_library_context(ibv);
}
