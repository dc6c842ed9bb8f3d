/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Datagrams: from the send queue to whoever they are for. */
#include "transport/datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault_point.h"
#include "core/qp_lock.h"
#include "transport/address_handle.h"
#include "transport/datagram_place.h"
#include "transport/grh.h"

#define BUSY_AFTER_NS 50000ull
/* A sender on this host has the lock for one message. */
#define ARRIVAL_LOCK_MS 1u

#define UD_SEND ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY)
#define UD_SEND_IMM ((uint8_t)ROCE_UD | (uint8_t)ROCE_SEND_ONLY_IMM)

/*
 * Destinations in this host domain, by QP number: sets of a few, of which the
 * one that was entered first gives way.
 */
#define SETS 16u
#define WAYS 4u

struct destination {
	uint32_t qpn; /* zero: unused */
	struct adev_link link;
	/* The word of a lock that somebody kept for too long; as long as it
	 * stands, nobody waits for it again. */
	uint64_t stuck;
};

struct set {
	uint32_t next; /* that gives way */
	struct destination ways[WAYS];
};

struct adev_destinations {
	struct set sets[SETS];
	struct adev_link own; /* for what comes by the wire */
	struct adev_batch *batch; /* that this turn put packets in, or NULL */
};

int adev_datagram_create(struct adev_qp *qp)
{
	qp->destinations = calloc(1, sizeof(*qp->destinations));
	return qp->destinations ? 0 : ENOMEM;
}

static void forget(struct destination *to)
{
	adev_link_close(&to->link);
	to->qpn = 0;
	to->stuck = 0;
}

void adev_datagram_destroy(struct adev_qp *qp)
{
	uint32_t i;

	if (!qp->destinations)
		return;
	for (i = 0; i < SETS * WAYS; i++)
		forget(&qp->destinations->sets[i / WAYS].ways[i % WAYS]);
	free(qp->destinations);
	qp->destinations = NULL;
}

void adev_datagram_forget(struct adev_qp *qp, uint32_t function,
			  uint64_t generation)
{
	uint32_t i;

	for (i = 0; qp->destinations && i < SETS * WAYS; i++) {
		struct destination *to =
			&qp->destinations->sets[i / WAYS].ways[i % WAYS];

		if (to->link.view && to->link.view->function == function &&
		    to->link.view->generation == generation)
			forget(to);
	}
}

static struct destination *find(struct adev_qp *qp, uint32_t qpn)
{
	/* The low bits tell the QPs of a function apart, the next ones the
	 * functions. */
	struct set *set = &qp->destinations->sets[(qpn ^ qpn >> 8) % SETS];
	struct destination *to;
	uint32_t i;

	for (i = 0; i < WAYS; i++)
		if (set->ways[i].qpn == qpn)
			return &set->ways[i];
	to = &set->ways[set->next++ % WAYS];
	forget(to);
	to->qpn = qpn;
	return to;
}

static enum adev_progress lose(struct adev_qp *qp, enum adev_loss why)
{
	adev_count_loss(qp->fn, qp->qpn, why);
	return adev_requester_finish(qp);
}

/* Somebody has the destination's lock: waits, unless that did not help. The
 * owner takes it back from a sender that died. */
static enum adev_progress wait_for_lock(struct adev_qp *qp,
					struct destination *to)
{
	uint64_t word = atomic_load(&to->link.qp->lock);

	if (ADEV_LOCK_HOLDER(word) && !adev_qp_holder_alive(qp->fn, word))
		adev_responder_call_owner(to->link.view, to->link.index,
					  ADEV_QP_NEEDS_RECOVERY);
	if (to->stuck && to->stuck == word)
		return lose(qp, ADEV_LOSS_BUSY);
	if (adev_requester_overdue(qp, ADEV_WAIT_BUSY)) {
		to->stuck = word;
		return lose(qp, ADEV_LOSS_BUSY);
	}
	return adev_requester_wait(qp, ADEV_WAIT_BUSY,
				   ADEV_UNRELIABLE_PATIENCE_NS, BUSY_AFTER_NS);
}

/* As if it had come in a packet. */
static void describe(const struct adev_qp *qp, struct adev_delivery *delivery)
{
	const struct adev_message *message = &qp->message;
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

	delivery->source_qpn = qp->qpn;
	delivery->qkey = message->qkey;
	delivery->immediate = message->immediate;
	delivery->has_immediate = immediate;
	delivery->solicited = message->flags & ARNICA_HW_WQE_SOLICITED;
	delivery->payload = &message->gather;
	adev_grh_emit(&grh, delivery->grh);
}

/* One attempt; the lock of the destination is held for this message only. */
static enum adev_placed attempt(struct adev_qp *qp, struct destination *to,
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

static enum adev_progress deliver(struct adev_qp *qp)
{
	struct destination *to = find(qp, qp->message.dest_qpn);
	enum adev_loss why = ADEV_LOSS_NOT_READY;
	enum adev_placed placed = ADEV_PLACED_STALE;
	struct adev_delivery delivery;
	uint32_t tries;
	bool busy;

	describe(qp, &delivery);
	/* Once more when the number belongs to another QP by now. */
	for (tries = 0; tries < 2 && placed == ADEV_PLACED_STALE; tries++) {
		switch (adev_link_open(qp->fn, to->qpn, &to->link)) {
		case ADEV_LINK_UP:
			break;
		case ADEV_LINK_BUSY:
			return wait_for_lock(qp, to);
		case ADEV_LINK_ABSENT:
		case ADEV_LINK_DEAD:
			return lose(qp, ADEV_LOSS_NO_QP);
		}
		placed = attempt(qp, to, &delivery, &why, &busy);
		if (busy)
			return wait_for_lock(qp, to);
		if (placed == ADEV_PLACED_STALE)
			to->link.resolved = false;
	}
	if (placed == ADEV_PLACED)
		return adev_requester_succeed(qp);
	if (placed != ADEV_PLACED_LOCAL)
		return lose(qp, why);
	adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
	return ADEV_PROGRESS_ERROR;
}

/* To another host: one packet, of which nothing is heard again. */
static enum adev_progress send_packet(struct adev_qp *qp)
{
	const struct adev_message *message = &qp->message;
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

	if (!batch)
		return lose(qp, ADEV_LOSS_NO_PATH);
	path.source_port = adev_path_port(path.flow_label, qp->qpn,
					  message->dest_qpn);
	payload = adev_batch_add(batch, &path, &packet);
	qp->destinations->batch = batch;
	if (adev_gather_read(&message->gather, 0, payload, message->bytes))
		return adev_requester_succeed(qp);
	adev_batch_cancel(batch);
	adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
	return ADEV_PROGRESS_ERROR;
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
	if (qp->wait && !adev_requester_regions_hold(qp, &qp->message)) {
		adev_requester_fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR, 0);
		return ADEV_PROGRESS_ERROR;
	}
	return qp->message.ah->way.here ? deliver(qp) : send_packet(qp);
}

static void describe_arrival(const struct roce_packet *packet,
			     struct adev_delivery *delivery,
			     struct adev_gather *payload)
{
	payload->num_pieces = packet->payload_bytes ? 1 : 0;
	payload->bytes = packet->payload_bytes;
	payload->pieces[0] = (struct adev_piece){
		.address = (uintptr_t)packet->payload,
		.bytes = packet->payload_bytes,
	};
	delivery->source_qpn = packet->source_qpn;
	delivery->qkey = packet->qkey;
	delivery->immediate = packet->immediate;
	delivery->has_immediate = packet->opcode == UD_SEND_IMM;
	delivery->solicited = packet->solicited;
	delivery->payload = payload;
}

void adev_datagram_arrive(struct adev_qp *qp,
			  const struct adev_arrival *arrival)
{
	const struct roce_packet *packet = &arrival->packet;
	bool immediate = packet->opcode == UD_SEND_IMM;
	struct adev_link *own = &qp->destinations->own;
	enum adev_placed placed;
	enum adev_loss why = ADEV_LOSS_REFUSED;
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

	if ((!immediate && packet->opcode != UD_SEND) ||
	    packet->payload_bytes > ADEV_DATAGRAM_MAX_BYTES) {
		adev_count_loss(qp->fn, qp->qpn, why);
		return;
	}
	describe_arrival(packet, &delivery, &payload);
	adev_grh_emit(&grh, delivery.grh);
	if (adev_qp_lock_owner(qp->fn, qp->shared, ARRIVAL_LOCK_MS)) {
		adev_count_loss(qp->fn, qp->qpn, ADEV_LOSS_BUSY);
		return;
	}
	placed = ADEV_PLACED_STALE;
	if (own->incarnation == qp->shared->incarnation ||
	    adev_link_own(qp, own))
		placed = adev_datagram_place(qp->fn, own, &delivery, &why);
	adev_qp_unlock(qp->shared);
	if (placed != ADEV_PLACED)
		adev_count_loss(qp->fn, qp->qpn, why);
}
