/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a sender knows of its packets. They are counted in 64 bits, of which the
 * low 24 are the PSN; a response to a read takes a number like a request.
 *
 *   oldest          next           sent            assigned
 *     |---------------|--------------|----------------|
 *      on their way    to be sent     never sent yet
 *                      again
 *
 * Below `oldest` everything is acknowledged and its messages have completed.
 * Going back sets `next` to `oldest`. `assigned` is the end of the last message
 * that was begun.
 *
 * Only for sender*.c and their tests; everything with sq_lock held.
 */
#ifndef ADEV_TRANSPORT_SENDER_STATE_H
#define ADEV_TRANSPORT_SENDER_STATE_H

#include "transport/even.h"
#include "transport/rate.h"
#include "transport/sender.h"
#include "transport/window.h"

#define ADEV_SENDER_MESSAGES 256u /* begun and not completed; power of two */
#define ADEV_SENDER_READS ARNICA_HW_MAX_RD_ATOMIC

/* A message that was begun, or something that was carried out without one and
 * completes in its turn: then `last` is before `first`. */
struct adev_sent {
	uint64_t first, last; /* its packets */
	uint64_t bytes;
	uint32_t index; /* of its entry in the send queue */
	uint8_t opcode; /* enum arnica_hw_opcode */
	uint8_t flags;  /* enum arnica_hw_wqe_flags */
	bool even;	/* each packet is a WRITE by itself */
};

/* A read request or atomic operation on its way. */
struct adev_asked {
	uint64_t first, last; /* its responses */
	bool again; /* was repeated, perhaps from the middle */
};

/* A message read from the send queue once more. */
struct adev_reread {
	struct adev_message message;
	bool valid;
	uint64_t turn; /* when its keys were checked */
};

struct adev_sender {
	uint64_t oldest, next, sent, assigned;

	/* Free-running indexes. */
	struct adev_sent messages[ADEV_SENDER_MESSAGES];
	uint32_t first_message, end_message;
	uint32_t next_message; /* the one that `next` belongs to */
	uint32_t returning;    /* messages among them that return data */
	bool begun;            /* the message under way is the last of them */

	struct adev_asked asked[ADEV_SENDER_READS];
	uint32_t first_asked, end_asked;
	uint32_t next_asked; /* first that does not end before `next` */

	/* A message that cannot go on for a local reason fails when everything
	 * before it is acknowledged. */
	enum arnica_hw_status refusal;
	uint64_t refused; /* its first packet */

	struct adev_reread resending, placing;
	uint64_t turn; /* counts times that sq_lock was taken */
	uint64_t message_turn; /* when the keys of qp->message were checked */
	uint64_t now_ns; /* of this turn */

	struct adev_even even;
	struct adev_window window;
	struct adev_rate rate;
	uint64_t limited_ns; /* when it may send, or may ask; zero: need not wait */
	struct adev_batch *batch; /* of this turn; NULL: nothing added yet */
	uint32_t unasked; /* packets since the last that asked for an answer */
	uint32_t run_left; /* packets that leave together with the last one */

	uint64_t heard_ns; /* of the last progress, or of the first packet */
	uint64_t tried_ns; /* when it last began to send from `oldest` */
	uint64_t recover;  /* losses of packets below were reacted to */
	uint64_t returned; /* packet that it went back to last */
	uint64_t returned_ns;
	uint32_t retries;   /* since the last progress */
	uint32_t probes;    /* since the last progress or retry */
	uint32_t caution;   /* doublings of patience: silences that were none */
	uint32_t not_ready; /* RNR NAKs since the last progress */
	uint64_t ready_ns; /* the receiver may be ready; zero: it is */

	uint64_t timed; /* packet whose answer is timed */
	uint64_t timed_ns; /* when it went; zero: none is timed */
	uint64_t round_trip_ns; /* smoothed; zero: not known */
	uint64_t deviation_ns;
	uint64_t shortest_ns; /* round trip seen; zero: none */

	/* What the window was before a silence, and what was sent again since:
	 * an answer to more than that says that nothing was lost. */
	struct adev_window before_silence;
	bool was_silent;

	bool drain_event; /* SQ_DRAINED is owed */
};

static inline struct adev_sent *adev_sender_sent(struct adev_sender *sender,
						 uint32_t message)
{
	return &sender->messages[message % ADEV_SENDER_MESSAGES];
}

static inline bool adev_sender_has_packets(const struct adev_sent *sent)
{
	return sent->first <= sent->last;
}

static inline struct adev_asked *adev_sender_asked(struct adev_sender *sender,
						   uint32_t asked)
{
	return &sender->asked[asked % ADEV_SENDER_READS];
}

/* An atomic write returns none, but a response like theirs. */
static inline bool adev_sender_returns_data(uint32_t opcode)
{
	return arnica_hw_opcode_responds(opcode);
}

/* Packets that the window still takes. With nothing on its way there is always
 * room for one. */
static inline uint64_t adev_sender_room(const struct adev_sender *sender)
{
	uint64_t in_flight = sender->next - sender->oldest;

	if (in_flight < sender->window.packets)
		return sender->window.packets - in_flight;
	return in_flight ? 0 : 1;
}

/* sender_packet.c: a packet's headers as far as all requests have them. */
void adev_sender_describe(const struct adev_qp *qp,
			  const struct adev_message *message, uint64_t number,
			  uint8_t operation, struct roce_packet *packet);
/* What a packet, or what it asks for, counts for. */
void adev_sender_charge(struct adev_qp *qp, const struct adev_sender *sender,
			uint64_t bytes);
/* Into the batch, with its part of the message. False: that cannot be read. */
bool adev_sender_add(struct adev_qp *qp, struct adev_sender *sender,
		     const struct roce_packet *packet,
		     const struct adev_message *message,
		     uint64_t offset) ARNICA_MUST_CHECK;
/* `count` packet numbers from `next` are on their way. */
void adev_sender_went(struct adev_qp *qp, struct adev_sender *sender,
		      uint64_t count, bool asks);
/* The message cannot go on. */
void adev_sender_refuse(struct adev_sender *sender,
			const struct adev_sent *sent,
			enum arnica_hw_status status);
/* Sends packets from `next` as far as it may. False: the QP
 * is in error now. */
bool adev_sender_transmit(struct adev_qp *qp) ARNICA_MUST_CHECK;
enum adev_progress adev_sender_run_uc(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* sender_request.c: the request at `next`, of each kind. False: not now. */
bool adev_sender_read(struct adev_qp *qp, struct adev_sender *sender,
		      const struct adev_sent *sent,
		      const struct adev_message *message) ARNICA_MUST_CHECK;
bool adev_sender_atomic(struct adev_qp *qp, struct adev_sender *sender,
			const struct adev_message *message) ARNICA_MUST_CHECK;
bool adev_sender_atomic_write(struct adev_qp *qp, struct adev_sender *sender,
			      const struct adev_sent *sent,
			      const struct adev_message *message)
	ARNICA_MUST_CHECK;

/* sender_message.c: the content of a message that was begun: qp->message, or
 * `reread`; keys checked in this turn. NULL, with the status that it fails
 * with: it cannot go on. */
struct adev_message *adev_sender_content(struct adev_qp *qp,
					 const struct adev_sent *sent,
					 struct adev_reread *reread,
					 enum arnica_hw_status *status);
/* Everything before `end` is acknowledged, short of messages that return data;
 * those end by adev_sender_returned(). Completes what is over. */
void adev_sender_acknowledge(struct adev_qp *qp, uint64_t end);
/* The responses up to and including packet `oldest` came. */
void adev_sender_returned(struct adev_qp *qp);
/* The oldest message ends with an error, and the connection with it. */
void adev_sender_fail(struct adev_qp *qp, enum arnica_hw_status status);
/* A message that was refused fails if it is the oldest now. False: it did. */
bool adev_sender_check_refusal(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* sender_timer.c */
enum adev_back {
	ADEV_BACK_REPORTED, /* NAK, or an answer that passed another one */
	ADEV_BACK_SILENCE,
	ADEV_BACK_NOT_READY, /* nothing was lost */
};
/* Sends again from `oldest`. */
void adev_sender_go_back(struct adev_qp *qp, enum adev_back why);
/* A loss was reported: goes back, unless it did so just now. */
void adev_sender_lost(struct adev_qp *qp);
/* RNR NAK for the oldest packet, with a timer code. */
void adev_sender_not_ready(struct adev_qp *qp, uint32_t code);
/* Something was acknowledged: `before` was the oldest packet, and `again` the
 * next to be sent. */
void adev_sender_progress(struct adev_qp *qp, uint64_t before, uint64_t again);
/* Timers that are due. False: the QP is in error now. */
bool adev_sender_expire(struct adev_qp *qp) ARNICA_MUST_CHECK;
/* Tells the function when to look at this QP. */
void adev_sender_schedule(struct adev_qp *qp);

#endif
