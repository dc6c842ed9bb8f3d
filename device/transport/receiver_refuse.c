/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Refusals of the receiver. */
#include "transport/receiver_refuse.h"

#include <infiniband/verbs.h>

#include "trace.h"
#include "transport/complete.h"
#include "transport/receiver_state.h"

void adev_receiver_forget(struct adev_receiver *receiver)
{
	receiver->receiving = ADEV_RECEIVING_NOTHING;
	receiver->placed = 0;
}

void adev_receiver_fail(struct adev_qp *qp, uint32_t psn, enum roce_nak nak,
			enum arnica_hw_status status, uint32_t event)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	adev_receiver_forget(receiver);
	receiver->gap_due = false;
	receiver->refusal = (struct adev_refusal){
		.due = true,
		.fatal = true,
		.syndrome = (uint8_t)(ROCE_SYNDROME_NAK | nak),
		.psn = psn,
		.status = status,
		.event = event,
	};
}

bool adev_receiver_drop_message(struct adev_qp *qp)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	adev_count(&qp->fn->counters, wire_uc_dropped);
	adev_receiver_forget(receiver);
	receiver->dropping = true;
	return false;
}

bool adev_refuse_invalid(struct adev_qp *qp, const struct roce_packet *packet)
{
	adev_count(&qp->fn->counters, remote_invalid);
	arnica_trace_remote_invalid(qp->qpn, packet->opcode);
	if (!adev_type_is_reliable(qp->type))
		return adev_receiver_drop_message(qp);
	adev_receiver_fail(qp, packet->psn, ROCE_NAK_INVALID_REQUEST,
			   ARNICA_HW_STATUS_REM_INV_REQ_ERR,
			   IBV_EVENT_QP_REQ_ERR);
	return false;
}

bool adev_refuse_access(struct adev_qp *qp, const struct roce_packet *packet,
			uint32_t rkey)
{
	adev_count(&qp->fn->counters, remote_access);
	arnica_trace_remote_access(qp->qpn, rkey);
	if (!adev_type_is_reliable(qp->type))
		return adev_receiver_drop_message(qp);
	adev_receiver_fail(qp, packet->psn, ROCE_NAK_REMOTE_ACCESS,
			   ARNICA_HW_STATUS_REM_ACCESS_ERR,
			   IBV_EVENT_QP_ACCESS_ERR);
	return false;
}

bool adev_refuse_fault(struct adev_qp *qp, const struct roce_packet *packet)
{
	adev_count(&qp->fn->counters, remote_access);
	arnica_trace_remote_access(qp->qpn, packet->rkey);
	if (!adev_type_is_reliable(qp->type))
		return adev_receiver_drop_message(qp);
	adev_receiver_fail(qp, packet->psn, ROCE_NAK_REMOTE_OPERATION,
			   ARNICA_HW_STATUS_REM_OP_ERR, IBV_EVENT_QP_FATAL);
	return false;
}

/* The requester shall come again, after the time of that code. */
static bool come_again(struct adev_qp *qp, const struct roce_packet *packet,
		       uint32_t timer)
{
	struct adev_receiver *receiver = adev_receiver_of(qp);

	if (!adev_type_is_reliable(qp->type))
		return adev_receiver_drop_message(qp);
	adev_count(&qp->fn->counters, wire_rnr_naks);
	receiver->refusal = (struct adev_refusal){
		.due = true,
		.syndrome = (uint8_t)(ROCE_SYNDROME_RNR_NAK | (timer & 31)),
		.psn = packet->psn,
	};
	/* What follows is dropped without a further word. */
	receiver->told = true;
	receiver->gap_due = false;
	receiver->gap_psn = packet->psn;
	receiver->gap_newest = packet->psn;
	return false;
}

bool adev_refuse_not_ready(struct adev_qp *qp, const struct roce_packet *packet)
{
	return come_again(qp, packet, qp->shared->min_rnr_timer);
}

/* Timer codes of one packet's RNR NAKs, one after the other: 2.56, 10.24,
 * 40.96, 163.84, 491.52, and from then on 655.36 ms (IBTA table 45). */
static uint32_t patient_timer(struct adev_receiver *receiver, uint32_t psn,
			      uint32_t least)
{
	static const uint8_t codes[] = { 16, 20, 24, 28, 31, 0 };
	uint32_t timer;

	if (receiver->awaited_times && receiver->awaited_psn != psn)
		receiver->awaited_times = 0;
	receiver->awaited_psn = psn;
	timer = codes[receiver->awaited_times];
	if (receiver->awaited_times < sizeof(codes) - 1)
		receiver->awaited_times++;
	return adev_rnr_timer_ns(timer) > adev_rnr_timer_ns(least) ? timer :
								     least;
}

bool adev_refuse_for_now(struct adev_qp *qp, const struct roce_packet *packet)
{
	adev_count(&qp->fn->counters, registrations_awaited);
	return come_again(qp, packet,
			  patient_timer(adev_receiver_of(qp), packet->psn,
					qp->shared->min_rnr_timer));
}
