/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The group of sockets on UDP port 4791: one for each function of the domain
 * that is on the wire. The kernel gives each datagram to the member that a
 * program names by its place. Places: who comes is the last; when one goes the
 * last one moves to its place. That is followed in the directory under a lock
 * (group_lock.h); where several went at once, or the order is not known, probes
 * tell: datagrams over the loopback interface that ask for a place, so that
 * each member learns its own.
 *
 * Nothing is wrong when places are wrong: who gets another member's packet
 * hands it on (hand_on.h), and asks for the places again.
 *
 * Other groups are kept out, and this one out of theirs: the first member binds
 * without SO_REUSEPORT, which fails when anybody has the port, and sets it
 * afterwards, so that members of the same directory can join.
 */
#ifndef ADEV_LINK_GROUP_H
#define ADEV_LINK_GROUP_H

#include "link/udp_state.h"

/* Makes udp->receive_fd a member. EADDRINUSE: the port is another's; EBUSY: who
 * holds the lock has been stopped. Each has written its line. */
int adev_group_join(struct adev_udp *udp) ARNICA_MUST_CHECK;

/* Closes udp->receive_fd; nobody may be reading from it. */
void adev_group_leave(struct adev_udp *udp);

/* Something may have changed: has the agent look at it by `when_ns`. */
void adev_group_expect(struct adev_udp *udp, uint64_t when_ns);

/* Members have other QP numbers than the program says, or other places when
 * `unsure`. For the agent: adev_group_expect() brings it here. */
void adev_group_refresh(struct adev_udp *udp, uint64_t now_ns);

/* A packet came to the wrong member. */
void adev_group_strayed(struct adev_udp *udp);

/* Is this a probe? Then it has been dealt with. */
bool adev_group_probed(struct adev_udp *udp, const uint8_t *bytes,
		       uint32_t length);

#endif
