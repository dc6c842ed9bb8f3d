/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Serving a function: what peers left in its segment, QPs that wait, QPs that
 * are scheduled. Done by whoever comes next: a poll, or the agent.
 */
#include "core/function.h"

#include <infiniband/verbs.h>

#include "comp/channel.h"
#include "core/agent.h"
#include "core/clock.h"
#include "core/qp_lock.h"
#include "dma/dma.h"
#include "domain/directory.h"
#include "exec/exec.h"
#include "exec/threads.h"
#include "link/wire.h"
#include "trace.h"
#include "transport/raw_packet.h"
#include "transport/receive_entry.h"

#define LOOKS_BEFORE_TRY 32u
/* Who polls looks at the timers; the agent, whom it costs a system call to
 * wake, only when nobody does. */
#define TIMER_SLACK_NS (8 * ADEV_MS_NS)

void adev_function_left_work(struct adev_function *fn, uint64_t when_ns)
{
	arnica_store32(&fn->view.header->attention, 1, memory_order_seq_cst);
	/* What is due later is done by who polls busily; else the agent finds
	 * it when it looks whether that is still so. */
	if (!when_ns || !adev_wire_is_polled_busily(fn))
		adev_agent_expect(when_ns);
}

static void put_back(struct adev_function *fn, struct adev_qp *qp)
{
	pthread_mutex_lock(&fn->waiting_lock);
	if (!qp->on_waiting) {
		qp->on_waiting = true;
		qp->next_waiting = NULL;
		if (fn->last_waiting)
			fn->last_waiting->next_waiting = qp;
		else
			fn->waiting = qp;
		fn->last_waiting = qp;
		atomic_fetch_add(&fn->num_waiting, 1);
	}
	pthread_mutex_unlock(&fn->waiting_lock);
}

void adev_function_wait(struct adev_function *fn, struct adev_qp *qp)
{
	put_back(fn, qp);
	adev_function_left_work(fn, atomic_load(&qp->retry_at_ns));
}

void adev_function_hold(struct adev_function *fn, struct adev_qp *qp)
{
	put_back(fn, qp);
	atomic_store(&fn->held, true);
	arnica_store32(&fn->view.header->attention, ARNICA_HW_ATTENTION_HELD,
		       memory_order_seq_cst);
	/* W3: behind what was left. */
	if (!adev_wire_is_polled_busily(fn))
		adev_agent_expect(0);
}

/* With waiting_lock held; `previous` is NULL for the oldest. */
static void unlink_waiting(struct adev_function *fn, struct adev_qp *previous,
			   struct adev_qp *qp)
{
	if (previous)
		previous->next_waiting = qp->next_waiting;
	else
		fn->waiting = qp->next_waiting;
	if (fn->last_waiting == qp)
		fn->last_waiting = previous;
	qp->next_waiting = NULL;
	qp->on_waiting = false;
	atomic_fetch_sub(&fn->num_waiting, 1);
}

/* Lets nobody sleep longer than until then. */
static void expect(struct adev_function *fn, uint64_t at_ns)
{
	uint64_t due = atomic_load(&fn->timed_due_ns);

	while (at_ns < due)
		if (atomic_compare_exchange_weak(&fn->timed_due_ns, &due,
						 at_ns)) {
			adev_function_left_work(fn, at_ns + TIMER_SLACK_NS);
			return;
		}
}

void adev_function_set_timer(struct adev_function *fn, struct adev_qp *qp,
			     uint64_t at_ns)
{
	/* T1: the timer is stored before the bound is lowered; serve_timers()
	 * lifts the bound before it looks at the timers. */
	atomic_store(&qp->timer_ns, at_ns);
	if (at_ns == ADEV_NEVER_NS)
		return;
	if (!qp->timed) {
		pthread_mutex_lock(&fn->waiting_lock);
		qp->timed = true;
		qp->next_timed = fn->timed;
		fn->timed = qp;
		pthread_mutex_unlock(&fn->waiting_lock);
	}
	expect(fn, at_ns);
}

/* With waiting_lock held. */
static void unlink_timed(struct adev_function *fn, struct adev_qp *qp)
{
	struct adev_qp **link = &fn->timed;

	if (!qp->timed)
		return;
	while (*link != qp)
		link = &(*link)->next_timed;
	*link = qp->next_timed;
	qp->timed = false;
}

void adev_function_unwait(struct adev_function *fn, struct adev_qp *qp)
{
	struct adev_qp *previous = NULL, *other;

	pthread_mutex_lock(&fn->waiting_lock);
	for (other = fn->waiting; other && other != qp;
	     other = other->next_waiting)
		previous = other;
	if (other)
		unlink_waiting(fn, previous, qp);
	atomic_store(&qp->held, false); /* the next post puts it there again */
	unlink_timed(fn, qp);
	pthread_mutex_unlock(&fn->waiting_lock);
}

/*
 * Has nothing happened that a QP without a receive waits for? One look at the
 * peer's index, without its lock; now and then the QP is tried anyhow, for the
 * sake of its deadline. Only the serving thread looks.
 */
static bool nothing_posted(struct adev_qp *qp)
{
	const struct adev_link *to = &qp->link;
	bool nothing = false;

	if (!adev_qp_try_lock_send(qp))
		return false;
	if (qp->xrc)
		to = adev_xrc_current(qp->xrc);
	if (qp->wait == ADEV_WAIT_RNR && to && to->resolved &&
	    !atomic_load(&qp->peer_died) && !atomic_load(&qp->again))
		nothing = adev_receive_count(to) == qp->rnr_producer &&
			  ++qp->rnr_looks % LOOKS_BEFORE_TRY;
	adev_qp_unlock_send(qp);
	return nothing && !atomic_load(&qp->again);
}

/* Looks at each waiting QP once. Those that go on waiting come back. */
static void serve_waiting(struct adev_function *fn)
{
	uint32_t count = atomic_load(&fn->num_waiting);

	while (count--) {
		struct adev_qp *qp;

		pthread_mutex_lock(&fn->waiting_lock);
		qp = fn->waiting;
		if (qp)
			unlink_waiting(fn, NULL, qp);
		pthread_mutex_unlock(&fn->waiting_lock);
		if (!qp)
			return;
		atomic_store(&qp->held, false); /* C13 */
		if (nothing_posted(qp))
			put_back(fn, qp);
		else
			adev_exec_submit(qp, NULL);
	}
}

/* Some of the QPs whose timers are due. */
#define TIMERS_AT_ONCE 32u
#define PACKETS_BEFORE_TIMERS 256u

/* Takes QPs whose time has come; *next is the earliest time of the others. */
static uint32_t take_due(struct adev_function *fn, uint64_t now,
			 struct adev_qp *due[TIMERS_AT_ONCE], uint64_t *next)
{
	struct adev_qp *qp;
	uint32_t count = 0;

	*next = ADEV_NEVER_NS;
	pthread_mutex_lock(&fn->waiting_lock);
	for (qp = fn->timed; qp; qp = qp->next_timed) {
		uint64_t at = atomic_load(&qp->timer_ns);

		if (at <= now && count < TIMERS_AT_ONCE)
			due[count++] = qp;
		else if (at < *next)
			*next = at;
	}
	pthread_mutex_unlock(&fn->waiting_lock);
	return count;
}

/*
 * A look at the clock, as long as no timer is due. What a timer waits for may
 * lie in the socket, when this thread had no processor for a while or the agent
 * left the wire to who polls: so that is looked at first, unless it was
 * `emptied` at `polled_ns`. The QPs stay: destroying one waits for the serving
 * thread.
 */
static void serve_timers(struct adev_function *fn, uint64_t polled_ns,
			 bool emptied)
{
	struct adev_qp *due[TIMERS_AT_ONCE];
	uint64_t bound = atomic_load(&fn->timed_due_ns), now, next;
	uint32_t count, i;

	if (bound == ADEV_NEVER_NS)
		return;
	now = polled_ns ? polled_ns : adev_now_ns();
	if (now < bound)
		return;
	if (!emptied && adev_wire_drain(fn, PACKETS_BEFORE_TIMERS))
		adev_function_left_work(fn, now);
	atomic_store(&fn->timed_due_ns, ADEV_NEVER_NS); /* T1 */
	count = take_due(fn, now, due, &next);
	for (i = 0; i < count; i++) {
		atomic_store(&due[i]->timer_due, true);
		adev_exec_submit(due[i], NULL);
	}
	expect(fn, next);
}

uint64_t adev_function_deadline(struct adev_function *fn)
{
	uint64_t deadline = adev_wire_deadline(fn);
	uint64_t timed = atomic_load(&fn->timed_due_ns);
	uint64_t deliver = atomic_load(&fn->deliver_again_ns);
	struct adev_qp *qp;

	if (adev_wire_has_watchdog(fn))
		timed = ADEV_NEVER_NS; /* who polls looks at it */
	else if (timed != ADEV_NEVER_NS && adev_wire_is_polled_busily(fn))
		timed += TIMER_SLACK_NS;
	if (deadline > timed)
		deadline = timed;
	if (deliver && deliver < deadline)
		deadline = deliver;
	if (!atomic_load(&fn->num_waiting))
		return deadline;
	pthread_mutex_lock(&fn->waiting_lock);
	for (qp = fn->waiting; qp; qp = qp->next_waiting) {
		uint64_t at = atomic_load_explicit(&qp->retry_at_ns,
						   memory_order_relaxed);

		if (at < deadline)
			deadline = at;
	}
	pthread_mutex_unlock(&fn->waiting_lock);
	return deadline;
}

static void serve_error(struct adev_qp *qp)
{
	uint32_t event = 0;

	adev_qp_lock_send(qp);
	if (atomic_load(&qp->shared->state) == ARNICA_HW_QPS_ERR)
		event = adev_qp_follow_error(qp);
	adev_exec_release(qp);
	if (event)
		adev_qp_raise(qp, event);
}

static bool has_overrun(const struct adev_ring *ring)
{
	return ring->cq &&
	       arnica_load32(&ring->cq->record.state, memory_order_acquire);
}

/* Its completions cannot be told any more. */
static void end_qp(struct adev_qp *qp)
{
	uint32_t state;

	if (!has_overrun(&qp->send_ring) && !has_overrun(&qp->recv_ring))
		return; /* a peer's mistake */
	adev_qp_lock_send(qp);
	state = atomic_load(&qp->shared->state);
	if (state != ARNICA_HW_QPS_ERR && state != ARNICA_HW_QPS_RESET) {
		adev_qp_enter_error(qp);
		adev_qp_raise(qp, IBV_EVENT_QP_FATAL);
		if (qp->type == ARNICA_HW_QP_XRC_SRQ)
			adev_srq_fail(qp->fn, qp->srq.index);
	}
	adev_exec_release(qp);
}

static void serve_qp(struct adev_function *fn, uint32_t index)
{
	struct adev_qp *qp;
	uint32_t needs;

	if (index >= fn->view.layout.max_qp)
		return;
	qp = fn->qps[index];
	if (!qp)
		return;
	needs = atomic_exchange(&qp->shared->needs, 0);
	if (needs & ADEV_QP_NEEDS_EVENT)
		adev_qp_raise(qp, IBV_EVENT_COMM_EST);
	if (needs & ADEV_QP_NEEDS_RECOVERY)
		adev_qp_recover(qp);
	if (needs & ADEV_QP_NEEDS_END)
		end_qp(qp);
	if (needs & ADEV_QP_NEEDS_ERROR)
		serve_error(qp);
}

static void serve_qps(struct adev_function *fn)
{
	struct adev_shared *shared = fn->view.shared;
	uint32_t block;

	if (!atomic_load_explicit(&shared->qp_attention,
				  memory_order_relaxed) ||
	    !atomic_exchange(&shared->qp_attention, 0))
		return;
	for (block = 0; block < ARNICA_HW_MAX_QP / 4096; block++) {
		uint64_t words = atomic_exchange(
			&shared->qp_events_summary[block], 0);

		for (; words; words &= words - 1) {
			uint32_t word = block * 64 +
					(uint32_t)__builtin_ctzll(words);
			uint64_t bits =
				atomic_exchange(&shared->qp_events[word], 0);

			for (; bits; bits &= bits - 1)
				serve_qp(fn,
					 word * 64 + (uint32_t)__builtin_ctzll(
							     bits));
		}
	}
}

/* As many polls between two looks of the agent, which are a turn or a
 * millisecond apart: somebody polls busily. A program that only looks now and
 * then while it computes does fewer. */
#define BUSY_POLLS 4u

enum adev_backlog adev_function_run(struct adev_function *fn)
{
	uint32_t polls = atomic_load_explicit(&fn->polls, memory_order_relaxed);
	bool polled = polls - atomic_exchange(&fn->polls_seen, polls) >=
		      BUSY_POLLS;
	/* Engine threads are woken for it, and stay until it is done. */
	if (adev_sched_idle(&fn->scheduler) || adev_engine_threads_count())
		return ADEV_BACKLOG_NONE;
	/* Polls from before the post say nothing. */
	if (!atomic_exchange(&fn->backlog_left, false) && polled)
		return ADEV_BACKLOG_OTHERS;
	adev_count(&fn->counters, turns_by_agent);
	switch (adev_exec_turn(fn, ADEV_TURN_MOST)) {
	case ADEV_TURN_NOTHING:
		return ADEV_BACKLOG_NONE;
	case ADEV_TURN_BUSY:
		return ADEV_BACKLOG_OTHERS;
	case ADEV_TURN_MORE:
		break;
	}
	return ADEV_BACKLOG_MORE;
}

/* Who polls may wait for a message of a higher class. */
static uint64_t poll_bytes(struct adev_function *fn)
{
	return adev_sched_has_higher(&fn->scheduler) ? ADEV_GATHER_ENTRY_BYTES :
						       ADEV_TURN_MOST;
}

/* What a poll does of the backlog; true when there is one yet. The agent has
 * adev_function_run(). */
static bool poll_backlog(struct adev_function *fn)
{
	uint32_t polls;

	if (adev_agent_is_self())
		return !adev_sched_idle(&fn->scheduler);
	polls = atomic_load_explicit(&fn->polls, memory_order_relaxed);
	atomic_store_explicit(&fn->polls, polls + 1, memory_order_relaxed);
	if (adev_exec_turn(fn, poll_bytes(fn)) == ADEV_TURN_NOTHING)
		return false;
	/* Engine threads that found all of it in this thread's hands sleep. The
	 * agent does not, as long as there is a backlog. */
	if (adev_engine_threads_count())
		adev_exec_left(fn);
	return true;
}

/* Before what has come: the peer waits for it. */
static void serve_held(struct adev_function *fn)
{
	if (!atomic_load(&fn->held))
		return;
	adev_wire_found_held(fn);
	atomic_store(&fn->held, false);
	serve_waiting(fn);
}

/* With the flag `serving`. True when work is left. */
static bool serve(struct adev_function *fn)
{
	uint64_t polled_ns = 0;
	bool left = false, emptied;

	serve_held(fn);
	adev_inbox_serve(fn);
	serve_qps(fn);
	adev_srq_serve(fn);
	/* Before the QPs that wait: what comes in may be their turn. */
	if (adev_wire_is_open(fn))
		left = adev_wire_serve(fn, &polled_ns);
	emptied = polled_ns && !left;
	left |= adev_raw_serve(fn);
	serve_waiting(fn);
	serve_timers(fn, polled_ns, emptied);
	if (adev_channels_deliver(fn))
		adev_agent_expect(atomic_load(&fn->deliver_again_ns));
	return left;
}

/* On the wire something may always have come; what a peer left meanwhile says
 * more. */
static void attend_wire(struct adev_function *fn)
{
	uint32_t attention = adev_wire_is_busy(fn) ?
				     ARNICA_HW_ATTENTION_WIRE_BUSY :
				     ARNICA_HW_ATTENTION_WIRE;
	uint32_t none = ARNICA_HW_ATTENTION_NONE;

	if (adev_wire_is_open(fn) || adev_raw_listens(fn))
		(void)arnica_compare_exchange32(&fn->view.header->attention,
						&none, attention,
						memory_order_seq_cst);
}

bool adev_function_serve(struct adev_function *fn)
{
	bool left, backlog;

	if (atomic_flag_test_and_set(&fn->serving)) {
		(void)poll_backlog(fn);
		return !adev_agent_is_self() || !adev_wire_is_polled_busily(fn);
	}
	/* C4: who leaves work after this look for it sets the word again. */
	arnica_store32(&fn->view.header->attention, 0, memory_order_seq_cst);
	arnica_fence_after_rmw();
	left = serve(fn);
	atomic_flag_clear(&fn->serving);
	backlog = poll_backlog(fn);
	if (left || backlog || atomic_load(&fn->num_waiting))
		arnica_store32(&fn->view.header->attention,
			       ARNICA_HW_ATTENTION_WORK, memory_order_seq_cst);
	else
		attend_wire(fn);
	return left;
}
