/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Raw packets: sending them, taking them in, the rules; see raw_packet.h. */
#include "transport/raw_packet.h"

#include <errno.h>
#include <stdlib.h>

#include "transport/datagram.h"
#include "transport/raw_state.h"
#include "trace.h"

/* Frames that one serving takes in. */
#define BUDGET 64u
/* The socket has no room: the interface sends as fast as it can. */
#define FULL_AFTER_NS 50000ull
#define SMALL_FRAME_BYTES 2048u

int adev_raw_open(struct adev_function *fn)
{
	struct adev_raw *raw = adev_raw_of(fn);
	int error;

	if (raw)
		return 0;
	raw = calloc(1, sizeof(*raw));
	if (!raw)
		return ENOMEM;
	raw->room = malloc(ADEV_TAP_ROOM);
	error = raw->room ? adev_tap_open(&raw->tap) : ENOMEM;
	if (error) {
		free(raw->room);
		free(raw);
		return error;
	}
	pthread_mutex_init(&raw->lock, NULL);
	/* R1: publishes it to who sends and who polls; pairs with adev_raw_of(). */
	atomic_store_explicit(&fn->raw, raw, memory_order_release);
	return 0;
}

void adev_raw_deafen(struct adev_function *fn)
{
	struct adev_raw *raw = adev_raw_of(fn);

	if (!raw)
		return;
	pthread_mutex_lock(&raw->lock);
	adev_tap_deafen(&raw->tap);
	adev_flow_remove_all(&raw->flows);
	pthread_mutex_unlock(&raw->lock);
}

static void release(struct adev_function *fn, struct adev_raw *raw)
{
	atomic_store_explicit(&fn->raw, NULL, memory_order_release);
	adev_tap_close(&raw->tap);
	/* There are none, unless it was forgotten. */
	adev_flow_remove_all(&raw->flows);
	adev_rss_forget_all(raw);
	free(raw->room);
	free(raw);
}

void adev_raw_close(struct adev_function *fn)
{
	struct adev_raw *raw = adev_raw_of(fn);

	if (!raw)
		return;
	pthread_mutex_destroy(&raw->lock);
	release(fn, raw);
}

void adev_raw_forget(struct adev_function *fn)
{
	struct adev_raw *raw = adev_raw_of(fn);

	/* Its locks are what they were in the parent; nobody takes them. */
	if (raw)
		release(fn, raw);
}

/* With the lock: all rules say again what they want of the interface. */
static void want_all(struct adev_raw *raw)
{
	const struct adev_flow_rule *rule;

	for (rule = raw->flows.rules; rule; rule = rule->next)
		adev_tap_want(&raw->tap, adev_flow_address(rule), true);
}

static int add_rule(struct adev_raw *raw, struct adev_qp *qp,
		    const struct arnica_hw_cmd_create_flow *cmd,
		    uint32_t *handle)
{
	int error = adev_tap_listen(&raw->tap);
	struct adev_flow_rule *rule;

	if (error)
		return error;
	rule = adev_flow_add(&raw->flows, qp, cmd);
	if (rule) {
		*handle = rule->handle;
		rule->target->rss = adev_rss_find(raw, qp);
		adev_tap_want(&raw->tap, adev_flow_address(rule), true);
	}
	if (!raw->flows.num_rules)
		adev_tap_deafen(&raw->tap);
	return rule ? 0 : ENOMEM;
}

int adev_raw_add_rule(struct adev_function *fn, struct adev_qp *qp,
		      const struct arnica_hw_cmd_create_flow *cmd,
		      uint32_t *handle)
{
	struct adev_raw *raw = adev_raw_of(fn);
	int error;

	pthread_mutex_lock(&raw->lock);
	error = add_rule(raw, qp, cmd, handle);
	pthread_mutex_unlock(&raw->lock);
	/* Polls enter the adapter from now on, and the agent watches. */
	if (!error)
		adev_function_left_work(fn, 0);
	return error;
}

static void read_counts(const struct adev_flow_rule *rule,
			struct arnica_hw_res_flow *counts)
{
	counts->packets = arnica_to_le64(rule->packets);
	counts->bytes = arnica_to_le64(rule->bytes);
}

bool adev_raw_query_rule(struct adev_function *fn, uint32_t handle,
			 struct arnica_hw_res_flow *counts)
{
	struct adev_raw *raw = adev_raw_of(fn);
	const struct adev_flow_rule *rule;

	if (!raw)
		return false;
	pthread_mutex_lock(&raw->lock);
	rule = adev_flow_find(&raw->flows, handle);
	if (rule)
		read_counts(rule, counts);
	pthread_mutex_unlock(&raw->lock);
	return rule;
}

struct adev_qp *adev_raw_remove_rule(struct adev_function *fn, uint32_t handle,
				     struct arnica_hw_res_flow *counts)
{
	struct adev_raw *raw = adev_raw_of(fn);
	struct adev_flow_rule *rule;
	struct adev_qp *qp = NULL;

	if (!raw)
		return NULL;
	pthread_mutex_lock(&raw->lock);
	rule = adev_flow_find(&raw->flows, handle);
	if (rule) {
		qp = rule->target->qp;
		read_counts(rule, counts);
		adev_tap_want(&raw->tap, adev_flow_address(rule), false);
		adev_flow_remove(&raw->flows, rule);
		if (!raw->flows.num_rules)
			adev_tap_deafen(&raw->tap);
	}
	pthread_mutex_unlock(&raw->lock);
	return qp;
}

bool adev_raw_listens(const struct adev_function *fn)
{
	const struct adev_raw *raw = adev_raw_of(fn);

	return raw &&
	       atomic_load_explicit(&raw->tap.listens, memory_order_relaxed);
}

int adev_raw_descriptor(const struct adev_function *fn)
{
	return adev_raw_listens(fn) ?
		       atomic_load(&adev_raw_of(fn)->tap.receive_fd) :
		       -1;
}

/* A frame on its way to queue pairs. */
struct arrival {
	struct adev_frame_fields fields;
	struct adev_delivery delivery;
	struct adev_gather payload;
};

/* For one of them, as its receive queue gets it. */
static void give(struct adev_flow_target *target, void *argument)
{
	struct arrival *arrival = argument;

	if (target->rss)
		target = adev_rss_pick(target->rss, &arrival->fields);
	arrival->delivery.type = target->qp->type;
	adev_datagram_take_in(target->qp, &target->own, &target->stuck,
			      &arrival->delivery);
}

static void arrive(struct adev_function *fn, struct adev_raw *raw,
		   const struct adev_tap_frame *frame)
{
	struct arrival arrival = { .delivery = { .grh_bytes = 0 } };

	if (!adev_frame_parse(frame->bytes, frame->length, &arrival.fields))
		return;
	arrival.payload.num_pieces = 1;
	arrival.payload.bytes = frame->length;
	arrival.payload.pieces[0] = (struct adev_piece){
		.address = (uintptr_t)frame->bytes,
		.bytes = frame->length,
	};
	arrival.delivery.payload = &arrival.payload;
	if (adev_flow_steer(&raw->flows, &arrival.fields, frame->length, give,
			    &arrival))
		adev_count(&fn->counters, raw_received);
}

static void refuse(struct adev_function *fn, uint32_t length)
{
	adev_count(&fn->counters, raw_refused);
	arnica_trace_raw_refused(fn->view.function, length);
}

/* With the lock. */
static bool take_in(struct adev_function *fn, struct adev_raw *raw)
{
	struct adev_tap_frame frame;
	uint32_t taken;

	if (adev_tap_follow(&raw->tap))
		want_all(raw);
	for (taken = 0; raw->tap.listens && taken < BUDGET; taken++) {
		switch (adev_tap_receive(&raw->tap, raw->room, &frame)) {
		case ADEV_TAP_NOTHING:
			return false;
		case ADEV_TAP_FRAME:
			arrive(fn, raw, &frame);
			break;
		case ADEV_TAP_REFUSED:
			refuse(fn, frame.length);
			break;
		}
	}
	return taken == BUDGET;
}

bool adev_raw_serve(struct adev_function *fn)
{
	struct adev_raw *raw = adev_raw_of(fn);
	int saved_errno = errno; /* a poll sets none */
	bool more;

	if (!adev_raw_listens(fn) || pthread_mutex_trylock(&raw->lock))
		return false;
	more = take_in(fn, raw);
	pthread_mutex_unlock(&raw->lock);
	errno = saved_errno;
	return more;
}

static enum adev_progress lose(struct adev_qp *qp, enum adev_loss why)
{
	adev_count_loss(qp->fn, qp->qpn, why);
	return adev_requester_end(qp);
}

static enum adev_progress fail(struct adev_qp *qp, enum arnica_hw_status status)
{
	adev_requester_fail(qp, status, 0);
	return ADEV_PROGRESS_ERROR;
}

/* The frame under way, collected in one piece. */
static enum adev_progress send_frame(struct adev_qp *qp, uint8_t *frame)
{
	const struct adev_message *message = qp->message;
	struct adev_raw *raw = adev_raw_of(qp->fn);

	if (!adev_gather_read(&message->gather, 0, frame, message->bytes))
		return fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR);
	if (!raw)
		return lose(qp, ADEV_LOSS_NO_PATH);
	switch (adev_tap_send(&raw->tap, frame, (uint32_t)message->bytes)) {
	case 0:
		break;
	case EMSGSIZE:
		return fail(qp, ARNICA_HW_STATUS_LOC_LEN_ERR);
	case EAGAIN:
		if (adev_requester_overdue(qp, ADEV_WAIT_BUSY))
			return lose(qp, ADEV_LOSS_NO_ROOM);
		return adev_requester_wait(qp, ADEV_WAIT_BUSY,
					   ADEV_UNRELIABLE_PATIENCE_NS,
					   FULL_AFTER_NS);
	default:
		return lose(qp, ADEV_LOSS_NO_PATH);
	}
	adev_count(&qp->fn->counters, messages);
	adev_count_add(&qp->fn->counters, bytes, message->bytes);
	return adev_requester_end(qp);
}

enum adev_progress adev_raw_run(struct adev_qp *qp)
{
	uint8_t small[SMALL_FRAME_BYTES], *large;
	uint64_t bytes = qp->message->bytes;
	enum adev_progress progress;
	int saved_errno = errno;

	/* A message that waited may have lost its regions meanwhile. */
	if (qp->wait && !adev_requester_regions_hold(qp, qp->message))
		return fail(qp, ARNICA_HW_STATUS_LOC_PROT_ERR);
	if (bytes < ADEV_FRAME_HEADER_BYTES || bytes > ADEV_FRAME_MAX_BYTES)
		return fail(qp, ARNICA_HW_STATUS_LOC_LEN_ERR);
	large = bytes > sizeof(small) ? malloc(bytes) : NULL;
	if (bytes > sizeof(small) && !large)
		progress = lose(qp, ADEV_LOSS_NO_ROOM);
	else
		progress = send_frame(qp, large ? large : small);
	free(large);
	errno = saved_errno;
	return progress;
}
