/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A sender whose peer is played by the test. */
#include "played_peer.h"

#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#include "core/clock.h"
#include "exec/exec.h"
#include "fake_wire.h"
#include "transport/receiver.h"
#include "transport/remote.h"

#define START_NS 1000000000ull

/* The wire stays open until the function ends, as in the product; one test
 * plays after another on it. */
static struct played *playing;

static void keep(struct played *played, const struct adev_frame *frame)
{
	struct played_packet *kept = &played->packets[played->count];

	assert_true(played->count < PLAYED_PACKETS);
	assert_int_equal(roce_parse(frame->bytes, frame->length, &kept->packet),
			 ROCE_OK);
	memcpy(kept->payload, kept->packet.payload,
	       kept->packet.payload_bytes);
	kept->packet.payload = kept->payload;
	played->count++;
}

static void transmit(void *lower, struct adev_frame *frames, uint32_t count)
{
	struct played *played = playing;
	uint32_t i;

	(void)lower;
	pthread_mutex_lock(&played->lock);
	played->transmits++;
	for (i = 0; i < count; i++)
		keep(played, &frames[i]);
	pthread_mutex_unlock(&played->lock);
}

static const struct adev_wire_ops played_ops = {
	.max_run = fake_wire_max_run,
	.source_port = fake_wire_source_port,
	.transmit = transmit,
	.receive = fake_wire_receive,
	.descriptors = fake_wire_descriptors,
	.close = fake_wire_close,
};

/* As adev_remote_connect() does for a peer on another host. */
static void make_remote(struct adev_qp *qp)
{
	static const uint8_t own[16] = { [10] = 0xff, 0xff, 10, 0, 0, 1 };
	static const uint8_t peer[16] = { [10] = 0xff, 0xff, 10, 0, 0, 2 };
	struct adev_remote *remote = calloc(1, sizeof(*remote));

	assert_non_null(remote);
	memcpy(remote->path.source, own, sizeof(own));
	memcpy(remote->path.destination, peer, sizeof(peer));
	remote->path.source_port = 0xc001;
	adev_qp_lock_send(qp);
	qp->remote_kept = remote;
	qp->remote = remote;
	assert_ok(adev_receiver_create(qp));
	assert_ok(adev_sender_create(qp));
	adev_exec_release(qp);
}

void played_start(struct played *played, struct two *two,
		  const struct two_wish *wish, uint32_t type)
{
	memset(played, 0, sizeof(*played));
	played->two = two;
	played->qp = &two->qp_a;
	pthread_mutex_init(&played->lock, NULL);
	played->packets = calloc(PLAYED_PACKETS, sizeof(*played->packets));
	assert_non_null(played->packets);
	atomic_store(&adev_clock_simulated_ns, START_NS);
	playing = played;
	if (!adev_wire_is_open(two_function_of(&two->a)))
		assert_ok(adev_wire_open_with(two_function_of(&two->a),
					      &played_ops, NULL));
	two_create(played->qp, &two->a, wish);
	two_qp_of(played->qp)->type = type;
	assert_ok(two_to_init(played->qp, wish));
	assert_ok(two_to_rtr(played->qp, wish, PLAYED_QPN));
	make_remote(two_qp_of(played->qp));
	assert_ok(two_to_rts(played->qp, wish));
}

void played_stop(struct played *played)
{
	struct adev_qp *qp = two_qp_of(played->qp);

	adev_qp_lock_send(qp);
	adev_function_unwait(qp->fn, qp);
	adev_sender_destroy(qp);
	adev_receiver_destroy(qp);
	free(qp->remote_kept);
	qp->remote = NULL;
	qp->remote_kept = NULL;
	adev_exec_release(qp);
	assert_ok(two_destroy(played->qp));
	atomic_store(&adev_clock_simulated_ns, 0);
	free(played->packets);
	pthread_mutex_destroy(&played->lock);
}

struct adev_sender *played_sender(struct played *played)
{
	return two_qp_of(played->qp)->remote->sender;
}

/* Executes the QP, and waits for another thread that does. */
static void run(struct played *played)
{
	struct adev_qp *qp = two_qp_of(played->qp);

	adev_exec_submit(qp, NULL);
	adev_qp_lock_send(qp);
	adev_exec_release(qp);
}

uint32_t played_left(struct played *played)
{
	uint32_t left;

	pthread_mutex_lock(&played->lock);
	left = played->count - played->taken;
	pthread_mutex_unlock(&played->lock);
	return left;
}

void played_none(struct played *played)
{
	assert_int_equal(played_left(played), 0);
}

void played_forget(struct played *played)
{
	pthread_mutex_lock(&played->lock);
	played->count = 0;
	played->taken = 0;
	pthread_mutex_unlock(&played->lock);
}

const struct played_packet *played_next(struct played *played)
{
	assert_true(played_left(played));
	return &played->packets[played->taken++];
}

const struct played_packet *played_expect(struct played *played,
					  uint32_t opcode, uint32_t psn)
{
	const struct played_packet *next = played_next(played);

	assert_int_equal(next->packet.opcode, opcode);
	assert_int_equal(next->packet.psn, psn);
	assert_int_equal(next->packet.dest_qpn, PLAYED_QPN);
	return next;
}

struct two_request played_request(struct played *played,
				  enum arnica_hw_opcode opcode, uint32_t offset,
				  uint32_t length)
{
	struct two_request request = two_request(
		opcode, &played->two->a, offset, length, &played->two->b, 0);

	request.remote_address = PLAYED_ADDRESS;
	request.rkey = PLAYED_RKEY;
	return request;
}

uint32_t played_send(struct played *played, enum arnica_hw_opcode opcode,
		     uint32_t offset, uint32_t length)
{
	const struct two_request request =
		played_request(played, opcode, offset, length);

	return played_post(played, &request);
}

uint32_t played_post(struct played *played, const struct two_request *request)
{
	uint32_t index = two_send(played->qp, request);

	run(played);
	return index;
}

void played_answer(struct played *played, const struct roce_packet *packet)
{
	struct adev_qp *qp = two_qp_of(played->qp);
	struct adev_arrival arrival = {
		.packet = *packet,
		.now_ns = adev_now_ns(),
	};

	arrival.packet.dest_qpn = played->qp->qpn;
	adev_qp_lock_send(qp);
	adev_sender_answer(qp, &arrival);
	adev_exec_release(qp);
	run(played);
}

static void acknowledge(struct played *played, uint32_t psn, uint32_t syndrome)
{
	const struct roce_packet packet = {
		.opcode = ROCE_ACKNOWLEDGE,
		.psn = psn & ROCE_PSN_MASK,
		.syndrome = (uint8_t)syndrome,
	};

	played_answer(played, &packet);
}

void played_ack(struct played *played, uint32_t psn)
{
	acknowledge(played, psn, ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED);
}

void played_nak(struct played *played, uint32_t psn, enum roce_nak nak)
{
	acknowledge(played, psn, ROCE_SYNDROME_NAK | (uint32_t)nak);
}

void played_rnr(struct played *played, uint32_t psn, uint32_t timer)
{
	acknowledge(played, psn, ROCE_SYNDROME_RNR_NAK | timer);
}

void played_response(struct played *played, enum roce_operation operation,
		     uint32_t psn, const void *data, uint32_t bytes)
{
	const struct roce_packet packet = {
		.opcode = (uint8_t)operation,
		.psn = psn & ROCE_PSN_MASK,
		.syndrome = ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED,
		.payload = data,
		.payload_bytes = bytes,
	};

	played_answer(played, &packet);
}

void played_original(struct played *played, uint32_t psn, uint64_t original)
{
	const struct roce_packet packet = {
		.opcode = ROCE_ATOMIC_ACKNOWLEDGE,
		.psn = psn & ROCE_PSN_MASK,
		.syndrome = ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED,
		.original = original,
	};

	played_answer(played, &packet);
}

void played_pass(struct played *played, uint64_t ns)
{
	struct adev_qp *qp = two_qp_of(played->qp);

	if (atomic_fetch_add(&adev_clock_simulated_ns, ns) + ns >=
	    atomic_load(&qp->timer_ns))
		atomic_store(&qp->timer_due, true);
	run(played);
}

void played_completed(struct played *played, uint32_t index,
		      enum arnica_hw_status status)
{
	struct two_completion completion;

	assert_true(two_poll(played->qp, TWO_SEND, &completion));
	assert_int_equal(completion.status, status);
	assert_int_equal(completion.wqe_index, index);
}

void played_uncompleted(struct played *played)
{
	two_expect_none(played->qp, TWO_SEND);
}
