/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who drains the wire: whoever polls. The agent does it only while nobody polls
 * busily: then its sleep ends when something comes. As long as somebody does,
 * it sleeps, and that thread sees to that; waking the agent for each packet
 * would cost the thread that polls more than it could give. Without a watchdog
 * it asks once in a while whether that is still so.
 *
 * Some programs poll busily for a while and then spin on memory that a peer
 * writes to (ib_write_lat). When the agent finds that something waits and
 * nobody polls, it watches for a time that grows with each such find that comes
 * soon after the last: others are threads that did not get a processor.
 */
#include <poll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/agent.h"
#include "core/clock.h"
#include "domain/proc.h"
#include "link/fault.h"
#include "link/wire_state.h"

/* Packets that one serving takes in; the agent, who is alone, goes on. */
#define BUDGET 256u
#define AGENT_ROUNDS 64u

/* After so many packets in one go the agent looks again for that long before it
 * sleeps: to be woken takes as long, and costs the sender of each packet as
 * much. After fewer, it had better leave the processor to the thread that waits
 * for them. */
#define LIVELY_PACKETS 4u
#define LIVELY_NS 50000

/* How long it sleeps on without being put off, and after how many polls in a
 * row somebody polls busily: between them, but for what the adapter itself
 * needs in that thread, is less time than it takes to sleep and be woken, so
 * that a program that sleeps until each of its events does not count. To ask
 * costs who polls a switch to the agent and back, if they share a processor:
 * who has polled busily for long is asked less often. */
#define WATCHDOG_NS (2 * ADEV_MS_NS)
#define PAUSE_NS ADEV_MS_NS
#define LONGEST_PAUSE_NS (4 * ADEV_MS_NS)
#define BUSY_PARTS 16u
#define BUSY_POLLS 32u
#define GAP_NS 20000
#define LONGEST_GAP_NS 150000
#define FORGET_PARTS 16u

/* Whoever waits for an answer has it after fewer polls, on a fast network. */
#define ANSWER_POLLS 64u

/* For so long after a packet there will be more. */
#define ACTIVE_NS (10 * ADEV_MS_NS)

/* Somebody who polls busily and has not done so for that long is not polling.
 */
#define STALL_NS 200000
#define LONGEST_STALL_NS ADEV_MS_NS /* the watchdog says no more than that */
#define LONGEST_BUSY_NS (2 * ADEV_MS_NS)
#define MOMENT_NS 50000
#define LONGEST_MOMENT_NS ADEV_MS_NS
#define LONGEST_WAIT_NS (20 * ADEV_MS_NS) /* for a processor */
#define FIRST_WATCH_NS (2 * ADEV_MS_NS)
#define LAST_WATCH_NS (1024 * ADEV_MS_NS)
#define RECURS_NS (32 * ADEV_MS_NS)

/* A post that is held waits for others for that long, if nobody polls or sends.
 * Who posts, and does not poll for LATE_NS then, or never, so that the agent has
 * to send it, has nothing held for a while, which is longer when it comes again. */
#define HOLD_NS 10000
#define LATE_NS 50000
#define FIRST_NO_HOLD_NS (128 * ADEV_MS_NS)
#define LAST_NO_HOLD_NS (4096 * ADEV_MS_NS)

/* A time that is meant for a usual machine, where a poll takes a microsecond:
 * on one that is much slower (an emulated one) so many polls, and at most
 * `most_ns`. */
static uint64_t at_least(const struct adev_wire *wire, uint64_t time_ns,
			 uint32_t polls, uint64_t most_ns)
{
	uint64_t slow_ns = polls * atomic_load_explicit(&wire->poll_takes_ns,
							memory_order_relaxed);

	if (slow_ns > most_ns)
		slow_ns = most_ns;
	return slow_ns > time_ns ? slow_ns : time_ns;
}

/*
 * Has this thread lost its processor since this was asked last, and not slept?
 * Where it shares the processor with the agent, each look of the agent makes a
 * gap between its polls.
 */
static bool was_kept_waiting(void)
{
	static __thread long slept, lost;
	struct rusage usage;
	bool kept;

	if (getrusage(RUSAGE_THREAD, &usage))
		return false;
	kept = usage.ru_nvcsw == slept && usage.ru_nivcsw != lost;
	slept = usage.ru_nvcsw;
	lost = usage.ru_nivcsw;
	return kept;
}

/* What is lost when several threads poll does no harm: the poller is one of
 * them. */
static void note_poll(struct adev_wire *wire, uint64_t now_ns)
{
	uint32_t row = atomic_load_explicit(&wire->polls_in_row,
					    memory_order_relaxed);
	uint64_t last_ns = atomic_load_explicit(&wire->polled_ns,
						memory_order_relaxed);

	atomic_store_explicit(&wire->polled_ns, now_ns, memory_order_relaxed);
	if (now_ns > last_ns + at_least(wire, GAP_NS, 2, LONGEST_GAP_NS)) {
		atomic_store_explicit(&wire->poller, gettid(),
				      memory_order_relaxed);
		if (was_kept_waiting())
			return;
		row = 0;
	} else if (row < BUSY_POLLS) {
		row++;
	} else {
		return;
	}
	atomic_store_explicit(&wire->polls_in_row, row, memory_order_relaxed);
}

void adev_wire_begin_send(struct adev_wire *wire)
{
	if (!adev_agent_is_self())
		atomic_store_explicit(&wire->sending, true,
				      memory_order_relaxed);
}

void adev_wire_end_send(struct adev_wire *wire)
{
	if (adev_agent_is_self())
		return;
	atomic_store_explicit(&wire->polled_ns, adev_now_ns(),
			      memory_order_relaxed);
	atomic_store_explicit(&wire->sending, false, memory_order_relaxed);
}

/* The longest of late: a poll that takes something in, and has not run for a
 * while, takes many times as long as those in vain around it. */
static void note_duration(struct adev_wire *wire, uint64_t took_ns)
{
	uint64_t longest_ns = atomic_load_explicit(&wire->poll_takes_ns,
						   memory_order_relaxed);

	longest_ns -= longest_ns / FORGET_PARTS;
	atomic_store_explicit(&wire->poll_takes_ns,
			      took_ns > longest_ns ? took_ns : longest_ns,
			      memory_order_relaxed);
}

/* A count lost among threads is no harm. */
static void note_taken(struct adev_wire *wire)
{
	uint32_t vain = atomic_load_explicit(&wire->vain_polls,
					     memory_order_relaxed);

	if (atomic_load_explicit(&wire->took, memory_order_relaxed))
		atomic_store_explicit(&wire->vain_polls, 0,
				      memory_order_relaxed);
	else if (vain < ANSWER_POLLS)
		atomic_store_explicit(&wire->vain_polls, vain + 1,
				      memory_order_relaxed);
}

bool adev_wire_is_busy(const struct adev_function *fn)
{
	const struct adev_wire *wire = adev_wire_of(fn);

	return wire &&
	       atomic_load_explicit(&wire->vain_polls, memory_order_relaxed) <
		       ANSWER_POLLS;
}

static bool serve_by_poll(struct adev_wire *wire, uint64_t *polled_ns)
{
	uint64_t begin_ns = adev_now_ns(), end_ns;
	bool left;

	note_poll(wire, begin_ns);
	left = adev_wire_drain(wire->fn, BUDGET);
	note_taken(wire);
	end_ns = adev_now_ns();
	atomic_store_explicit(&wire->polled_ns, end_ns, memory_order_relaxed);
	*polled_ns = end_ns;
	note_duration(wire, end_ns - begin_ns);
	if (wire->polled_busily)
		adev_watchdog_feed(&wire->watchdog, end_ns, WATCHDOG_NS);
	/* Its sockets may be empty by now, and whoever polls may not come
	 * again; unless that is busy polling. */
	if (left && !wire->polled_busily)
		adev_agent_expect(end_ns);
	return left;
}

bool adev_wire_serve(struct adev_function *fn, uint64_t *polled_ns)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint32_t round;
	bool left;

	if (!adev_agent_is_self())
		return serve_by_poll(wire, polled_ns);
	if (wire->polled_busily) {
		wire->lively_until_ns = 0;
		return false;
	}
	for (round = 0, left = true; left && round < AGENT_ROUNDS; round++) {
		left = adev_wire_drain(fn, BUDGET);
		if (atomic_load_explicit(&wire->took, memory_order_relaxed) >=
		    LIVELY_PACKETS)
			wire->lively_until_ns = adev_now_ns() + LIVELY_NS;
	}
	return left;
}

bool adev_wire_is_lively(const struct adev_function *fn)
{
	const struct adev_wire *wire = adev_wire_of(fn);

	return wire && wire->lively_until_ns;
}

bool adev_wire_follow(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);

	if (!wire || !wire->lively_until_ns)
		return false;
	if (adev_now_ns() >= wire->lively_until_ns) {
		wire->lively_until_ns = 0;
		return false;
	}
	(void)adev_function_serve(fn);
	return true;
}

static bool something_waits(struct adev_wire *wire)
{
	struct pollfd waiting[ADEV_WIRE_DESCRIPTORS];
	int fds[ADEV_WIRE_DESCRIPTORS];
	uint32_t count = wire->ops->descriptors(wire->lower, fds);
	uint32_t i;

	for (i = 0; i < count; i++)
		waiting[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	return atomic_load_explicit(&wire->owes, memory_order_relaxed) ||
	       (count && poll(waiting, count, 0) > 0);
}

/* A thread that drains or sends is at it, however long that takes and whether
 * or not it has a processor; the agent could not drain, and would be in the way
 * of it. */
static bool is_at_it(struct adev_wire *wire)
{
	return atomic_load_explicit(&wire->turn, memory_order_relaxed) & 1 ||
	       atomic_load_explicit(&wire->sending, memory_order_relaxed);
}

static bool polled_within(struct adev_wire *wire, uint64_t now_ns,
			  uint64_t time_ns)
{
	return is_at_it(wire) ||
	       now_ns <= atomic_load_explicit(&wire->polled_ns,
					      memory_order_relaxed) +
				 time_ns;
}

/*
 * Something waits, and who polled busily does not any more. A thread that had
 * no processor for a while polls as soon as it gets one: that may be when the
 * agent sleeps, or later, where others want it too.
 */
static bool is_stalled(struct adev_wire *wire, uint64_t now_ns)
{
	const struct timespec moment = {
		.tv_nsec = (long)at_least(wire, MOMENT_NS, 8, LONGEST_MOMENT_NS)
	};
	uint64_t last_ns = atomic_load_explicit(&wire->polled_ns,
						memory_order_relaxed);
	pid_t poller = atomic_load_explicit(&wire->poller,
					    memory_order_relaxed);
	uint64_t had_ns;

	if (polled_within(wire, now_ns,
			  at_least(wire, STALL_NS, 8, LONGEST_STALL_NS)) ||
	    !something_waits(wire))
		return false;
	had_ns = adev_proc_thread_ns(poller);
	nanosleep(&moment, NULL);
	if (last_ns != atomic_load_explicit(&wire->polled_ns,
					    memory_order_relaxed) ||
	    is_at_it(wire) || !something_waits(wire))
		return false;
	return now_ns > last_ns + LONGEST_WAIT_NS ||
	       adev_proc_thread_ns(poller) != had_ns ||
	       !adev_proc_is_runnable(poller);
}

void adev_wire_maintain(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint64_t now_ns;

	if (!wire)
		return;
	now_ns = adev_now_ns();
	if (wire->ops->maintain)
		wire->ops->maintain(wire->lower, now_ns);
	if (!wire->polled_busily || !is_stalled(wire, now_ns))
		return;
	wire->polled_busily = false;
	if (now_ns > wire->watch_until_ns + RECURS_NS || !wire->watch_ns)
		wire->watch_ns = FIRST_WATCH_NS;
	wire->watch_until_ns = now_ns + wire->watch_ns;
	if (wire->watch_ns < LAST_WATCH_NS)
		wire->watch_ns *= 2;
}

uint64_t adev_wire_deadline(const struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint64_t deadline = ADEV_NEVER_NS;
	uint64_t own;

	if (!wire)
		return deadline;
	if (fn->fault)
		deadline = adev_fault_deadline(fn->fault);
	own = wire->ops->deadline ? wire->ops->deadline(wire->lower) : deadline;
	return own < deadline ? own : deadline;
}

/* Does somebody poll busily? */
static void look(struct adev_wire *wire, uint64_t now_ns)
{
	bool busily;

	/* A simulation repeats only what does not depend on this thread. */
	if (adev_clock_is_simulated())
		return;
	busily = now_ns >= wire->watch_until_ns &&
		 polled_within(wire, now_ns,
			       at_least(wire, PAUSE_NS, 4, LONGEST_BUSY_NS)) &&
		 atomic_load_explicit(&wire->polls_in_row,
				      memory_order_relaxed) >= BUSY_POLLS;
	if (busily && !wire->polled_busily)
		wire->busy_since_ns = now_ns;
	wire->polled_busily = busily;
}

bool adev_wire_has_watchdog(const struct adev_function *fn)
{
	const struct adev_wire *wire = adev_wire_of(fn);

	return wire && adev_watchdog_is_open(&wire->watchdog) &&
	       !adev_clock_is_simulated() && atomic_load(&wire->polled_busily);
}

bool adev_wire_may_hold(const struct adev_function *fn)
{
	const struct adev_wire *wire = adev_wire_of(fn);

	return wire && adev_watchdog_is_open(&wire->watchdog) &&
	       atomic_load(&wire->polled_busily) &&
	       atomic_load_explicit(&wire->polled_ns, memory_order_relaxed) >=
		       atomic_load_explicit(&wire->hold_after_ns,
					    memory_order_relaxed);
}

bool adev_wire_holds_long(const struct adev_function *fn)
{
	const struct adev_wire *wire = adev_wire_of(fn);

	/* A slow poll says nothing of how fast the program posts. */
	return adev_now_ns() > atomic_load_explicit(&wire->polled_ns,
						    memory_order_relaxed) +
				       HOLD_NS;
}

void adev_wire_found_held(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint64_t now_ns = adev_now_ns();
	uint64_t after_ns = atomic_load_explicit(&wire->hold_after_ns,
						 memory_order_relaxed);

	if (now_ns <= atomic_load_explicit(&wire->polled_ns,
					   memory_order_relaxed) +
			      at_least(wire, LATE_NS, 16, LONGEST_GAP_NS))
		return;
	if (!wire->no_hold_ns || now_ns > after_ns + wire->no_hold_ns)
		wire->no_hold_ns = FIRST_NO_HOLD_NS;
	else if (wire->no_hold_ns < LAST_NO_HOLD_NS)
		wire->no_hold_ns *= 2;
	atomic_store_explicit(&wire->hold_after_ns, now_ns + wire->no_hold_ns,
			      memory_order_relaxed);
}

bool adev_wire_is_polled_busily(const struct adev_function *fn)
{
	const struct adev_wire *wire = adev_wire_of(fn);

	/* W3: behind what the caller left, whoever is to look at it. */
	return wire && atomic_load(&wire->polled_busily);
}

/* Until it asks again. What comes when somebody has stopped polling waits so
 * long at most: no more than a small part of the time that it went well. */
static uint64_t pause_ns(const struct adev_wire *wire, uint64_t now_ns)
{
	uint64_t part = (now_ns - wire->busy_since_ns) / BUSY_PARTS;

	if (!wire->polled_busily || part < PAUSE_NS)
		return PAUSE_NS;
	return part < LONGEST_PAUSE_NS ? part : LONGEST_PAUSE_NS;
}

uint32_t adev_wire_watch(struct adev_function *fn, int *fds, uint32_t max,
			 uint64_t *deadline)
{
	struct adev_wire *wire = adev_wire_of(fn);
	uint64_t now_ns = adev_now_ns();
	uint32_t turn = atomic_load_explicit(&wire->turn, memory_order_relaxed);
	bool kept_out = turn == wire->turn_seen;
	bool was_polled = wire->polled_busily;
	int fd = atomic_load(&wire->watchdog.fd);
	uint64_t pause;
	bool watch;

	look(wire, now_ns);
	/* W3: until now nobody woke the agent for what is due later: what has
	 * come since it looked at the timers it finds when it looks again. */
	if (was_polled && !wire->polled_busily)
		*deadline = now_ns;
	wire->turn_seen = turn;
	if (max && wire->polled_busily && !adev_clock_is_simulated() &&
	    adev_watchdog_set(&wire->watchdog, now_ns, WATCHDOG_NS)) {
		fds[0] = fd;
		return 1;
	}
	pause = pause_ns(wire, now_ns);
	/* Nobody has drained since: another thread is at it, or serves the
	 * function. To watch what cannot be read would be to spin. */
	watch = max >= ADEV_WIRE_DESCRIPTORS && !wire->polled_busily &&
		!kept_out;
	/* What was put off, or left, does not make the sockets readable. And
	 * each message starts a timer: whoever sends one need not wake the
	 * agent for that, which sleeps for less than the shortest. */
	if ((!watch || wire->owes || atomic_load(&fn->settling) ||
	     now_ns < wire->took_ns + ACTIVE_NS) &&
	    *deadline > now_ns + pause)
		*deadline = now_ns + pause;
	return watch ? wire->ops->descriptors(wire->lower, fds) : 0;
}
