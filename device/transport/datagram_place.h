/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Placing a datagram at its receiver, whichever way it came: the responder's
 * half of UD.
 */
#ifndef ADEV_TRANSPORT_DATAGRAM_PLACE_H
#define ADEV_TRANSPORT_DATAGRAM_PLACE_H

#include <arnica/hw/cqe.h>

#include "transport/loss.h"
#include "transport/responder.h"

struct adev_delivery {
	uint32_t type; /* of the queue pair that it is for */
	uint32_t source_qpn;
	uint32_t qkey;
	uint32_t immediate; /* raw */
	bool has_immediate;
	bool solicited;
	uint32_t grh_bytes; /* that stand before the payload, or zero */
	uint8_t grh[ARNICA_HW_GRH_BYTES];
	const struct adev_gather *payload; /* in this process */
};

enum adev_placed {
	ADEV_PLACED,       /* the receiver has it, or an error instead */
	ADEV_PLACED_LOST,  /* *why */
	ADEV_PLACED_STALE, /* the QP is not what the link was made for */
	ADEV_PLACED_LOCAL, /* the payload cannot be read */
};

/* With the responder lock of link->qp held. Tells the receiver's host. */
enum adev_placed adev_datagram_place(struct adev_function *fn,
				     struct adev_link *link,
				     const struct adev_delivery *delivery,
				     enum adev_loss *why) ARNICA_MUST_CHECK;

#endif
