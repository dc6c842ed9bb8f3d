/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A connected QP whose peer is reached over the wire: qp->remote. NULL as long
 * as the peer is in this host domain. Made when the QP goes to RTR, kept until
 * it is destroyed; which of the two ways holds is decided anew at each RTR.
 */
#ifndef ADEV_TRANSPORT_REMOTE_H
#define ADEV_TRANSPORT_REMOTE_H

#include "link/wire.h"
#include "transport/qp.h"

struct adev_remote {
	struct adev_path path;
	struct adev_sender *sender;
	struct adev_receiver *receiver;
	struct adev_qp *next_settling; /* list of the wire's drain */
	bool settling;
};

/*
 * INIT to RTR: where does the destination live? 0: qp->remote says it. Opens
 * the wire when it is needed. ENETUNREACH: other host, and no wire; ENOMEM.
 */
int adev_remote_connect(struct adev_qp *qp) ARNICA_MUST_CHECK;
void adev_remote_destroy(struct adev_qp *qp);

/* The path that an address vector describes. EINVAL: no such source GID. */
int adev_remote_path(const struct arnica_hw_qp_attributes *vector, uint32_t qpn,
		     uint32_t dest_qpn, struct adev_path *path)
	ARNICA_MUST_CHECK;

/* Is this GID of an own interface, and the wire not forced
 * (ARNICA_LOOPBACK=off)? */
bool adev_remote_is_here(const uint8_t gid[16]) ARNICA_MUST_CHECK;

#endif
