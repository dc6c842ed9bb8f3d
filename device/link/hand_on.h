/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Handing on: a packet that came to the wrong member of the group on port 4791
 * goes to the private socket of the function that owns its QP number, with the
 * addresses that it came with in front and a secret that strangers do not know.
 * The private socket is on the loopback interface, or a local one (AF_UNIX)
 * where that interface is down.
 */
#ifndef ADEV_LINK_HAND_ON_H
#define ADEV_LINK_HAND_ON_H

#include "link/udp_state.h"

/* Makes udp->private_fd, and tells the directory where it is. */
int adev_hand_on_open(struct adev_udp *udp) ARNICA_MUST_CHECK;
void adev_hand_on_close(struct adev_udp *udp);

/* Is this packet another function's? Then it is on its way there. */
bool adev_hand_on(void *lower, const struct adev_datagram *datagram,
		  uint32_t dest_qpn);

/* Did somebody hand on packets since the last look? */
bool adev_hand_on_waits(struct adev_udp *udp);

/* What was handed on; as adev_udp_receive(). */
uint32_t adev_hand_on_receive(struct adev_udp *udp,
			      struct adev_datagram *datagrams, uint32_t max);

#endif
