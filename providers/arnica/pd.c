/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protection domains live in the adapter, which also counts who uses them; here
 * is the handle, and what only the host side knows of: parent domains.
 */
#include "pd.h"

#include <errno.h>
#include <stdlib.h>

#include "context.h"
#include "contexts.h"

#define PARENT_MASK                                                            \
	((uint32_t)IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |                    \
	 IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT)
#define ALIGNMENT_BYTES 64u

struct ibv_pd *arnica_pd_alloc(struct ibv_context *ibv)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
	};
	struct arnica_hw_completion answer;
	struct arnica_pd *pd = calloc(1, sizeof(*pd));
	int error = ENOMEM;

	if (!pd)
		goto err_out;
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		goto err_free;
	pd->verbs.context = ibv;
	pd->verbs.handle = arnica_from_le32(answer.object.handle);
	return &pd->verbs;

err_free:
	free(pd);
err_out:
	errno = error;
	return NULL;
}

struct ibv_pd *arnica_pd_import(struct ibv_context *ibv, uint32_t handle)
{
	struct arnica_pd *pd = calloc(1, sizeof(*pd));
	struct arnica_hw_completion answer;
	int error = pd ? arnica_contexts_ask(arnica_context_of(ibv),
					     ARNICA_HW_CMD_QUERY_PD,
					     ARNICA_HW_CMD_IMPORT_PD, handle, 0,
					     &answer) :
			 ENOMEM;

	if (error) {
		free(pd);
		errno = error;
		return NULL;
	}
	pd->verbs.context = ibv;
	pd->verbs.handle = handle;
	return &pd->verbs;
}

void arnica_pd_unimport(struct ibv_pd *pd)
{
	free(arnica_pd_of(pd));
}

static void dealloc_parent(struct arnica_pd *pd)
{
	atomic_fetch_sub(&pd->origin->references, 1);
	if (pd->td)
		atomic_fetch_sub(&pd->td->references, 1);
	free(pd);
}

int arnica_pd_dealloc(struct ibv_pd *ibv_pd)
{
	struct arnica_pd *pd = arnica_pd_of(ibv_pd);
	int error;

	if (atomic_load(&pd->references) != 0)
		return EBUSY;
	if (pd->origin) {
		dealloc_parent(pd);
		return 0;
	}
	error = arnica_command_object(
		&arnica_context_of(ibv_pd->context)->commands,
		ARNICA_HW_CMD_DEALLOC_PD, ibv_pd->handle);
	if (!error)
		free(pd);
	return error;
}

struct ibv_td *arnica_td_alloc(struct ibv_context *ibv,
			       struct ibv_td_init_attr *attr)
{
	struct arnica_td *td;

	if (attr->comp_mask) {
		errno = EINVAL;
		return NULL;
	}
	td = calloc(1, sizeof(*td));
	if (!td) {
		errno = ENOMEM;
		return NULL;
	}
	td->verbs.context = ibv;
	return &td->verbs;
}

int arnica_td_dealloc(struct ibv_td *ibv_td)
{
	struct arnica_td *td = (struct arnica_td *)(void *)ibv_td;

	if (atomic_load(&td->references) != 0)
		return EBUSY;
	free(td);
	return 0;
}

static int check_parent(const struct ibv_context *ibv,
			const struct ibv_parent_domain_init_attr *attr)
{
	if (attr->comp_mask & ~PARENT_MASK)
		return EINVAL;
	if (!attr->pd || attr->pd->context != ibv ||
	    arnica_pd_of(attr->pd)->origin)
		return EINVAL;
	if (attr->td && attr->td->context != ibv)
		return EINVAL;
	if ((attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS) &&
	    (!attr->alloc || !attr->free))
		return EINVAL;
	return 0;
}

struct ibv_pd *arnica_pd_alloc_parent(struct ibv_context *ibv,
				      struct ibv_parent_domain_init_attr *attr)
{
	struct arnica_pd *pd = NULL;
	int error = check_parent(ibv, attr);

	if (!error) {
		pd = calloc(1, sizeof(*pd));
		error = pd ? 0 : ENOMEM;
	}
	if (error) {
		errno = error;
		return NULL;
	}
	pd->verbs = *attr->pd;
	pd->origin = arnica_pd_of(attr->pd);
	pd->td = (struct arnica_td *)(void *)attr->td;
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS) {
		pd->alloc = attr->alloc;
		pd->free = attr->free;
	}
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT)
		pd->context = attr->pd_context;
	atomic_fetch_add(&pd->origin->references, 1);
	if (pd->td)
		atomic_fetch_add(&pd->td->references, 1);
	return &pd->verbs;
}

void arnica_pd_get(struct ibv_pd *pd)
{
	if (arnica_pd_of(pd)->origin)
		atomic_fetch_add(&arnica_pd_of(pd)->references, 1);
}

void arnica_pd_put(struct ibv_pd *pd)
{
	if (arnica_pd_of(pd)->origin)
		atomic_fetch_sub(&arnica_pd_of(pd)->references, 1);
}

bool arnica_pd_memory_take(struct ibv_pd *ibv_pd, size_t bytes,
			   enum arnica_resource_type type,
			   struct arnica_pd_memory *memory)
{
	struct arnica_pd *pd = arnica_pd_of(ibv_pd);

	memory->foreign = false;
	bytes = (bytes + ALIGNMENT_BYTES - 1) & ~(size_t)(ALIGNMENT_BYTES - 1);
	if (pd->alloc) {
		memory->start = pd->alloc(ibv_pd, pd->context, bytes,
					  ALIGNMENT_BYTES, type);
		memory->foreign = memory->start != IBV_ALLOCATOR_USE_DEFAULT;
	}
	if (!memory->foreign)
		memory->start = aligned_alloc(ALIGNMENT_BYTES, bytes);
	return memory->start != NULL;
}

void arnica_pd_memory_give(struct ibv_pd *ibv_pd,
			   enum arnica_resource_type type,
			   struct arnica_pd_memory *memory)
{
	struct arnica_pd *pd = arnica_pd_of(ibv_pd);

	if (!memory->foreign)
		free(memory->start);
	else if (memory->start)
		pd->free(ibv_pd, pd->context, memory->start, type);
	memory->start = NULL;
}
