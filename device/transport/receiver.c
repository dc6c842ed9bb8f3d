/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receiver, sequencing: which packets are due, which were here before, which
 * come too early (IBTA 9.7.4.1.1 for RC, 9.8.2.2 for UC).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/qp_lock.h"
#include "transport/receiver_state.h"
#include "trace.h"

#define LOCK_SPINS 1000u
#define LOCK_RESTS 50u

int adev_receiver_create(struct adev_qp *qp)
{
	struct adev_receiver *receiver = calloc(1, sizeof(*receiver));

	if (!receiver)
		return ENOMEM;
	receiver->atomic_slot = -1;
	qp->remote_kept->receiver = receiver;
	return 0;
}

void adev_receiver_destroy(struct adev_qp *qp)
{
	free(qp->remote_kept->receiver);
	qp->remote_kept->receiver = NULL;
}

void adev_receiver_start(struct adev_qp *qp)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	adev_receiver_abandon(qp);
	memset(receiver, 0, sizeof(*receiver));
	/* Made by this process just now: it fits. */
	(void)!adev_link_own(qp, &receiver->own);
	receiver->to = &receiver->own;
	receiver->atomic_slot = -1;
	qp->shared->msn = 0;
}

bool adev_receiver_lock(struct adev_qp *qp)
{
	uint32_t tries;

	for (tries = 0; tries < LOCK_SPINS + LOCK_RESTS; tries++) {
		if (adev_qp_try_lock(qp->shared, qp->fn->view.function))
			return true;
		if (tries < LOCK_SPINS)
			adev_pause();
		else
			adev_rest();
	}
	return false;
}

bool adev_receiver_listens(struct adev_qp *qp)
{
	uint32_t state = atomic_load_explicit(&qp->shared->state,
					      memory_order_relaxed);

	return atomic_load_explicit(&qp->remote, memory_order_relaxed) &&
	       (state == ARNICA_HW_QPS_RTR || state == ARNICA_HW_QPS_RTS ||
		state == ARNICA_HW_QPS_SQD || state == ARNICA_HW_QPS_SQE);
}

static uint32_t expected_psn(const struct adev_qp *qp)
{
	return atomic_load_explicit(&qp->shared->expected_psn,
				    memory_order_relaxed) &
	       ROCE_PSN_MASK;
}

static void expect(struct adev_qp *qp, uint32_t psn)
{
	atomic_store_explicit(&qp->shared->expected_psn, psn & ROCE_PSN_MASK,
			      memory_order_relaxed);
}

/* A message came in whole, or a read or atomic was accepted. */
static void count_message(struct adev_qp *qp, struct adev_aftermath *after)
{
	struct adev_qp_shared *shared = qp->shared;

	shared->msn = (shared->msn + 1) & 0xffffff;
	if (shared->established)
		return;
	shared->established = 1;
	after->established =
		atomic_load_explicit(&shared->state, memory_order_relaxed) ==
		ARNICA_HW_QPS_RTR;
}

static void accept_due(struct adev_qp *qp, const struct roce_packet *packet,
		       struct adev_aftermath *after)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	uint32_t operation = adev_operation(packet), count = 1;
	bool answers = adev_operation_responds(operation);

	if (!adev_receiver_place(qp, packet, after))
		return;
	if (operation == ROCE_READ_REQUEST)
		count = adev_psn_count(packet->dma_length, qp->path_mtu_bytes);
	expect(qp, roce_psn_add(packet->psn, count));
	receiver->told = false;
	receiver->refusal.due = false; /* RNR: a receive was posted */
	if (answers || roce_opcode_info(packet->opcode) & ROCE_IS_LAST)
		count_message(qp, after);
	/* A response acknowledges what was before it. */
	receiver->ack_due = !answers &&
			    (packet->ack_request || receiver->ack_due);
}

/*
 * Some packet is missing. One NAK says so, until the missing packet comes
 * (9.7.5.2.9). When that is lost again, a packet from the beginning of what was
 * dropped comes once more: then one NAK says so again, and the requester need
 * not wait for its timer.
 */
static void drop_early(struct adev_qp *qp, uint32_t psn)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	adev_count(&qp->fn->counters, wire_early);
	arnica_trace_wire_early(qp->qpn, psn);
	if (!receiver->told && !receiver->gap_due) {
		receiver->gap_due = true;
		receiver->gap_psn = psn;
		receiver->gap_newest = psn;
		return;
	}
	if (receiver->told && roce_psn_distance(psn, receiver->gap_psn) <= 0)
		receiver->gap_due = true;
	if (roce_psn_distance(psn, receiver->gap_newest) > 0)
		receiver->gap_newest = psn;
}

/*
 * It was here before: its answer may be lost (9.7.5.1.3). The newest PSN says
 * the most, and a requester that is on its way through what it repeats may stop
 * there. rdma_rxe (Linux 6.1) must not hear it: told twice that the message is
 * here which it is repeating, it completes that, and forgets what follows. It
 * never says "migrated" (17.2.8), as adapters do that have no other path: from
 * such a requester, what it repeated is acknowledged up to where it is.
 */
static void acknowledge_repeated(struct adev_receiver *receiver,
				 const struct roce_packet *packet)
{
	if (packet->migration) {
		receiver->ack_due = true;
		return;
	}
	if (!receiver->repeated_due ||
	    roce_psn_distance(packet->psn, receiver->repeated_psn) > 0)
		receiver->repeated_psn = packet->psn;
	receiver->repeated_due = true;
}

static void answer_again(struct adev_qp *qp, const struct roce_packet *packet)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	receiver->withheld = false;
	adev_count(&qp->fn->counters, wire_duplicates);
	arnica_trace_wire_duplicate(qp->qpn, packet->psn);
	if (!adev_operation_responds(adev_operation(packet))) {
		acknowledge_repeated(receiver, packet);
		return;
	}
	if (!adev_response_replay(qp, packet)) {
		adev_count(&qp->fn->counters, wire_ghosts);
		arnica_trace_wire_ghost(qp->qpn, packet->psn);
	}
}

static void take_reliable(struct adev_qp *qp, const struct roce_packet *packet,
			  struct adev_aftermath *after)
{
	int32_t distance = roce_psn_distance(packet->psn, expected_psn(qp));

	/* The connection ends; the NAK that says so waits for responses. */
	if (adev_receiver_of(qp)->refusal.fatal)
		return;
	if (distance > 0)
		drop_early(qp, packet->psn);
	else if (distance < 0)
		answer_again(qp, packet);
	else
		accept_due(qp, packet, after);
}

static void take_unreliable(struct adev_qp *qp,
			    const struct roce_packet *packet,
			    struct adev_aftermath *after)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);
	uint32_t info = roce_opcode_info(packet->opcode);

	if (receiver->refusal.fatal)
		return;
	if (packet->psn != expected_psn(qp) || receiver->dropping) {
		if (receiver->receiving) {
			/* Its receive entry is for the next message. */
			adev_count(&qp->fn->counters, wire_uc_dropped);
			adev_receiver_forget(receiver);
		}
		receiver->dropping = !(info & ROCE_IS_FIRST);
		if (receiver->dropping)
			return;
	}
	expect(qp, roce_psn_add(packet->psn, 1));
	if (adev_receiver_place(qp, packet, after) && info & ROCE_IS_LAST)
		count_message(qp, after);
}

/* With the lock held. */
static void take(struct adev_qp *qp, const struct adev_arrival *arrival,
		 struct adev_aftermath *after)
{
	const struct roce_packet *packet = &arrival->packet;

	if (!adev_receiver_listens(qp)) {
		adev_count(&qp->fn->counters, wire_state);
		arnica_trace_wire_state(qp->qpn, packet->opcode);
		return;
	}
	if (!adev_remote_matches(qp->remote_kept, arrival)) {
		adev_count(&qp->fn->counters, wire_source);
		arnica_trace_wire_source(qp->qpn, packet->opcode);
		return;
	}
	if ((arrival->traffic_class & ADEV_ECN_MASK) == ADEV_ECN_CONGESTION)
		adev_receiver_congested(qp, arrival->now_ns);
	if (adev_type_is_reliable(qp->type))
		take_reliable(qp, packet, after);
	else
		take_unreliable(qp, packet, after);
}

void adev_receiver_request(struct adev_qp *qp,
			   const struct adev_arrival *arrival)
{
	struct adev_aftermath after = { .completed = false };

	/* As good as lost. */
	if (!adev_receiver_lock(qp)) {
		adev_count(&qp->fn->counters, wire_busy);
		return;
	}
	take(qp, arrival, &after);
	adev_qp_unlock(qp->shared);
	if (after.completed)
		adev_completion_notify(&qp->recv_ring, &after.completion);
	if (after.established)
		adev_responder_call_owner(&qp->fn->view, qp->index,
					  ADEV_QP_NEEDS_EVENT);
}
