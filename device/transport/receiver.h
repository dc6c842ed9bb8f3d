/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receiver: the responder over the wire, for RC and UC. Runs in the owner's
 * process, in the thread that drains the wire (`wire_receive` held), and takes
 * the QP's responder lock for each packet: the owner's other threads change the
 * QP under it.
 */
#ifndef ADEV_TRANSPORT_RECEIVER_H
#define ADEV_TRANSPORT_RECEIVER_H

#include "link/wire.h"
#include "transport/responder.h"

struct adev_receiver; /* receiver_state.h */

int adev_receiver_create(struct adev_qp *qp) ARNICA_MUST_CHECK;
void adev_receiver_destroy(struct adev_qp *qp);

/* INIT to RTR, with the responder lock held: nothing came yet. */
void adev_receiver_start(struct adev_qp *qp);

/* A request packet. */
void adev_receiver_request(struct adev_qp *qp,
			   const struct adev_arrival *arrival);

/* After a burst: the acknowledgement that was put off, and read responses that
 * are under way. True: there is more to send, call again soon. */
bool adev_receiver_settle(struct adev_qp *qp);

/* An acknowledgement that was put off leaves with the QP's own packets, which are
 * in the batch: in one datagram with the last of them where the kernel takes it
 * apart. With send_queue held; no responder lock. */
void adev_receiver_accompany(struct adev_qp *qp, struct adev_batch *batch);

/* Before the QP goes to RESET or ERR, or is destroyed: what the program has seen
 * is acknowledged to the peer, also if it was before: that may have been lost. No
 * responder lock held. */
void adev_receiver_flush(struct adev_qp *qp);

/* The connection ends: an atomic operation that another process was asked for is
 * waited for no more. Nobody drains. */
void adev_receiver_abandon(struct adev_qp *qp);

#endif
