/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A sender whose peer is played by the test: what the QP sends is kept packet
 * by packet, and the answers are the test's. The time is simulated and passes
 * only when the test says so.
 */
#ifndef TESTS_PLAYED_PEER_H
#define TESTS_PLAYED_PEER_H

#include <pthread.h>

#include <roce/packet.h>

#include "transport/sender_state.h"
#include "two_functions.h"

#define PLAYED_PACKETS 4096u
#define PLAYED_QPN 0x00abcdu
#define PLAYED_RKEY 0x12345678u
#define PLAYED_ADDRESS 0x7000000000ull
#define PLAYED_US 1000ull
#define PLAYED_MS 1000000ull

struct played_packet {
	struct roce_packet packet;
	uint8_t payload[4096];
};

struct played {
	struct two *two;
	struct two_qp *qp;
	pthread_mutex_t lock; /* the adapter's threads send when they like */
	struct played_packet *packets;
	uint32_t count, taken;
	uint32_t transmits; /* calls from the batch */
};

/* Connects two->qp_a, which must not exist, to a peer that the test plays. */
void played_start(struct played *played, struct two *two,
		  const struct two_wish *wish, uint32_t type);
void played_stop(struct played *played);

struct adev_sender *played_sender(struct played *played);

/* What the QP sent, in order. */
const struct played_packet *played_next(struct played *played);
/* The next packet must have this opcode and PSN. */
const struct played_packet *played_expect(struct played *played,
					  uint32_t opcode, uint32_t psn);
uint32_t played_left(struct played *played);
void played_none(struct played *played);
void played_forget(struct played *played);

/* Requests of the test: signaled, one segment of the own buffer. */
struct two_request played_request(struct played *played,
				  enum arnica_hw_opcode opcode, uint32_t offset,
				  uint32_t length);
uint32_t played_send(struct played *played, enum arnica_hw_opcode opcode,
		     uint32_t offset, uint32_t length);
uint32_t played_post(struct played *played, const struct two_request *request);

/* Answers. The QP goes on after each. */
void played_answer(struct played *played, const struct roce_packet *packet);
void played_ack(struct played *played, uint32_t psn);
void played_nak(struct played *played, uint32_t psn, enum roce_nak nak);
void played_rnr(struct played *played, uint32_t psn, uint32_t timer);
void played_response(struct played *played, enum roce_operation operation,
		     uint32_t psn, const void *data, uint32_t bytes);
void played_original(struct played *played, uint32_t psn, uint64_t original);

/* Time passes, and due timers expire. */
void played_pass(struct played *played, uint64_t ns);

/* The next completion must be there, of this entry, with this status. */
void played_completed(struct played *played, uint32_t index,
		      enum arnica_hw_status status);
void played_uncompleted(struct played *played);

#endif
