/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whom a MAD is for: requests go to who listens for their service, everything
 * else to the function whose bits are in the receiver's communication id.
 *
 *  31           20 19                                0
 *  +--------------+----------------------------------+
 *  | function(12) | chosen by its host               |
 *  +--------------+----------------------------------+
 */
#ifndef ADEV_MAD_ROUTE_H
#define ADEV_MAD_ROUTE_H

#include "core/function.h"

#define ADEV_COMM_ID_MASK 0xfff00000u
#define ADEV_COMM_ID_SHIFT 20

/*
 * Hands over a MAD in the form that it is taken in. False: it is for nobody,
 * and *answer is what its sender should get in the same form (REJ, SIDR_REP,
 * DREP; IBTA 12.9.8.3.1, 12.11.2.2, 12.9.8.3.3), if *answers says so.
 *
 * Who is patient waits some milliseconds where the receiver's queue is full: a
 * thread of the host, for what it sends itself. Others lose the MAD, as a network
 * would; it is sent again after seconds.
 */
bool adev_mad_route(struct adev_function *fn, const struct arnica_bus_mad *mad,
		    bool patient, struct arnica_bus_mad *answer,
		    bool *answers) ARNICA_MUST_CHECK;

#endif
