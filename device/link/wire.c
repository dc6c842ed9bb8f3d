/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What comes in from the wire: each datagram is checked once, here, and handed
 * to the transport as an arrival. Nothing that a stranger sends changes more
 * than a counter before the transport has found a queue pair for it.
 */
#include "link/wire.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <cm/message.h>

#include "comp/hold.h"
#include "core/agent.h"
#include "core/clock.h"
#include "link/capture.h"
#include "link/fault.h"
#include "link/udp.h"
#include "link/wire_state.h"
#include "mad/mad.h"
#include "trace.h"
#include "transport/multicast.h"

/* Datagrams that are looked at before the clock is read again. */
#define BURST 64u

/* So few are likely what a thread that polls busily waits for. It gets them,
 * and comes again for more. */
#define AWAITED 4u

static void emit_faulty(void *owner, const struct adev_path *path,
			uint8_t *payload, uint32_t bytes)
{
	adev_wire_send_one(owner, path, payload, bytes);
}

static void expect_faulty(void *owner, uint64_t when_ns)
{
	adev_function_left_work(owner, when_ns);
}

static const struct adev_fault_ops fault_ops = {
	.emit = emit_faulty,
	.expect = expect_faulty,
};

/* With wire_lock held. */
static int put_on(struct adev_function *fn, const struct adev_wire_ops *ops,
		  void *lower)
{
	struct adev_wire *wire = calloc(1, sizeof(*wire));
	int error;

	if (!wire)
		return ENOMEM;
	wire->fn = fn;
	wire->ops = ops;
	wire->lower = lower;
	error = adev_fault_open(fn, &fault_ops);
	if (error) {
		free(wire);
		return error;
	}
	adev_watchdog_open(&wire->watchdog);
	/* W1: publishes the wire; pairs with the acquire in adev_wire_of(). */
	atomic_store_explicit(&fn->wire, wire, memory_order_release);
	/* From now on polls look at the wire, and the agent's sleep has one
	 * more reason to end. */
	adev_function_left_work(fn, 0);
	return 0;
}

int adev_wire_open_with(struct adev_function *fn,
			const struct adev_wire_ops *ops, void *lower)
{
	int error = EBUSY;

	pthread_mutex_lock(&fn->wire_lock);
	if (!adev_wire_of(fn))
		error = put_on(fn, ops, lower);
	pthread_mutex_unlock(&fn->wire_lock);
	return error;
}

void adev_wire_connected(struct adev_function *fn, const struct adev_path *path)
{
	struct adev_wire *wire = adev_wire_of(fn);

	if (wire && wire->ops->connected)
		wire->ops->connected(wire->lower, path);
}

void adev_wire_join(struct adev_function *fn, const uint8_t gid[16])
{
	struct adev_wire *wire = adev_wire_of(fn);

	if (wire && wire->ops->join)
		wire->ops->join(wire->lower, gid);
}

void adev_wire_part(struct adev_function *fn, const uint8_t gid[16])
{
	struct adev_wire *wire = adev_wire_of(fn);

	if (wire && wire->ops->part)
		wire->ops->part(wire->lower, gid);
}

void adev_wire_rejoin(struct adev_function *fn)
{
	uint8_t gid[16];
	uint32_t at = 0;

	while (adev_mcast_next(fn, &at, gid))
		adev_wire_join(fn, gid);
}

static int open_locked(struct adev_function *fn)
{
	void *lower;
	int error;

	if (adev_wire_of(fn))
		return 0;
	error = adev_udp_open(fn, &lower);
	if (error)
		return error;
	error = put_on(fn, &adev_udp_ops, lower);
	if (error)
		adev_udp_ops.close(lower);
	else
		adev_wire_rejoin(fn);
	return error;
}

int adev_wire_open(struct adev_function *fn)
{
	int error;

	pthread_mutex_lock(&fn->wire_lock);
	error = open_locked(fn);
	pthread_mutex_unlock(&fn->wire_lock);
	return error;
}

/* The caller has destroyed the function's QPs, and nobody polls any more. */
void adev_wire_close(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);

	if (!wire)
		return;
	adev_fault_close(fn);
	adev_wire_quiesce(fn);
	atomic_store_explicit(&fn->wire, NULL, memory_order_release);
	wire->ops->close(wire->lower);
	adev_watchdog_close(&wire->watchdog);
	free(wire);
}

void adev_wire_forget(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);

	if (!wire)
		return;
	adev_fault_forget(fn);
	atomic_store_explicit(&fn->wire, NULL, memory_order_relaxed);
	wire->ops->forget(wire->lower);
	adev_watchdog_close(&wire->watchdog);
	free(wire);
}

bool adev_wire_is_open(const struct adev_function *fn)
{
	return adev_wire_of(fn) != NULL;
}

static bool has_good_icrc(struct adev_wire *wire,
			  const struct adev_datagram *datagram)
{
	const struct adev_path *path = &datagram->path;
	const struct roce_envelope envelope = adev_path_envelope(
		path, path->source_port, 0);
	const struct roce_icrc_lead lead = roce_icrc_recall(
		&wire->leads, &envelope, datagram->length);
	uint16_t ip_id = datagram->segment;

	switch (roce_icrc_compare(lead, datagram->segment, datagram->bytes,
				  datagram->length, &ip_id)) {
	case ROCE_ICRC_EXACT:
		ip_id = datagram->segment;
		break;
	case ROCE_ICRC_SOME_ID:
		if (ip_id >= ADEV_TRUST_SEGMENTS && wire->ops->agrees &&
		    !wire->ops->agrees(wire->lower, datagram, ip_id))
			return false;
		break;
	case ROCE_ICRC_WRONG:
		return false;
	}
	return adev_trust_accepts(&wire->trust, path->source, datagram->segment,
				  ip_id);
}

static bool check(struct adev_wire *wire, const struct adev_datagram *datagram,
		  struct roce_packet *packet)
{
	struct adev_counters *counters = &wire->fn->counters;
	enum roce_verdict verdict;

	/* Before the ICRC, which has to be there. */
	verdict = roce_parse(datagram->bytes, datagram->length, packet);
	if (verdict == ROCE_BAD_OPCODE) {
		adev_count(counters, wire_bad_opcode);
		arnica_trace_wire_bad_packet(verdict, datagram->length);
		return false;
	}
	if (verdict != ROCE_OK) {
		adev_count(counters, wire_bad_packet);
		arnica_trace_wire_bad_packet(verdict, datagram->length);
		return false;
	}
	if (!has_good_icrc(wire, datagram)) {
		adev_count(counters, wire_bad_icrc);
		arnica_trace_wire_bad_icrc(packet->dest_qpn, packet->psn);
		return false;
	}
	return true;
}

static void describe(const struct adev_datagram *datagram, uint64_t now_ns,
		     struct adev_arrival *arrival)
{
	memcpy(arrival->source, datagram->path.source, 16);
	memcpy(arrival->destination, datagram->path.destination, 16);
	arrival->interface_index = datagram->path.interface_index;
	arrival->flow_label = datagram->path.flow_label;
	arrival->traffic_class = datagram->path.traffic_class;
	arrival->hop_limit = datagram->path.hop_limit;
	arrival->now_ns = now_ns;
}

/* QP 0 and QP 1 belong to the port. Nobody manages it by QP 0. */
static void arrive_at_port(struct adev_function *fn,
			   const struct adev_datagram *datagram,
			   uint64_t now_ns, struct adev_arrival *arrival)
{
	if (arrival->packet.dest_qpn == ROCE_GSI_QPN) {
		describe(datagram, now_ns, arrival);
		adev_mad_arrive(fn, arrival);
		return;
	}
	adev_count(&fn->counters, wire_port_qp);
	arnica_trace_wire_port_qp(arrival->packet.dest_qpn,
				  arrival->packet.opcode);
}

static void arrive(struct adev_wire *wire, const struct adev_datagram *datagram,
		   uint64_t now_ns)
{
	struct adev_function *fn = wire->fn;
	struct adev_arrival arrival;

	if (!check(wire, datagram, &arrival.packet))
		return;
	adev_count(&fn->counters, wire_received);
	if (__builtin_expect(arrival.packet.dest_qpn <= ROCE_GSI_QPN, 0)) {
		arrive_at_port(fn, datagram, now_ns, &arrival);
		return;
	}
	if (wire->ops->hand_on &&
	    wire->ops->hand_on(wire->lower, datagram, arrival.packet.dest_qpn))
		return;
	describe(datagram, now_ns, &arrival);
	adev_transport_receive(fn, &arrival);
}

/* Takes wire_receive if nobody has it: two threads that poll do not wait for
 * each other. */
static bool try_lock(struct adev_wire *wire)
{
	uint32_t turn = atomic_load_explicit(&wire->turn, memory_order_relaxed);

	return !(turn & 1) &&
	       atomic_compare_exchange_strong_explicit(
		       &wire->turn, &turn, turn + 1, memory_order_seq_cst,
		       memory_order_relaxed);
}

static void unlock(struct adev_wire *wire)
{
	atomic_fetch_add_explicit(&wire->turn, 1, memory_order_release);
}

/* A program may end in the middle of a drain (exit in a signal handler). */
#define LEAVE_ATTEMPTS 100u

void adev_wire_leave(struct adev_function *fn)
{
	const struct timespec pause = { .tv_nsec = ADEV_MS_NS };
	struct adev_wire *wire = adev_wire_of(fn);
	uint32_t i;

	if (!wire || !wire->ops->leave)
		return;
	for (i = 0; i < LEAVE_ATTEMPTS; i++) {
		if (try_lock(wire)) {
			wire->ops->leave(wire->lower);
			unlock(wire);
			return;
		}
		nanosleep(&pause, NULL);
	}
}

void adev_wire_leased(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);

	if (wire && wire->ops->leased)
		wire->ops->leased(wire->lower);
}

bool adev_wire_owes(const struct adev_function *fn)
{
	const struct adev_wire *wire = adev_wire_of(fn);

	return wire && atomic_load_explicit(&wire->owes, memory_order_relaxed);
}

/* Does the calling thread, as far as the agent knows? */
static bool polls_busily(struct adev_wire *wire)
{
	return atomic_load_explicit(&wire->polled_busily,
				    memory_order_relaxed) &&
	       !adev_agent_is_self();
}

/*
 * Who polls busily first gets what has come, and acknowledges with the next
 * poll, or with the packets that it sends before: an acknowledgement is a
 * system call, and on the way of a message that is waited for. Once only; and
 * should the thread stop polling, the agent does it. Not ahead of an event,
 * which another thread may wait for.
 */
static bool puts_off(struct adev_wire *wire, uint32_t taken)
{
	bool puts_off = taken && !wire->owes && !adev_events_are_kept() &&
			polls_busily(wire);

	if (wire->owes != puts_off)
		atomic_store_explicit(&wire->owes, puts_off,
				      memory_order_relaxed);
	return puts_off;
}

/* Takes in what has come, and acknowledges it; no further than the burst that
 * raised an event, which is delivered after that. Returns the number of
 * packets, at most `budget`; *more: there may be more. With wire_receive held.
 */
static uint32_t take_in(struct adev_wire *wire, uint32_t budget, bool *more)
{
	struct adev_function *fn = wire->fn;
	struct adev_datagram burst[BURST];
	uint32_t taken = 0;

	*more = true;
	while (*more && budget && !adev_events_are_kept()) {
		uint32_t max = budget < BURST ? budget : BURST;
		uint32_t count = wire->ops->receive(wire->lower, burst, max,
						    more);
		uint64_t now_ns = count ? adev_now_ns() : 0;
		uint32_t i;

		if (count && !taken)
			adev_events_hold(fn);
		if (__builtin_expect(fn->capture != NULL && count, 0))
			adev_capture_received(fn->capture, burst, count);
		for (i = 0; i < count; i++)
			arrive(wire, &burst[i], now_ns);
		if (count)
			atomic_store_explicit(&wire->took_ns, now_ns,
					      memory_order_relaxed);
		taken += count;
		budget -= count ? count : 1;
		if (count && taken <= AWAITED && polls_busily(wire))
			*more = false;
	}
	*more |= adev_transport_settle(fn, puts_off(wire, taken));
	return taken;
}

bool adev_wire_drain(struct adev_function *fn, uint32_t budget)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint32_t taken = 0;
	int saved_errno = errno; /* a poll sets none */
	bool more, events;

	if (!wire)
		return false;
	do {
		if (!try_lock(wire)) {
			more = false;
			break;
		}
		if (__builtin_expect(fn->fault != NULL, 0))
			adev_fault_release(fn->fault, adev_now_ns());
		taken += take_in(wire, budget - taken, &more);
		atomic_store_explicit(&wire->took, taken, memory_order_relaxed);
		events = adev_events_are_kept();
		unlock(wire);
		adev_events_release();
	} while (events && more && taken < budget);
	errno = saved_errno;
	return more;
}

void adev_wire_quiesce(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint32_t turn;

	if (!wire)
		return;
	/* W2: a full barrier, as the change in try_lock(): either that drain
	 * finds what the caller changed before, or it is seen here. */
	turn = atomic_fetch_add(&wire->turn, 0);
	if (!(turn & 1))
		return;
	while (atomic_load_explicit(&wire->turn, memory_order_acquire) == turn)
		sched_yield();
}
