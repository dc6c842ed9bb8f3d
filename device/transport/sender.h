/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sender: the requester over the wire, for RC and UC. It turns messages into
 * packets, remembers what is not acknowledged, and turns answers into
 * completions. What it resends is read again from the send queue, whose entries
 * the host does not reuse before they completed.
 *
 * All of it with the QP's sq_lock held.
 */
#ifndef ADEV_TRANSPORT_SENDER_H
#define ADEV_TRANSPORT_SENDER_H

#include "link/wire.h"
#include "transport/requester.h"

struct adev_sender; /* sender_state.h */

/* For a QP that becomes connected (INIT to RTR), and before it is freed. */
int adev_sender_create(struct adev_qp *qp) ARNICA_MUST_CHECK;
void adev_sender_destroy(struct adev_qp *qp);

/* To RTS: the first packet will be qp->send_psn. To RESET: all is forgotten. */
void adev_sender_start(struct adev_qp *qp);

/* A turn of the QP begins: its timer, if qp->timer_due, and packets that are
 * sent again. The QP may be in ERR after it. */
void adev_sender_service(struct adev_qp *qp);

/*
 * Sends qp->message, or goes on sending it. DONE: all its packets are out (the
 * completion follows when it is acknowledged; UC: now). WAIT: the window is
 * closed, or a fence or the limit of reads holds it; an answer or the timer
 * calls adev_exec_submit(). Otherwise as adev_requester_run().
 */
enum adev_progress adev_sender_run(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* Reads or atomics before qp->message are under way, and it is to wait for
 * them. */
bool adev_sender_is_fenced(const struct adev_qp *qp) ARNICA_MUST_CHECK;

/* RC: qp->message was carried out without a packet. It completes after what was
 * begun before it. */
enum adev_progress adev_sender_pass(struct adev_qp *qp);

/* Requests before qp->message are not acknowledged yet. */
bool adev_sender_is_behind(const struct adev_qp *qp) ARNICA_MUST_CHECK;

/* The turn ends: packets leave the batch, the timer is set. */
void adev_sender_rest(struct adev_qp *qp);

/* May another message be fetched? False: no room for it, or an earlier one
 * waits for its failure. */
bool adev_sender_accepts(const struct adev_qp *qp) ARNICA_MUST_CHECK;

/*
 * qp->message cannot be sent for a local reason. True: it fails when everything
 * before it is acknowledged; until then nothing is fetched, or, should that fail
 * first and then not, it is fetched again. False: there is nothing before it;
 * fail it now.
 */
bool adev_sender_postpone(struct adev_qp *qp, enum arnica_hw_status status)
	ARNICA_MUST_CHECK;

/* ACK, NAK, read response, atomic acknowledge, CNP. Sends nothing: the caller
 * calls adev_exec_submit() at the end of the burst. */
void adev_sender_answer(struct adev_qp *qp, const struct adev_arrival *arrival);

/* After it: owed events, the timer. */
void adev_sender_settle(struct adev_qp *qp);

/* To ERR: qp->head goes back to the oldest entry that is not acknowledged, so
 * that the flush begins there. */
void adev_sender_abort(struct adev_qp *qp);

/* Is everything that was begun acknowledged and completed? */
bool adev_sender_is_idle(const struct adev_qp *qp) ARNICA_MUST_CHECK;

/* In SQD: raises SQ_DRAINED when the send queue is idle. */
void adev_sender_drain(struct adev_qp *qp);

#endif
