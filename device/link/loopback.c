/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Loopback link: finds the QP that a QP is connected to by its number in the
 * directory, attaches its function, and collects checked pointers.
 */
#include "link/link.h"

#include <string.h>

#include "core/adapter.h"
#include "core/qp_lock.h"
#include "dma/dma.h"
#include "domain/directory.h"
#include "transport/qp.h"
#include "transport/xrc.h"

/* Copies of what the owner published about its QP, before they are checked. */
struct shape {
	uint32_t incarnation;
	uint32_t rq_stride, rq_slots, rq_max_sge, eager_bytes, recv_cq, pd;
	uint32_t srq;
	uint64_t rq_offset, recv_ring_offset, eager_offset;
};

static void copy_shape(const struct adev_qp_shared *qp, struct shape *shape)
{
	shape->incarnation = qp->incarnation;
	shape->rq_stride = qp->rq_stride;
	shape->rq_slots = qp->rq_slots;
	shape->rq_max_sge = qp->rq_max_sge;
	shape->eager_bytes = qp->eager_bytes;
	shape->recv_cq = qp->recv_cq;
	shape->pd = qp->pd;
	shape->srq = qp->srq;
	shape->rq_offset = qp->rq_offset;
	shape->recv_ring_offset = qp->recv_ring_offset;
	shape->eager_offset = qp->eager_offset;
}

static bool ring_fits(const struct adev_view *view, uint64_t offset,
		      uint32_t slots, struct adev_ring *ring)
{
	if (!arnica_is_power_of_two(slots) || slots > ARNICA_HW_MAX_QUEUE_DEPTH ||
	    offset & 63)
		return false;
	ring->entries = adev_view_at(view, offset,
				     (uint64_t)slots *
					     sizeof(struct arnica_hw_cqe));
	ring->mask = slots - 1;
	return ring->entries;
}

/* Its entries are as many as it has capacity for. */
static bool fill_srq(struct adev_link *link, uint32_t index, uint64_t entries)
{
	if (!adev_srq_open(link->view, index, link->index, &link->srq))
		return false;
	link->producer = &link->srq.shared->record.producer;
	link->rq_pd = link->srq.shared->pd;
	link->rq_mask = link->srq.capacity - 1;
	link->rq = adev_view_at(link->view, entries,
				(uint64_t)link->srq.capacity *
					link->rq_stride);
	return link->rq;
}

/* A shape from a foreign segment is believed only as far as it fits. */
static bool fill(struct adev_link *link, const struct shape *shape,
		 uint32_t index, uint32_t qpn)
{
	struct adev_view *view = link->view;
	uint64_t slots = shape->rq_slots;
	bool has_cq = shape->recv_cq < view->layout.max_cq;

	memset(&link->ring, 0, sizeof(link->ring));
	link->incarnation = shape->incarnation;
	link->record = &view->records[2 * index + 1];
	link->producer = &link->record->producer;
	memset(&link->srq, 0, sizeof(link->srq));
	link->holder = link->qp;
	link->pd = shape->pd;
	link->rq_pd = shape->pd;
	link->rq_mask = 0;
	link->rq = NULL;
	link->eager_bytes = 0;
	link->ring.view = view;
	link->ring.number = 2 * index + 1;
	link->ring.record = link->record;
	link->ring.cq = has_cq ? &view->cqs[shape->recv_cq] : NULL;
	link->ring.cq_index = shape->recv_cq;
	link->ring.qpn = qpn;
	if (!slots)
		return true;
	if (!has_cq || !arnica_is_power_of_two(shape->rq_slots) ||
	    shape->rq_slots > ARNICA_HW_MAX_QUEUE_DEPTH ||
	    !arnica_is_power_of_two(shape->rq_stride) || shape->rq_stride < 16 ||
	    shape->rq_stride > ARNICA_HW_MAX_RQE_BYTES ||
	    shape->rq_max_sge > shape->rq_stride / 16 ||
	    shape->rq_max_sge > ARNICA_HW_MAX_SGE)
		return false;
	link->rq = adev_view_at(view, shape->rq_offset,
				slots * shape->rq_stride);
	link->rq_stride = shape->rq_stride;
	link->rq_mask = shape->rq_slots - 1;
	link->rq_max_sge = shape->rq_max_sge;
	if (!ring_fits(view, shape->recv_ring_offset, shape->rq_slots,
		       &link->ring))
		return false;
	if (arnica_is_power_of_two(shape->eager_bytes)) {
		link->eager = adev_view_at(view, shape->eager_offset,
					   shape->eager_bytes);
		link->eager_bytes = link->eager ? shape->eager_bytes : 0;
	}
	return link->rq && !(shape->rq_offset & 15) &&
	       (!shape->srq ||
		fill_srq(link, shape->srq - 1, shape->rq_offset));
}

bool adev_link_find_ring(struct adev_link *link)
{
	struct adev_ring ring;

	if (!ring_fits(link->view, link->qp->recv_ring_offset,
		       link->qp->rq_slots, &ring))
		return false;
	link->ring.entries = ring.entries;
	link->ring.mask = ring.mask;
	return true;
}

bool adev_link_own(struct adev_qp *qp, struct adev_link *link)
{
	struct shape shape;

	memset(link, 0, sizeof(*link));
	link->view = &qp->fn->view;
	link->qp = qp->shared;
	link->index = qp->index;
	copy_shape(qp->shared, &shape);
	link->resolved = fill(link, &shape, qp->index, qp->qpn);
	return link->resolved;
}

/* `abandons`: the QP whose message may have a transfer under way there. */
static enum adev_link_state attach(struct adev_function *fn,
				   struct adev_link *link, uint32_t function,
				   uint64_t generation,
				   struct adev_qp *abandons)
{
	if (link->view && link->view->function == function &&
	    link->view->generation == generation)
		return ADEV_LINK_UP;
	if (abandons)
		adev_link_abandon(abandons);
	adev_link_close(link);
	if (adev_adapter_attach(fn, function, generation, &link->view)) {
		link->view = NULL;
		return ADEV_LINK_ABSENT;
	}
	return ADEV_LINK_UP;
}

/* The peer's process ended: dead, or in good order? */
static enum adev_link_state state_of_gone(struct adev_function *fn,
					  const struct adev_link *link)
{
	struct adev_view *view = link->view;

	if (!view)
		return ADEV_LINK_ABSENT;
	if (adev_directory_life(fn->directory, view->function,
				view->generation) == ADEV_LIFE_DEAD)
		return ADEV_LINK_DEAD;
	return ADEV_LINK_ABSENT;
}

/* The QP with this number, in the view that is attached. */
static enum adev_link_state look_at(struct adev_function *fn,
				    struct adev_link *link, uint32_t qpn,
				    uint32_t index)
{
	struct shape shape;

	if (index >= link->view->layout.max_qp)
		return ADEV_LINK_ABSENT;
	link->qp = &link->view->qps[index];
	link->index = index;
	if (!adev_qp_try_lock_announcing(link->qp, fn->view.function))
		return ADEV_LINK_BUSY;
	copy_shape(link->qp, &shape);
	link->resolved = link->qp->qpn == qpn && qpn;
	adev_qp_unlock(link->qp);
	if (!link->resolved || !fill(link, &shape, index, qpn)) {
		link->resolved = false;
		return ADEV_LINK_ABSENT;
	}
	return ADEV_LINK_UP;
}

static enum adev_link_state open_link(struct adev_function *fn, uint32_t qpn,
				      struct adev_link *link,
				      struct adev_qp *abandons)
{
	uint32_t function, lease;
	uint64_t generation;

	if (link->resolved) {
		if (adev_directory_alive(fn->directory, link->view->function,
					 link->view->generation))
			return ADEV_LINK_UP;
		link->resolved = false;
	}
	if (adev_directory_find(fn->directory, qpn, &function, &generation,
				&lease))
		return state_of_gone(fn, link);
	if (attach(fn, link, function, generation, abandons) != ADEV_LINK_UP)
		return ADEV_LINK_ABSENT;
	return look_at(fn, link, qpn,
		       lease * ADEV_LEASE_QPNS + (qpn & (ADEV_LEASE_QPNS - 1)));
}

enum adev_link_state adev_link_open(struct adev_function *fn, uint32_t qpn,
				    struct adev_link *link)
{
	return open_link(fn, qpn, link, NULL);
}

void adev_link_close(struct adev_link *link)
{
	if (link->view)
		adev_adapter_detach(link->view);
	link->view = NULL;
	link->resolved = false;
}

enum adev_link_state adev_link_resolve(struct adev_qp *qp)
{
	return open_link(qp->fn, arnica_from_le32(qp->attributes.dest_qpn),
			 &qp->link, qp);
}

void adev_link_abandon(struct adev_qp *qp)
{
	struct adev_link *to = qp->xrc ? adev_xrc_current(qp->xrc) : &qp->link;

	if (!qp->message)
		return;
	if (to && to->view && qp->message->inbox_slot >= 0)
		adev_dma_abandon(to->view, qp->message->inbox_slot);
	qp->message->inbox_slot = -1;
}

void adev_link_drop(struct adev_qp *qp)
{
	adev_link_abandon(qp);
	adev_xrc_close(qp);
	adev_link_close(&qp->link);
}
