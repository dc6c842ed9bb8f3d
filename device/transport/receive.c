/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Packets from the wire find their QP here. What fits no QP changes a counter
 * and nothing else. After each burst the QPs that were concerned settle: they
 * acknowledge, answer, and go on sending.
 */
#include "core/qp_lock.h"
#include "domain/directory.h"
#include "domain/gid.h"
#include "domain/port.h"
#include "exec/exec.h"
#include "transport/datagram.h"
#include "transport/multicast.h"
#include "transport/receiver_state.h"
#include "transport/sender.h"
#include "trace.h"

/* QPs that settle in one drain, and packets of responses for each: the rest
 * comes with the next. */
#define TURN_QPS 64u

#define PKEY_MASK 0x7fffu /* without the membership bit */

/* The QP that a number belongs to, if it is of this function. With
 * `wire_receive` held it stays (adev_wire_quiesce() in DESTROY_QP). */
static struct adev_qp *find_qp(struct adev_function *fn, uint32_t qpn)
{
	uint32_t function, lease, index;
	uint64_t generation;
	struct adev_qp *qp;

	if (adev_directory_find(fn->directory, qpn, &function, &generation,
				&lease) ||
	    function != fn->view.function)
		return NULL;
	index = lease * ADEV_LEASE_QPNS + (qpn & (ADEV_LEASE_QPNS - 1));
	if (index >= fn->view.layout.max_qp)
		return NULL;
	qp = __atomic_load_n(&fn->qps[index], __ATOMIC_ACQUIRE);
	return qp && qp->qpn == qpn ? qp : NULL;
}

/* Is the packet of the QP's transport? */
static bool type_fits(const struct adev_qp *qp, uint8_t opcode)
{
	switch (opcode & ROCE_TRANSPORT_MASK) {
	case ROCE_RC:
		return qp->type == ARNICA_HW_QP_RC;
	case ROCE_UC:
		return qp->type == ARNICA_HW_QP_UC;
	case ROCE_UD:
		return qp->type == ARNICA_HW_QP_UD;
	case ROCE_XRC:
		return qp->type ==
		       (roce_opcode_info(opcode) & ROCE_IS_REQUEST ?
				ARNICA_HW_QP_XRC_RECV :
				ARNICA_HW_QP_XRC_SEND);
	default:
		return opcode == ROCE_CNP_OPCODE &&
		       qp->type != ARNICA_HW_QP_UD;
	}
}

/* An answer to the QP's own requests, or a CNP. */
static void hand_to_sender(struct adev_qp *qp,
			   const struct adev_arrival *arrival)
{
	bool matches;

	adev_qp_lock_send(qp);
	matches = atomic_load(&qp->remote) &&
		  adev_remote_matches(qp->remote_kept, arrival);
	if (matches) {
		if ((arrival->traffic_class & ADEV_ECN_MASK) ==
		    ADEV_ECN_CONGESTION)
			adev_receiver_congested(qp, arrival->now_ns);
		adev_sender_answer(qp, arrival);
		qp->remote_kept->answered = true;
	}
	adev_exec_release(qp);
	if (!matches) {
		adev_count(&qp->fn->counters, wire_source);
		arnica_trace_wire_source(qp->qpn, arrival->packet.opcode);
		return;
	}
	adev_settle_later(qp);
}

static void hand_over(struct adev_qp *qp, const struct adev_arrival *arrival)
{
	uint32_t info = roce_opcode_info(arrival->packet.opcode);

	if (qp->type == ARNICA_HW_QP_UD) {
		adev_datagram_arrive(qp, arrival);
	} else if (!atomic_load(&qp->remote)) {
		/* Its peer is of this domain, and sends no packets. */
		adev_count(&qp->fn->counters, wire_source);
		arnica_trace_wire_source(qp->qpn, arrival->packet.opcode);
	} else if (info & ROCE_IS_REQUEST) {
		adev_receiver_request(qp, arrival);
		adev_settle_later(qp);
	} else {
		hand_to_sender(qp, arrival);
	}
}

/* Of a UD packet to a group: each QP of this function that is attached. */
static void hand_to_group(struct adev_function *fn,
			  const struct adev_arrival *arrival)
{
	const struct roce_packet *packet = &arrival->packet;
	bool own = adev_port_is_local(arrival->source);
	uint32_t at = 0, qpn, found = 0;

	while (adev_gid_is_multicast(arrival->destination) &&
	       (qpn = adev_mcast_next_member(&fn->view, arrival->destination,
					     &at))) {
		struct adev_qp *qp = find_qp(fn, qpn);

		if (!qp || !type_fits(qp, packet->opcode) ||
		    (own && qp->blocks_own && qpn == packet->source_qpn))
			continue;
		adev_datagram_arrive(qp, arrival);
		found++;
	}
	if (found)
		return;
	adev_count(&fn->counters, wire_no_group);
	arnica_trace_wire_no_group(packet->source_qpn, packet->opcode);
}

static bool pkey_fits(const struct roce_packet *packet)
{
	return (packet->pkey & PKEY_MASK) == (ROCE_DEFAULT_PKEY & PKEY_MASK);
}

void adev_transport_receive(struct adev_function *fn,
			    const struct adev_arrival *arrival)
{
	const struct roce_packet *packet = &arrival->packet;
	struct adev_qp *qp;

	if (__builtin_expect(packet->dest_qpn == ARNICA_HW_QPN_MCAST &&
				     pkey_fits(packet),
			     0)) {
		hand_to_group(fn, arrival);
		return;
	}
	qp = find_qp(fn, packet->dest_qpn);
	if (!qp) {
		adev_count(&fn->counters, wire_no_qp);
		arnica_trace_wire_no_qp(packet->dest_qpn, packet->opcode);
	} else if (!type_fits(qp, packet->opcode)) {
		adev_count(&fn->counters, wire_type);
		arnica_trace_wire_type(qp->qpn, packet->opcode);
	} else if (!pkey_fits(packet)) {
		adev_count(&fn->counters, wire_pkey);
		arnica_trace_wire_pkey(qp->qpn, packet->pkey);
	} else {
		hand_over(qp, arrival);
	}
}

void adev_settle_later(struct adev_qp *qp)
{
	struct adev_function *fn = qp->fn;
	struct adev_remote *remote = qp->remote_kept;
	struct adev_qp *last;

	if (atomic_load_explicit(&remote->settling, memory_order_relaxed))
		return;
	pthread_mutex_lock(&fn->waiting_lock);
	last = fn->last_settling;
	if (!remote->leaving) {
		remote->settling = true;
		remote->next_settling = NULL;
		if (last)
			last->remote_kept->next_settling = qp;
		else
			fn->settling = qp;
		fn->last_settling = qp;
	}
	pthread_mutex_unlock(&fn->waiting_lock);
}

/* With waiting_lock held. */
static void unlist(struct adev_function *fn, struct adev_qp *previous,
		   struct adev_qp *qp)
{
	struct adev_qp *next = qp->remote_kept->next_settling;

	if (previous)
		previous->remote_kept->next_settling = next;
	else
		fn->settling = next;
	if (fn->last_settling == qp)
		fn->last_settling = previous;
	qp->remote_kept->settling = false;
}

void adev_settle_never(struct adev_qp *qp)
{
	struct adev_function *fn = qp->fn;
	struct adev_qp *previous = NULL, *other;

	if (!qp->remote_kept)
		return;
	pthread_mutex_lock(&fn->waiting_lock);
	qp->remote_kept->leaving = true;
	for (other = fn->settling; other && other != qp;
	     other = other->remote_kept->next_settling)
		previous = other;
	if (other)
		unlist(fn, previous, qp);
	pthread_mutex_unlock(&fn->waiting_lock);
}

static struct adev_qp *next_to_settle(struct adev_function *fn)
{
	struct adev_qp *qp;

	pthread_mutex_lock(&fn->waiting_lock);
	qp = fn->settling;
	if (qp)
		unlist(fn, NULL, qp);
	pthread_mutex_unlock(&fn->waiting_lock);
	return qp;
}

static void settle(struct adev_qp *qp, bool answers_only)
{
	if (answers_only || adev_receiver_settle(qp))
		adev_settle_later(qp);
	if (qp->remote_kept->answered) {
		qp->remote_kept->answered = false;
		adev_exec_submit(qp, NULL);
	}
}

bool adev_transport_settle(struct adev_function *fn, bool answers_only)
{
	struct adev_batch *batch;
	struct adev_qp *last, *qp;
	uint32_t turns = 0;

	/* Set by this thread: it has wire_receive. */
	last = atomic_load_explicit(&fn->last_settling, memory_order_relaxed);
	if (!last)
		return false;
	do {
		qp = next_to_settle(fn);
		if (qp)
			settle(qp, answers_only);
	} while (qp && qp != last && ++turns < TURN_QPS);
	batch = adev_wire_batch(fn);
	if (batch)
		adev_batch_send(batch);
	return atomic_load_explicit(&fn->settling, memory_order_relaxed);
}
