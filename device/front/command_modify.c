/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MODIFY_QP and QUERY_QP. The host checks which attributes a transition needs
 * (IBTA table 91); the adapter checks what it depends on itself: that the
 * transition exists, and that the values are in range.
 */
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#include "comp/channel.h"
#include "core/clock.h"
#include "core/qp_lock.h"
#include "exec/exec.h"
#include "exec/hold.h"
#include "front/address.h"
#include "front/command.h"
#include "front/objects.h"
#include "front/qp_plan.h"
#include "transport/pace.h"
#include "transport/receiver.h"
#include "transport/remote.h"
#include "transport/sender.h"
#include "transport/xrc.h"

#define MODIFY_LOCK_MS 1000u

#define BIT(state) (1u << ARNICA_HW_QPS_##state)

/* From state to state; RESET and ERR can be reached from everywhere. */
static const uint32_t transitions[] = {
	[ARNICA_HW_QPS_RESET] = BIT(INIT),
	[ARNICA_HW_QPS_INIT] = BIT(INIT) | BIT(RTR),
	[ARNICA_HW_QPS_RTR] = BIT(RTS),
	[ARNICA_HW_QPS_RTS] = BIT(RTS) | BIT(SQD),
	[ARNICA_HW_QPS_SQD] = BIT(RTS) | BIT(SQD),
	[ARNICA_HW_QPS_SQE] = BIT(RTS),
	[ARNICA_HW_QPS_ERR] = 0,
};

static bool legal(uint32_t type, uint32_t from, uint32_t to)
{
	/* Only the queues of unreliable services come back from SQE. */
	if (from == ARNICA_HW_QPS_SQE && adev_type_is_reliable(type))
		return to == ARNICA_HW_QPS_RESET || to == ARNICA_HW_QPS_ERR;
	if (to == ARNICA_HW_QPS_RESET || to == ARNICA_HW_QPS_ERR)
		return true;
	/* Ready at once: it has nobody to be connected with. */
	if (type == ARNICA_HW_QP_WQ)
		return to == ARNICA_HW_QPS_RTR && from != ARNICA_HW_QPS_ERR;
	return from <= ARNICA_HW_QPS_ERR && to <= ARNICA_HW_QPS_ERR &&
	       transitions[from] & (1u << to);
}

struct range {
	uint32_t mask; /* enum ibv_qp_attr_mask */
	size_t offset; /* in struct arnica_hw_qp_attributes */
	uint32_t min, max;
};

#define RANGE(bit, field, low, high)                                           \
	{                                                                      \
		bit, offsetof(struct arnica_hw_qp_attributes, field), low,     \
			high                                                   \
	}

static const struct range ranges[] = {
	RANGE(IBV_QP_PATH_MTU, path_mtu, 1, 5),
	RANGE(IBV_QP_RQ_PSN, rq_psn, 0, 0xffffff),
	RANGE(IBV_QP_SQ_PSN, sq_psn, 0, 0xffffff),
	RANGE(IBV_QP_DEST_QPN, dest_qpn, 0, 0xffffff),
	RANGE(IBV_QP_PKEY_INDEX, pkey_index, 0, 0),
	RANGE(IBV_QP_PORT, port, 1, 1),
	RANGE(IBV_QP_TIMEOUT, timeout, 0, 31),
	RANGE(IBV_QP_RETRY_CNT, retry_cnt, 0, 7),
	RANGE(IBV_QP_RNR_RETRY, rnr_retry, 0, 7),
	RANGE(IBV_QP_MIN_RNR_TIMER, min_rnr_timer, 0, 31),
	RANGE(IBV_QP_MAX_QP_RD_ATOMIC, max_rd_atomic, 0,
	      ARNICA_HW_MAX_RD_ATOMIC),
	RANGE(IBV_QP_MAX_DEST_RD_ATOMIC, max_dest_rd_atomic, 0,
	      ARNICA_HW_MAX_RD_ATOMIC),
};

static uint32_t field_at(const struct arnica_hw_qp_attributes *attributes,
			 size_t offset)
{
	arnica_le32 word;

	memcpy(&word, (const char *)attributes + offset, sizeof(word));
	return arnica_from_le32(word);
}

static bool in_range(const struct arnica_hw_qp_attributes *attributes,
		     uint32_t mask)
{
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint32_t value = field_at(attributes, ranges[i].offset);

		if (mask & ranges[i].mask &&
		    (value < ranges[i].min || value > ranges[i].max))
			return false;
	}
	return true;
}

#define TAKE(bit, field)                                                       \
	do {                                                                   \
		if (mask & (bit))                                              \
			own->field = new->field;                               \
	} while (0)

static void take_address(struct arnica_hw_qp_attributes *own,
			 const struct arnica_hw_qp_attributes *new)
{
	own->is_global = new->is_global;
	own->dlid = new->dlid;
	own->sl = new->sl;
	own->src_path_bits = new->src_path_bits;
	own->static_rate = new->static_rate;
	own->sgid_index = new->sgid_index;
	own->hop_limit = new->hop_limit;
	own->traffic_class = new->traffic_class;
	own->flow_label = new->flow_label;
	memcpy(own->dgid, new->dgid, sizeof(own->dgid));
}

static void take_attributes(struct adev_qp *qp,
			    const struct arnica_hw_qp_attributes *new,
			    uint32_t mask)
{
	struct arnica_hw_qp_attributes *own = &qp->attributes;

	TAKE(IBV_QP_PATH_MTU, path_mtu);
	TAKE(IBV_QP_PATH_MIG_STATE, path_mig_state);
	TAKE(IBV_QP_QKEY, qkey);
	TAKE(IBV_QP_RQ_PSN, rq_psn);
	TAKE(IBV_QP_SQ_PSN, sq_psn);
	TAKE(IBV_QP_DEST_QPN, dest_qpn);
	TAKE(IBV_QP_ACCESS_FLAGS, access);
	TAKE(IBV_QP_PKEY_INDEX, pkey_index);
	TAKE(IBV_QP_PORT, port);
	TAKE(IBV_QP_TIMEOUT, timeout);
	TAKE(IBV_QP_RETRY_CNT, retry_cnt);
	TAKE(IBV_QP_RNR_RETRY, rnr_retry);
	TAKE(IBV_QP_MIN_RNR_TIMER, min_rnr_timer);
	TAKE(IBV_QP_MAX_QP_RD_ATOMIC, max_rd_atomic);
	TAKE(IBV_QP_MAX_DEST_RD_ATOMIC, max_dest_rd_atomic);
	TAKE(IBV_QP_EN_SQD_ASYNC_NOTIFY, en_sqd_async_notify);
	TAKE(IBV_QP_RATE_LIMIT, rate_limit);
	if (mask & IBV_QP_AV)
		take_address(own, new);
}

/* Brings what the engines and the peer use up to the attributes; both locks
 * are held. */
static void apply(struct adev_qp *qp, uint32_t mask, uint32_t from, uint32_t to)
{
	const struct arnica_hw_qp_attributes *own = &qp->attributes;
	struct adev_qp_shared *shared = qp->shared;

	shared->access = arnica_from_le32(own->access);
	shared->min_rnr_timer = arnica_from_le32(own->min_rnr_timer);
	shared->max_dest_rd_atomic = arnica_from_le32(own->max_dest_rd_atomic);
	shared->qkey = arnica_from_le32(own->qkey);
	if (mask & IBV_QP_DEST_QPN)
		shared->dest_qpn = arnica_from_le32(own->dest_qpn);
	if (mask & IBV_QP_RQ_PSN)
		shared->expected_psn = arnica_from_le32(own->rq_psn);
	if (mask & IBV_QP_SQ_PSN)
		qp->send_psn = arnica_from_le32(own->sq_psn);
	if (mask & IBV_QP_PATH_MTU) {
		qp->path_mtu_bytes = 128u << arnica_from_le32(own->path_mtu);
		shared->path_mtu_bytes = qp->path_mtu_bytes;
	}
	if (mask & IBV_QP_AV) {
		atomic_store_explicit(&qp->service_level,
				      arnica_from_le32(own->sl),
				      memory_order_relaxed);
		adev_sched_note(&qp->fn->scheduler, arnica_from_le32(own->sl));
	}
	if (from == ARNICA_HW_QPS_RTR && to == ARNICA_HW_QPS_RTS && qp->remote)
		adev_sender_start(qp);
	if (from == ARNICA_HW_QPS_INIT && to == ARNICA_HW_QPS_RTR) {
		shared->incarnation++;
		shared->established = 0;
		if (qp->remote)
			adev_receiver_start(qp);
	}
}

/* What the QP took of an SRQ is the host's again: it looks at the words. */
static void reset_receive(struct adev_qp *qp)
{
	struct adev_qp_shared *shared = qp->shared;
	uint32_t slot;

	if (qp->xrc) {
		/* That of an SRQ that is locked for good is lost. */
		(void)!adev_xrc_flush(qp);
		atomic_store(&shared->srq_taken, 0);
		return;
	}
	if (!qp->srq.shared) {
		shared->rq_head = arnica_load32(&qp->recv_ring.record->producer,
						memory_order_acquire);
		shared->rq_producer_seen = shared->rq_head;
		return;
	}
	/* As in flush_taken(). */
	if (adev_completion_published(&qp->recv_ring, shared->rq_head))
		shared->rq_head++;
	(void)!adev_srq_left(&qp->srq, shared, &slot);
	atomic_store(&shared->srq_taken, 0);
	qp->last_wqe_told = false;
}

/* The pace that a command brings; *pace NULL: none. */
static enum arnica_hw_command_status
make_pace(const struct arnica_hw_cmd_modify_qp *cmd, uint32_t mask,
	  struct adev_pace **pace)
{
	uint32_t rate = arnica_from_le32(cmd->attributes.rate_limit);
	uint32_t burst = arnica_from_le32(cmd->max_burst);

	*pace = NULL;
	if (!(mask & IBV_QP_RATE_LIMIT) || !rate)
		return burst ? ARNICA_HW_COMMAND_INVALID : ARNICA_HW_COMMAND_OK;
	if (rate < ARNICA_HW_MIN_RATE_LIMIT || rate > ARNICA_HW_MAX_RATE_LIMIT)
		return ARNICA_HW_COMMAND_INVALID;
	*pace = calloc(1, sizeof(**pace));
	if (!*pace)
		return ARNICA_HW_COMMAND_NO_MEMORY;
	adev_pace_set(*pace, rate, burst, adev_now_ns());
	return ARNICA_HW_COMMAND_OK;
}

/* What is not used any more is *pace then. With sq_lock. */
static void take_pace(struct adev_qp *qp, struct adev_pace **pace)
{
	struct adev_pace *before = qp->pace;

	qp->pace = *pace;
	*pace = before;
	adev_qp_judge_plain(qp);
}

/* To RESET: nothing is outstanding any more; the indexes go on. */
static void reset(struct adev_qp *qp)
{
	struct adev_qp_shared *shared = qp->shared;

	adev_function_unwait(qp->fn, qp);
	adev_sched_remove(&qp->fn->scheduler, qp);
	adev_link_drop(qp);
	if (qp->remote)
		adev_sender_start(qp);
	qp->active = false;
	qp->wait = ADEV_WAIT_NOT;
	qp->flush_pending = false;
	atomic_store(&qp->peer_died, false);
	qp->head = atomic_load(&qp->producer);
	memset(&qp->attributes, 0, sizeof(qp->attributes));
	free(qp->pace);
	qp->pace = NULL;
	adev_qp_judge_plain(qp);
	shared->incarnation++;
	shared->established = 0;
	reset_receive(qp);
	atomic_store(&shared->needs, 0);
	arnica_store32(&qp->recv_ring.record->waiting, 0,
		       memory_order_seq_cst);
}

/* Whoever moves the QP to SQD says whether the end of its last message is to be
 * an event. */
static void note_drain(struct adev_qp *qp,
		       const struct arnica_hw_qp_attributes *new, uint32_t mask,
		       uint32_t from, uint32_t to)
{
	if (to == ARNICA_HW_QPS_SQD && from == ARNICA_HW_QPS_RTS)
		qp->notify_drained =
			mask & IBV_QP_EN_SQD_ASYNC_NOTIFY &&
			arnica_from_le32(new->en_sqd_async_notify);
	else if (to != ARNICA_HW_QPS_SQD)
		qp->notify_drained = false;
	if (to != ARNICA_HW_QPS_SQD)
		qp->stopped = false;
}

static enum arnica_hw_command_status
change_state(struct adev_qp *qp, const struct arnica_hw_qp_attributes *new,
	     uint32_t mask, uint32_t from, uint32_t to)
{
	struct adev_qp_shared *shared = qp->shared;

	if (to == ARNICA_HW_QPS_ERR || to == ARNICA_HW_QPS_RESET)
		adev_receiver_flush(qp);
	if (to == ARNICA_HW_QPS_ERR) {
		/* Also when it is in ERR already: nothing changes then. */
		if (from != ARNICA_HW_QPS_ERR)
			adev_qp_enter_error(qp);
		return ARNICA_HW_COMMAND_OK;
	}
	if (adev_qp_lock_owner(qp->fn, shared, MODIFY_LOCK_MS))
		return ARNICA_HW_COMMAND_BUSY;
	/* The peer may have ended the connection since `from` was read. */
	if (atomic_load(&shared->state) != from && to != ARNICA_HW_QPS_RESET) {
		adev_qp_unlock(shared);
		return ARNICA_HW_COMMAND_INVALID;
	}
	if (to == ARNICA_HW_QPS_RESET) {
		reset(qp);
	} else {
		take_attributes(qp, new, mask);
		apply(qp, mask, from, to);
	}
	note_drain(qp, new, mask, from, to);
	atomic_store_explicit(&shared->state, to, memory_order_release);
	adev_qp_unlock(shared);
	adev_qp_check_drained(qp);
	return ARNICA_HW_COMMAND_OK;
}

/* On the wire messages may still be unanswered. */
static void drain_remote(struct adev_qp *qp)
{
	adev_qp_lock_send(qp);
	if (qp->notify_drained)
		adev_sender_drain(qp);
	qp->notify_drained = false;
	adev_exec_release(qp);
}

/* What follows a transition, with sq_lock given back: a send queue that may go
 * on, and knowing the peer, so that its death is seen. */
static void follow_up(struct adev_qp *qp, uint32_t mask, uint32_t from,
		      uint32_t to)
{
	/* Anybody may send to it. That it cannot be heard from elsewhere is no
	 * error on this host; the user was told. */
	if (to == ARNICA_HW_QPS_RTR && from == ARNICA_HW_QPS_INIT &&
	    qp->type == ARNICA_HW_QP_UD && adev_remote_has_neighbours())
		(void)!adev_wire_open(qp->fn);
	if (to == ARNICA_HW_QPS_RTR && from == ARNICA_HW_QPS_INIT &&
	    qp->type != ARNICA_HW_QP_UD && !adev_qp_plan_is_raw(qp->type) &&
	    !qp->remote) {
		adev_qp_lock_send(qp);
		if (adev_link_resolve(qp) == ADEV_LINK_ABSENT)
			adev_remote_explain(qp);
		adev_exec_release(qp);
	}
	/* With another rate it may go on sooner than it meant to. */
	if (to == ARNICA_HW_QPS_RTS &&
	    (from != ARNICA_HW_QPS_RTS || mask & IBV_QP_RATE_LIMIT))
		adev_exec_submit(qp, NULL);
	if (to == ARNICA_HW_QPS_SQD && qp->remote)
		drain_remote(qp);
}

/* What an address vector comes to, for a QP that is or becomes connected to
 * `peer`; of a connection only the path can change later. Without a GRH a
 * packet can only go to the own port, whose LID is zero; and where it takes no
 * wire it needs no source address. */
static enum arnica_hw_command_status find_way(
	const struct adev_qp *qp, bool connects, uint32_t peer,
	const struct arnica_hw_qp_attributes *attributes, struct adev_way *way)
{
	bool asked = connects && qp->type != ARNICA_HW_QP_UD &&
		     adev_remote_is_asked_by(qp->fn->directory, peer);

	if (arnica_from_le32(attributes->sl) >= ADEV_CLASSES)
		return ARNICA_HW_COMMAND_INVALID;
	if (arnica_from_le32(attributes->is_global)) {
		enum arnica_hw_command_status status =
			adev_address_resolve(1, attributes, way);

		way->here = way->here && !asked;
		/* A connection has one peer. */
		return status == ARNICA_HW_COMMAND_OK && way->group ?
			       ARNICA_HW_COMMAND_INVALID :
			       status;
	}
	if (arnica_from_le32(attributes->dlid))
		return ARNICA_HW_COMMAND_UNREACHABLE;
	way->here = !asked && adev_remote_is_here(attributes);
	if (connects ? way->here : !qp->remote)
		return ARNICA_HW_COMMAND_OK;
	return adev_command_status(adev_remote_path(attributes, &way->path));
}

/* Where the peer is, and how it is reached; before the QP's locks are taken,
 * because interfaces are looked at and sockets opened. */
static enum arnica_hw_command_status find_peer(
	struct adev_qp *qp, const struct arnica_hw_qp_attributes *new)
{
	uint32_t from = atomic_load(&qp->shared->state);
	bool connects = from == ARNICA_HW_QPS_INIT;
	uint32_t peer = arnica_from_le32(connects ? new->dest_qpn :
						    qp->attributes.dest_qpn);
	struct adev_way way = { .here = false };
	enum arnica_hw_command_status status = find_way(qp, connects, peer, new,
							&way);

	if (status || qp->type == ARNICA_HW_QP_UD)
		return status;
	way.path.source_port = adev_path_port(way.path.flow_label, qp->qpn,
					      peer);
	if (connects)
		return adev_command_status(adev_remote_connect(
			qp, &way, arnica_from_le32(new->path_mtu)));
	return qp->remote ?
		       adev_command_status(adev_remote_move(qp, &way.path)) :
		       ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(modify_qp)
{
	const struct arnica_hw_cmd_modify_qp *cmd = &command->modify_qp;
	const struct arnica_hw_qp_attributes *new = &cmd->attributes;
	uint32_t handle = arnica_from_le32(cmd->handle);
	uint32_t mask = arnica_from_le32(new->mask), from, to;
	enum arnica_hw_command_status status = ARNICA_HW_COMMAND_OK;
	struct adev_pace *pace;
	struct adev_qp *qp;

	(void)completion;
	qp = adev_qp_by_handle(fn, handle);
	if (!qp)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (!in_range(new, mask) || qp->type == ARNICA_HW_QP_XRC_SRQ ||
	    qp->type == ARNICA_HW_QP_RSS ||
	    (mask & IBV_QP_AV && adev_qp_plan_is_raw(qp->type)))
		return ARNICA_HW_COMMAND_INVALID;
	if (mask & IBV_QP_AV)
		status = find_peer(qp, new);
	if (!status)
		status = make_pace(cmd, mask, &pace);
	if (status)
		return status;
	if (mask & IBV_QP_STATE && !qp->remote &&
	    !adev_qp_plan_is_raw(qp->type) &&
	    arnica_from_le32(new->state) == ARNICA_HW_QPS_RTR)
		adev_regions_meet_peers(fn);
	adev_hold_end(qp);
	adev_qp_lock_send(qp);
	from = atomic_load(&qp->shared->state);
	to = mask & IBV_QP_STATE ? arnica_from_le32(new->state) : from;
	if (mask & IBV_QP_CUR_STATE &&
	    arnica_from_le32(new->current_state) != from)
		status = ARNICA_HW_COMMAND_INVALID;
	else if (!legal(qp->type, from, to) ||
		 (to == from && !(mask & IBV_QP_STATE) &&
		  from == ARNICA_HW_QPS_RESET))
		status = ARNICA_HW_COMMAND_INVALID;
	else
		status = change_state(qp, new, mask, from, to);
	if (!status && mask & IBV_QP_RATE_LIMIT && to != ARNICA_HW_QPS_RESET)
		take_pace(qp, &pace);
	adev_exec_release(qp);
	free(pace);
	if (!status)
		follow_up(qp, mask, from, to);
	return status;
}

ADEV_COMMAND_HANDLER(query_qp)
{
	uint32_t handle = arnica_from_le32(command->object.handle);
	struct arnica_hw_qp_attributes *answer = &completion->attributes;
	struct adev_qp *qp;
	uint32_t state;

	qp = adev_qp_by_handle(fn, handle);
	if (!qp)
		return ARNICA_HW_COMMAND_NO_OBJECT;
	adev_qp_lock_send(qp);
	*answer = qp->attributes;
	state = atomic_load(&qp->shared->state);
	answer->state = arnica_to_le32(state);
	answer->current_state = arnica_to_le32(state);
	answer->sq_draining = arnica_to_le32(
		state == ARNICA_HW_QPS_SQD &&
		(qp->remote ? !adev_sender_is_idle(qp) : qp->active));
	answer->sq_psn = arnica_to_le32(qp->send_psn);
	answer->rq_psn = arnica_to_le32(qp->shared->expected_psn);
	answer->mask = arnica_to_le32(0);
	adev_exec_release(qp);
	return ARNICA_HW_COMMAND_OK;
}
