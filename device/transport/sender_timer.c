/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sender: time and loss. The local ACK timeout and its retries are those of the
 * standard (IBTA 9.7.6.1.3): they decide when a connection is given up. That
 * timeout is many round trips long, so a sender that hears nothing for a few of
 * them sends again earlier, with a small window, and does not count it.
 */
#include "core/clock.h"
#include "transport/complete.h"
#include "transport/remote.h"
#include "transport/sender_state.h"
#include "trace.h"

/* Peers are programs, which may have to wait for a processor: on a busy machine
 * for longer than the timeouts that are usual for adapters. The standard permits
 * between once and four times what was asked for: the timer runs for the middle,
 * and at least so long. What is lost does not wait for it. */
#define TIMES_ASKED_FOR 2u
#define LEAST_TIMEOUT_NS (8 * ADEV_MS_NS)
/* When to send again without being told: at least, and as long as no round trip
 * was measured; at most so many times the shortest round trip. */
#define LEAST_PROBE_NS 500000u
#define UNKNOWN_PROBE_NS (4 * ADEV_MS_NS)
#define PROBE_TRIPS 16u
#define MOST_CAUTION 4u
/* A loss that is reported again sooner is the same one. */
#define UNKNOWN_ECHO_NS 500000u

static uint64_t timeout_ns(const struct adev_qp *qp)
{
	uint32_t code = arnica_from_le32(qp->attributes.timeout) & 31;
	uint64_t timeout = TIMES_ASKED_FOR * 4096ull << code;

	if (!code)
		return ADEV_NEVER_NS;
	return timeout < LEAST_TIMEOUT_NS ? LEAST_TIMEOUT_NS : timeout;
}

/* When to send again without waiting for the timeout. */
static uint64_t probe_at(const struct adev_sender *sender)
{
	uint64_t patience = sender->round_trip_ns + 4 * sender->deviation_ns;
	uint32_t doublings = sender->probes + sender->caution;

	if (patience > PROBE_TRIPS * sender->shortest_ns)
		patience = PROBE_TRIPS * sender->shortest_ns;
	if (!sender->shortest_ns)
		patience = UNKNOWN_PROBE_NS;
	else if (patience < LEAST_PROBE_NS)
		patience = LEAST_PROBE_NS;
	return sender->tried_ns +
	       (patience << (doublings < 8 ? doublings : 8));
}

void adev_sender_go_back(struct adev_qp *qp, enum adev_back why)
{
	struct adev_sender *sender = qp->remote->sender;

	sender->next = sender->oldest;
	sender->next_message = sender->first_message;
	sender->next_asked = sender->first_asked;
	sender->unasked = 0;
	sender->timed_ns = 0;
	sender->tried_ns = sender->now_ns;
	if (why == ADEV_BACK_NOT_READY) {
		adev_window_hold(&sender->window);
		return;
	}
	if (why == ADEV_BACK_SILENCE) {
		if (!sender->was_silent)
			sender->before_silence = sender->window;
		sender->was_silent = true;
		adev_window_silence(&sender->window);
	} else if (sender->oldest >= sender->recover) {
		adev_window_loss(&sender->window);
	}
	/* One window of packets gives reason to one reduction. */
	sender->recover = sender->sent;
}

static bool may_retry(struct adev_qp *qp, struct adev_sender *sender)
{
	if (sender->retries++ < arnica_from_le32(qp->attributes.retry_cnt))
		return true;
	adev_sender_fail(qp, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	return false;
}

void adev_sender_lost(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t echo = sender->shortest_ns ? sender->shortest_ns :
					      UNKNOWN_ECHO_NS;

	if (sender->ready_ns ||
	    (sender->returned == sender->oldest && sender->returned_ns &&
	     sender->now_ns - sender->returned_ns < echo))
		return;
	sender->returned = sender->oldest;
	sender->returned_ns = sender->now_ns;
	adev_count(&qp->fn->counters, wire_losses);
	arnica_trace_wire_loss(qp->qpn, sender->oldest & ROCE_PSN_MASK);
	/* A peer that reports losses is alive: they are counted by the time
	 * that passes without progress, as far as a timeout runs. */
	if (timeout_ns(qp) != ADEV_NEVER_NS || may_retry(qp, sender))
		adev_sender_go_back(qp, ADEV_BACK_REPORTED);
}

void adev_sender_not_ready(struct adev_qp *qp, uint32_t code)
{
	struct adev_sender *sender = qp->remote->sender;
	uint32_t limit = arnica_from_le32(qp->attributes.rnr_retry);

	if (sender->ready_ns)
		return;
	if (!sender->not_ready)
		adev_count(&qp->fn->counters, rnr);
	arnica_trace_wait(qp->qpn, ADEV_WAIT_RNR);
	if (limit != 7 && sender->not_ready >= limit) {
		adev_sender_fail(qp, ARNICA_HW_STATUS_RNR_RETRY_EXC_ERR);
		return;
	}
	sender->not_ready++;
	sender->ready_ns = sender->now_ns + adev_rnr_timer_ns(code);
	adev_sender_go_back(qp, ADEV_BACK_NOT_READY);
}

/* Smoothed round trip and its mean deviation, an eighth and a quarter of each
 * sample. */
static void take_sample(struct adev_sender *sender, uint64_t sample)
{
	uint64_t error;

	if (!sender->shortest_ns || sample < sender->shortest_ns)
		sender->shortest_ns = sample + 1;
	if (!sender->round_trip_ns) {
		sender->round_trip_ns = sample + 1;
		sender->deviation_ns = sample / 2;
		return;
	}
	error = sample > sender->round_trip_ns ?
			sample - sender->round_trip_ns :
			sender->round_trip_ns - sample;
	sender->deviation_ns += error / 4;
	sender->deviation_ns -= sender->deviation_ns / 4;
	sender->round_trip_ns -= sender->round_trip_ns / 8;
	sender->round_trip_ns += sample / 8 + 1;
}

void adev_sender_progress(struct adev_qp *qp, uint64_t before, uint64_t again)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t answered = sender->oldest - before;

	if (sender->was_silent && sender->oldest > again) {
		sender->window = sender->before_silence;
		if (sender->caution < MOST_CAUTION)
			sender->caution++;
	} else if (sender->was_silent && sender->caution) {
		sender->caution--;
	}
	sender->was_silent = false;
	sender->retries = 0;
	sender->probes = 0;
	sender->not_ready = 0;
	sender->ready_ns = 0;
	sender->heard_ns = sender->now_ns;
	sender->tried_ns = sender->now_ns;
	adev_window_progress(&sender->window, (uint32_t)answered,
			     (uint32_t)(sender->sent - before));
	if (sender->timed_ns && sender->oldest > sender->timed) {
		take_sample(sender, sender->now_ns - sender->timed_ns);
		sender->timed_ns = 0;
	}
}

bool adev_sender_expire(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t timeout = timeout_ns(qp), now = sender->now_ns;

	if (sender->ready_ns) {
		if (now < sender->ready_ns)
			return true;
		sender->ready_ns = 0;
		sender->heard_ns = now;
		sender->tried_ns = now;
		return true;
	}
	if (sender->oldest == sender->next || timeout == ADEV_NEVER_NS)
		return true;
	if (now >= sender->heard_ns + timeout) {
		adev_count(&qp->fn->counters, wire_timeouts);
		arnica_trace_wire_timeout(qp->qpn,
					  sender->oldest & ROCE_PSN_MASK);
		if (!may_retry(qp, sender))
			return false;
		sender->heard_ns = now;
		sender->probes = 0;
		adev_sender_go_back(qp, ADEV_BACK_SILENCE);
	} else if (now >= probe_at(sender)) {
		adev_count(&qp->fn->counters, wire_probes);
		sender->probes++;
		adev_sender_go_back(qp, ADEV_BACK_SILENCE);
	}
	return true;
}

void adev_sender_schedule(struct adev_qp *qp)
{
	struct adev_sender *sender = qp->remote->sender;
	uint64_t timeout = timeout_ns(qp), at = ADEV_NEVER_NS;

	if (sender->ready_ns) {
		/* This one will be needed, whoever polls or not. */
		at = sender->ready_ns;
		adev_function_left_work(qp->fn, at);
	} else if (sender->oldest < sender->next && timeout != ADEV_NEVER_NS) {
		at = probe_at(sender);
		if (at > sender->heard_ns + timeout)
			at = sender->heard_ns + timeout;
	}
	if (sender->rate.limits && sender->rate.free_ns > sender->now_ns &&
	    (qp->active || sender->next < sender->assigned) &&
	    at > sender->rate.free_ns)
		at = sender->rate.free_ns;
	if (__builtin_expect(sender->limited_ns > sender->now_ns, 0) &&
	    (qp->active || sender->next < sender->assigned) &&
	    at > sender->limited_ns) {
		at = sender->limited_ns;
		adev_function_left_work(qp->fn, at);
	}
	adev_function_set_timer(qp->fn, qp, at);
}
