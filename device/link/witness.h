/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A witness of IPv4 identifications: a raw socket that sees the first bytes of
 * each datagram to port 4791, IP header included, where the process may open
 * one (CAP_NET_RAW). With it the ICRC of packets from sources that number them
 * at will (rdma_rxe) is checked exactly. It is opened when the first such
 * packet comes, so that it costs nothing where there are none.
 */
#ifndef ADEV_LINK_WITNESS_H
#define ADEV_LINK_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "link/wire_ops.h"

struct adev_witness;

/* NULL: out of memory. */
struct adev_witness *adev_witness_create(void);
void adev_witness_destroy(struct adev_witness *witness);

/* The ICRC says that the packet had this identification. False: it was seen
 * with another. One thread at a time. */
bool adev_witness_agrees(struct adev_witness *witness,
			 const struct adev_datagram *datagram, uint16_t ip_id);

#endif
