/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finding and measuring the libibverbs of this process; see calibrate.h.
 *
 * The library may have been loaded privately (dlopen by UCX or Python), so the
 * global scope is not asked: the loaded object is found by its file name.
 */
#include "calibrate.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "ops.h"

#define SCRATCH_BYTES 8192u
#define NEWEST_ABI 99
#define OLDEST_ABI 34

struct arnica_calibration arnica_calibration;

static int find_object(struct dl_phdr_info *info, size_t size, void *handle)
{
	const char *base;

	(void)size;
	if (!info->dlpi_name)
		return 0;
	base = strrchr(info->dlpi_name, '/');
	base = base ? base + 1 : info->dlpi_name;
	if (strncmp(base, "libibverbs.so", strlen("libibverbs.so")) != 0)
		return 0;
	*(void **)handle = dlopen(info->dlpi_name, RTLD_NOW | RTLD_NOLOAD);
	return *(void **)handle != NULL;
}

/* A function pointer out of dlsym(), without the cast that ISO C forbids. */
static bool look_up(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);

	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static bool look_up_registration(struct arnica_calibration *calibration,
				 void *library)
{
	char name[64];
	int abi;

	for (abi = NEWEST_ABI; abi >= OLDEST_ABI; abi--) {
		snprintf(name, sizeof(name), "verbs_register_driver_%d", abi);
		if (look_up(library, name, &calibration->register_driver)) {
			calibration->abi = abi;
			return true;
		}
	}
	return false;
}

/* Each release that added operations exported a function for them, too. */
static enum arnica_ops_generation find_generation(void *library)
{
	static const struct {
		const char *symbol;
		enum arnica_ops_generation generation;
	} marks[] = {
		{ "ibv_create_comp_cntr", ARNICA_OPS_V65 },
		{ "ibv_alloc_buf", ARNICA_OPS_V64 },
		{ "ibv_dm_export_dmabuf_fd", ARNICA_OPS_V62 },
		{ "ibv_alloc_dmah", ARNICA_OPS_V59 },
		{ "ibv_query_qp_data_in_order", ARNICA_OPS_V36 },
	};
	size_t i;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (dlsym(library, marks[i].symbol))
			return marks[i].generation;
	return 0;
}

const char *arnica_calibrate_library(struct arnica_calibration *calibration)
{
	void *library = NULL;

	memset(calibration, 0, sizeof(*calibration));
	dl_iterate_phdr(find_object, &library);
	if (!library)
		return "no libibverbs.so.1 is loaded in this process";
	if (!look_up_registration(calibration, library))
		return "libibverbs has no verbs_register_driver_NN";
	if (!look_up(library, "verbs_set_ops", &calibration->set_ops))
		return "libibverbs has no verbs_set_ops";
	if (!look_up(library, "_verbs_init_and_alloc_context",
		     &calibration->init_context))
		return "libibverbs has no _verbs_init_and_alloc_context";
	if (!look_up(library, "verbs_uninit_context",
		     &calibration->uninit_context))
		return "libibverbs has no verbs_uninit_context";
	if (!look_up(library, "ibv_qp_to_qp_ex", &calibration->qp_to_qp_ex))
		return "libibverbs has no ibv_qp_to_qp_ex";
	calibration->generation = find_generation(library);
	if (!calibration->generation)
		return "libibverbs is older than rdma-core 36";
	return NULL;
}

/*
 * verbs_context ends with the public ibv_context, and the word before that
 * says how large the whole is; the marks of an extended context confirm it.
 */
static size_t measure_context(const char *memory,
			      const struct ibv_device *device)
{
	size_t bytes;

	for (bytes = sizeof(struct ibv_context) + sizeof(size_t);
	     bytes < SCRATCH_BYTES / 2; bytes += sizeof(void *)) {
		struct ibv_context context;
		size_t said;

		memcpy(&context, memory + bytes - sizeof(context),
		       sizeof(context));
		memcpy(&said, memory + bytes - sizeof(context) - sizeof(said),
		       sizeof(said));
		if (said == bytes && context.device == device &&
		    context.abi_compat == (void *)UINTPTR_MAX)
			return bytes;
	}
	return 0;
}

/*
 * The library is handed one marker per operation. Where the public part of the
 * context shows the marker of another operation the table is not the one that
 * this file believes in.
 */
static bool table_fits(struct arnica_calibration *calibration, void *memory,
		       struct verbs_context *verbs)
{
	static char markers[ARNICA_ABI_OPS_SLOTS];
	void *table[ARNICA_ABI_OPS_SLOTS] = { NULL };
	size_t i;

	for (i = 0; i < ARNICA_OP_COUNT; i++)
		arnica_ops_set(table, calibration->generation,
			       (enum arnica_op)i, &markers[i]);
	calibration->set_ops(memory, table);

#define FOUND(name, place)                                                     \
	{                                                                      \
		ARNICA_OP_##name, *(void **)(void *)&(place)                   \
	}
	const struct {
		enum arnica_op op;
		void *found;
	} checks[] = {
		FOUND(alloc_mw, verbs->context.ops.alloc_mw),
		FOUND(alloc_td, verbs->alloc_td),
		FOUND(bind_mw, verbs->context.ops.bind_mw),
		FOUND(create_qp_ex, verbs->create_qp_ex),
		FOUND(dealloc_td, verbs->dealloc_td),
		FOUND(destroy_wq, verbs->destroy_wq),
		FOUND(get_srq_num, verbs->get_srq_num),
		FOUND(modify_cq, verbs->modify_cq),
		FOUND(open_qp, verbs->open_qp),
		FOUND(poll_cq, verbs->context.ops.poll_cq),
		FOUND(post_recv, verbs->context.ops.post_recv),
		FOUND(post_send, verbs->context.ops.post_send),
		FOUND(query_device_ex, verbs->query_device_ex),
		FOUND(query_rt_values, verbs->query_rt_values),
		FOUND(reg_dm_mr, verbs->reg_dm_mr),
		FOUND(req_notify_cq, verbs->context.ops.req_notify_cq),
	};
#undef FOUND
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i].found != &markers[checks[i].op])
			return false;
	return true;
}

/* ibv_qp_to_qp_ex() looks at one bit of one word, so it tells which. */
static size_t measure_qp_mask(const struct arnica_calibration *calibration)
{
	union {
		uint64_t align;
		char bytes[2 * ARNICA_ABI_QP_BYTES];
	} block;
	uint32_t bit = ARNICA_ABI_QP_EX_BIT;
	size_t found = 0;
	size_t offset;

	for (offset = sizeof(struct ibv_qp); offset < ARNICA_ABI_QP_BYTES;
	     offset += sizeof(bit)) {
		memset(&block, 0, sizeof(block));
		memcpy(block.bytes + offset, &bit, sizeof(bit));
		if (!calibration->qp_to_qp_ex(&block))
			continue;
		if (found)
			return 0;
		found = offset;
	}
	return found;
}

static void keep_device(struct arnica_abi_device *device)
{
	(void)device;
}

const char *arnica_calibrate_layout(struct arnica_calibration *calibration)
{
	static const struct arnica_abi_device_ops ops = {
		.name = "arnica",
		.uninit_device = keep_device,
	};
	struct arnica_abi_device *device = calloc(1, SCRATCH_BYTES);
	const char *problem = NULL;
	char *memory;

	if (!device)
		return "out of memory";
	device->ops = &ops;
	device->refcount = 2; /* never falls to zero below */
	memory = calibration->init_context(&device->device, -1, SCRATCH_BYTES,
					   NULL, 0);
	if (!memory) {
		problem = "libibverbs cannot make a context";
		goto err_free_device;
	}
	calibration->context_bytes = measure_context(memory, &device->device);
	if (!calibration->context_bytes)
		problem = "unknown layout of verbs_context";
	else if (!table_fits(calibration, memory,
			     (struct verbs_context
				      *)(void *)(memory +
						 calibration->context_bytes -
						 sizeof(struct verbs_context))))
		problem = "unknown table of operations";
	calibration->qp_mask_offset = measure_qp_mask(calibration);
	if (!problem && !calibration->qp_mask_offset)
		problem = "unknown layout of verbs_qp";
	calibration->uninit_context(memory);
	free(memory);
err_free_device:
	free(device);
	return problem;
}
