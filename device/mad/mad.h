/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * QP 1: management datagrams of connection management, in and out. A function
 * that is opened for them has a queue (queue.h); what arrives at any function,
 * from the wire or by a send within the host, is handed to whom it is for
 * (route.h). What is not taken in time is lost, and counted: they are
 * datagrams.
 *
 * Lock role `mads`: taking, the peers that MADs went to (peers.h), and the
 * descriptor that tells the host. Not of the data path: queue pairs never come
 * here.
 */
#ifndef ADEV_MAD_MAD_H
#define ADEV_MAD_MAD_H

#include <arnica/hw/bus_mad.h>

#include "core/function.h"

struct adev_arrival;

/* As arnica_bus_mads_open(), _mad_send(), _mad_take(). */
int adev_mads_open(struct adev_function *fn, int event_fd,
		   struct arnica_bus_comm_ids *ids) ARNICA_MUST_CHECK;
int adev_mad_send(struct adev_function *fn,
		  const struct arnica_bus_mad *mad) ARNICA_MUST_CHECK;
int adev_mad_take(struct adev_function *fn,
		  struct arnica_bus_mad *mad) ARNICA_MUST_CHECK;

/* As the functions arnica_bus_mads_ended() and arnica_bus_mad_peer*(). */
uint32_t adev_mads_ended(const struct adev_function *fn);
int adev_mad_peer_of(struct adev_function *fn, const uint8_t gid[16],
		     uint32_t comm_id, uint64_t *generation) ARNICA_MUST_CHECK;
bool adev_mad_peer_lives(const struct adev_function *fn, uint32_t comm_id,
			 uint64_t generation);

bool adev_mads_is_open(const struct adev_function *fn);

/* With the function; also in a forked child. Nobody sends or takes any more. */
void adev_mads_close(struct adev_function *fn);

/* For the agent: tells the host of what came. */
void adev_mads_serve(struct adev_function *fn);

/* A packet to QP 1 from the wire; `wire_receive` held. */
void adev_mad_arrive(struct adev_function *fn,
		     const struct adev_arrival *arrival);

/* A function ended: lets go of it, and tells the host. */
void adev_mads_forget(struct adev_function *fn, uint32_t function,
		      uint64_t generation);

#endif
