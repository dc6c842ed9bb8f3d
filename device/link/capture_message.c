/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Captures of the loopback path: from a message and its responder's verdict,
 * the packets that both would have sent over a wire, with path MTU, sequence
 * numbers and checksums as they would have been.
 *
 * What never happened is not made up. Nothing is repeated: a message that waits
 * is shown once with its RNR NAK (or without an answer), and again when it is
 * delivered. All packets of a message bear the time at which it was answered.
 * Of a request that is refused, only the packets up to the refused one. A
 * message of an unreliable service is shown whatever becomes of it.
 */
#include <endian.h>
#include <string.h>

#include "domain/port.h"
#include "link/capture_state.h"
#include "link/wire_ops.h"
#include "transport/address_handle.h"

/* One message on its way into the file. */
struct replay {
	struct adev_capture *capture;
	const struct adev_qp *qp;
	const struct adev_message *message;
	uint32_t transport; /* enum roce_transport */
	uint32_t dest_qpn;
	uint32_t mtu;
	uint32_t num_packets;	/* that the whole message takes */
	struct adev_path there; /* requester to responder */
	struct adev_path back;
};

/* The way of a connection. Without a GRH a message stays in the port, whose
 * first address it is shown with. An address that has gone meanwhile leaves the
 * connection as it is: shown with the peer's, which is of this host too. */
static void find_path(const struct arnica_hw_qp_attributes *vector,
		      struct adev_path *there)
{
	bool global = arnica_from_le32(vector->is_global);
	uint32_t slot = global ? arnica_from_le32(vector->sgid_index) : 0;
	struct arnica_bus_gid gid = { .raw = { [15] = 1 } }; /* ::1 */
	bool known = !adev_port_gid(slot, &gid);

	memset(there, 0, sizeof(*there));
	memcpy(there->destination, global ? vector->dgid : gid.raw, 16);
	memcpy(there->source, known ? gid.raw : there->destination, 16);
	there->traffic_class = (uint8_t)arnica_from_le32(vector->traffic_class);
	there->hop_limit = (uint8_t)arnica_from_le32(vector->hop_limit);
	there->flow_label = arnica_from_le32(vector->flow_label);
}

static void find_paths(struct replay *replay)
{
	struct adev_path *there = &replay->there, *back = &replay->back;
	uint32_t qpn = replay->qp->qpn;

	if (replay->transport == ROCE_UD)
		*there = replay->message->ah->way.path;
	else
		find_path(&replay->qp->attributes, there);
	there->source_port = adev_path_port(there->flow_label, qpn,
					    replay->dest_qpn);
	*back = *there;
	memcpy(back->source, there->destination, 16);
	memcpy(back->destination, there->source, 16);
	back->source_port = adev_path_port(back->flow_label, replay->dest_qpn,
					   qpn);
}

/* One packet, with payload from the message's own memory at `offset`. */
static void add(struct replay *replay, bool request, struct roce_packet *roce,
		uint64_t offset)
{
	struct adev_capture_packet packet = {
		.path = request ? &replay->there : &replay->back,
		.direction = request ? ARNICA_PCAPNG_OUTBOUND :
				       ARNICA_PCAPNG_INBOUND,
	};
	const struct roce_envelope envelope = adev_path_envelope(
		packet.path, packet.path->source_port, packet.ip_id);
	uint8_t *bytes;
	uint32_t used;

	roce->pkey = ROCE_DEFAULT_PKEY;
	roce->opcode |= (uint8_t)replay->transport;
	roce->dest_qpn = request ? replay->dest_qpn : replay->qp->qpn;
	if (request && replay->transport == ROCE_XRC)
		roce->xrc_srqn = replay->message->xrc_srqn;
	roce->migration = true; /* state "migrated" (IBTA 17.2.8) */
	packet.bytes = roce_packet_bytes(roce->opcode, roce->payload_bytes);
	bytes = adev_capture_reserve(replay->capture, &packet);
	if (!bytes)
		return;
	memset(bytes, 0, packet.bytes);
	used = roce_emit(roce, bytes);
	if (roce->payload_bytes &&
	    !adev_gather_read(&replay->message->gather, offset, bytes + used,
			      roce->payload_bytes))
		return; /* unmapped meanwhile: nothing to show */
	roce_icrc_seal(&envelope, bytes, packet.bytes);
	adev_capture_commit(replay->capture, &packet);
}

static uint32_t psn_of(const struct replay *replay, uint32_t number)
{
	return roce_psn_add(replay->qp->send_psn, number);
}

/* Payload of packet `number` of a message of this many bytes. */
static uint32_t part_of(const struct replay *replay, uint32_t number)
{
	uint64_t left = replay->message->bytes - (uint64_t)number * replay->mtu;

	return left < replay->mtu ? (uint32_t)left : replay->mtu;
}

/* FIRST, MIDDLE, LAST or ONLY of the operations that have them: they follow
 * each other in the table (IBTA 9.2.1), with and without immediate data. */
static uint8_t operation(const struct replay *replay, uint32_t number,
			 uint32_t first, uint32_t last, uint32_t only)
{
	bool ends = number == replay->num_packets - 1;

	if (number == 0)
		return (uint8_t)(ends ? only : first);
	return (uint8_t)(ends ? last : first + 1);
}

static uint8_t send_operation(const struct replay *replay, uint32_t number)
{
	switch (replay->message->opcode) {
	case ARNICA_HW_OP_SEND_IMM:
		return operation(replay, number, ROCE_SEND_FIRST,
				 ROCE_SEND_LAST_IMM, ROCE_SEND_ONLY_IMM);
	case ARNICA_HW_OP_SEND_INV:
		return operation(replay, number, ROCE_SEND_FIRST,
				 ROCE_SEND_LAST_INV, ROCE_SEND_ONLY_INV);
	case ARNICA_HW_OP_WRITE:
		return operation(replay, number, ROCE_WRITE_FIRST,
				 ROCE_WRITE_LAST, ROCE_WRITE_ONLY);
	case ARNICA_HW_OP_WRITE_IMM:
		return operation(replay, number, ROCE_WRITE_FIRST,
				 ROCE_WRITE_LAST_IMM, ROCE_WRITE_ONLY_IMM);
	case ARNICA_HW_OP_ATOMIC_WRITE:
		return ROCE_ATOMIC_WRITE;
	default:
		return operation(replay, number, ROCE_SEND_FIRST,
				 ROCE_SEND_LAST, ROCE_SEND_ONLY);
	}
}

static void set_remote(const struct replay *replay, struct roce_packet *roce)
{
	roce->address = replay->message->remote_address;
	roce->rkey = replay->message->rkey;
	roce->dma_length = (uint32_t)replay->message->bytes;
}

/* Packet `number` of a SEND or WRITE. */
static void add_data(struct replay *replay, uint32_t number)
{
	const struct adev_message *message = replay->message;
	bool last = number == replay->num_packets - 1;
	struct roce_packet roce = {
		.opcode = (uint8_t)(replay->transport |
				    send_operation(replay, number)),
		.psn = psn_of(replay, number),
		.ack_request = last && adev_type_is_reliable(replay->qp->type),
		.payload_bytes = part_of(replay, number),
	};
	uint32_t headers = roce_opcode_info(roce.opcode);

	if (headers & ROCE_HAS_DETH) {
		roce.qkey = message->qkey;
		roce.source_qpn = replay->qp->qpn;
	}
	if (headers & ROCE_HAS_RETH)
		set_remote(replay, &roce);
	if (headers & ROCE_HAS_IMM)
		roce.immediate = message->immediate;
	if (headers & ROCE_HAS_IETH)
		roce.invalidate = be32toh(message->immediate);
	if (last && message->opcode != ARNICA_HW_OP_WRITE &&
	    message->opcode != ARNICA_HW_OP_ATOMIC_WRITE)
		roce.solicited = message->flags & ARNICA_HW_WQE_SOLICITED;
	add(replay, true, &roce, (uint64_t)number * replay->mtu);
}

static bool is_read(const struct replay *replay)
{
	return replay->message->opcode == ARNICA_HW_OP_READ;
}

static bool is_atomic(const struct replay *replay)
{
	return arnica_hw_opcode_is_atomic(replay->message->opcode);
}

/* The request, up to and with packet `last`. */
static void add_request(struct replay *replay, uint32_t last)
{
	const struct adev_message *message = replay->message;
	struct roce_packet roce = {
		.psn = psn_of(replay, 0),
		.ack_request = true,
	};
	uint32_t number;

	if (is_read(replay)) {
		roce.opcode = ROCE_READ_REQUEST;
		set_remote(replay, &roce);
		add(replay, true, &roce, 0);
	} else if (is_atomic(replay)) {
		roce.opcode = message->opcode == ARNICA_HW_OP_CAS ?
				      ROCE_COMPARE_SWAP :
				      ROCE_FETCH_ADD;
		set_remote(replay, &roce);
		roce.swap_or_add = message->swap_or_add;
		roce.compare = message->compare;
		add(replay, true, &roce, 0);
	} else {
		for (number = 0; number <= last; number++)
			add_data(replay, number);
	}
}

static void add_acknowledge(struct replay *replay, uint32_t number,
			    uint32_t syndrome)
{
	struct roce_packet roce = {
		.opcode = ROCE_ACKNOWLEDGE,
		.psn = psn_of(replay, number),
		.syndrome = (uint8_t)syndrome,
		.msn = replay->qp->peer_msn,
	};

	add(replay, false, &roce, 0);
}

static void add_read_responses(struct replay *replay)
{
	uint32_t number;

	for (number = 0; number < replay->num_packets; number++) {
		struct roce_packet roce = {
			.opcode = operation(replay, number,
					    ROCE_READ_RESPONSE_FIRST,
					    ROCE_READ_RESPONSE_LAST,
					    ROCE_READ_RESPONSE_ONLY),
			.psn = psn_of(replay, number),
			.payload_bytes = part_of(replay, number),
		};

		if (roce_opcode_info(roce.opcode) & ROCE_HAS_AETH) {
			roce.syndrome = ROCE_SYNDROME_ACK |
					ROCE_CREDITS_UNLIMITED;
			roce.msn = replay->qp->peer_msn;
		}
		add(replay, false, &roce, (uint64_t)number * replay->mtu);
	}
}

/* The answer to an atomic write. */
static void add_written(struct replay *replay)
{
	struct roce_packet roce = {
		.opcode = ROCE_READ_RESPONSE_ONLY,
		.psn = psn_of(replay, 0),
		.syndrome = ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED,
		.msn = replay->qp->peer_msn,
	};

	add(replay, false, &roce, 0);
}

static void add_atomic_acknowledge(struct replay *replay)
{
	struct roce_packet roce = {
		.opcode = ROCE_ATOMIC_ACKNOWLEDGE,
		.psn = psn_of(replay, 0),
		.syndrome = ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED,
		.msn = replay->qp->peer_msn,
	};

	if (adev_gather_read(&replay->message->gather, 0, &roce.original,
			     sizeof(roce.original)))
		add(replay, false, &roce, 0);
}

static void add_delivered(struct replay *replay)
{
	add_request(replay, replay->num_packets - 1);
	if (!adev_type_is_reliable(replay->qp->type))
		return;
	if (is_read(replay))
		add_read_responses(replay);
	else if (is_atomic(replay))
		add_atomic_acknowledge(replay);
	else if (replay->message->opcode == ARNICA_HW_OP_ATOMIC_WRITE)
		add_written(replay);
	else
		add_acknowledge(replay, replay->num_packets - 1,
				ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED);
}

/* Refused at packet `number`. */
static void add_refused(struct replay *replay, uint32_t number,
			uint32_t syndrome)
{
	add_request(replay, number);
	add_acknowledge(replay, number, syndrome);
}

/* A receive that is too short is noticed where the message exceeds it, which
 * is not known here: shown at the last packet, as is a key that cannot be taken
 * back. All other refusals are of what
 * the first packet says. */
static uint32_t refused_packet(const struct replay *replay)
{
	bool takes_receive = replay->message->opcode == ARNICA_HW_OP_SEND ||
			     replay->message->opcode == ARNICA_HW_OP_SEND_IMM ||
			     replay->message->opcode == ARNICA_HW_OP_SEND_INV;

	return takes_receive ? replay->num_packets - 1 : 0;
}

static void add_all(struct replay *replay, enum adev_verdict verdict)
{
	const struct adev_qp *qp = replay->qp;

	switch (verdict) {
	case ADEV_VERDICT_ACK:
		add_delivered(replay);
		break;
	case ADEV_VERDICT_RNR:
		add_refused(replay, 0,
			    ROCE_SYNDROME_RNR_NAK | (qp->peer_rnr_timer &
						     ROCE_SYNDROME_VALUE_MASK));
		break;
	case ADEV_VERDICT_NAK_INVALID:
		add_refused(replay, refused_packet(replay),
			    ROCE_SYNDROME_NAK | ROCE_NAK_INVALID_REQUEST);
		break;
	case ADEV_VERDICT_NAK_ACCESS:
		add_refused(replay, refused_packet(replay),
			    ROCE_SYNDROME_NAK | ROCE_NAK_REMOTE_ACCESS);
		break;
	case ADEV_VERDICT_NAK_OPERATION:
		add_refused(replay, 0,
			    ROCE_SYNDROME_NAK | ROCE_NAK_REMOTE_OPERATION);
		break;
	default:
		add_request(replay, replay->num_packets - 1);
		break;
	}
}

/* Whether this verdict is news of the message. */
static bool worth_showing(const struct adev_qp *qp, enum adev_verdict verdict)
{
	switch (verdict) {
	case ADEV_VERDICT_MORE:
	case ADEV_VERDICT_LATER:
	case ADEV_VERDICT_LOCAL_PROTECTION: /* never left the requester */
		return false;
	case ADEV_VERDICT_RNR:
		return qp->wait != ADEV_WAIT_RNR;
	case ADEV_VERDICT_STALE:
	case ADEV_VERDICT_SILENT:
	case ADEV_VERDICT_GONE:
		return qp->wait != ADEV_WAIT_RETRY;
	default:
		return true;
	}
}

static uint32_t transport_of(const struct adev_qp *qp)
{
	switch (qp->type) {
	case ARNICA_HW_QP_UC:
		return ROCE_UC;
	case ARNICA_HW_QP_UD:
		return ROCE_UD;
	case ARNICA_HW_QP_XRC_SEND:
		return ROCE_XRC;
	default:
		return ROCE_RC;
	}
}

/* Packets of the wire are shown as they pass it. */
static bool on_the_wire(const struct adev_qp *qp)
{
	return qp->type == ARNICA_HW_QP_UD ?
		       !qp->message->ah->way.here :
		       atomic_load_explicit(&qp->remote,
					    memory_order_relaxed) != NULL;
}

void adev_capture_message(struct adev_qp *qp, enum adev_verdict verdict)
{
	struct replay replay = {
		.capture = qp->fn->capture,
		.qp = qp,
		.message = qp->message,
		.transport = transport_of(qp),
		.mtu = qp->path_mtu_bytes,
	};

	if (on_the_wire(qp) || !worth_showing(qp, verdict))
		return;
	replay.dest_qpn = replay.transport == ROCE_UD ?
				  qp->message->dest_qpn :
				  arnica_from_le32(qp->attributes.dest_qpn);
	replay.num_packets = adev_psn_count(qp->message->bytes, replay.mtu);
	adev_capture_begin(replay.capture);
	find_paths(&replay);
	add_all(&replay, verdict);
	adev_capture_end(replay.capture);
}
