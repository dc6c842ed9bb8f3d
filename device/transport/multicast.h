/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Multicast groups and the queue pairs attached to them (IBTA 10.5). Each
 * function has a table of its own in its segment, where the senders of the
 * domain look who is to get a message; the directory says which functions have
 * any (domain/multicast.h). Limits count for a function.
 *
 * Changed by commands (lock role `command`). Readers take no lock.
 */
#ifndef ADEV_TRANSPORT_MULTICAST_H
#define ADEV_TRANSPORT_MULTICAST_H

#include "transport/qp.h"

/*
 * Attaches a QP; once more does nothing. ENOMEM: the function has no room for
 * another group, for another QP in this one, or for another attachment.
 * *first: it is the function's first one in the group.
 */
int adev_mcast_attach(struct adev_function *fn, struct adev_qp *qp,
		      const uint8_t gid[16], bool *first) ARNICA_MUST_CHECK;

/* EINVAL: it is not attached. *last: none of the function is in the group now. */
int adev_mcast_detach(struct adev_function *fn, struct adev_qp *qp,
		      const uint8_t gid[16], bool *last) ARNICA_MUST_CHECK;

/*
 * The next QP number from entry *at on that is attached to the group in this
 * view, own or foreign; zero: no more. *at is zero at first.
 */
uint32_t adev_mcast_next_member(const struct adev_view *view,
				const uint8_t gid[16], uint32_t *at);

/* The groups of the function, each once: from entry *at on; false: no more. */
bool adev_mcast_next(const struct adev_function *fn, uint32_t *at,
		     uint8_t gid[16]);

#endif
