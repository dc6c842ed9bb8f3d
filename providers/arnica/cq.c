/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Creating, resizing and destroying completion queues; see cq.h.
 */
#include "cq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scatter.h"

#define WC_FLAGS                                                               \
	((uint64_t)IBV_WC_STANDARD_FLAGS |                                     \
	 IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |                                 \
	 IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)
#define WC_TIMESTAMPS                                                          \
	(IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |                                 \
	 IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)

static int check_size(const struct arnica_context *context, int64_t cqe)
{
	return cqe <= 0 || cqe > arnica_from_le32(context->caps.max_cqe) ?
		       EINVAL :
		       0;
}

static int find_channel(struct ibv_context *ibv,
			const struct ibv_comp_channel *channel, uint32_t *index)
{
	*index = ARNICA_HW_NO_CHANNEL;
	if (!channel)
		return 0;
	if (channel->context != ibv)
		return EINVAL;
	return arnica_bus_channel_index(arnica_context_of(ibv)->bus,
					channel->fd, index) ?
		       EINVAL :
		       0;
}

/* Fills in what the adapter granted. */
static int execute_create(struct arnica_cq *cq, uint32_t cqe, uint32_t vector,
			  uint32_t flags)
{
	struct arnica_context *context = cq->context;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_CQ),
		.create_cq = {
			.cqe = arnica_to_le32(cqe),
			.channel = arnica_to_le32(cq->channel_index),
			.vector = arnica_to_le32(vector),
			.user_data = arnica_to_le64((uintptr_t)cq),
			.flags = arnica_to_le32(flags),
		},
	};
	struct arnica_hw_completion answer;
	int error;

	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		return error;
	cq->verbs.handle = arnica_from_le32(answer.cq.handle);
	cq->verbs.cqe = (int)arnica_from_le32(answer.cq.cqe);
	cq->record = arnica_context_map(
		context, arnica_from_le64(answer.cq.record_offset),
		sizeof(*cq->record));
	if (cq->record)
		return 0;
	arnica_command_undo(&context->commands, ARNICA_HW_CMD_DESTROY_CQ,
			    cq->verbs.handle);
	return EIO;
}

static struct arnica_cq *create(struct ibv_context *ibv, int64_t cqe,
				struct ibv_comp_channel *channel,
				int64_t vector, uint32_t flags)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct arnica_cq *cq = NULL;
	int error = check_size(context, cqe);

	if (!error && (vector < 0 || vector >= ibv->num_comp_vectors))
		error = EINVAL;
	if (error)
		goto err_out;
	cq = aligned_alloc(64, (sizeof(*cq) + 63) & ~(size_t)63);
	if (!cq) {
		error = ENOMEM;
		goto err_out;
	}
	memset(cq, 0, sizeof(*cq));
	cq->context = context;
	arnica_spinlock_init(&cq->lock);
	error = find_channel(ibv, channel, &cq->channel_index);
	if (!error)
		error = execute_create(cq, (uint32_t)cqe, (uint32_t)vector,
				       flags);
	if (error)
		goto err_free;
	return cq;

err_free:
	free(cq);
err_out:
	errno = error;
	return NULL;
}

struct ibv_cq *arnica_cq_create(struct ibv_context *context, int cqe,
				struct ibv_comp_channel *channel, int vector)
{
	struct arnica_cq *cq = create(context, cqe, channel, vector, 0);

	return cq ? ibv_cq_ex_to_cq(&cq->verbs) : NULL;
}

/*
 * SINGLE_THREADED is a permission that is not used: registrations of other
 * threads place payload of receives that stand in this CQ, and need the lock.
 */
static int check_ex(const struct ibv_context *context,
		    const struct ibv_cq_init_attr_ex *attr)
{
	if (attr->comp_mask & ~(uint32_t)(IBV_CQ_INIT_ATTR_MASK_FLAGS |
					  IBV_CQ_INIT_ATTR_MASK_PD))
		return EOPNOTSUPP;
	if ((attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD) &&
	    (!attr->parent_domain || attr->parent_domain->context != context))
		return EINVAL;
	if (attr->wc_flags & ~WC_FLAGS)
		return EOPNOTSUPP;
	if ((attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS) &&
	    (attr->flags & ~(uint32_t)(IBV_CREATE_CQ_ATTR_SINGLE_THREADED |
				       IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN)))
		return EOPNOTSUPP;
	return 0;
}

struct ibv_cq_ex *arnica_cq_create_ex(struct ibv_context *context,
				      struct ibv_cq_init_attr_ex *attr)
{
	uint32_t flags = 0;
	struct arnica_cq *cq;
	int error = check_ex(context, attr);

	if (error) {
		errno = error;
		return NULL;
	}
	if (attr->wc_flags & WC_TIMESTAMPS)
		flags |= ARNICA_HW_CQ_TIMESTAMP;
	if ((attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS) &&
	    (attr->flags & IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN))
		flags |= ARNICA_HW_CQ_IGNORE_OVERRUN;
	cq = create(context, attr->cqe, attr->channel, attr->comp_vector,
		    flags);
	if (!cq)
		return NULL;
	arnica_cq_ex_init(cq, attr->wc_flags);
	return &cq->verbs;
}

int arnica_cq_resize(struct ibv_cq *ibv_cq, int cqe)
{
	struct arnica_cq *cq = arnica_cq_of(ibv_cq);
	struct arnica_context *context = cq->context;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_RESIZE_CQ),
		.create_cq = {
			.handle = arnica_to_le32(ibv_cq->handle),
			.cqe = arnica_to_le32((uint32_t)cqe),
			.channel = arnica_to_le32(cq->channel_index),
		},
	};
	struct arnica_hw_completion answer;
	int error = check_size(context, cqe);

	if (error)
		return error;
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		return error;
	arnica_scatter_cq(cq);
	ibv_cq->cqe = (int)arnica_from_le32(answer.cq.cqe);
	return 0;
}

/* mlx5 has the same errors and maxima, and a zero ends moderation there, too. */
int arnica_cq_modify(struct ibv_cq *ibv_cq, struct ibv_modify_cq_attr *attr)
{
	struct arnica_context *context = arnica_cq_of(ibv_cq)->context;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_CQ),
		.modify_cq = {
			.handle = arnica_to_le32(ibv_cq->handle),
			.count = arnica_to_le32(attr->moderate.cq_count),
			.period_us = arnica_to_le32(attr->moderate.cq_period),
		},
	};
	struct arnica_hw_completion answer;

	if (!attr->attr_mask || attr->attr_mask >= IBV_CQ_ATTR_RESERVED)
		return EINVAL;
	return arnica_command_execute(&context->commands, &command, &answer);
}

int arnica_cq_destroy(struct ibv_cq *ibv_cq)
{
	struct arnica_cq *cq = arnica_cq_of(ibv_cq);
	struct arnica_context *context = cq->context;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_DESTROY_CQ),
		.object = { .handle = arnica_to_le32(ibv_cq->handle) },
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&context->commands, &command,
					   &answer);

	if (error)
		return error;
	/* The adapter took back what was unread, for it would lead to freed
	 * memory; what was read must be acknowledged first. */
	arnica_cq_wait_for_acks(cq, &answer.events);
	free(cq->hot);
	free(cq);
	return 0;
}
