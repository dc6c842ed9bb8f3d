/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a receiver remembers, and what its files ask of each other:
 *
 *  receiver.c   sequencing: is this the packet that is due?
 *  receiver_place.c    checks and executes a packet that is due
 *  receiver_srq.c      where it goes: the QP's own, or an SRQ and its process
 *  receiver_resource.c reads and atomics that were answered, to answer again
 *  receiver_respond.c  acknowledgements and responses, in order
 *
 * All of it with the responder lock of the QP held.
 */
#ifndef ADEV_TRANSPORT_RECEIVER_STATE_H
#define ADEV_TRANSPORT_RECEIVER_STATE_H

#include "dma/dma.h"
#include "gather/gather.h"
#include "transport/receiver.h"
#include "transport/remote.h"
#include "transport/xrc.h"

/* The message whose packets are coming in. */
enum adev_receiving {
	ADEV_RECEIVING_NOTHING,
	ADEV_RECEIVING_SEND,
	ADEV_RECEIVING_WRITE,
};

enum adev_resource_kind {
	ADEV_RESOURCE_FREE,
	ADEV_RESOURCE_READ,
	ADEV_RESOURCE_ATOMIC,
	ADEV_RESOURCE_WRITTEN, /* by an atomic write */
};

/*
 * A responder resource (IBTA 9.7.7.1): a read or atomic that was accepted, kept
 * until as many others came as the QP has resources. What is asked again is
 * read again, or answered with the value that was recorded.
 */
struct adev_resource {
	enum adev_resource_kind kind;
	bool answered; /* the first time */
	uint32_t first_psn;
	uint32_t last_psn;
	uint32_t msn;   /* that its responses carry */
	uint32_t bytes; /* READ: of the request */
	uint32_t rkey;
	uint32_t srqn; /* XRC */
	uint64_t address;
	uint64_t original; /* ATOMIC */
	uint64_t message;  /* READ: see tpt/touch.h */
};

/* Responses that are due: to a read or atomic, or to part of a read that is
 * asked again. They go out in the order in which they were asked for. */
struct adev_response {
	uint32_t resource; /* its number, free-running */
	uint32_t start;    /* READ: packet of the resource that begins it */
	uint32_t next;     /* READ: packet that comes next */
	uint32_t end;      /* READ: bytes of the resource at which it ends */
};

#define ADEV_RESPONSES 256u

/* An answer other than an acknowledgement. */
struct adev_refusal {
	bool due;
	bool fatal; /* the QP goes to ERR once it is sent */
	uint8_t syndrome;
	uint32_t psn;
	uint32_t status; /* fatal: enum arnica_hw_status */
	uint32_t event;  /* fatal: enum ibv_event_type, or 0 */
};

struct adev_receiver {
	struct adev_link own; /* the QP's own receive queue */
	/* Where the packet goes: `own`; XRC: the SRQ, while it is locked. */
	struct adev_link *to;
	uint32_t srqn;	 /* XRC: of the message under way */
	int atomic_slot; /* in the inbox of its process; -1: none */
	struct adev_view *atomic_view; /* that process's */

	enum adev_receiving receiving;
	bool dropping;   /* UC: until the next message begins */
	uint64_t placed; /* bytes of the message */
	uint64_t address;
	uint64_t length; /* WRITE: as the request says */
	uint32_t rkey;
	uint64_t message;        /* WRITE: see tpt/touch.h */
	struct adev_gather into; /* SEND: memory of the receive entry */

	/* Packets ahead of the expected one came, and were dropped. */
	bool told;           /* a NAK said so, or an RNR NAK came before */
	bool gap_due;        /* a NAK has to say so */
	uint32_t gap_psn;    /* the first that was dropped since */
	uint32_t gap_newest; /* the newest of them */

	/* Memory that is being registered: how often this packet was put off. */
	uint32_t awaited_times;
	uint32_t awaited_psn;

	bool ack_due;
	/* Only what came before came again, up to here; see
	 * acknowledge_repeated(). */
	bool repeated_due;
	uint32_t repeated_psn;
	/* A response could not be had in time, and counts as lost: nothing is
	 * acknowledged beyond it before the requester comes again. */
	bool withheld;
	struct adev_refusal refusal;
	uint64_t next_cnp_ns;

	/* The newest max_dest_rd_atomic of them count. Numbers run freely. */
	uint32_t next_resource;
	uint32_t first_response, end_response;
	struct adev_resource resources[ARNICA_HW_MAX_RD_ATOMIC];
	struct adev_response responses[ADEV_RESPONSES];
};

/* What is left to do when the lock was given back. */
struct adev_aftermath {
	bool completed;
	bool established;
	bool failed;
	struct adev_completion completion;
};

static inline struct adev_receiver *adev_receiver_of(const struct adev_qp *qp)
{
	return qp->remote_kept->receiver;
}

/* Who comes through the QP, to the table of the memory's function. */
static inline struct adev_tpt_user adev_receiver_user(const struct adev_qp *qp)
{
	const struct adev_link *to = adev_receiver_of(qp)->to;

	return (struct adev_tpt_user){ .pd = to->pd, .qpn = to->ring.qpn };
}

static inline uint32_t adev_operation(const struct roce_packet *packet)
{
	return packet->opcode & ROCE_OPERATION_MASK;
}

/* Is it answered by a response of its own, which takes a resource? */
static inline bool adev_operation_responds(uint32_t operation)
{
	return operation == ROCE_READ_REQUEST ||
	       operation == ROCE_COMPARE_SWAP ||
	       operation == ROCE_FETCH_ADD || operation == ROCE_ATOMIC_WRITE;
}

/* receiver.c: the responder lock, or after a while false. */
bool adev_receiver_lock(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* Does the QP take packets from the wire? */
bool adev_receiver_listens(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* receiver_place.c: executes the packet that is due. False: it was refused (a
 * NAK is due; UC: the message is dropped), and the sequence stays. */
bool adev_receiver_place(struct adev_qp *qp, const struct roce_packet *packet,
			 struct adev_aftermath *after) ARNICA_MUST_CHECK;

/* receiver_srq.c: with XRC, locks the SRQ that a packet or a response is for, and
 * gives it back with what completed. BUSY and NONE are counted. Else nothing
 * happens. */
enum adev_xrc_state adev_receiver_enter(struct adev_qp *qp, uint32_t srqn)
	ARNICA_MUST_CHECK;
void adev_receiver_leave(struct adev_qp *qp, struct adev_aftermath *after);

/* In between: the packet's payload into a receive entry, or to where an RDMA
 * request says; what stands there; an atomic operation there. LATER: as good as
 * lost. */
enum adev_dma_result adev_receiver_scatter(struct adev_qp *qp,
					   const struct adev_gather *into,
					   uint64_t offset,
					   const struct roce_packet *packet);
enum adev_dma_result adev_receiver_store(struct adev_qp *qp,
					 const struct adev_gather *to,
					 const struct roce_packet *packet);
enum adev_dma_result adev_receiver_load(struct adev_qp *qp,
					const struct adev_gather *from,
					void *to, uint32_t bytes);
enum adev_dma_result adev_receiver_atomic(struct adev_qp *qp,
					  const struct adev_gather *at,
					  enum adev_atomic atomic,
					  uint64_t swap_or_add,
					  uint64_t compare, uint64_t *original);

/* receiver_refuse.c: ends the connection: the NAK goes out after the responses
 * that are due. */
void adev_receiver_fail(struct adev_qp *qp, uint32_t psn, enum roce_nak nak,
			enum arnica_hw_status status, uint32_t event);

/* Leaves the message under way; its receive entry is used by the next one. */
void adev_receiver_forget(struct adev_receiver *receiver);

/*
 * receiver_resource.c: a resource for a new read or atomic of `count` packets.
 * NULL: the requester has more under way than it may. Without responses being
 * due it counts as answered.
 */
struct adev_resource *adev_resource_take(struct adev_qp *qp, uint32_t psn,
					 uint32_t count) ARNICA_MUST_CHECK;

/* The memory of a read, or of a part of it, for the first time or again. */
enum adev_tpt_verdict adev_receiver_find(struct adev_qp *qp, uint32_t rkey,
					 uint64_t iova, uint64_t bytes,
					 uint64_t message,
					 struct adev_gather *memory)
	ARNICA_MUST_CHECK;

/* What a new read at `psn` is to tpt/touch.h: the message that the newest read
 * belongs to, if it goes on where that one ends; else one of its own. */
uint64_t adev_resource_message(struct adev_qp *qp,
			       const struct roce_packet *packet);
/* Will it take one more? */
bool adev_resource_room(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* Room for one more that is due? */
bool adev_response_room(const struct adev_receiver *receiver)
	ARNICA_MUST_CHECK;

/* The responses to the newest resource are due. */
void adev_response_due(struct adev_receiver *receiver);

/* A request that was accepted before: makes its responses due again, as far as
 * they are still known. False: dropped. */
bool adev_response_replay(struct adev_qp *qp, const struct roce_packet *packet)
	ARNICA_MUST_CHECK;

/* What is due first, and its resource; NULL. */
struct adev_response *adev_response_first(struct adev_qp *qp,
					  struct adev_resource **resource)
	ARNICA_MUST_CHECK;

/* All of the first are out; or all of all are dropped. */
void adev_response_done(struct adev_receiver *receiver);
void adev_response_drop(struct adev_receiver *receiver);

/* receiver_respond.c: tells the sender of congestion, now and then. */
void adev_receiver_congested(struct adev_qp *qp, uint64_t now_ns);

#endif
