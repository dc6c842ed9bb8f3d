/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Doorbell handler: what the host writes to its doorbell pages arrives here.
 * A wrong value is refused, counted and traced; it harms nobody.
 */
#include "front/doorbell.h"

#include <string.h>

#include <arnica/hw/doorbell.h>

#include "core/qp_lock.h"
#include "exec/exec.h"
#include "exec/hold.h"
#include "front/command.h"
#include "front/srq_table.h"
#include "trace.h"

/* The QP that a doorbell names, if it is this function's. */
static struct adev_qp *find_qp(struct adev_function *fn, uint32_t queue,
			       uint32_t qpn)
{
	struct adev_qp *qp;

	if (queue >= fn->view.layout.max_qp)
		return NULL;
	qp = fn->qps[queue];
	return qp && qp->qpn == qpn ? qp : NULL;
}

static void refuse_queue(struct adev_function *fn, uint32_t queue, uint32_t qpn)
{
	adev_count(&fn->counters, refused_queue);
	arnica_trace_refused_queue(queue, qpn);
}

static void refuse_offset(struct adev_function *fn, uint32_t page,
			  uint32_t offset)
{
	adev_count(&fn->counters, refused_offset);
	arnica_trace_refused_offset(page, offset);
}

/*
 * Takes over a producer index of 24 bits. It may only move forward, and by no
 * more than the queue holds. Concurrent doorbells of one queue may arrive in
 * either order, so one that is behind is no mistake.
 */
static bool advance_producer(struct adev_qp *qp, uint32_t low)
{
	uint32_t old = atomic_load_explicit(&qp->producer,
					    memory_order_relaxed);

	for (;;) {
		uint32_t ahead = (low - old) & 0xffffffu;

		if (ahead > 0xffffffu / 2)
			return true;
		if (ahead > qp->sq_depth)
			return false;
		if (atomic_compare_exchange_weak(&qp->producer, &old,
						 old + ahead))
			return true;
	}
}

/* The QP whose send queue a doorbell value is for; NULL when it is refused. */
static struct adev_qp *send_queue_of(struct adev_function *fn, uint64_t value,
				     uint32_t *producer)
{
	uint32_t queue, qpn;
	struct adev_qp *qp;

	arnica_hw_doorbell_decode(value, &queue, &qpn, producer);
	qp = find_qp(fn, queue, qpn);
	if (!qp)
		refuse_queue(fn, queue, qpn);
	return qp;
}

static void ring_send(struct adev_qp *qp, uint32_t producer, const void *area)
{
	struct adev_counters *counters = &qp->fn->counters;
	uint32_t before = atomic_load_explicit(&qp->producer,
					       memory_order_relaxed);

	if (!advance_producer(qp, producer)) {
		adev_count(counters, refused_index);
		arnica_trace_refused_index(qp->qpn, producer);
		return;
	}
	adev_count(counters, doorbells);
	arnica_trace_doorbell(qp->qpn, producer);
	if (area || !adev_hold_post(qp, (producer - before) & 0xffffffu))
		adev_exec_submit(qp, area);
}

/* A receive was posted to a queue that is flushed. */
static void flush_again(struct adev_qp *qp)
{
	adev_qp_lock_send(qp);
	if (atomic_load(&qp->shared->state) == ARNICA_HW_QPS_ERR)
		adev_qp_flush(qp);
	adev_exec_release(qp);
}

/* A receive was posted to a queue that somebody waits for. */
static void ring_receive(struct adev_function *fn, uint64_t value)
{
	uint32_t queue, qpn, producer, waiter;
	struct adev_qp *qp;

	arnica_hw_doorbell_decode(value, &queue, &qpn, &producer);
	qp = find_qp(fn, queue, qpn);
	if (!qp) {
		refuse_queue(fn, queue, qpn);
		return;
	}
	if (atomic_load(&qp->shared->state) != ARNICA_HW_QPS_ERR) {
		arnica_store32(&qp->recv_ring.record->waiting, 0,
			       memory_order_seq_cst);
		waiter = atomic_exchange(&qp->shared->waiter, 0);
		if (waiter)
			adev_function_nudge_peer(fn, waiter - 1);
	}
	/* Perhaps only by now; then the mark of the flush may be gone. */
	if (atomic_load(&qp->shared->state) == ARNICA_HW_QPS_ERR)
		flush_again(qp);
}

/* The same for a shared one. */
static void ring_shared(struct adev_function *fn, uint64_t value)
{
	uint32_t queue, number, producer;

	arnica_hw_doorbell_decode(value, &queue, &number, &producer);
	if (adev_srq_valid(fn, queue) && fn->srqs[queue].number == number)
		adev_srq_wake(fn, queue);
	else
		refuse_queue(fn, queue, number);
}

void adev_doorbell_write(struct adev_function *fn, uint32_t page,
			 uint32_t offset, uint64_t value)
{
	struct adev_qp *qp;
	uint32_t producer;

	if (page >= ARNICA_HW_DOORBELL_PAGES) {
		refuse_offset(fn, page, offset);
		return;
	}
	switch (offset) {
	case ARNICA_HW_DB_SQ:
		qp = send_queue_of(fn, value, &producer);
		if (qp)
			ring_send(qp, producer, NULL);
		break;
	case ARNICA_HW_DB_RQ:
		ring_receive(fn, value);
		break;
	case ARNICA_HW_DB_SRQ:
		ring_shared(fn, value);
		break;
	case ARNICA_HW_DB_CQP:
		adev_cqp_run(fn);
		break;
	default:
		refuse_offset(fn, page, offset);
	}
}

/*
 * Copies a descriptor out of the area, and tells whether it is whole. Another
 * thread may be storing there at this moment: each word is loaded once, and
 * what is checked is the copy. No order is needed: a mix of stores has no seal
 * that fits.
 */
static bool take_area(struct adev_function *fn, uint32_t page, uint32_t offset,
		      uint32_t length, uint64_t value, uint64_t *copy)
{
	const arnica_atomic_le64 *words =
		(const void *)(fn->view.base + ARNICA_HW_BAR_DOORBELLS +
			       (size_t)page * ARNICA_HW_PAGE_BYTES + offset);
	uint64_t seal = arnica_hw_area_seal_begin(value, length);
	uint32_t i, count = length / 8;

	if (arnica_load64(&words[0], memory_order_relaxed) != value)
		return false;
	for (i = 0; i < count; i++) {
		arnica_le64 word = { atomic_load_explicit(
			&words[1 + i].raw, memory_order_relaxed) };

		copy[i] = word.raw;
		seal = arnica_hw_area_seal_add(seal, arnica_from_le64(word));
	}
	return arnica_load64(&words[1 + count], memory_order_relaxed) == seal;
}

/* Bytes that the descriptor says it has; more than were written is no
 * descriptor. */
static uint64_t needed_bytes(const uint64_t *descriptor)
{
	const struct arnica_hw_wqe_control *control = (const void *)descriptor;
	uint64_t operation = arnica_from_le32(control->operation);
	uint32_t opcode = (uint32_t)arnica_field_get(
		operation, ARNICA_HW_WQE_OPCODE_MASK);
	bool has_inline =
		arnica_field_get(operation, ARNICA_HW_WQE_FLAGS_MASK) &
		ARNICA_HW_WQE_INLINE;

	return arnica_hw_wqe_data_offset(opcode) +
	       (has_inline ? arnica_from_le32(control->inline_bytes) :
			     16 * arnica_field_get(operation,
						   ARNICA_HW_WQE_NUM_SGE_MASK));
}

/* Was everything before this descriptor executed, so that it is the next? */
static bool is_next(struct adev_qp *qp, uint32_t producer,
		    const uint64_t *descriptor)
{
	const struct arnica_hw_wqe_control *control = (const void *)descriptor;
	uint32_t index = arnica_from_le32(control->index);

	return ((index + 1) & 0xffffffu) == producer &&
	       atomic_load_explicit(&qp->producer, memory_order_relaxed) ==
		       index;
}

void adev_doorbell_area(struct adev_function *fn, uint32_t page,
			uint32_t offset, uint32_t length, uint64_t value)
{
	uint64_t copy[ARNICA_HW_AREA_BYTES / 8];
	struct adev_qp *qp;
	uint32_t producer;
	bool whole;

	if (page >= ARNICA_HW_DOORBELL_PAGES ||
	    (offset != ARNICA_HW_DB_AREA0 && offset != ARNICA_HW_DB_AREA1)) {
		refuse_offset(fn, page, offset);
		return;
	}
	qp = send_queue_of(fn, value, &producer);
	if (!qp)
		return;
	whole = length >= ARNICA_HW_WQE_HEADER_BYTES && !(length & 15) &&
		length <= ARNICA_HW_AREA_DESCRIPTOR_BYTES &&
		take_area(fn, page, offset, length, value, copy) &&
		needed_bytes(copy) <= length && is_next(qp, producer, copy);
	if (!whole) {
		adev_count(&fn->counters, bf_fallback);
		arnica_trace_bf_fallback(offset, length);
	}
	ring_send(qp, producer, whole ? copy : NULL);
}
