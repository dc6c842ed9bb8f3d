/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * XRC (IBTA annex A14): a connection whose messages each name the SRQ that they
 * are for. The XRC_RECV queue pair keeps the sequence and grants the rights; the
 * memory, the receive entry and the completion are the SRQ's, and its process
 * may be another one of the domain.
 *
 * An XRC SRQ has a hidden queue pair (ARNICA_HW_QP_XRC_SRQ), whose number is the
 * SRQ's. Who delivers to the SRQ finds it as a link, and has two locks meanwhile:
 * that of the receiving queue pair, and, taken after it and given back before,
 * that of the hidden one, under which the SRQ's completions are written. As with
 * datagrams, the SRQ's host was told of the message before (ADR 0008). Which
 * entry a message has taken the receiving queue pair notes (ADR 0011), so that
 * long messages of several connections do not meet; for the completion it is
 * handed to the hidden one. ADR 0015 has the reasons.
 */
#ifndef ADEV_TRANSPORT_XRC_H
#define ADEV_TRANSPORT_XRC_H

#include <stdbool.h>
#include <stdint.h>

#include "comp/completion.h"
#include "link/link.h"
#include "transport/responder.h"

struct adev_xrc; /* the SRQs that a QP has to do with */

/* For QPs of types XRC_SEND and XRC_RECV; ENOMEM. */
int adev_xrc_create(struct adev_qp *qp) ARNICA_MUST_CHECK;
/* These do nothing for other QPs. */
void adev_xrc_destroy(struct adev_qp *qp);
/* XRC_SEND, `sq_lock` held: lets go of all links. */
void adev_xrc_close(struct adev_qp *qp);
/* A function ended: lets go of the links to it; `sq_lock` held. */
void adev_xrc_forget(struct adev_qp *qp, uint32_t function,
		     uint64_t generation);

/* Who receives: the XRC_RECV QP, whose responder lock the caller holds. */
struct adev_xrc_receiver {
	struct adev_function *fn; /* of the caller */
	struct adev_xrc *xrc;	  /* of the caller's QP */
	struct adev_qp_shared *qp;
	uint32_t qpn;
};

enum adev_xrc_state {
	ADEV_XRC_READY,
	ADEV_XRC_BUSY, /* somebody has it locked */
	ADEV_XRC_NONE, /* no such SRQ in the receiver's domain */
};

/* Locks the SRQ with this number, for a message to the receiver. */
enum adev_xrc_state adev_xrc_lock(const struct adev_xrc_receiver *receiver,
				  uint32_t number,
				  struct adev_link **to) ARNICA_MUST_CHECK;
/* With the completion that was published meanwhile, or NULL. */
void adev_xrc_unlock(struct adev_link *to,
		     const struct adev_completion *completed);

/* The receiver is about to take an entry of this SRQ: it notes of which. */
void adev_xrc_note(struct adev_link *to);

/* Is a link open to this function, not NULL? */
bool adev_xrc_knows(struct adev_xrc *xrc, const struct adev_view *view);

/* The last one that adev_xrc_lock() looked for; NULL. */
struct adev_link *adev_xrc_current(const struct adev_xrc *xrc);

/* The entry that the receiver took is about to complete: it is the hidden
 * QP's from now on. For adev_receive_complete(). */
void adev_xrc_hand_over(struct adev_link *to,
			struct adev_completion *completion);

/* Loopback: places qp->message. As adev_place(); what completed is notified. */
enum adev_verdict adev_xrc_place(struct adev_qp *qp,
				 struct adev_placement *placement)
	ARNICA_MUST_CHECK;

/* An XRC_RECV QP ends or begins anew, its responder lock held: an entry that it
 * has taken completes as flushed. False: not possible now. */
bool adev_xrc_flush(struct adev_qp *qp) ARNICA_MUST_CHECK;

#endif
