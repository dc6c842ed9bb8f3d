/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The short way of a plain message: a SEND of a few bytes, or an RDMA WRITE of
 * at most one gather entry into memory that this process has mapped, over a link
 * that is up, with nothing about it that has to wait. It is checked,
 * delivered and completed in one piece, without being remembered as a message.
 *
 * Everything else, and everything that goes wrong, takes the general way
 * (fetch.c, transport/requester.c, transport/responder.c), which begins with the
 * same descriptor: here nothing has happened then. Both ways pass the same
 * checks, in the same order as far as the peer can see it.
 */
#ifndef ADEV_EXEC_EXPRESS_H
#define ADEV_EXEC_EXPRESS_H

#include "transport/qp.h"

#define ADEV_EXPRESS_SEND_BYTES ARNICA_HW_CQE_INLINE_BYTES
#define ADEV_EXPRESS_WRITE_BYTES ADEV_GATHER_ENTRY_BYTES

/*
 * Carries out the descriptor of entry qp->head, of a QP in RTS that has no
 * message under way. Returns its bytes: it is over, and qp->head is the next
 * one's. Zero: it takes the general way. With lock role `send_queue`.
 */
uint32_t adev_express_run(struct adev_qp *qp, const void *descriptor)
	ARNICA_MUST_CHECK;

#endif
