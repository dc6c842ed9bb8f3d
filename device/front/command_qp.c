/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* CREATE_QP and DESTROY_QP: numbers, memory, shared and private halves. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "comp/async.h"
#include "comp/channel.h"
#include "core/qp_lock.h"
#include "domain/directory.h"
#include "domain/proc.h"
#include "domain/segment.h"
#include "exec/exec.h"
#include "exec/hold.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/opened.h"
#include "front/qp_plan.h"
#include "front/raw_status.h"
#include "front/srq_table.h"
#include "front/xrcd_table.h"
#include "link/wire.h"
#include "transport/datagram.h"
#include "transport/raw_packet.h"
#include "transport/receiver.h"
#include "transport/remote.h"
#include "transport/rss.h"
#include "transport/xrc.h"

#define DESTROY_LOCK_MS 1000u

/* A lease for QPs of index lease * 256 and on. */
static int ensure_lease(struct adev_function *fn, uint32_t lease)
{
	uint32_t block;
	int error;

	if (fn->leases[lease])
		return 0;
	error = adev_directory_lease(fn->directory, fn->view.function, lease,
				     &block);
	if (!error) {
		fn->leases[lease] = block;
		adev_wire_leased(fn);
	}
	return error;
}

/*
 * A free index, and with it a QP number: the block's number is random, and so
 * is the order within the block. The search goes on behind the last one, so
 * that a number is not used again soon.
 */
static int take_number(struct adev_function *fn, uint32_t *index, uint32_t *qpn)
{
	uint32_t max = fn->view.layout.max_qp, lease, tries;

	if (fn->num_qps >= max)
		return ENOMEM;
	for (lease = 0; lease < max / ADEV_LEASE_QPNS; lease++) {
		if (fn->lease_used[lease] == ADEV_LEASE_QPNS)
			continue;
		if (ensure_lease(fn, lease))
			return ENOMEM;
		for (tries = 0; tries < ADEV_LEASE_QPNS; tries++) {
			uint32_t low = fn->qp_order[fn->next_qp++ %
						    ADEV_LEASE_QPNS];

			*index = lease * ADEV_LEASE_QPNS + low;
			if (fn->qps[*index] || fn->quarantined[*index])
				continue;
			*qpn = fn->leases[lease] << 8 | low;
			return 0;
		}
	}
	return ENOMEM;
}

static int populate_tables(struct adev_function *fn, uint32_t index)
{
	int error = adev_segment_populate(
		fn->segment_fd,
		fn->view.layout.qp_offset +
			index * sizeof(struct adev_qp_shared),
		sizeof(struct adev_qp_shared));

	if (error)
		return error;
	return adev_segment_populate(
		fn->segment_fd,
		fn->view.layout.records_offset +
			2ull * index * sizeof(struct arnica_hw_queue_record),
		2 * sizeof(struct arnica_hw_queue_record));
}

static void init_ring(struct adev_qp *qp, struct adev_ring *ring, bool receive,
		      uint64_t offset, uint32_t slots)
{
	struct adev_view *view = &qp->fn->view;

	memset(ring, 0, sizeof(*ring));
	ring->view = view;
	ring->entries = slots ? (void *)(view->base + offset) : NULL;
	ring->mask = slots ? slots - 1 : 0;
	ring->number = 2 * qp->index + (receive ? 1 : 0);
	ring->record = &view->records[ring->number];
	ring->cq_index = receive ? qp->recv_cq : qp->send_cq;
	ring->cq = adev_qp_plan_is_bare(qp->type) ? NULL : &view->cqs[ring->cq_index];
	ring->qpn = qp->qpn;
}

static void init_private(struct adev_qp *qp,
			 const struct arnica_hw_cmd_create_qp *cmd,
			 const struct adev_qp_sizes *sizes, uint64_t base)
{
	qp->shared = &qp->fn->view.qps[qp->index];
	qp->type = arnica_from_le32(cmd->type);
	adev_qp_judge_plain(qp);
	qp->pd = arnica_from_le32(cmd->pd);
	qp->binder.user.pd = qp->pd;
	qp->binder.user.qpn = qp->qpn;
	qp->send_cq = arnica_from_le32(cmd->send_cq);
	qp->recv_cq = arnica_from_le32(cmd->recv_cq);
	if (adev_qp_plan_is_bare(qp->type))
		qp->pd = qp->send_cq = qp->recv_cq = UINT32_MAX;
	qp->xrcd = adev_qp_plan_xrcd(cmd);
	qp->memory_offset = base;
	qp->memory_bytes = sizes->total;
	qp->sq = qp->fn->view.base + base + sizes->sq;
	qp->sq_stride = sizes->send_stride;
	qp->registers = arnica_from_le32(cmd->flags) & ARNICA_HW_QP_REGISTERS &&
			qp->type != ARNICA_HW_QP_UD &&
			!adev_qp_plan_is_raw(qp->type);
	qp->drains = arnica_from_le32(cmd->flags) & ARNICA_HW_QP_DRAINS;
	qp->sq_mask = sizes->send_slots ? sizes->send_slots - 1 : 0;
	qp->sq_depth = arnica_from_le32(cmd->send_depth);
	qp->rq_depth = arnica_from_le32(cmd->recv_depth);
	qp->allowance = ADEV_GATHER_ENTRY_BYTES;
	/* It was checked to be an SRQ of this function. */
	if (cmd->srq.raw)
		(void)!adev_srq_open(&qp->fn->view, adev_qp_plan_srq(cmd), qp->index,
				     &qp->srq);
	qp->blocks_own = arnica_from_le32(cmd->flags) &
			 ARNICA_HW_QP_BLOCK_SELF_MCAST;
	qp->path_mtu_bytes =
		qp->type == ARNICA_HW_QP_UD ? ADEV_DATAGRAM_MAX_BYTES : 1024;
	init_ring(qp, &qp->send_ring, false, base + sizes->send_ring,
		  sizes->send_slots);
	init_ring(qp, &qp->recv_ring, true, base + sizes->recv_ring,
		  sizes->recv_slots);
}

/* Of one that is not used again until the function ends. */
static void quarantine(struct adev_function *fn, uint32_t index)
{
	fn->quarantined[index] = 1;
	fn->qps_quarantined++;
}

/* Strangers who looked for the last queue pair of this place may still be here
 * for a moment; one that was stopped there keeps the place. */
static bool lock_place(struct adev_function *fn, uint32_t index)
{
	if (!adev_qp_lock_owner(fn, &fn->view.qps[index], DESTROY_LOCK_MS))
		return true;
	fn->lease_used[index / ADEV_LEASE_QPNS]++;
	quarantine(fn, index);
	return false;
}

/* The number is published last: from then on peers can find the QP. With the
 * responder lock. */
static void init_shared(struct adev_qp *qp,
			const struct arnica_hw_cmd_create_qp *cmd,
			const struct adev_qp_sizes *sizes, uint64_t base)
{
	struct adev_qp_shared *shared = qp->shared;
	struct adev_view *view = &qp->fn->view;
	uint32_t incarnation = shared->incarnation + 1;

	memset(&view->records[2 * qp->index], 0,
	       2 * sizeof(struct arnica_hw_queue_record));
	atomic_store(&shared->state, ARNICA_HW_QPS_RESET);
	shared->incarnation = incarnation;
	shared->dest_qpn = 0;
	shared->pd = qp->pd;
	shared->access = 0;
	shared->qkey = 0;
	shared->max_dest_rd_atomic = 0;
	shared->send_cq = qp->send_cq;
	shared->recv_cq = qp->recv_cq;
	shared->rq_stride = sizes->recv_stride;
	shared->rq_slots = sizes->recv_slots;
	shared->srq = arnica_from_le32(cmd->srq);
	shared->xrcd = adev_xrcd_id(qp->fn, qp->xrcd);
	atomic_store(&shared->srq_number, 0);
	atomic_store(&shared->srq_taken, 0);
	shared->rq_max_sge = sizes->recv_stride / 16;
	if (shared->rq_max_sge > ARNICA_HW_MAX_SGE)
		shared->rq_max_sge = ARNICA_HW_MAX_SGE;
	shared->eager_bytes = sizes->eager_bytes;
	shared->type = qp->type;
	shared->rq_offset = qp->srq.shared ? qp->srq.shared->entries_offset :
					     base + sizes->rq;
	shared->recv_ring_offset = base + sizes->recv_ring;
	shared->eager_offset = base + sizes->eager;
	shared->user_data = arnica_from_le64(cmd->user_data);
	shared->expected_psn = 0;
	shared->msn = 0;
	shared->rq_head = 0;
	shared->rq_producer_seen = 0;
	shared->eager_head = 0;
	shared->eager_tail_seen = 0;
	shared->async_event = 0;
	shared->established = 0;
	atomic_store(&shared->needs, 0);
	atomic_store(&shared->waiter, 0);
	/* It is no queue pair to anybody, and has no states. */
	if (qp->type == ARNICA_HW_QP_XRC_SRQ)
		atomic_store(&shared->state, ARNICA_HW_QPS_RTS);
	shared->qpn = qp->qpn;
	if (qp->type == ARNICA_HW_QP_XRC_RECV)
		adev_openers_begin(shared);
}

static void fill_queue(struct arnica_hw_res_queue *queue,
		       const struct adev_qp *qp, bool receive,
		       const struct arnica_hw_cmd_create_qp *cmd,
		       const struct adev_qp_sizes *sizes, uint64_t base)
{
	uint32_t number = 2 * qp->index + (receive ? 1 : 0);
	uint32_t slots = receive ? sizes->recv_slots : sizes->send_slots;

	memset(queue, 0, sizeof(*queue));
	queue->record_offset = arnica_to_le64(
		qp->fn->view.layout.records_offset +
		number * sizeof(struct arnica_hw_queue_record));
	queue->entry_bytes = arnica_to_le32(receive ? sizes->recv_stride :
						      sizes->send_stride);
	queue->slots = arnica_to_le32(slots);
	queue->depth = receive ? cmd->recv_depth : cmd->send_depth;
	queue->max_sge = receive ? cmd->recv_sge : cmd->send_sge;
	if (!slots)
		return;
	if (!receive || !qp->srq.shared)
		queue->entries_offset = arnica_to_le64(
			base + (receive ? sizes->rq : sizes->sq));
	queue->ring_offset = arnica_to_le64(
		base + (receive ? sizes->recv_ring : sizes->send_ring));
	if (receive) {
		queue->eager_offset = arnica_to_le64(base + sizes->eager);
		queue->eager_bytes = arnica_to_le32(sizes->eager_bytes);
	}
}

static uint32_t srq_handle(const struct adev_qp *qp)
{
	return qp->srq.shared ? qp->srq.index : ADEV_NO_SRQ;
}

static void register_qp(struct adev_function *fn, struct adev_qp *qp)
{
	/* Looked at by who drains the wire, without a lock. */
	__atomic_store_n(&fn->qps[qp->index], qp, __ATOMIC_RELEASE);
	fn->num_qps++;
	fn->lease_used[qp->index / ADEV_LEASE_QPNS]++;
	if (fn->qp_scan_end <= qp->index)
		__atomic_store_n(&fn->qp_scan_end, qp->index + 1,
				 __ATOMIC_RELAXED);
	adev_xrcd_get(fn, qp->xrcd);
	if (adev_qp_plan_is_bare(qp->type))
		return;
	adev_pd_get(fn, qp->pd);
	adev_cq_attach(fn, qp->send_cq, qp->sq_depth);
	adev_cq_attach(fn, qp->recv_cq,
		       qp->rq_depth +
			       adev_srq_adds(fn, srq_handle(qp), qp->recv_cq));
}

static void release_objects(struct adev_function *fn, struct adev_qp *qp)
{
	uint32_t shared_depth = adev_srq_put(fn, srq_handle(qp), qp->recv_cq);

	adev_xrcd_put(fn, qp->xrcd);
	if (adev_qp_plan_is_bare(qp->type))
		return;
	adev_cq_detach(fn, qp->send_cq, qp->sq_depth);
	adev_cq_detach(fn, qp->recv_cq, qp->rq_depth + shared_depth);
	adev_pd_put(fn, qp->pd);
}

/* What a type remembers of those that it sends to. */
static int create_links(struct adev_qp *qp,
			const struct arnica_hw_cmd_create_qp *cmd)
{
	uint32_t type = arnica_from_le32(cmd->type);

	if (type == ARNICA_HW_QP_UD)
		return adev_datagram_create(qp);
	if (type == ARNICA_HW_QP_RSS)
		return adev_rss_attach(qp, &cmd->rss);
	if (type == ARNICA_HW_QP_XRC_SEND || type == ARNICA_HW_QP_XRC_RECV)
		return adev_xrc_create(qp);
	return 0;
}

static void destroy_links(struct adev_qp *qp)
{
	adev_datagram_destroy(qp);
	adev_xrc_destroy(qp);
	adev_rss_detach(qp);
}

ADEV_COMMAND_HANDLER(create_qp)
{
	const struct arnica_hw_cmd_create_qp *cmd = &command->create_qp;
	struct arnica_hw_res_qp *answer = &completion->qp;
	enum arnica_hw_command_status status = adev_qp_plan_check(fn, cmd);
	struct adev_qp *qp;
	uint32_t srq = adev_qp_plan_srq(cmd), recv_cq = arnica_from_le32(cmd->recv_cq);
	struct adev_qp_sizes sizes;
	uint64_t base;

	if (!status && adev_qp_plan_is_raw(arnica_from_le32(cmd->type)))
		status = adev_raw_status(adev_raw_open(fn));
	if (status)
		return status;
	adev_orphans_reap(fn);
	adev_qp_plan_sizes(cmd, srq == ADEV_NO_SRQ ? NULL : &fn->view.srqs[srq],
		      &sizes);
	if (posix_memalign((void **)&qp, 64, sizeof(*qp)))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	memset(qp, 0, sizeof(*qp));
	qp->fn = fn;
	if (take_number(fn, &qp->index, &qp->qpn) ||
	    populate_tables(fn, qp->index))
		goto err_free;
	if (create_links(qp, cmd))
		goto err_free;
	if (adev_srq_get(fn, srq, recv_cq))
		goto err_links;
	if (adev_heap_alloc(&fn->heap, sizes.total, &base))
		goto err_srq;
	if (!lock_place(fn, qp->index))
		goto err_heap;
	init_private(qp, cmd, &sizes, base);
	/* Peers can find it from its first moment. */
	if (qp->type == ARNICA_HW_QP_XRC_SRQ)
		adev_regions_meet_peers(fn);
	init_shared(qp, cmd, &sizes, base);
	adev_qp_unlock(qp->shared);
	register_qp(fn, qp);
	memset(answer, 0, sizeof(*answer));
	answer->handle = arnica_to_le32(qp->index);
	answer->qpn = arnica_to_le32(qp->qpn);
	answer->inline_bytes = arnica_to_le32(sizes.inline_bytes);
	fill_queue(&answer->send, qp, false, cmd, &sizes, base);
	fill_queue(&answer->receive, qp, true, cmd, &sizes, base);
	return ARNICA_HW_COMMAND_OK;

err_heap:
	adev_heap_free(&fn->heap, base, sizes.total);
err_srq:
	(void)adev_srq_put(fn, srq, recv_cq);
err_links:
	destroy_links(qp);
err_free:
	free(qp);
	return ARNICA_HW_COMMAND_NO_MEMORY;
}

/*
 * Nobody of this process looks at the QP any more after this. Whoever serves or
 * drains may put it on a list, so that ends first; then it leaves the lists.
 */
static void withdraw(struct adev_function *fn, struct adev_qp *qp)
{
	while (atomic_flag_test_and_set(&fn->serving))
		sched_yield();
	/* The last acknowledgement may have been put off, or lost, and the peer
	 * waits for it. */
	if (atomic_load(&qp->remote)) {
		adev_wire_quiesce(fn);
		(void)adev_wire_drain(fn, 0);
		adev_receiver_flush(qp);
	}
	__atomic_store_n(&fn->qps[qp->index], NULL, __ATOMIC_RELEASE);
	adev_settle_never(qp);
	adev_wire_quiesce(fn);
	adev_qp_lock_send(qp);
	adev_function_unwait(fn, qp);
	adev_sched_withdraw(&fn->scheduler, qp);
	adev_link_drop(qp);
	if (qp->remote_kept)
		adev_receiver_abandon(qp);
	adev_datagram_destroy(qp);
	adev_qp_unlock_send(qp);
	atomic_flag_clear(&fn->serving);
}

/* Entries that nobody will poll any more do not fill a CQ that counts. */
static void uncount(const struct adev_ring *ring, uint32_t written)
{
	struct arnica_hw_cq_record *record;
	uint32_t unpolled, old, new;

	if (!ring->entries)
		return;
	record = &ring->cq->record;
	unpolled = written - arnica_load32(&ring->record->polled,
					   memory_order_acquire);
	old = arnica_load32(&record->outstanding, memory_order_relaxed);
	if (unpolled > ring->mask + 1 ||
	    !arnica_load32(&record->counted, memory_order_relaxed))
		return;
	do {
		new = (int32_t)old > (int32_t)unpolled ? old - unpolled : 0;
	} while (!arnica_compare_exchange32(&record->outstanding, &old, new,
					    memory_order_relaxed));
}

/*
 * Takes the QP out of its peer's reach. A live peer that was stopped in the
 * middle of a message still has the rings in its hands: they are then not used
 * again until the function ends, and the caller need not wait for it.
 */
static bool make_unreachable(struct adev_function *fn, struct adev_qp *qp)
{
	struct adev_qp_shared *shared = qp->shared;
	uint32_t slot;
	bool locked;

	adev_openers_end(shared);
	locked = !adev_qp_lock_owner(fn, shared, DESTROY_LOCK_MS);
	atomic_store(&shared->state, ARNICA_HW_QPS_RESET);
	shared->qpn = 0;
	shared->incarnation++;
	if (!locked)
		return false;
	/* That of an SRQ that is locked for good is lost. */
	(void)!adev_xrc_flush(qp);
	/* The host finds it by its word. */
	if (qp->srq.shared)
		(void)!adev_srq_left(&qp->srq, shared, &slot);
	adev_qp_unlock(shared);
	return true;
}

uint32_t adev_qp_destroy(struct adev_function *fn, struct adev_qp *qp)
{
	uint64_t user_data = qp->shared->user_data;
	uint32_t events;
	bool reachable;

	adev_hold_end(qp);
	withdraw(fn, qp);
	reachable = !make_unreachable(fn, qp);
	if (reachable && qp->srq.shared) {
		adev_srq_lose(&qp->srq, qp->shared);
		adev_srq_quarantine(fn, srq_handle(qp));
	}
	adev_windows_end_binder(fn, &qp->binder);
	events = adev_async_end(fn, user_data, &qp->async_written);
	uncount(&qp->send_ring, qp->send_ring_head);
	uncount(&qp->recv_ring, qp->shared->rq_head);
	release_objects(fn, qp);
	adev_xrc_destroy(qp);
	adev_rss_detach(qp);
	fn->num_qps--;
	if (reachable) {
		/* Number, index and memory stay used: lease_used is not given
		 * back either. */
		quarantine(fn, qp->index);
	} else {
		fn->lease_used[qp->index / ADEV_LEASE_QPNS]--;
		adev_srq_free_ring(qp);
		adev_heap_free(&fn->heap, qp->memory_offset, qp->memory_bytes);
	}
	adev_remote_destroy(qp);
	free(qp->message);
	free(qp->pace);
	free(qp);
	return events;
}

ADEV_COMMAND_HANDLER(destroy_qp)
{
	uint32_t handle = arnica_from_le32(command->object.handle), events;
	struct adev_qp *qp;

	adev_orphans_reap(fn);
	qp = adev_qp_by_handle(fn, handle);
	if (!qp || qp->orphaned)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (qp->num_groups)
		return ARNICA_HW_COMMAND_BUSY;
	if (!adev_qp_orphan(fn, qp, &events))
		events = adev_qp_destroy(fn, qp);
	completion->events.async_events = arnica_to_le32(events);
	return ARNICA_HW_COMMAND_OK;
}
