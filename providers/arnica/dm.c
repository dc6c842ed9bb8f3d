/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Device memory: a range of the adapter's segment, which this process has
 * mapped. Copies in and out are copies; a region over it is zero-based and
 * otherwise like any other.
 */
#include "dm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "contexts.h"
#include "mr.h"

#define WORD_MASK 3u /* offsets and lengths of copies are whole words */

struct arnica_dm {
	struct ibv_dm verbs; /* first: the library's view */
	unsigned char *start;
	size_t length;
};

static struct arnica_dm *dm_of(struct ibv_dm *dm)
{
	return (struct arnica_dm *)(void *)dm;
}

static bool is_inside(const struct arnica_dm *dm, uint64_t offset,
		      size_t length)
{
	return offset <= dm->length && length <= dm->length - offset;
}

static int refuse(int error)
{
	errno = error;
	return error;
}

/* May these bytes be copied? As the copies say it: errno is set. */
static int check_copy(const struct arnica_dm *dm, uint64_t offset,
		      size_t length)
{
	if (!is_inside(dm, offset, length))
		return refuse(EFAULT);
	return (offset | length) & WORD_MASK ? refuse(EINVAL) : 0;
}

static int copy_to(struct ibv_dm *ibv_dm, uint64_t offset, const void *from,
		   size_t length)
{
	struct arnica_dm *dm = dm_of(ibv_dm);
	int error = check_copy(dm, offset, length);

	if (!error)
		memcpy(dm->start + offset, from, length);
	return error;
}

static int copy_from(void *to, struct ibv_dm *ibv_dm, uint64_t offset,
		     size_t length)
{
	struct arnica_dm *dm = dm_of(ibv_dm);
	int error = check_copy(dm, offset, length);

	if (!error)
		memcpy(to, dm->start + offset, length);
	return error;
}

/* Where it is, as the adapter says. */
static bool place(struct arnica_dm *dm, const struct arnica_hw_res_dm *answer,
		  bool imported)
{
	struct arnica_context *context = arnica_context_of(dm->verbs.context);
	uint64_t offset = arnica_from_le64(answer->offset);

	dm->verbs.handle = arnica_from_le32(answer->handle);
	dm->length = arnica_from_le64(answer->length);
	dm->start = imported ? arnica_bus_map_imported(context->bus, offset,
						       dm->length) :
			       arnica_context_map(context, offset, dm->length);
	return dm->start != NULL;
}

static int execute_alloc(struct arnica_dm *dm, size_t length,
			 uint32_t log_align, enum arnica_hw_dm_flags flags)
{
	struct arnica_context *context = arnica_context_of(dm->verbs.context);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_DM),
		.alloc_dm = {
			.length = arnica_to_le64(length),
			.log_align = arnica_to_le32(log_align),
			.flags = arnica_to_le32(flags),
		},
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&context->commands, &command,
					   &answer);

	if (error)
		return error;
	if (place(dm, &answer.dm, false))
		return 0;
	arnica_command_undo(&context->commands, ARNICA_HW_CMD_FREE_DM,
			    dm->verbs.handle);
	return EIO;
}

static struct arnica_dm *create(struct ibv_context *context)
{
	struct arnica_dm *dm = calloc(1, sizeof(*dm));

	if (!dm)
		return NULL;
	dm->verbs.context = context;
	dm->verbs.memcpy_to_dm = copy_to;
	dm->verbs.memcpy_from_dm = copy_from;
	dm->verbs.comp_mask = IBV_DM_MASK_HANDLE;
	return dm;
}

static struct ibv_dm *alloc(struct ibv_context *context, size_t length,
			    uint32_t log_align, enum arnica_hw_dm_flags flags)
{
	struct arnica_dm *dm = create(context);
	int error = dm ? execute_alloc(dm, length, log_align, flags) : ENOMEM;

	if (error) {
		free(dm);
		errno = error;
		return NULL;
	}
	return &dm->verbs;
}

struct ibv_dm *arnica_dm_alloc(struct ibv_context *context,
			       struct ibv_alloc_dm_attr *attr)
{
	if (attr->comp_mask) {
		errno = EINVAL;
		return NULL;
	}
	return alloc(context, attr->length, attr->log_align_req, 0);
}

struct ibv_dm *arnica_dm_alloc_shareable(struct ibv_context *context,
					 size_t length)
{
	return alloc(context, length, 0, ARNICA_HW_DM_SHAREABLE);
}

void *arnica_dm_start(struct ibv_dm *dm)
{
	return dm_of(dm)->start;
}

static int execute_query(struct arnica_dm *dm, uint32_t handle)
{
	struct arnica_context *context = arnica_context_of(dm->verbs.context);
	struct arnica_hw_completion answer;
	int error = arnica_contexts_ask(context, ARNICA_HW_CMD_QUERY_DM,
					ARNICA_HW_CMD_IMPORT_DM, handle, 0,
					&answer);

	if (!error && !place(dm, &answer.dm, context->imports))
		error = EIO;
	return error;
}

struct ibv_dm *arnica_dm_import(struct ibv_context *context, uint32_t handle)
{
	struct arnica_dm *dm = create(context);
	int error = dm ? execute_query(dm, handle) : ENOMEM;

	if (error) {
		free(dm);
		errno = error;
		return NULL;
	}
	return &dm->verbs;
}

void arnica_dm_unimport(struct ibv_dm *dm)
{
	struct arnica_context *context = arnica_context_of(dm->context);

	if (context->imports)
		arnica_command_undo(&context->commands,
				    ARNICA_HW_CMD_UNIMPORT_DM, dm->handle);
	free(dm_of(dm));
}

int arnica_dm_free(struct ibv_dm *ibv_dm)
{
	int error = arnica_command_object(
		&arnica_context_of(ibv_dm->context)->commands,
		ARNICA_HW_CMD_FREE_DM, ibv_dm->handle);

	if (error)
		return refuse(error);
	free(dm_of(ibv_dm));
	return 0;
}

struct ibv_mr *arnica_dm_reg_mr(struct ibv_pd *pd, struct ibv_dm *ibv_dm,
				uint64_t offset, size_t length,
				unsigned int access)
{
	struct arnica_dm *dm = dm_of(ibv_dm);
	struct ibv_mr *mr;

	if (!(access & IBV_ACCESS_ZERO_BASED) || !is_inside(dm, offset, length) ||
	    ibv_dm->context != pd->context) {
		errno = EINVAL;
		return NULL;
	}
	mr = arnica_mr_create(pd, dm->start + offset, length, 0, (int)access);
	if (mr)
		mr->addr = NULL; /* named by offsets, from zero */
	return mr;
}
