/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Requester: carries the message of a QP to its responder, and turns the
 * answer into a completion, a wait, or the end of the connection. Called with
 * the QP's sq_lock held.
 */
#ifndef ADEV_TRANSPORT_REQUESTER_H
#define ADEV_TRANSPORT_REQUESTER_H

#include "transport/qp.h"

enum adev_progress {
	ADEV_PROGRESS_DONE,  /* the message is over: next one */
	ADEV_PROGRESS_MORE,  /* part was moved: call again */
	ADEV_PROGRESS_WAIT,  /* qp->wait says what for */
	ADEV_PROGRESS_ERROR, /* the QP is in ERR now */
};

enum adev_progress adev_requester_run(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* Ends the message under way with an error, and the connection with it. */
void adev_requester_fail(struct adev_qp *qp, enum arnica_hw_status status,
			 uint32_t vendor_error);

#endif
