/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A connected QP whose peer is reached over the wire: qp->remote. NULL as long
 * as the peer is in this host domain. Made when the QP goes to RTR, kept (in
 * qp->remote_kept) until it is destroyed; which of the two ways holds is
 * decided anew at each RTR.
 */
#ifndef ADEV_TRANSPORT_REMOTE_H
#define ADEV_TRANSPORT_REMOTE_H

#include "link/wire.h"
#include "transport/address_handle.h"
#include "transport/qp.h"

/* ECN bits of a traffic class, and congestion experienced (RFC 3168). */
#define ADEV_ECN_MASK 0x3u
#define ADEV_ECN_CONGESTION 0x3u

struct adev_remote {
	struct adev_path path; /* changes with sq_lock and responder lock */
	struct adev_sender *sender;
	struct adev_receiver *receiver;
	/* The list of what is to be done after a burst (receive.c). */
	struct adev_qp *next_settling;
	_Atomic bool settling;
	bool answered; /* the send queue may go on; wire_receive */
	bool leaving;  /* the QP is being destroyed */
	/* exec/hold.h: the poll that the last post followed, and what is held
	 * of the posts since. */
	_Atomic uint32_t posted_at_poll, held_posts, held_bytes;
};

/*
 * INIT to RTR, before any lock is taken: the peer is where `way` leads to. 0:
 * qp->remote says whether that is the wire, which is opened when it is needed.
 * ENETUNREACH: other host, and no wire; EINVAL: the path MTU (enum ibv_mtu)
 * does not fit the interface; ENOMEM.
 */
int adev_remote_connect(struct adev_qp *qp, const struct adev_way *way,
			uint32_t path_mtu) ARNICA_MUST_CHECK;

/* Another path for a QP with qp->remote (a drained one: SQD). EBUSY. */
int adev_remote_move(struct adev_qp *qp,
		     const struct adev_path *path) ARNICA_MUST_CHECK;

/* The QP is in no table any more, and nobody drains who saw it there. */
void adev_remote_destroy(struct adev_qp *qp);

/* Did this packet come the way that the QP's peer would send it? With sq_lock
 * or the responder lock held. */
bool adev_remote_matches(const struct adev_remote *remote,
			 const struct adev_arrival *arrival) ARNICA_MUST_CHECK;

/*
 * The peer is said to be in this domain, and was not found: tells the user once
 * why that may be. After adev_link_resolve(), with sq_lock held.
 */
void adev_remote_explain(struct adev_qp *qp);

/* A datagram goes as a packet to this QP number of a host whose only interface is
 * loopback: tells the user once if nobody will hear it. */
void adev_remote_explain_datagram(const struct adev_qp *qp, uint32_t peer);

/* remote_path.c: the path that an address vector describes; without a GRH to the
 * own port. Its source port is zero: see adev_path_port(). EINVAL: no such
 * source GID; others: the GIDs cannot be read. */
int adev_remote_path(const struct arnica_hw_qp_attributes *vector,
		     struct adev_path *path) ARNICA_MUST_CHECK;

/* Is the destination of an address vector the own port (no GRH, or the GID of
 * an own interface), and the wire not forced (ARNICA_LOOPBACK=off)? */
bool adev_remote_is_here(const struct arnica_hw_qp_attributes *vector)
	ARNICA_MUST_CHECK;

/* Is the wire forced (ARNICA_LOOPBACK=off)? */
bool adev_remote_is_forced(void) ARNICA_MUST_CHECK;

/* Does the process of this queue pair on this host force it? Then its peers take
 * the wire as well: it would not look for them elsewhere. */
bool adev_remote_is_asked_by(const struct adev_directory *directory,
			     uint32_t peer) ARNICA_MUST_CHECK;

/* Does what is sent to a group by this path go over the wire, too? */
bool adev_remote_multicasts(const struct adev_path *path) ARNICA_MUST_CHECK;

/* Does the port have an address by which other hosts can reach it, or is the
 * wire forced? */
bool adev_remote_has_neighbours(void) ARNICA_MUST_CHECK;

/* Do we tell senders of congestion, and slow down when told (ARNICA_ECN)? */
bool adev_remote_ecn(void);

/* May a WRITE go as packets of equal length (ARNICA_EVEN_WRITES)? */
bool adev_remote_evens(void);

/* receive.c: the QP has something to do after the burst; and never again. With
 * wire_receive held, or from the destruction of the QP. */
void adev_settle_later(struct adev_qp *qp);
void adev_settle_never(struct adev_qp *qp);

#endif
