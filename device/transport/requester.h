/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Requester: carries the message of a QP to its responder, and turns the
 * answer into a completion, a wait, or the end of the connection. Called with
 * the QP's sq_lock held.
 */
#ifndef ADEV_TRANSPORT_REQUESTER_H
#define ADEV_TRANSPORT_REQUESTER_H

#include "core/clock.h"
#include "transport/qp.h"

enum adev_progress {
	ADEV_PROGRESS_DONE,  /* the message is over: next one */
	ADEV_PROGRESS_MORE,  /* part was moved: call again */
	ADEV_PROGRESS_WAIT,  /* qp->wait says what for */
	ADEV_PROGRESS_ERROR, /* the QP is in ERR now */
};

enum adev_progress adev_requester_run(struct adev_qp *qp) ARNICA_MUST_CHECK;

/*
 * Ends the message under way. finish: it was sent, whatever became of it;
 * succeed: it was delivered, too; end: nothing was to be sent. All complete it
 * where it is signaled.
 */
enum adev_progress adev_requester_end(struct adev_qp *qp);
enum adev_progress adev_requester_finish(struct adev_qp *qp);
enum adev_progress adev_requester_succeed(struct adev_qp *qp);

/* The completion of the message under way. */
void adev_requester_publish(struct adev_qp *qp, enum arnica_hw_status status,
			    uint32_t vendor_error);

/* Begins a wait or goes on with it: for at most patience_ns since it began,
 * with the next look after again_ns at first, and twice as much each time. */
enum adev_progress adev_requester_wait(struct adev_qp *qp, enum adev_wait why,
				       uint64_t patience_ns, uint64_t again_ns);
bool adev_requester_overdue(const struct adev_qp *qp, enum adev_wait why);

/* A message that waited, or is sent again, may have lost its regions meanwhile:
 * false, and counted. */
bool adev_requester_regions_hold(struct adev_qp *qp,
				 const struct adev_message *message)
	ARNICA_MUST_CHECK;

/* How long a message of an unreliable service waits for the destination's
 * lock: whoever has it was stopped, or wants a processor. */
#define ADEV_UNRELIABLE_PATIENCE_NS (1000 * ADEV_MS_NS)

/* Ends the message under way with an error: a reliable connection goes to
 * ERR, the send queue of the others to SQE. */
void adev_requester_fail(struct adev_qp *qp, enum arnica_hw_status status,
			 uint32_t vendor_error);

#endif
