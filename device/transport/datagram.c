/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Datagrams: from the send queue to whoever they are for. */
#include "transport/datagram_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault_point.h"
#include "core/qp_lock.h"
#include "transport/address_handle.h"
#include "domain/gid.h"
#include "transport/grh.h"
#include "transport/remote.h"

#define BUSY_AFTER_NS 50000ull
/* A sender on this host has the lock for one message. */
#define ARRIVAL_LOCK_MS 1u

#define NUM_DESTINATIONS (ADEV_DESTINATION_SETS * ADEV_DESTINATION_WAYS)

#define UD_SEND ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY)
#define UD_SEND_IMM ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY_IMM)

int adev_datagram_create(struct adev_qp *qp)
{
	qp->destinations = calloc(1, sizeof(*qp->destinations));
	return qp->destinations ? 0 : ENOMEM;
}

void adev_destination_forget(struct adev_destination *to)
{
	adev_link_close(&to->link);
	to->qpn = 0;
	to->stuck = 0;
}

/* The place of a destination, by its number among all. */
static struct adev_destination *place(struct adev_qp *qp, uint32_t number)
{
	struct adev_destination_set *set =
		&qp->destinations->sets[number / ADEV_DESTINATION_WAYS];

	return &set->ways[number % ADEV_DESTINATION_WAYS];
}

void adev_datagram_destroy(struct adev_qp *qp)
{
	uint32_t i;

	if (!qp->destinations)
		return;
	for (i = 0; i < NUM_DESTINATIONS; i++)
		adev_destination_forget(place(qp, i));
	adev_group_senders_destroy(qp);
	free(qp->destinations);
	qp->destinations = NULL;
}

void adev_datagram_forget(struct adev_qp *qp, uint32_t function,
			  uint64_t generation)
{
	uint32_t i;

	if (!qp->destinations)
		return;
	for (i = 0; i < NUM_DESTINATIONS; i++) {
		struct adev_destination *to = place(qp, i);

		if (to->link.view && to->link.view->function == function &&
		    to->link.view->generation == generation)
			adev_destination_forget(to);
	}
	adev_group_senders_forget(qp, function, generation);
}

static struct adev_destination *find(struct adev_qp *qp, uint32_t qpn)
{
	/* The low bits tell the QPs of a function apart, the next ones the
	 * functions. */
	uint32_t number = (qpn ^ qpn >> 8) % ADEV_DESTINATION_SETS;
	struct adev_destination_set *set = &qp->destinations->sets[number];
	struct adev_destination *to;
	uint32_t i;

	for (i = 0; i < ADEV_DESTINATION_WAYS; i++)
		if (set->ways[i].qpn == qpn)
			return &set->ways[i];
	to = &set->ways[set->next++ % ADEV_DESTINATION_WAYS];
	adev_destination_forget(to);
	to->qpn = qpn;
	return to;
}

/* The message is over. */
static enum adev_progress end(struct adev_qp *qp, enum adev_attempt attempt,
			      enum adev_loss why)
{
	if (attempt == ADEV_ATTEMPT_DONE)
		return adev_requester_succeed(qp);
	if (attempt == ADEV_ATTEMPT_LOST) {
		adev_count_loss(qp->fn, qp->qpn, why);
		return adev_requester_finish(qp);
	}
	adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
	return ADEV_PROGRESS_ERROR;
}

bool adev_datagram_gives_up(struct adev_qp *qp, struct adev_destination *to)
{
	uint64_t word = atomic_load(&to->link.qp->lock);

	if (ADEV_LOCK_HOLDER(word) && !adev_qp_holder_alive(qp->fn, word))
		adev_responder_call_owner(to->link.view, to->link.index,
					  ADEV_QP_NEEDS_RECOVERY);
	if (to->stuck && to->stuck == word)
		return true;
	if (!adev_requester_overdue(qp, ADEV_WAIT_BUSY))
		return false;
	to->stuck = word;
	return true;
}

enum adev_progress adev_datagram_wait(struct adev_qp *qp)
{
	return adev_requester_wait(qp, ADEV_WAIT_BUSY,
				   ADEV_UNRELIABLE_PATIENCE_NS, BUSY_AFTER_NS);
}

void adev_datagram_describe(const struct adev_qp *qp,
			    struct adev_delivery *delivery)
{
	const struct adev_message *message = qp->message;
	const struct adev_path *path = &message->ah->way.path;
	bool immediate = message->opcode == ARNICA_HW_OP_SEND_IMM;
	const struct adev_grh grh = {
		.source = path->source,
		.destination = path->destination,
		.flow_label = path->flow_label,
		.traffic_class = path->traffic_class,
		.hop_limit = path->hop_limit,
		.udp_bytes = roce_packet_bytes(
			immediate ? UD_SEND_IMM : UD_SEND,
			(uint32_t)message->bytes),
	};

	delivery->type = ARNICA_HW_QP_UD;
	delivery->source_qpn = qp->qpn;
	delivery->qkey = message->qkey;
	delivery->immediate = message->immediate;
	delivery->has_immediate = immediate;
	delivery->solicited = message->flags & ARNICA_HW_WQE_SOLICITED;
	delivery->payload = &message->gather;
	delivery->grh_bytes = ARNICA_HW_GRH_BYTES;
	adev_grh_emit(&grh, delivery->grh);
}

/* One attempt; the lock of the destination is held for this message only. */
static enum adev_placed attempt(struct adev_qp *qp, struct adev_destination *to,
				const struct adev_delivery *delivery,
				enum adev_loss *why, bool *busy)
{
	enum adev_placed placed;

	*busy = !adev_responder_lock(to->link.qp, qp->fn->view.function);
	if (*busy)
		return ADEV_PLACED_LOST;
	ADEV_POINT("datagram_locked");
	placed = adev_datagram_place(qp->fn, &to->link, delivery, why);
	ADEV_POINT("datagram_unlocking");
	adev_qp_unlock(to->link.qp);
	return placed;
}

enum adev_attempt adev_datagram_attempt(struct adev_qp *qp,
					struct adev_destination *to,
					const struct adev_delivery *delivery,
					enum adev_loss *why)
{
	enum adev_placed placed = ADEV_PLACED_STALE;
	uint32_t tries;
	bool busy;

	*why = ADEV_LOSS_NOT_READY;
	/* Once more when the number belongs to another QP by now. */
	for (tries = 0; tries < 2 && placed == ADEV_PLACED_STALE; tries++) {
		switch (adev_link_open(qp->fn, to->qpn, &to->link)) {
		case ADEV_LINK_UP:
			break;
		case ADEV_LINK_BUSY:
			return ADEV_ATTEMPT_BUSY;
		case ADEV_LINK_ABSENT:
		case ADEV_LINK_DEAD:
			*why = ADEV_LOSS_NO_QP;
			return ADEV_ATTEMPT_LOST;
		}
		placed = attempt(qp, to, delivery, why, &busy);
		if (busy)
			return ADEV_ATTEMPT_BUSY;
		if (placed == ADEV_PLACED_STALE)
			to->link.resolved = false;
	}
	if (placed == ADEV_PLACED)
		return ADEV_ATTEMPT_DONE;
	return placed == ADEV_PLACED_LOCAL ? ADEV_ATTEMPT_FAULT :
					     ADEV_ATTEMPT_LOST;
}

/* To another host: one packet, of which nothing is heard again. */
enum adev_attempt adev_datagram_pack(struct adev_qp *qp, enum adev_loss *why)
{
	const struct adev_message *message = qp->message;
	bool immediate = message->opcode == ARNICA_HW_OP_SEND_IMM;
	struct adev_batch *batch = adev_wire_batch(qp->fn);
	struct adev_path path = message->ah->way.path;
	const struct roce_packet packet = {
		.opcode = immediate ? UD_SEND_IMM : UD_SEND,
		.solicited = message->flags & ARNICA_HW_WQE_SOLICITED,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = message->dest_qpn,
		.psn = qp->send_psn,
		.qkey = message->qkey,
		.source_qpn = qp->qpn,
		.immediate = message->immediate,
		.payload_bytes = (uint32_t)message->bytes,
	};
	uint8_t *payload;

	*why = ADEV_LOSS_NO_PATH;
	if (!batch)
		return ADEV_ATTEMPT_LOST;
	path.source_port = adev_path_port(path.flow_label, qp->qpn,
					  message->dest_qpn);
	payload = adev_batch_add(batch, &path, &packet);
	qp->destinations->batch = batch;
	if (adev_gather_read(&message->gather, 0, payload, message->bytes))
		return ADEV_ATTEMPT_DONE;
	adev_batch_cancel(batch);
	return ADEV_ATTEMPT_FAULT;
}

static enum adev_progress send_to_one(struct adev_qp *qp)
{
	struct adev_destination *to = find(qp, qp->message->dest_qpn);
	struct adev_delivery delivery;
	enum adev_attempt attempt;
	enum adev_loss why;

	adev_datagram_describe(qp, &delivery);
	attempt = adev_datagram_attempt(qp, to, &delivery, &why);
	if (attempt == ADEV_ATTEMPT_BUSY) {
		if (!adev_datagram_gives_up(qp, to))
			return adev_datagram_wait(qp);
		why = ADEV_LOSS_BUSY;
		attempt = ADEV_ATTEMPT_LOST;
	}
	return end(qp, attempt, why);
}

static enum adev_progress send_packet(struct adev_qp *qp)
{
	enum adev_loss why;
	enum adev_attempt attempt = adev_datagram_pack(qp, &why);

	if (adev_gid_is_loopback(qp->message->ah->way.path.source))
		adev_remote_explain_datagram(qp, qp->message->dest_qpn);
	return end(qp, attempt, why);
}

void adev_datagram_rest(struct adev_qp *qp)
{
	if (!qp->destinations || !qp->destinations->batch)
		return;
	adev_batch_send(qp->destinations->batch);
	qp->destinations->batch = NULL;
}

enum adev_progress adev_datagram_run(struct adev_qp *qp)
{
	/* A message that waited may have lost its regions meanwhile. */
	if (qp->wait && !adev_requester_regions_hold(qp, qp->message)) {
		adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
		return ADEV_PROGRESS_ERROR;
	}
	if (__builtin_expect(qp->message->ah->way.group, 0))
		return adev_datagram_to_group(qp);
	return qp->message->ah->way.here ? send_to_one(qp) : send_packet(qp);
}

static void describe_arrival(const struct roce_packet *packet,
			     struct adev_delivery *delivery,
			     struct adev_gather *payload)
{
	payload->num_pieces = packet->payload_bytes ? 1 : 0;
	payload->num_lists = 0;
	payload->bytes = packet->payload_bytes;
	payload->pieces[0] = (struct adev_piece){
		.address = (uintptr_t)packet->payload,
		.bytes = packet->payload_bytes,
	};
	delivery->type = ARNICA_HW_QP_UD;
	delivery->source_qpn = packet->source_qpn;
	delivery->qkey = packet->qkey;
	delivery->immediate = packet->immediate;
	delivery->has_immediate = packet->opcode == UD_SEND_IMM;
	delivery->solicited = packet->solicited;
	delivery->payload = payload;
}

/* A sender of this host that was stopped in the middle of a message is waited for
 * once: this thread has the packets of all queue pairs. */
static bool lock_own(struct adev_qp *qp, uint64_t *stuck)
{
	uint64_t word = atomic_load(&qp->shared->lock);
	bool again = *stuck && *stuck == word;

	if (!adev_qp_lock_owner(qp->fn, qp->shared,
				again ? 0 : ARRIVAL_LOCK_MS)) {
		*stuck = 0;
		return true;
	}
	*stuck = atomic_load(&qp->shared->lock);
	return false;
}

void adev_datagram_take_in(struct adev_qp *qp, struct adev_link *own,
			   uint64_t *stuck,
			   const struct adev_delivery *delivery)
{
	enum adev_placed placed = ADEV_PLACED_STALE;
	enum adev_loss why = ADEV_LOSS_REFUSED;

	if (!lock_own(qp, stuck)) {
		adev_count_loss(qp->fn, qp->qpn, ADEV_LOSS_BUSY);
		return;
	}
	if (own->incarnation == qp->shared->incarnation ||
	    adev_link_own(qp, own))
		placed = adev_datagram_place(qp->fn, own, delivery, &why);
	adev_qp_unlock(qp->shared);
	if (placed != ADEV_PLACED)
		adev_count_loss(qp->fn, qp->qpn, why);
}

void adev_datagram_arrive(struct adev_qp *qp,
			  const struct adev_arrival *arrival)
{
	const struct roce_packet *packet = &arrival->packet;
	bool immediate = packet->opcode == UD_SEND_IMM;
	struct adev_delivery delivery;
	struct adev_gather payload;
	const struct adev_grh grh = {
		.source = arrival->source,
		.destination = arrival->destination,
		.flow_label = arrival->flow_label,
		.traffic_class = arrival->traffic_class,
		.hop_limit = arrival->hop_limit,
		.udp_bytes = roce_packet_bytes(
			packet->opcode, packet->payload_bytes),
	};

	/* Groups have one number, and no other destination has it (IBTA
	 * 9.6.1.1.1). */
	if ((!immediate && packet->opcode != UD_SEND) ||
	    packet->payload_bytes > ADEV_DATAGRAM_MAX_BYTES ||
	    adev_gid_is_multicast(arrival->destination) !=
		    (packet->dest_qpn == ARNICA_HW_QPN_MCAST)) {
		adev_count_loss(qp->fn, qp->qpn, ADEV_LOSS_REFUSED);
		return;
	}
	describe_arrival(packet, &delivery, &payload);
	delivery.grh_bytes = ARNICA_HW_GRH_BYTES;
	adev_grh_emit(&grh, delivery.grh);
	adev_datagram_take_in(qp, &qp->destinations->own,
			      &qp->destinations->own_stuck, &delivery);
}
