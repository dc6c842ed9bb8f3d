/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Datagrams (UD): each message is a packet by itself, to whatever destination
 * its address handle and QP number say. A sent datagram never fails because of
 * its receiver; what becomes of it there is counted (loss.h).
 *
 * Many senders share one receiver. Each takes the receiver's responder lock for
 * one message, and has told the receiver's host of it before it gives the lock
 * back: so a sender that is killed in between leaves nothing behind but the
 * lock, which the next sender finds and tells the owner of.
 */
#ifndef ADEV_TRANSPORT_DATAGRAM_H
#define ADEV_TRANSPORT_DATAGRAM_H

#include "link/wire.h"
#include "transport/datagram_place.h"
#include "transport/requester.h"

#define ADEV_DATAGRAM_MAX_BYTES 4096u

/* For a QP of type UD: what it remembers of its destinations. ENOMEM. */
int adev_datagram_create(struct adev_qp *qp) ARNICA_MUST_CHECK;
/* Does nothing for other QPs. */
void adev_datagram_destroy(struct adev_qp *qp);

/* Sends qp->message; `sq_lock` held. */
enum adev_progress adev_datagram_run(struct adev_qp *qp) ARNICA_MUST_CHECK;

/* The turn ends: packets leave the batch. Does nothing for other QPs. */
void adev_datagram_rest(struct adev_qp *qp);

/* A function ended: lets go of the links to its QPs. `sq_lock` held; does
 * nothing for QPs of other types. */
void adev_datagram_forget(struct adev_qp *qp, uint32_t function,
			  uint64_t generation);

/* A packet from the wire for this QP; `wire_receive` held. */
void adev_datagram_arrive(struct adev_qp *qp,
			  const struct adev_arrival *arrival);

/*
 * What this process has taken in for its own queue pair; `own` leads to that.
 * A sender of this host that stands still with its lock is waited for once, by
 * `stuck`, which is the caller's to keep with `own`. What is lost is counted.
 */
void adev_datagram_take_in(struct adev_qp *qp, struct adev_link *own,
			   uint64_t *stuck,
			   const struct adev_delivery *delivery);

#endif
