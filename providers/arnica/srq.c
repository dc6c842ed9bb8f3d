/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Creating, changing and destroying shared receive queues; see srq.h.
 */
#include "srq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arnica/hw/wqe.h"
#include "async.h"
#include "context.h"
#include "pd.h"
#include "qp.h"

static int check_attributes(const struct arnica_context *context,
			    const struct ibv_srq_attr *attr)
{
	const struct arnica_hw_device_caps *caps = &context->caps;

	if (attr->max_wr == 0 ||
	    attr->max_wr > arnica_from_le32(caps->max_srq_wr) ||
	    attr->max_sge > arnica_from_le32(caps->max_srq_sge))
		return EINVAL;
	return 0;
}

static int execute_create(struct arnica_srq *srq, struct ibv_pd *pd,
			  const struct ibv_srq_attr *attr,
			  struct arnica_hw_res_srq *granted)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_SRQ),
		.create_srq = {
			.pd = arnica_to_le32(pd->handle),
			.depth = arnica_to_le32(attr->max_wr),
			.sge = arnica_to_le32(attr->max_sge),
			.user_data = arnica_to_le64((uintptr_t)srq),
		},
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&srq->context->commands, &command,
					   &answer);

	if (!error)
		*granted = answer.srq;
	return error;
}

/* As with queues of a QP: what was granted must hang together. */
static bool grant_is_sane(const struct arnica_hw_res_srq *granted)
{
	uint32_t slots = arnica_from_le32(granted->slots);
	uint32_t capacity = arnica_from_le32(granted->capacity);
	uint32_t bytes = arnica_from_le32(granted->entry_bytes);

	return arnica_is_power_of_two(slots) && arnica_is_power_of_two(capacity) &&
	       slots <= capacity && capacity <= ARNICA_HW_MAX_QUEUE_DEPTH &&
	       arnica_is_power_of_two(bytes) && bytes <= ARNICA_HW_MAX_RQE_BYTES &&
	       arnica_from_le32(granted->depth) <= slots &&
	       arnica_from_le32(granted->max_sge) *
			       sizeof(struct arnica_hw_data_segment) <=
		       bytes &&
	       arnica_from_le32(granted->handle) < ARNICA_HW_MAX_SRQ &&
	       arnica_from_le32(granted->number) <= ARNICA_HW_QPN_MASK;
}

static void take_grant(struct arnica_srq *srq,
		       const struct arnica_hw_res_srq *granted)
{
	uint32_t handle = arnica_from_le32(granted->handle);
	uint32_t bytes = arnica_from_le32(granted->entry_bytes);

	srq->verbs.base.handle = handle;
	srq->number = arnica_from_le32(granted->number);
	srq->depth = arnica_from_le32(granted->depth);
	srq->mask = arnica_from_le32(granted->slots) - 1;
	srq->capacity = arnica_from_le32(granted->capacity);
	srq->shift = (uint32_t)__builtin_ctz(bytes);
	srq->max_sge = arnica_from_le32(granted->max_sge);
	srq->room = bytes / (uint32_t)sizeof(struct arnica_hw_data_segment);
	srq->doorbell.bus = srq->context->bus;
	srq->doorbell.page =
		&srq->context->pages[handle % ARNICA_HW_DOORBELL_PAGES];
	srq->doorbell.base = arnica_hw_doorbell_encode(handle, srq->number, 0);
}

/* What the host keeps of each entry. Pages that no entry needs are never
 * touched, so that nothing has to move when the queue grows. */
static bool map_memory(struct arnica_srq *srq)
{
	size_t slots = srq->capacity;

	srq->memory_bytes = slots * (sizeof(*srq->wr_ids) +
				     sizeof(*srq->next) + sizeof(*srq->posted));
	srq->memory = mmap(NULL, srq->memory_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (srq->memory == MAP_FAILED) {
		srq->memory = NULL;
		return false;
	}
	srq->wr_ids = srq->memory;
	srq->next = (void *)(srq->wr_ids + slots);
	srq->posted = (void *)(srq->next + slots);
	return true;
}

/* False when out of memory, or when the adapter named a place outside the
 * segment. */
static bool set_up(struct arnica_srq *srq,
		   const struct arnica_hw_res_srq *granted)
{
	uint32_t slots = srq->mask + 1, i;
	struct arnica_context *context = srq->context;

	srq->entries = arnica_context_map(
		context, arnica_from_le64(granted->entries_offset),
		(uint64_t)srq->capacity << srq->shift);
	srq->words = arnica_context_map(
		context, arnica_from_le64(granted->words_offset),
		(uint64_t)srq->capacity * sizeof(*srq->words));
	srq->ring = arnica_context_map(
		context, arnica_from_le64(granted->ring_offset),
		(uint64_t)slots * sizeof(*srq->ring));
	srq->record = arnica_context_map(
		context, arnica_from_le64(granted->record_offset),
		sizeof(*srq->record));
	if (!srq->entries || !srq->words || !srq->ring || !srq->record ||
	    !map_memory(srq))
		return false;
	for (i = 0; i + 1 < srq->depth; i++)
		srq->next[i] = i + 2;
	srq->free = 1;
	srq->num_slots = srq->depth;
	return true;
}

/* What libibverbs itself fills in for providers that ask the kernel. */
static void set_up_verbs(struct arnica_srq *srq, struct ibv_pd *pd,
			 void *srq_context)
{
	struct ibv_srq *base = &srq->verbs.base;

	base->context = pd->context;
	base->srq_context = srq_context;
	base->pd = pd;
	pthread_mutex_init(&base->mutex, NULL);
	pthread_cond_init(&base->cond, NULL);
	arnica_spinlock_init(&srq->lock);
	srq->lock.unshared = arnica_pd_is_single_threaded(pd);
}

static void free_srq(struct arnica_srq *srq)
{
	arnica_pd_put(srq->verbs.base.pd);
	if (srq->memory)
		(void)munmap(srq->memory, srq->memory_bytes);
	free(srq);
}

static int create(struct arnica_srq *srq, struct ibv_pd *pd,
		  struct ibv_srq_attr *attr)
{
	struct arnica_context *context = srq->context;
	struct arnica_hw_res_srq granted;
	int error = execute_create(srq, pd, attr, &granted);

	if (error)
		return error;
	if (!grant_is_sane(&granted))
		return EIO;
	take_grant(srq, &granted);
	if (!set_up(srq, &granted)) {
		arnica_command_undo(&context->commands,
				    ARNICA_HW_CMD_DESTROY_SRQ,
				    srq->verbs.base.handle);
		return ENOMEM;
	}
	attr->max_wr = srq->depth;
	attr->max_sge = srq->max_sge;
	return 0;
}

struct ibv_srq *arnica_srq_create(struct ibv_pd *pd,
				  struct ibv_srq_init_attr *attr)
{
	struct arnica_context *context = arnica_context_of(pd->context);
	struct arnica_srq *srq;
	int error = check_attributes(context, &attr->attr);

	if (error)
		goto err_out;
	srq = aligned_alloc(64, (sizeof(*srq) + 63) & ~(size_t)63);
	if (!srq) {
		error = ENOMEM;
		goto err_out;
	}
	memset(srq, 0, sizeof(*srq));
	srq->context = context;
	set_up_verbs(srq, pd, attr->srq_context);
	arnica_pd_get(pd);
	error = create(srq, pd, &attr->attr);
	if (error)
		goto err_free;
	return &srq->verbs.base;

err_free:
	free_srq(srq);
err_out:
	errno = error;
	return NULL;
}

static bool xrc_is_whole(const struct ibv_context *ibv,
			 const struct ibv_srq_init_attr_ex *attr)
{
	const uint32_t needed = IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ;

	return (attr->comp_mask & needed) == needed && attr->xrcd &&
	       attr->xrcd->context == ibv && attr->cq &&
	       attr->cq->context == ibv;
}

/* What an XRC SRQ has beside a basic one. On failure there is none. */
static bool make_xrc(struct ibv_srq *srq,
		     const struct ibv_srq_init_attr_ex *attr)
{
	const struct arnica_qp_extra none = { 0 };
	const struct ibv_qp_init_attr_ex hidden = {
		.qp_type = (enum ibv_qp_type)ARNICA_HW_QP_XRC_SRQ,
		.pd = srq->pd,
		.send_cq = attr->cq,
		.recv_cq = attr->cq,
		.srq = srq,
		.xrcd = attr->xrcd,
	};
	int error;

	arnica_srq_of(srq)->hidden =
		arnica_qp_create_hidden(srq->context, &hidden, &none);
	if (arnica_srq_of(srq)->hidden)
		return true;
	error = errno;
	(void)arnica_srq_destroy(srq);
	errno = error;
	return false;
}

/* The library comes here with what ibv_create_srq() cannot express. */
struct ibv_srq *arnica_srq_create_ex(struct ibv_context *ibv,
				     struct ibv_srq_init_attr_ex *attr)
{
	const uint32_t known = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD |
			       IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ;
	enum ibv_srq_type type = attr->comp_mask & IBV_SRQ_INIT_ATTR_TYPE ?
					 attr->srq_type :
					 IBV_SRQT_BASIC;
	struct ibv_srq_init_attr basic = {
		.srq_context = attr->srq_context,
		.attr = attr->attr,
	};
	struct ibv_srq *srq;

	if (attr->comp_mask & ~known ||
	    (type != IBV_SRQT_BASIC && type != IBV_SRQT_XRC)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_PD) || !attr->pd ||
	    attr->pd->context != ibv ||
	    (type == IBV_SRQT_XRC && !xrc_is_whole(ibv, attr))) {
		errno = EINVAL;
		return NULL;
	}
	srq = arnica_srq_create(attr->pd, &basic);
	if (srq && type == IBV_SRQT_XRC && !make_xrc(srq, attr))
		return NULL;
	if (srq)
		attr->attr = basic.attr;
	return srq;
}

static int set_limit(struct arnica_srq *srq, uint32_t limit)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_MODIFY_SRQ),
		.modify_srq = {
			.handle = arnica_to_le32(srq->verbs.base.handle),
			.limit = arnica_to_le32(limit),
			.mask = arnica_to_le32(ARNICA_HW_SRQ_LIMIT),
		},
	};

	return arnica_command_execute(&srq->context->commands, &command, NULL);
}

int arnica_srq_modify(struct ibv_srq *ibv_srq, struct ibv_srq_attr *attr,
		      int mask)
{
	struct arnica_srq *srq = arnica_srq_of(ibv_srq);
	struct arnica_context *context = srq->context;
	bool limits = mask & IBV_SRQ_LIMIT;
	int error;

	if (mask & ~(IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT))
		return EINVAL;
	if (atomic_load_explicit(&context->dead, memory_order_relaxed))
		return EIO;
	if (!(mask & IBV_SRQ_MAX_WR))
		return limits ? set_limit(srq, attr->srq_limit) : 0;
	if (!attr->max_wr ||
	    attr->max_wr > arnica_from_le32(context->caps.max_srq_wr) ||
	    (limits && attr->srq_limit > attr->max_wr))
		return EINVAL;
	pthread_mutex_lock(&context->objects);
	error = arnica_srq_resize(srq, attr->max_wr, attr->srq_limit,
				  limits ? ARNICA_HW_SRQ_LIMIT : 0);
	pthread_mutex_unlock(&context->objects);
	return error;
}

int arnica_srq_query(struct ibv_srq *ibv_srq, struct ibv_srq_attr *attr)
{
	struct arnica_srq *srq = arnica_srq_of(ibv_srq);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_SRQ),
		.object = { .handle = arnica_to_le32(ibv_srq->handle) },
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&srq->context->commands, &command,
					   &answer);

	if (error)
		return error;
	attr->max_wr = srq->depth;
	attr->max_sge = srq->max_sge;
	attr->srq_limit = arnica_from_le32(answer.srq_limit.limit);
	return 0;
}

int arnica_srq_destroy(struct ibv_srq *ibv_srq)
{
	struct arnica_srq *srq = arnica_srq_of(ibv_srq);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_DESTROY_SRQ),
		.object = { .handle = arnica_to_le32(ibv_srq->handle) },
	};
	struct arnica_hw_completion answer;
	int error = srq->hidden ? arnica_qp_destroy(srq->hidden) : 0;

	if (error)
		return error;
	srq->hidden = NULL;
	error = arnica_command_execute(&srq->context->commands, &command,
				       &answer);
	if (error)
		return error;
	arnica_async_drain_srq(srq, &answer.events);
	free_srq(srq);
	return 0;
}

/* Only an SRQ of an XRC domain has a number that others use. */
int arnica_srq_get_number(struct ibv_srq *srq, uint32_t *number)
{
	struct ibv_qp *hidden = arnica_srq_of(srq)->hidden;

	if (!hidden)
		return EOPNOTSUPP;
	*number = hidden->qp_num;
	return 0;
}
