/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Creating and destroying queue pairs; see qp.h. What the adapter grants is
 * mapped and set up here, and checked: no later access needs to.
 */
#include "qp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arnica/hw/wqe.h"
#include "async.h"
#include "calibrate.h"
#include "cq.h"
#include "dv.h"
#include "qp_check.h"
#include "scatter.h"
#include "srq.h"
#include "wq.h"
#include "xrcd.h"

static uint32_t cq_handle(const struct ibv_cq *cq, const struct ibv_cq *other)
{
	if (cq)
		return cq->handle;
	return other ? other->handle : 0;
}

static int execute_create(struct arnica_qp *qp,
			  const struct ibv_qp_init_attr_ex *attr,
			  const struct arnica_qp_extra *extra,
			  struct arnica_hw_res_qp *granted)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_QP),
		.create_qp = {
			.type = arnica_to_le32(attr->qp_type),
			.pd = arnica_to_le32(attr->pd ? attr->pd->handle : 0),
			.send_cq = arnica_to_le32(
				cq_handle(attr->send_cq, NULL)),
			.recv_cq = arnica_to_le32(
				cq_handle(attr->recv_cq, attr->send_cq)),
			.send_depth = arnica_to_le32(attr->cap.max_send_wr),
			.recv_depth = arnica_to_le32(
				attr->srq ? 0 : attr->cap.max_recv_wr),
			.send_sge = arnica_to_le32(attr->cap.max_send_sge),
			.recv_sge = arnica_to_le32(
				attr->srq ? 0 : attr->cap.max_recv_sge),
			.srq = arnica_to_le32(
				attr->srq ? attr->srq->handle + 1 : 0),
			.inline_bytes =
				arnica_to_le32(attr->cap.max_inline_data),
			.user_data = arnica_to_le64((uintptr_t)qp),
			.flags = arnica_to_le32(
				extra->flags |
				(arnica_qp_create_flags(attr) ?
					 ARNICA_HW_QP_BLOCK_SELF_MCAST :
					 0)),
			.xrcd = arnica_to_le32(
				attr->xrcd ?
					arnica_xrcd_of(attr->xrcd)->handle + 1 :
					0),
		},
	};
	struct arnica_hw_completion answer;
	int error;

	if (extra->rss)
		command.create_qp.rss = *extra->rss;
	error = arnica_command_execute(&qp->context->commands, &command,
				       &answer);
	if (!error)
		*granted = answer.qp;
	return error;
}

static enum arnica_resource_type resource_of(const struct arnica_ring *ring)
{
	return ring->is_receive ? ARNICA_RESOURCE_RECEIVE_QUEUE :
				  ARNICA_RESOURCE_SEND_QUEUE;
}

/* Maps the ring and its record; false when the adapter named a place outside the
 * segment. */
static bool map_ring(struct arnica_qp *qp, struct arnica_ring *ring,
		     const struct arnica_hw_res_queue *granted, uint32_t number)
{
	uint32_t slots = arnica_from_le32(granted->slots);
	struct arnica_context *context = qp->context;

	ring->qp = qp;
	ring->number = number;
	ring->mask = slots - 1;
	ring->hot_index = ARNICA_RING_NOT_HOT;
	ring->entries = arnica_context_map(
		context, arnica_from_le64(granted->ring_offset),
		(uint64_t)slots * sizeof(struct arnica_hw_cqe));
	ring->record = arnica_context_map(
		context, arnica_from_le64(granted->record_offset),
		sizeof(*ring->record));
	return ring->entries && ring->record;
}

/* The queue as well; false when out of memory, too. */
static bool set_up_ring(struct arnica_qp *qp, struct arnica_ring *ring,
			const struct arnica_hw_res_queue *granted,
			uint32_t number, unsigned char **entries)
{
	uint32_t slots = arnica_from_le32(granted->slots);
	uint32_t bytes = arnica_from_le32(granted->entry_bytes);
	bool mapped = map_ring(qp, ring, granted, number);

	*entries = arnica_context_map(qp->context,
				      arnica_from_le64(granted->entries_offset),
				      (uint64_t)slots * bytes);
	if (!arnica_pd_memory_take(qp->verbs.base.pd,
				   slots * sizeof(*ring->wr_ids),
				   resource_of(ring), &ring->memory))
		return false;
	ring->wr_ids = ring->memory.start;
	return mapped && *entries;
}

static void set_up_doorbell(struct arnica_qp *qp,
			    struct arnica_doorbell *doorbell)
{
	struct ibv_qp *base = &qp->verbs.base;

	doorbell->bus = qp->context->bus;
	doorbell->page =
		&qp->context->pages[base->handle % ARNICA_HW_DOORBELL_PAGES];
	doorbell->base = arnica_hw_doorbell_encode(base->handle, base->qp_num,
						   0);
}

static bool is_single_threaded(const struct arnica_qp *qp)
{
	struct ibv_pd *pd = qp->verbs.base.pd;

	return pd && arnica_pd_is_single_threaded(pd);
}

static bool set_up_send(struct arnica_qp *qp,
			const struct arnica_hw_res_qp *granted, bool signal_all)
{
	struct arnica_send_queue *queue = &qp->send;
	struct arnica_ring *ring = &qp->send_ring;
	const struct arnica_hw_res_queue *send = &granted->send;
	uint32_t bytes = arnica_from_le32(send->entry_bytes);
	uint32_t max_inline = arnica_from_le32(granted->inline_bytes);

	arnica_spinlock_init(&queue->lock);
	queue->lock.unshared = is_single_threaded(qp);
	queue->xrc = qp->verbs.base.qp_type == IBV_QPT_XRC_SEND;
	queue->signal_all = signal_all;
	queue->opcodes = arnica_send_opcodes(qp->verbs.base.qp_type);
	queue->datagrams = qp->verbs.base.qp_type == IBV_QPT_UD;
	queue->connected = qp->verbs.base.qp_type == IBV_QPT_RC ||
			   qp->verbs.base.qp_type == IBV_QPT_UC;
	set_up_doorbell(qp, &queue->doorbell);
	if (arnica_from_le32(send->depth) == 0)
		return true;
	if (!set_up_ring(qp, ring, send, 2 * qp->verbs.base.handle,
			 &queue->entries))
		return false;
	queue->depth = arnica_from_le32(send->depth);
	queue->mask = ring->mask;
	queue->shift = (uint32_t)__builtin_ctz(bytes);
	queue->max_sge = arnica_from_le32(send->max_sge);
	queue->max_inline = max_inline;
	queue->max_atomic_sge =
		bytes <= ARNICA_HW_WQE_ATOMIC_HEADER_BYTES ?
			0 :
			(bytes - ARNICA_HW_WQE_ATOMIC_HEADER_BYTES) /
				(uint32_t)sizeof(struct arnica_hw_data_segment);
	if (queue->max_atomic_sge > queue->max_sge)
		queue->max_atomic_sge = queue->max_sge;
	queue->wr_ids = ring->wr_ids;
	return true;
}

static bool map_eager(struct arnica_qp *qp,
		      const struct arnica_hw_res_queue *granted)
{
	struct arnica_ring *ring = &qp->receive_ring;

	ring->eager_bytes = arnica_from_le32(granted->eager_bytes);
	if (ring->eager_bytes == 0)
		return true;
	ring->eager = arnica_context_map(
		qp->context, arnica_from_le64(granted->eager_offset),
		ring->eager_bytes);
	return ring->eager != NULL;
}

/* Completions of receives that were posted to an SRQ. */
static bool set_up_shared(struct arnica_qp *qp,
			  const struct arnica_hw_res_queue *granted)
{
	struct arnica_ring *ring = &qp->receive_ring;

	if (!map_ring(qp, ring, granted, 2 * qp->verbs.base.handle + 1))
		return false;
	ring->srq = arnica_srq_of(qp->verbs.base.srq);
	ring->work = ring->srq->entries;
	ring->work_shift = ring->srq->shift;
	ring->work_max_sge = ring->srq->room;
	return map_eager(qp, granted);
}

static bool set_up_receive(struct arnica_qp *qp,
			   const struct arnica_hw_res_queue *granted)
{
	struct arnica_receive_queue *queue = &qp->receive;
	struct arnica_ring *ring = &qp->receive_ring;
	uint32_t bytes = arnica_from_le32(granted->entry_bytes);

	arnica_spinlock_init(&queue->lock);
	queue->lock.unshared = is_single_threaded(qp);
	queue->barriers = arnica_barriers_allowed();
	set_up_doorbell(qp, &queue->doorbell);
	ring->is_receive = true;
	if (qp->verbs.base.srq)
		return set_up_shared(qp, granted);
	if (arnica_from_le32(granted->depth) == 0)
		return true;
	if (!set_up_ring(qp, ring, granted, 2 * qp->verbs.base.handle + 1,
			 &queue->entries))
		return false;
	queue->depth = arnica_from_le32(granted->depth);
	queue->mask = ring->mask;
	queue->shift = (uint32_t)__builtin_ctz(bytes);
	queue->max_sge = arnica_from_le32(granted->max_sge);
	queue->room = bytes / (uint32_t)sizeof(struct arnica_hw_data_segment);
	queue->wr_ids = ring->wr_ids;
	queue->record = ring->record;
	ring->work = queue->entries;
	ring->work_shift = queue->shift;
	ring->work_max_sge = queue->room;
	return map_eager(qp, granted);
}

/* What libibverbs itself fills in for providers that ask the kernel. */
static void set_up_verbs(struct arnica_qp *qp, struct ibv_context *ibv,
			 const struct ibv_qp_init_attr_ex *attr)
{
	struct ibv_qp *base = &qp->verbs.base;
	uint32_t bit = ARNICA_ABI_QP_EX_BIT;

	base->context = ibv;
	base->qp_context = attr->qp_context;
	base->pd = attr->pd;
	base->send_cq = attr->send_cq;
	base->recv_cq = attr->recv_cq;
	base->srq = attr->srq;
	base->qp_type = attr->qp_type;
	base->state = IBV_QPS_RESET;
	pthread_mutex_init(&base->mutex, NULL);
	pthread_cond_init(&base->cond, NULL);
	if (attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) {
		arnica_send_wr_init(qp);
		memcpy(qp->verbs.bytes + arnica_calibration.qp_mask_offset,
		       &bit, sizeof(bit));
	}
}

static void take_grant(struct arnica_qp *qp,
		       const struct arnica_hw_res_qp *granted)
{
	qp->verbs.base.handle = arnica_from_le32(granted->handle);
	qp->verbs.base.qp_num = arnica_from_le32(granted->qpn);
	qp->cap = (struct ibv_qp_cap){
		.max_send_wr = arnica_from_le32(granted->send.depth),
		.max_recv_wr = arnica_from_le32(granted->receive.depth),
		.max_send_sge = arnica_from_le32(granted->send.max_sge),
		.max_recv_sge = arnica_from_le32(granted->receive.max_sge),
		.max_inline_data = arnica_from_le32(granted->inline_bytes),
	};
}

static void link_qp(struct arnica_context *context, struct arnica_qp *qp)
{
	qp->next = context->qps;
	qp->link = &context->qps;
	if (qp->next)
		qp->next->link = &qp->next;
	context->qps = qp;
}

static void unlink_qp(struct arnica_qp *qp)
{
	*qp->link = qp->next;
	if (qp->next)
		qp->next->link = qp->link;
}

static bool attach_rings(struct arnica_qp *qp)
{
	if (qp->send.depth &&
	    !arnica_ring_attach(&qp->send_ring,
				arnica_cq_of(qp->verbs.base.send_cq)))
		return false;
	return (!qp->receive.depth && !qp->receive_ring.srq) ||
	       arnica_ring_attach(&qp->receive_ring,
				  arnica_cq_of(qp->verbs.base.recv_cq));
}

static void free_ring(struct arnica_qp *qp, struct arnica_ring *ring)
{
	arnica_pd_memory_give(qp->verbs.base.pd, resource_of(ring),
			      &ring->memory);
}

static void free_qp(struct arnica_qp *qp)
{
	if (qp->verbs.base.qp_type == IBV_QPT_XRC_RECV)
		qp->verbs.base.pd = NULL; /* only shown; see show_pd() */
	free_ring(qp, &qp->send_ring);
	free_ring(qp, &qp->receive_ring);
	if (qp->verbs.base.pd)
		arnica_pd_put(qp->verbs.base.pd);
	free(qp);
}

static void set_up_direct(struct arnica_qp *qp,
			  const struct arnica_qp_extra *extra)
{
	if (!extra->opcodes)
		return;
	qp->send.opcodes |= extra->opcodes;
	qp->direct.wr_reg_mr = arnica_dv_wr_reg_mr;
	qp->direct.wr_reg_mr_send = arnica_dv_wr_reg_mr_send;
}

/* The caller holds `objects`. */
static int create_locked(struct arnica_qp *qp,
			 const struct ibv_qp_init_attr_ex *attr,
			 const struct arnica_qp_extra *extra)
{
	struct arnica_context *context = qp->context;
	struct arnica_hw_res_qp granted;
	int error = execute_create(qp, attr, extra, &granted);

	if (error)
		return error;
	take_grant(qp, &granted);
	if (!arnica_qp_grant_is_sane(&granted, attr->srq))
		error = EIO;
	else if (!set_up_send(qp, &granted, attr->sq_sig_all) ||
		 !set_up_receive(qp, &granted.receive) || !attach_rings(qp))
		error = ENOMEM;
	if (!error) {
		set_up_direct(qp, extra);
		link_qp(context, qp);
		return 0;
	}
	arnica_command_undo(&context->commands, ARNICA_HW_CMD_DESTROY_QP,
			    qp->verbs.base.handle);
	arnica_ring_detach(&qp->send_ring);
	arnica_ring_detach(&qp->receive_ring);
	return error;
}

/* With attributes that were checked. */
static struct arnica_qp *create(struct ibv_context *ibv,
				const struct ibv_qp_init_attr_ex *attr,
				const struct arnica_qp_extra *extra)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct arnica_qp *qp;
	int error;

	qp = aligned_alloc(64, (sizeof(*qp) + 63) & ~(size_t)63);
	if (!qp) {
		error = ENOMEM;
		goto err_out;
	}
	memset(qp, 0, sizeof(*qp));
	qp->context = context;
	set_up_verbs(qp, ibv, attr);
	if (attr->pd)
		arnica_pd_get(attr->pd);
	pthread_mutex_lock(&context->objects);
	error = create_locked(qp, attr, extra);
	pthread_mutex_unlock(&context->objects);
	if (error)
		goto err_free;
	return qp;

err_free:
	free_qp(qp);
err_out:
	errno = error;
	return NULL;
}

/* An XRC receive queue pair has no domain of its own, and the one that it was
 * created with may end before it. But the library shows it in the queue pair,
 * and librdmacm takes it from there for its SRQ. */
static void show_pd(struct arnica_qp *qp,
		    const struct ibv_qp_init_attr_ex *attr)
{
	if (attr->qp_type == IBV_QPT_XRC_RECV &&
	    attr->comp_mask & IBV_QP_INIT_ATTR_PD)
		qp->verbs.base.pd = attr->pd;
}

struct ibv_qp *arnica_qp_create_with(struct ibv_context *ibv,
				     struct ibv_qp_init_attr_ex *attr,
				     const struct arnica_qp_extra *extra)
{
	int error = arnica_qp_check(ibv, attr);
	struct ibv_qp_init_attr_ex reduced;
	struct arnica_qp *qp;

	if (error) {
		errno = error;
		return NULL;
	}
	reduced = arnica_qp_reduce(attr);
	qp = create(ibv, &reduced, extra);
	if (!qp)
		return NULL;
	show_pd(qp, attr);
	attr->cap = qp->cap;
	return &qp->verbs.base;
}

struct ibv_qp *arnica_qp_create_ex(struct ibv_context *ibv,
				   struct ibv_qp_init_attr_ex *attr)
{
	const struct arnica_qp_extra none = { 0 };

	if (attr->comp_mask &
	    (IBV_QP_INIT_ATTR_IND_TABLE | IBV_QP_INIT_ATTR_RX_HASH))
		return arnica_rss_create_qp(ibv, attr);
	return arnica_qp_create_with(ibv, attr, &none);
}

struct ibv_qp *arnica_qp_create_hidden(struct ibv_context *ibv,
				       const struct ibv_qp_init_attr_ex *attr,
				       const struct arnica_qp_extra *extra)
{
	struct arnica_qp *qp = create(ibv, attr, extra);

	return qp ? &qp->verbs.base : NULL;
}

struct ibv_qp *arnica_qp_create(struct ibv_pd *pd,
				struct ibv_qp_init_attr *attr)
{
	struct ibv_qp_init_attr_ex extended = {
		.qp_context = attr->qp_context,
		.send_cq = attr->send_cq,
		.recv_cq = attr->recv_cq,
		.srq = attr->srq,
		.cap = attr->cap,
		.qp_type = attr->qp_type,
		.sq_sig_all = attr->sq_sig_all,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = pd,
	};
	struct ibv_qp *qp = arnica_qp_create_ex(pd->context, &extended);

	if (qp)
		attr->cap = extended.cap;
	return qp;
}

int arnica_qp_destroy(struct ibv_qp *ibv_qp)
{
	struct arnica_qp *qp = arnica_qp_of(ibv_qp);
	struct arnica_context *context = qp->context;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_DESTROY_QP),
		.object = { .handle = arnica_to_le32(ibv_qp->handle) },
	};
	struct arnica_hw_completion answer;
	int error;

	if (atomic_load_explicit(&context->dead, memory_order_relaxed))
		return EIO;
	if (qp->opened)
		return arnica_qp_close(qp);
	pthread_mutex_lock(&context->objects);
	/* The adapter takes the rings back; what has arrived is placed before,
	 * while it still stands there. */
	arnica_scatter_ring(&qp->receive_ring);
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (!error) {
		arnica_mirror_ask(qp);
		arnica_ring_detach(&qp->send_ring);
		arnica_ring_detach(&qp->receive_ring);
		if (qp->receive_ring.srq)
			arnica_srq_reclaim(qp->receive_ring.srq,
					   ibv_qp->handle);
		unlink_qp(qp);
	}
	pthread_mutex_unlock(&context->objects);
	if (error)
		return error;
	arnica_async_drain_qp(qp, &answer.events);
	free_qp(qp);
	return 0;
}
