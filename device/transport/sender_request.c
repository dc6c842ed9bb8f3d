/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sender: requests that are answered with data or like it: reads, atomic
 * operations and atomic writes. Each is one packet, and takes as many packet
 * numbers as its answer.
 */
#include "transport/pace.h"
#include "transport/remote.h"
#include "transport/sender_state.h"

#define READ_BYTES (128u << 10)

/* How many responses a new read request asks for: half a window, so that two
 * are on their way; all of it where only one may be. Should one be lost, all
 * that follow in the request come again. */
static uint64_t read_size(const struct adev_qp *qp,
			  const struct adev_sender *sender)
{
	uint32_t size = sender->window.packets;
	uint32_t most = READ_BYTES / qp->path_mtu_bytes;

	if (arnica_from_le32(qp->attributes.max_rd_atomic) > 1 && size > 1)
		size /= 2;
	/* At a pace no more than a step, which is a packet at least. */
	if (__builtin_expect(qp->pace != NULL, 0) &&
	    size > qp->pace->step_bytes / qp->path_mtu_bytes)
		size = qp->pace->step_bytes / qp->path_mtu_bytes;
	return size < most ? size : most;
}

/*
 * The request that `next` belongs to: one that is repeated, or a new one of
 * `count` responses. NULL: it has to wait.
 *
 * What is repeated ends where it ended the first time, also when that is more
 * than the window now takes. The responder knows a request by its packets, but
 * whether it saw this one is not known here: parts of it could be several
 * requests to it, and a later repetition across two of them none
 * (IBTA 9.7.5.1.6).
 */
static struct adev_asked *asked_for(struct adev_qp *qp,
				    struct adev_sender *sender, uint64_t count)
{
	uint32_t limit = arnica_from_le32(qp->attributes.max_rd_atomic);
	struct adev_asked *asked;

	asked = adev_sender_asked(sender, sender->next_asked);
	if (sender->next_asked != sender->end_asked) {
		if (sender->next != sender->oldest &&
		    adev_sender_room(sender) < asked->last + 1 - sender->next)
			return NULL;
		asked->again = true;
		return asked;
	}
	if (limit > ADEV_SENDER_READS)
		limit = ADEV_SENDER_READS;
	if (sender->end_asked - sender->first_asked >= limit ||
	    adev_sender_room(sender) < count)
		return NULL;
	asked->first = sender->next;
	asked->last = sender->next + count - 1;
	asked->again = false;
	sender->end_asked++;
	return asked;
}

bool adev_sender_read(struct adev_qp *qp, struct adev_sender *sender,
		      const struct adev_sent *sent,
		      const struct adev_message *message)
{
	uint64_t offset = (sender->next - sent->first) * qp->path_mtu_bytes;
	uint64_t count = sent->last + 1 - sender->next, bytes;
	struct roce_packet packet;
	struct adev_asked *asked;

	if (count > read_size(qp, sender))
		count = read_size(qp, sender);
	asked = adev_sender_room(sender) ? asked_for(qp, sender, count) : NULL;
	if (!asked)
		return false;
	count = asked->last + 1 - sender->next;
	bytes = count * qp->path_mtu_bytes;
	if (bytes > message->bytes - offset)
		bytes = message->bytes - offset;
	adev_sender_describe(qp, message, sender->next, ROCE_READ_REQUEST,
			     &packet);
	packet.ack_request = true;
	packet.address = message->remote_address + offset;
	packet.rkey = message->rkey;
	packet.dma_length = (uint32_t)bytes;
	(void)!adev_sender_add(qp, sender, &packet, message, 0);
	/* What comes back on its account. */
	adev_sender_charge(qp, sender, bytes);
	adev_sender_went(qp, sender, count, true);
	sender->next_asked++;
	return true;
}

bool adev_sender_atomic(struct adev_qp *qp, struct adev_sender *sender,
			const struct adev_message *message)
{
	struct roce_packet packet;

	if (!adev_sender_room(sender) || !asked_for(qp, sender, 1))
		return false;
	adev_sender_describe(qp, message, sender->next,
			     message->opcode == ARNICA_HW_OP_CAS ?
				     ROCE_COMPARE_SWAP :
				     ROCE_FETCH_ADD,
			     &packet);
	packet.ack_request = true;
	packet.address = message->remote_address;
	packet.rkey = message->rkey;
	packet.swap_or_add = message->swap_or_add;
	packet.compare = message->compare;
	(void)!adev_sender_add(qp, sender, &packet, message, 0);
	adev_sender_went(qp, sender, 1, true);
	sender->next_asked++;
	return true;
}

bool adev_sender_atomic_write(struct adev_qp *qp, struct adev_sender *sender,
			      const struct adev_sent *sent,
			      const struct adev_message *message)
{
	struct roce_packet packet;

	if (!adev_sender_room(sender) || !asked_for(qp, sender, 1))
		return false;
	adev_sender_describe(qp, message, sender->next, ROCE_ATOMIC_WRITE,
			     &packet);
	packet.ack_request = true;
	packet.address = message->remote_address;
	packet.rkey = message->rkey;
	packet.dma_length = (uint32_t)message->bytes;
	packet.payload_bytes = (uint32_t)message->bytes;
	if (!adev_sender_add(qp, sender, &packet, message, 0)) {
		adev_sender_refuse(sender, sent, ARNICA_HW_STATUS_LOC_PROT_ERR);
		return false;
	}
	adev_sender_went(qp, sender, 1, true);
	sender->next_asked++;
	return true;
}
