/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A link: the way from a requester to its responder. On the loopback path (the
 * peer is in this host domain) it is a set of checked pointers into the peer's
 * segment; they hold as long as the peer's QP has the same incarnation, which
 * is looked at under its lock before each use.
 */
#ifndef ADEV_LINK_LINK_H
#define ADEV_LINK_LINK_H

#include "comp/completion.h"
#include "core/view.h"
#include "transport/srq.h"

struct adev_function;
struct adev_qp;

struct adev_link {
	bool resolved;
	struct adev_view *view; /* referenced; NULL: never attached */
	struct adev_qp_shared *qp;
	uint32_t index; /* of the QP in its function */
	uint32_t incarnation;
	struct arnica_hw_queue_record *record; /* of its receive queue */
	const arnica_atomic_le32 *producer; /* of that queue, or of its SRQ */
	struct adev_srq srq; /* shared: NULL without one */
	/* Whose note names the entry that was taken of the SRQ: `qp`, or, where
	 * that is an XRC SRQ, the XRC_RECV QP. */
	struct adev_qp_shared *holder;
	char *rq;
	uint32_t rq_stride;
	uint32_t rq_mask;
	uint32_t rq_max_sge;
	char *eager;
	uint32_t eager_bytes;
	uint32_t pd;
	uint32_t rq_pd; /* of the memory that receives name */
	struct adev_ring ring; /* its receive completions */
};

enum adev_link_state {
	ADEV_LINK_UP,
	ADEV_LINK_ABSENT, /* no such QP now: the peer does not answer */
	ADEV_LINK_BUSY,   /* somebody has it locked just now */
	ADEV_LINK_DEAD,   /* its process died */
};

/*
 * Makes sure that *link, which was zero before its first use, leads to the QP
 * with this number, and lets go of it. A function's own QPs are reached in the
 * same way.
 */
enum adev_link_state adev_link_open(struct adev_function *fn, uint32_t qpn,
				    struct adev_link *link) ARNICA_MUST_CHECK;
void adev_link_close(struct adev_link *link);

/* Makes sure that qp->link leads to the QP that it is connected to. */
enum adev_link_state adev_link_resolve(struct adev_qp *qp) ARNICA_MUST_CHECK;

/*
 * The QP's own receive queue as a link, for messages that come by other ways
 * than from a peer's hands. False: the shared half makes no sense.
 */
bool adev_link_own(struct adev_qp *qp, struct adev_link *link)
	ARNICA_MUST_CHECK;

/* The QP's completion ring as it is by now: that of a QP with an SRQ may have
 * grown. Its lock is held. False: what stands there makes no sense. */
bool adev_link_find_ring(struct adev_link *link) ARNICA_MUST_CHECK;

/* Gives up the transfer that the message under way has in the peer's inbox. */
void adev_link_abandon(struct adev_qp *qp);

/* Lets go of the peer. */
void adev_link_drop(struct adev_qp *qp);

#endif
