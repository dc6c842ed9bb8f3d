/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registering, changing and deregistering memory regions; see mr.h.
 *
 * Payload of receives may still stand in completion entries when a region goes
 * away or changes. It is placed after the adapter has changed its table, so
 * that nothing more arrives, and before the application is told, so that the
 * memory is still there.
 */
#include "mr.h"

#include <errno.h>
#include <stdlib.h>

#include "contexts.h"
#include "dmabuf.h"
#include "scatter.h"

#define ACCESS_RIGHTS                                                          \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |                    \
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC |                   \
	 IBV_ACCESS_MW_BIND)
#define ACCESS_PLACES                                                          \
	(IBV_ACCESS_ZERO_BASED | IBV_ACCESS_HUGETLB | IBV_ACCESS_ON_DEMAND)
/* Rights of later standards, named by number: older headers lack them. */
#define ACCESS_NOT_THERE                                                       \
	((int)ARNICA_HW_ACCESS_FLUSH_GLOBAL |                                  \
	 (int)ARNICA_HW_ACCESS_FLUSH_PERSISTENT)

static struct arnica_mr *mr_of(struct arnica_abi_mr *mr)
{
	return (struct arnica_mr *)(void *)mr;
}

int arnica_mr_check_access(int access)
{
	int mandatory = access & ~(int)IBV_ACCESS_OPTIONAL_RANGE;

	if (mandatory &
	    ~(int)(ACCESS_RIGHTS | ACCESS_PLACES | ACCESS_NOT_THERE))
		return EINVAL;
	if (mandatory & (int)ACCESS_NOT_THERE)
		return EOPNOTSUPP;
	if ((mandatory &
	     (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) &&
	    !(mandatory & IBV_ACCESS_LOCAL_WRITE))
		return EINVAL;
	return 0;
}

void *arnica_mr_find_translation(struct arnica_context *context, uint32_t lkey,
				 uint64_t address)
{
	struct arnica_mr *mr;

	arnica_spinlock_lock(&context->translations_lock);
	for (mr = context->translations; mr; mr = mr->next) {
		if (mr->lkey == lkey) {
			address = arnica_mr_is_null(&mr->verbs.mr) ?
					  0 :
					  address + mr->offset;
			break;
		}
	}
	arnica_spinlock_unlock(&context->translations_lock);
	return (void *)(uintptr_t)address;
}

/* Are its own addresses other than the process's? */
static bool is_translated(struct arnica_mr *mr)
{
	return mr->offset != 0 || arnica_mr_is_null(&mr->verbs.mr);
}

static void add_translation(struct arnica_context *context,
			    struct arnica_mr *mr)
{
	if (!is_translated(mr))
		return;
	arnica_spinlock_lock(&context->translations_lock);
	mr->next = context->translations;
	context->translations = mr;
	atomic_fetch_add_explicit(&context->num_translations, 1,
				  memory_order_release);
	arnica_spinlock_unlock(&context->translations_lock);
}

/* By its key: who imported a region may deregister it, too. */
static void remove_translation(struct arnica_context *context,
			       struct arnica_mr *mr)
{
	struct arnica_mr **link;

	if (!is_translated(mr) && mr->verbs.type != ARNICA_ABI_MR_IMPORTED)
		return;
	arnica_spinlock_lock(&context->translations_lock);
	for (link = &context->translations; *link; link = &(*link)->next) {
		if ((*link)->lkey != mr->lkey)
			continue;
		*link = (*link)->next;
		atomic_fetch_sub_explicit(&context->num_translations, 1,
					  memory_order_release);
		break;
	}
	arnica_spinlock_unlock(&context->translations_lock);
}

static struct arnica_hw_command reg_command(
	enum arnica_hw_command_opcode opcode, uint32_t handle, uint32_t change,
	uint32_t pd, int access, const void *address, size_t length,
	uint64_t iova)
{
	return (struct arnica_hw_command){
		.opcode = arnica_to_le32(opcode),
		.reg_mr = {
			.handle = arnica_to_le32(handle),
			.change = arnica_to_le32(change),
			.pd = arnica_to_le32(pd),
			.access = arnica_to_le32(
				(uint32_t)access &
				~(uint32_t)IBV_ACCESS_OPTIONAL_RANGE),
			.address = arnica_to_le64((uintptr_t)address),
			.length = arnica_to_le64(length),
			.iova = arnica_to_le64(iova),
		},
	};
}

static void adopt_answer(struct arnica_mr *mr,
			 const struct arnica_hw_completion *answer,
			 const void *address, uint64_t iova)
{
	mr->verbs.mr.handle = arnica_from_le32(answer->mr.handle);
	mr->lkey = arnica_from_le32(answer->mr.stag);
	mr->verbs.mr.lkey = mr->lkey;
	mr->verbs.mr.rkey = mr->lkey;
	mr->offset = (uintptr_t)address - iova;
}

/* REG_MR or BEGIN_MR. */
static struct ibv_mr *create(struct ibv_pd *pd,
			     enum arnica_hw_command_opcode opcode,
			     void *address, size_t length, uint64_t iova,
			     int access)
{
	struct arnica_context *context = arnica_context_of(pd->context);
	struct arnica_hw_command command;
	struct arnica_hw_completion answer;
	struct arnica_mr *mr;
	int error = arnica_mr_check_access(access);

	if (error)
		goto err_out;
	mr = calloc(1, sizeof(*mr));
	if (!mr) {
		error = ENOMEM;
		goto err_out;
	}
	if (access & IBV_ACCESS_ZERO_BASED)
		iova = 0;
	command = reg_command(opcode, 0, 0, pd->handle, access, address, length,
			      iova);
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		goto err_free;
	adopt_answer(mr, &answer, address, iova);
	mr->verbs.access = access;
	mr->verbs.mr.context = pd->context;
	mr->verbs.mr.pd = pd;
	mr->verbs.mr.addr = address;
	mr->verbs.mr.length = length;
	if (opcode == ARNICA_HW_CMD_BEGIN_MR)
		atomic_init(&mr->outcome, EINPROGRESS);
	add_translation(context, mr);
	return &mr->verbs.mr;

err_free:
	free(mr);
err_out:
	errno = error;
	return NULL;
}

struct ibv_mr *arnica_mr_create(struct ibv_pd *pd, void *address, size_t length,
				uint64_t iova, int access)
{
	return create(pd, ARNICA_HW_CMD_REG_MR, address, length, iova, access);
}

struct ibv_mr *arnica_mr_begin(struct ibv_pd *pd, void *address, size_t length,
			       uint64_t iova, int access)
{
	return create(pd, ARNICA_HW_CMD_BEGIN_MR, address, length, iova,
		      access);
}

/* A region of the adapter's that has no address here; NULL and errno. */
static struct arnica_mr *alloc_placeless(struct ibv_pd *pd,
					 const struct arnica_hw_command *command)
{
	struct arnica_context *context = arnica_context_of(pd->context);
	struct arnica_hw_completion answer;
	struct arnica_mr *mr = calloc(1, sizeof(*mr));
	int error = mr ? arnica_command_execute(&context->commands, command,
						&answer) :
			 ENOMEM;

	if (error) {
		free(mr);
		errno = error;
		return NULL;
	}
	adopt_answer(mr, &answer, NULL, 0);
	mr->verbs.mr.context = pd->context;
	mr->verbs.mr.pd = pd;
	return mr;
}

struct ibv_mr *arnica_mr_alloc_null(struct ibv_pd *pd)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_NULL_MR),
		.alloc_null_mr.pd = arnica_to_le32(pd->handle),
	};
	struct arnica_mr *mr = alloc_placeless(pd, &command);

	if (!mr)
		return NULL;
	mr->verbs.type = ARNICA_ABI_MR_NULL;
	mr->verbs.mr.rkey = 0; /* not for peers */
	mr->verbs.mr.length = SIZE_MAX;
	add_translation(arnica_context_of(pd->context), mr);
	return &mr->verbs.mr;
}

struct ibv_mr *arnica_mr_alloc(struct ibv_pd *pd, uint32_t max_ranges)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_MR),
		.alloc_mr = {
			.pd = arnica_to_le32(pd->handle),
			.max_ranges = arnica_to_le32(max_ranges),
		},
	};
	struct arnica_mr *mr = alloc_placeless(pd, &command);

	if (!mr)
		return NULL;
	mr->max_ranges = max_ranges;
	return &mr->verbs.mr;
}

struct ibv_mr *arnica_mr_reg(struct ibv_pd *pd, void *address, size_t length,
			     uint64_t iova, int access)
{
	if (length == 0) {
		errno = EINVAL;
		return NULL;
	}
	return arnica_mr_create(pd, address, length, iova, access);
}

int arnica_mr_rereg(struct arnica_abi_mr *abi_mr, int flags, struct ibv_pd *pd,
		    void *address, size_t length, int access)
{
	struct arnica_mr *mr = mr_of(abi_mr);
	struct arnica_context *context = arnica_context_of(abi_mr->mr.context);
	struct arnica_hw_command command;
	struct arnica_hw_completion answer;
	bool moved = flags & IBV_REREG_MR_CHANGE_TRANSLATION;
	uint64_t iova;
	int error = 0;

	/* Who imported a region does not know its rights; and the kernel knows
	 * no other dma-buf, nor other rights, for a region of one. */
	if (abi_mr->type != ARNICA_ABI_MR_ORDINARY)
		error = EINVAL;
	if (!(flags & IBV_REREG_MR_CHANGE_ACCESS))
		access = abi_mr->access;
	else if (!error)
		error = arnica_mr_check_access(access);
	if (!(flags & IBV_REREG_MR_CHANGE_PD))
		pd = abi_mr->mr.pd;
	else if (!pd || pd->context != abi_mr->mr.context)
		error = EINVAL;
	if (!moved) {
		address = abi_mr->mr.addr;
		length = abi_mr->mr.length;
		iova = (uintptr_t)address - mr->offset;
	} else {
		iova = access & IBV_ACCESS_ZERO_BASED ? 0 : (uintptr_t)address;
	}
	if (error)
		goto err_out;
	command = reg_command(ARNICA_HW_CMD_REREG_MR, abi_mr->mr.handle,
			      (uint32_t)flags, pd->handle, access, address,
			      length, iova);
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		goto err_out;
	arnica_scatter_outstanding(context);
	remove_translation(context, mr);
	adopt_answer(mr, &answer, address, iova);
	abi_mr->access = access;
	add_translation(context, mr);
	return 0;

err_out:
	errno = error;
	return error;
}

static int advise_one(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		      const struct ibv_sge *sge)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ADVISE_MR),
		.advise_mr = {
			.pd = arnica_to_le32(pd->handle),
			.advice = arnica_to_le32((uint32_t)advice),
			.stag = arnica_to_le32(sge->lkey),
			.iova = arnica_to_le64(sge->addr),
			.length = arnica_to_le64(sge->length),
		},
	};
	struct arnica_hw_completion answer;

	return arnica_command_execute(
		&arnica_context_of(pd->context)->commands, &command, &answer);
}

/* Done when it returns, with IBV_ADVISE_MR_FLAG_FLUSH or without. */
int arnica_mr_advise(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		     uint32_t flags, struct ibv_sge *sges, uint32_t num_sges)
{
	uint32_t i;
	int error = 0;

	if (flags & ~(uint32_t)IBV_ADVISE_MR_FLAG_FLUSH || num_sges == 0)
		return EINVAL;
	for (i = 0; i < num_sges && !error; i++)
		error = advise_one(pd, advice, &sges[i]);
	return error;
}

int arnica_mr_dereg(struct arnica_abi_mr *abi_mr)
{
	struct arnica_mr *mr = mr_of(abi_mr);
	struct arnica_context *context = arnica_context_of(abi_mr->mr.context);
	int error = arnica_command_object(
		&context->commands, ARNICA_HW_CMD_DEREG_MR, abi_mr->mr.handle);

	if (error)
		return error;
	arnica_scatter_outstanding(context);
	remove_translation(context, mr);
	arnica_dmabuf_end(mr);
	free(mr);
	return 0;
}

static int query(struct ibv_pd *pd, uint32_t handle,
		 struct arnica_hw_res_region *region)
{
	struct arnica_hw_completion answer;
	int error = arnica_contexts_ask(arnica_context_of(pd->context),
					ARNICA_HW_CMD_QUERY_MR,
					ARNICA_HW_CMD_IMPORT_MR, handle,
					pd->handle, &answer);

	if (error)
		return error;
	*region = answer.region;
	return arnica_from_le32(region->pd) == pd->handle ? 0 : EINVAL;
}

struct ibv_mr *arnica_mr_import(struct ibv_pd *pd, uint32_t handle)
{
	struct arnica_mr *mr = calloc(1, sizeof(*mr));
	struct arnica_hw_res_region region;
	int error = mr ? query(pd, handle, &region) : ENOMEM;

	if (error) {
		free(mr);
		errno = error;
		return NULL;
	}
	mr->lkey = arnica_from_le32(region.stag);
	mr->verbs.type = ARNICA_ABI_MR_IMPORTED;
	mr->verbs.mr.context = pd->context;
	mr->verbs.mr.pd = pd;
	mr->verbs.mr.length = arnica_from_le64(region.length);
	mr->verbs.mr.handle = handle;
	mr->verbs.mr.lkey = mr->lkey;
	mr->verbs.mr.rkey = mr->lkey;
	return &mr->verbs.mr;
}

void arnica_mr_unimport(struct ibv_mr *mr)
{
	struct arnica_context *context = arnica_context_of(mr->context);

	/* Unless its owner has ended it. */
	if (context->imports)
		arnica_command_undo(&context->commands,
				    ARNICA_HW_CMD_UNIMPORT_MR, mr->handle);
	free(mr_of((struct arnica_abi_mr *)(void *)mr));
}
