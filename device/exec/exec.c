/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Execution engine. */
#include "exec/exec.h"
#include "exec/descriptors.h"
#include "exec/express.h"
#include "exec/local.h"
#include "exec/threads.h"

#include <arnica/hw/doorbell.h>
#include <infiniband/verbs.h>
#include <stdlib.h>

#include "comp/channel.h"
#include "core/fault_point.h"
#include "core/limited.h"
#include "transport/datagram.h"
#include "transport/raw_packet.h"
#include "transport/remote.h"
#include "transport/sender.h"
#include "trace.h"

/* What a doorbell moves, so that posting takes no long time. */
#define DOORBELL_BYTES (2u * ADEV_GATHER_ENTRY_BYTES)
#define WIRE_BYTES (8u * ADEV_GATHER_ENTRY_BYTES) /* reliable connections */
/* What it moves of a message on the wire that it cannot end: one packet. The rest is
 * somebody else's, or the next poll's. */
#define BEGIN_BYTES 4096u
/* What goes ahead of others through the priority area. */
#define EXPRESS_BYTES 8192u
/* How soon a QP is looked at again whose memory is being registered, at first;
 * it is also woken when that is done. */
#define MEMORY_AFTER_NS 50000ull
/* What a message costs in a turn beside its bytes. */
#define MESSAGE_COST 64u

enum turn_end {
	TURN_IDLE,    /* everything announced was executed */
	TURN_WAITING, /* the QP waits */
	TURN_USED_UP, /* more to do, but not now */
};

/* A thread that executes a QP. */
struct turn {
	const void *area;           /* descriptor from the priority area */
	struct adev_engine *engine; /* NULL: who rang the doorbell, or the like */
	uint64_t whole;             /* bytes that it may move */
	uint64_t left;              /* ... yet */
	uint64_t forgone;           /* ... that it ended without moving */
	uint32_t fetches, fetched;
};

/* With a backlog the descriptor of the area is not the next one; it is then
 * read from the queue when its turn comes. */
static bool is_due(struct adev_qp *qp, const void *descriptor)
{
	const struct arnica_hw_wqe_control *control = descriptor;

	return arnica_from_le32(control->index) == qp->head;
}

/* For the first work request of a QP. Without it nothing can be carried out,
 * nor said of a single request. */
static bool make_message(struct adev_qp *qp)
{
	qp->message = calloc(1, sizeof(*qp->message));
	if (qp->message) {
		qp->message->inbox_slot = -1;
		return true;
	}
	adev_qp_enter_error(qp);
	adev_qp_raise(qp, IBV_EVENT_QP_FATAL);
	return false;
}

enum begun {
	BEGUN_NOTHING, /* there is none, or the QP may not */
	BEGUN_MESSAGE, /* it is under way */
	BEGUN_OVER,    /* a plain one, which is over */
	BEGUN_LATER,   /* it waits for its memory */
};

/* The descriptor at the head. Who has no buffer reads them where they are. */
static const void *fetch_head(struct adev_qp *qp, struct turn *turn)
{
	arnica_trace_wqe_fetch(qp->qpn, qp->head);
	if (turn->engine)
		return adev_descriptors_take(qp, turn->engine, &turn->fetches,
					     &turn->fetched);
	turn->fetched++;
	return adev_exec_descriptor(qp, qp->head);
}

/* A region that the request names is being registered: the queue waits, others
 * go on. */
static enum begun wait_for_memory(struct adev_qp *qp)
{
	qp->active = false;
	if (qp->wait != ADEV_WAIT_MEMORY)
		adev_count(&qp->fn->counters, registrations_awaited);
	(void)adev_requester_wait(qp, ADEV_WAIT_MEMORY, ADEV_NEVER_NS,
				  MEMORY_AFTER_NS);
	/* Also when it is on the wire: no packet will wake it. */
	adev_function_wait(qp->fn, qp);
	return BEGUN_LATER;
}

/* What was fetched with an error, or after a wait. */
static enum begun begin_late(struct adev_qp *qp, enum arnica_hw_status status)
{
	if (status == ADEV_STATUS_PENDING)
		return wait_for_memory(qp);
	qp->wait = ADEV_WAIT_NOT;
	qp->again_ns = 0;
	if (!status)
		return BEGUN_MESSAGE;
	if (!qp->remote || !adev_sender_postpone(qp, status))
		adev_requester_fail(qp, status, 0);
	return BEGUN_NOTHING;
}

/* Begins the next message; *bytes: of one that is over. */
static enum begun begin(struct adev_qp *qp, struct turn *turn, uint32_t *bytes)
{
	/* Entries are complete before they are announced. */
	uint32_t producer = atomic_load_explicit(&qp->producer,
						 memory_order_acquire);
	uint32_t state = atomic_load_explicit(&qp->shared->state,
					      memory_order_relaxed);
	enum arnica_hw_status status;
	const void *descriptor = turn->area;

	if (qp->head == producer)
		return BEGUN_NOTHING;
	if (state == ARNICA_HW_QPS_ERR) {
		adev_qp_flush(qp); /* the responder may have ended it */
		return BEGUN_NOTHING;
	}
	if (state == ARNICA_HW_QPS_SQE ||
	    (state == ARNICA_HW_QPS_SQD && qp->stopped))
		adev_qp_flush_send(qp);
	if (state != ARNICA_HW_QPS_RTS ||
	    (qp->remote && !adev_sender_accepts(qp)))
		return BEGUN_NOTHING;
	if (__builtin_expect(!qp->message, 0) && !make_message(qp))
		return BEGUN_NOTHING;
	turn->area = NULL;
	if (descriptor && is_due(qp, descriptor)) {
		adev_count(&qp->fn->counters, bf_hit);
		arnica_trace_wqe_area(qp->qpn, qp->head);
	} else {
		descriptor = fetch_head(qp, turn);
	}
	*bytes = adev_express_run(qp, descriptor);
	if (__builtin_expect(*bytes != 0, 1))
		return BEGUN_OVER;
	qp->active = true;
	status = adev_exec_fetch_first(qp, qp->head, descriptor, qp->message);
	if (__builtin_expect(status || qp->wait, 0))
		return begin_late(qp, status);
	return BEGUN_MESSAGE;
}

/*
 * The peer's process died: what is under way cannot be answered any more. An
 * unreliable connection does not notice, but for what the peer left undone
 * here.
 */
static bool end_dead_connection(struct adev_qp *qp)
{
	uint32_t state, event = IBV_EVENT_QP_FATAL;

	if (!atomic_load_explicit(&qp->peer_died, memory_order_relaxed) ||
	    !atomic_exchange(&qp->peer_died, false))
		return false;
	state = atomic_load(&qp->shared->state);
	if (state == ARNICA_HW_QPS_RESET || state == ARNICA_HW_QPS_INIT)
		return false;
	if (state == ARNICA_HW_QPS_ERR) {
		event = adev_qp_follow_error(qp);
	} else if (!adev_type_is_reliable(qp->type)) {
		adev_link_drop(qp);
		if (qp->message)
			qp->message->done = 0;
		adev_qp_recover(qp);
		return false;
	} else {
		adev_requester_fail(qp, ARNICA_HW_STATUS_RETRY_EXC_ERR, 0);
	}
	if (event)
		adev_qp_raise(qp, event);
	return true;
}

/* Carries out the message under way, or goes on with it. */
static enum adev_progress carry_out(struct adev_qp *qp)
{
	if (arnica_hw_opcode_is_local(qp->message->opcode))
		return adev_local_run(qp);
	if (qp->type == ARNICA_HW_QP_UD)
		return adev_datagram_run(qp);
	if (__builtin_expect(qp->type == ARNICA_HW_QP_RAW_PACKET, 0))
		return adev_raw_run(qp);
	return qp->remote ? adev_sender_run(qp) : adev_requester_run(qp);
}

/* Is there anything to do at once? */
static bool has_more(const struct adev_qp *qp)
{
	return qp->active || qp->head != atomic_load_explicit(
						 &qp->producer,
						 memory_order_relaxed);
}

/* How much may be moved at once of a message; one that waited in between goes on
 * by entries. */
static uint32_t portion(const struct turn *turn,
			const struct adev_message *message, bool only_begins)
{
	if (only_begins && !message->done &&
	    message->bytes > ADEV_GATHER_ENTRY_BYTES)
		return BEGIN_BYTES;
	return turn->left > ADEV_GATHER_ENTRY_BYTES && !only_begins ?
		       (uint32_t)turn->left :
		       ADEV_GATHER_ENTRY_BYTES;
}

/*
 * A post that cannot end a message does not wait for the first byte of it either:
 * who is woken carries all of it out. Not so on the wire, where the first packet
 * leaves at once, and after a wait, when who looks at the queue pair tries it.
 */
static bool leaves_whole(const struct adev_qp *qp)
{
	return !qp->message->done && !qp->wait &&
	       qp->message->bytes > ADEV_GATHER_ENTRY_BYTES &&
	       !atomic_load_explicit(&qp->remote, memory_order_relaxed);
}

/* Goes on with the message under way; returns what that cost of the turn. Who
 * posts a message that he cannot end leaves it, or begins it and no more. */
static uint64_t go_on(struct adev_qp *qp, struct turn *turn,
		      enum adev_progress *progress)
{
	uint64_t before = qp->message->done, left = turn->left;
	uint64_t rest = qp->message->bytes - before;
	bool only_begins = !turn->engine && rest > left;

	if (only_begins && leaves_whole(qp)) {
		turn->forgone = left;
		*progress = ADEV_PROGRESS_MORE;
		return left;
	}
	qp->allowance = portion(turn, qp->message, only_begins);
	ADEV_POINT("message_begun");
	if (__builtin_expect(!qp->fn->limit && !qp->pace, 1)) {
		*progress = carry_out(qp);
	} else if (adev_limited_begin(qp)) {
		*progress = carry_out(qp);
		adev_limited_end(qp, *progress, before);
	} else {
		*progress = ADEV_PROGRESS_WAIT;
	}
	if (*progress == ADEV_PROGRESS_MORE && only_begins) {
		turn->forgone = left - (qp->message->done - before);
		return left;
	}
	if (*progress == ADEV_PROGRESS_MORE || *progress == ADEV_PROGRESS_WAIT)
		return qp->message->done - before;
	return rest + MESSAGE_COST;
}

/* Executes the QP until it has used up what the turn may move. With sq_lock
 * held. */
static enum turn_end run(struct adev_qp *qp, struct turn *turn)
{
	if (end_dead_connection(qp))
		return TURN_IDLE;
	if (qp->flush_pending)
		adev_qp_flush(qp);
	if (qp->remote)
		adev_sender_service(qp);
	for (;;) {
		enum adev_progress progress = ADEV_PROGRESS_DONE;
		enum begun begun = BEGUN_MESSAGE;
		uint32_t over = 0;
		uint64_t cost;

		if (!qp->active)
			begun = begin(qp, turn, &over);
		if (__builtin_expect(begun == BEGUN_LATER, 0))
			return TURN_WAITING;
		if (begun == BEGUN_NOTHING) {
			adev_qp_check_drained(qp);
			return qp->flush_pending ? TURN_WAITING : TURN_IDLE;
		}
		cost = __builtin_expect(begun == BEGUN_OVER, 1) ?
			       over + MESSAGE_COST :
			       go_on(qp, turn, &progress);
		turn->left = turn->left > cost ? turn->left - cost : 0;
		if (progress == ADEV_PROGRESS_WAIT)
			return TURN_WAITING;
		if (!turn->left)
			return has_more(qp) ? TURN_USED_UP : TURN_IDLE;
	}
}

/* Takes the QP, or leaves word for the one who has it. */
static bool take(struct adev_qp *qp)
{
	if (adev_qp_try_lock_send(qp))
		return true;
	/* P6: the wish is stored before the lock is tried again; the holder
	 * (C6) looks for it after it let go. One of the two succeeds. */
	atomic_store(&qp->again, true);
	arnica_fence_after_rmw();
	return adev_qp_try_lock_send(qp);
}

/* Somebody has to go on with a backlog that begins; of one that grows another
 * engine thread can take its part. */
static void tell(struct adev_function *fn, bool begins)
{
	if (begins || adev_engine_threads_count())
		adev_exec_left(fn);
}

static void leave(struct adev_qp *qp)
{
	tell(qp->fn, adev_sched_enqueue(&qp->fn->scheduler, qp));
}

/* With sq_lock held, which is given back. An engine may have tried to take the
 * QP before that, and left it at a word in `again`. */
static void leave_locked(struct adev_qp *qp)
{
	bool begins = false;

	do {
		if (atomic_load_explicit(&qp->again, memory_order_relaxed))
			(void)atomic_exchange(&qp->again, false);
		begins |= adev_sched_enqueue(&qp->fn->scheduler, qp);
		adev_qp_unlock_send(qp);
	} while (atomic_load(&qp->again) && take(qp)); /* C6 */
	tell(qp->fn, begins);
}

/* A doorbell reads what it takes in one go; engines count. */
static void count_fetches(struct adev_function *fn, uint32_t fetches,
			  uint32_t fetched)
{
	if (!fetched)
		return;
	adev_count_add(&fn->counters, wqe_fetched, fetched);
	adev_count_add(&fn->counters, wqe_fetches, fetches);
}

/* Executes the QP, if nobody does. Returns whether an engine's turn left some;
 * otherwise that goes to the scheduler. */
static bool execute(struct adev_qp *qp, struct turn *turn)
{
	struct adev_function *fn = qp->fn;
	bool later = false;

	do {
		enum turn_end end;

		if (!take(qp))
			return false;
		if (atomic_load_explicit(&qp->again, memory_order_relaxed))
			(void)atomic_exchange(&qp->again, false);
		end = run(qp, turn);
		turn->area = NULL;
		adev_datagram_rest(qp);
		/* A QP on the wire waits for an answer or its timer. */
		if (qp->remote)
			adev_sender_rest(qp);
		else if (end == TURN_WAITING)
			adev_function_wait(fn, qp);
		if (end == TURN_USED_UP && !turn->engine) {
			leave_locked(qp);
			return false;
		}
		/* Each try waits for the peer; one who looks meanwhile leaves
		 * his wish, and is no reason to try again at once. The QP is
		 * among those that wait, and the wish stays. */
		later = end == TURN_WAITING && qp->flush_pending && !qp->remote;
		adev_qp_unlock_send(qp);
		if (end == TURN_USED_UP)
			return true;
	} while (atomic_load(&qp->again) && !later); /* C6 */
	return false;
}

/*
 * Others have a backlog. What is to be done for a QP that ends, or that answers
 * of the wire drive, does not wait for them.
 */
static bool must_wait(struct adev_qp *qp)
{
	if (atomic_load_explicit(&qp->shared->state, memory_order_relaxed) !=
		    ARNICA_HW_QPS_RTS ||
	    atomic_load_explicit(&qp->peer_died, memory_order_relaxed) ||
	    atomic_load_explicit(&qp->remote, memory_order_relaxed) ||
	    !adev_sched_must_wait(&qp->fn->scheduler, qp))
		return false;
	leave(qp);
	return true;
}

/*
 * Is the QP in a queue, or with an engine? Then that is enough. P6: the wish is
 * stored before that is looked at; who takes it out of the scheduler (C6 in
 * sched.c) looks for the wish after that.
 */
static bool is_scheduled(struct adev_qp *qp)
{
	if (!atomic_load_explicit(&qp->scheduled, memory_order_relaxed))
		return false;
	atomic_store(&qp->again, true);
	arnica_fence_after_rmw();
	return atomic_load(&qp->scheduled);
}

/* From the priority area, and short: it goes before all that waits. */
static bool is_express(const void *area)
{
	/* The doorbell handler has seen that all of it is in the area. */
	return area &&
	       adev_exec_bytes(area, ARNICA_HW_AREA_DESCRIPTOR_BYTES) <=
		       EXPRESS_BYTES;
}

/* Others have a backlog. What this QP moves ahead of them is charged. */
static void submit_ahead(struct adev_qp *qp, struct turn *turn)
{
	struct adev_function *fn = qp->fn;

	if (is_scheduled(qp) || (!is_express(turn->area) && must_wait(qp)))
		return;
	(void)execute(qp, turn);
	count_fetches(fn, 1, turn->fetched);
	if (turn->left < turn->whole)
		adev_sched_charge(&fn->scheduler, qp,
				  turn->whole - turn->left - turn->forgone);
}

/* What goes over the wire leaves at the end of the turn; the more of it, the
 * fewer datagrams are not full. The window is its bound as well. */
static uint64_t turn_bytes(const struct adev_qp *qp)
{
	return atomic_load_explicit(&qp->remote, memory_order_relaxed) &&
			       adev_type_is_reliable(qp->type) ?
		       WIRE_BYTES :
		       DOORBELL_BYTES;
}

void adev_exec_submit(struct adev_qp *qp, const void *area)
{
	struct turn turn = { .area = area, .whole = turn_bytes(qp) };

	turn.left = turn.whole;

	if (__builtin_expect(!adev_sched_idle(&qp->fn->scheduler), 0)) {
		submit_ahead(qp, &turn);
		return;
	}
	(void)execute(qp, &turn);
	count_fetches(qp->fn, 1, turn.fetched);
}

void adev_exec_release(struct adev_qp *qp)
{
	adev_qp_unlock_send(qp);
	if (atomic_load(&qp->again)) /* C6 */
		adev_exec_submit(qp, NULL);
}

/* What an engine may move at once: no more than an entry, when others get in
 * between. */
static uint64_t allow(struct adev_function *fn, const struct adev_qp *qp,
		      uint64_t bytes)
{
	if (!adev_sched_may_go_on(&fn->scheduler, qp->scheduled_class) ||
	    bytes < ADEV_GATHER_ENTRY_BYTES)
		return ADEV_GATHER_ENTRY_BYTES;
	return bytes < ADEV_TURN_MOST ? bytes : ADEV_TURN_MOST;
}

/* Descriptors for an engine whose turn is not yet. */
static void fetch_ahead(struct adev_grant *grant)
{
	struct adev_engine *engine = grant->fetcher;
	struct adev_qp *qp = engine->qp;

	if (!adev_qp_try_lock_send(qp))
		return;
	adev_descriptors_fill(qp, engine, &grant->fetches[1],
			      &grant->fetched[1]);
	adev_qp_unlock_send(qp);
	count_fetches(qp->fn, grant->fetches[1], grant->fetched[1]);
}

/* One turn; what it counts for. */
static uint64_t lend(struct adev_function *fn, struct adev_grant *grant,
		     uint64_t bytes)
{
	struct adev_qp *qp = grant->engine->qp;
	struct turn turn = { .engine = grant->engine,
			     .left = allow(fn, qp, bytes) };
	uint64_t moved = turn.left;
	bool more;

	if (grant->fetcher)
		fetch_ahead(grant);
	more = execute(qp, &turn);
	count_fetches(fn, turn.fetches, turn.fetched);
	grant->fetches[0] = turn.fetches;
	grant->fetched[0] = turn.fetched;
	moved -= turn.left;
	adev_sched_give(&fn->scheduler, grant, more, moved);
	/* As if it were an entry, when another thread had the QP. */
	return moved ? moved : ADEV_GATHER_ENTRY_BYTES;
}

enum adev_turn adev_exec_turn(struct adev_function *fn, uint64_t bytes)
{
	struct adev_scheduler *scheduler = &fn->scheduler;

	while (bytes && !adev_sched_idle(scheduler)) {
		struct adev_grant grant;
		uint64_t cost;

		if (!adev_sched_take(scheduler, &grant))
			return ADEV_TURN_BUSY;
		cost = lend(fn, &grant, bytes);
		bytes -= cost < bytes ? cost : bytes;
	}
	if (adev_sched_idle(scheduler))
		return ADEV_TURN_NOTHING;
	return adev_sched_waits(scheduler) ? ADEV_TURN_MORE : ADEV_TURN_BUSY;
}
