/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Shared receive queues: taking an entry for a message, whoever delivers it. The
 * queue may be another process's, and any process of the domain may take from
 * it at the same time.
 *
 * There is no lock (ADR 0011). Before it takes an entry, a QP notes in
 * `srq_taken` which one and for which of its completions; the entry is the QP's
 * if and only if its word names the QP. So a taker that is killed at any point
 * leaves behind what the QP's next message, or its owner, can read.
 */
#ifndef ADEV_TRANSPORT_SRQ_H
#define ADEV_TRANSPORT_SRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "core/view.h"

struct adev_function;

/* Taker that is an XRC_RECV QP, of whatever function: with its number. */
#define ADEV_SRQ_XRC_TAKER 0x80000000u

/* An SRQ, by checked pointers, as one QP uses it. */
struct adev_srq {
	const struct adev_view *view;
	struct adev_srq_shared *shared; /* NULL: no SRQ */
	arnica_atomic_le64 *words; /* as many as it has capacity for */
	arnica_atomic_le32 *ring;  /* of the size that it had when we looked */
	uint32_t mask;		   /* of the ring */
	uint32_t capacity;
	uint32_t index;
	uint32_t taker; /* the QP's handle + 1, or as above */
};

/* The SRQ of a view for the QP with this handle. False: what stands there makes
 * no sense. */
bool adev_srq_open(const struct adev_view *view, uint32_t index, uint32_t qp,
		   struct adev_srq *srq) ARNICA_MUST_CHECK;

/* The entry that the QP has taken for its next completion, if it has. The
 * responder lock is held, as for the next three. */
bool adev_srq_taken(const struct adev_srq *srq,
		    const struct adev_qp_shared *qp, uint32_t *slot)
	ARNICA_MUST_CHECK;

/* The same, when it is about to be used or given back: who took it may have died
 * before he moved the head on and looked at the limit. An entry that is posted
 * anew while the head still stands at it would stop the queue for good. */
bool adev_srq_left(const struct adev_srq *srq,
		   const struct adev_qp_shared *qp, uint32_t *slot)
	ARNICA_MUST_CHECK;

/* Takes an entry, unless the QP has one already. False: the queue is empty. */
bool adev_srq_take(struct adev_srq *srq, struct adev_qp_shared *qp);

/* The host shall tell this function when it posts. Before a last look. */
void adev_srq_wait(const struct adev_srq *srq, uint32_t function);

/* A receive was posted: tells those who wait. */
void adev_srq_wake(struct adev_function *fn, uint32_t index);

/* For the owner: the entry in the QP's hands is not used again, for somebody who
 * is stopped may write to its memory. */
void adev_srq_lose(const struct adev_srq *srq,
		   const struct adev_qp_shared *qp);

/*
 * srq_limit.c: the limit, and its event, which comes once for each arming: who
 * takes the entry marks the word, the owner raises the event.
 */

/* After an entry was taken. */
void adev_srq_check_limit(const struct adev_view *view, uint32_t index);

/* Arms it, or with zero disarms it; `command` held. */
void adev_srq_arm(struct adev_function *fn, uint32_t index, uint32_t limit);

/* What is armed; zero: nothing, and an event that was due has been raised. */
uint32_t adev_srq_limit(struct adev_function *fn, uint32_t index);

/* Raises the events that are due. */
void adev_srq_serve(struct adev_function *fn);

/* An XRC SRQ can take no more messages: IBV_EVENT_SRQ_ERR. */
void adev_srq_fail(struct adev_function *fn, uint32_t index);

/* A taker died: it may not have got so far as to look at the limit. `command`
 * held. */
void adev_srq_rescan(struct adev_function *fn);

#endif
