/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Below the wire: what carries datagrams. In the product that are UDP sockets
 * (udp.c); tests put a network of their own here.
 *
 * transmit() runs in any number of threads at a time, receive() in one
 * (`wire_receive` held).
 */
#ifndef ADEV_LINK_WIRE_OPS_H
#define ADEV_LINK_WIRE_OPS_H

#include <string.h>

#include "link/wire.h"

/* What the ICRC of a packet on this path covers before the BTH. */
static inline struct roce_envelope
adev_path_envelope(const struct adev_path *path, uint16_t source_port,
		   uint16_t ip_id)
{
	struct roce_envelope envelope = {
		.source_port = source_port,
		.destination_port = ROCE_UDP_PORT,
		.ip_id = ip_id,
		.dont_fragment = true,
	};

	memcpy(envelope.source, path->source, sizeof(envelope.source));
	memcpy(envelope.destination, path->destination,
	       sizeof(envelope.destination));
	return envelope;
}

/* A packet on its way out, complete and sealed. */
struct adev_frame {
	uint8_t *bytes; /* BTH to ICRC */
	uint32_t length;
	/* The IPv4 identification that its ICRC counts on. Zero begins a run;
	 * a frame with number k may leave as segment k of the run's datagram,
	 * whose frames lie one behind the other, have one path, and are of one
	 * size but for the last, which may be shorter. */
	uint16_t ip_id;
	uint16_t source_port; /* that the ICRC counts on */
	const struct adev_path *path;
	struct roce_icrc_lead lead; /* of these, to be sealed once more */
};

/* A datagram that came in, of which nothing was checked. */
struct adev_datagram {
	const uint8_t *bytes;
	uint32_t length;
	uint16_t segment; /* number within what the kernel put together */
	bool handed_on;	  /* came by another member of the group on 4791 */
	/* Source: the sender's address and port. */
	struct adev_path path;
};

#define ADEV_WIRE_DESCRIPTORS 2u

struct adev_wire_ops {
	/* Largest number of frames in a run; 1: none are put together. */
	uint32_t (*max_run)(void *lower);
	/* The source port that a packet of this path will really have. */
	uint16_t (*source_port)(void *lower, const struct adev_path *path);
	/* Sends, or loses and counts. May change the frames' ICRC and ID. */
	void (*transmit)(void *lower, struct adev_frame *frames,
			 uint32_t count);
	/* Datagrams, valid until the next call; *more: there may be others. */
	uint32_t (*receive)(void *lower, struct adev_datagram *datagrams,
			    uint32_t max, bool *more);
	/* Descriptors that are readable when something came; how many. */
	uint32_t (*descriptors)(void *lower, int fds[ADEV_WIRE_DESCRIPTORS]);
	void (*close)(void *lower);

	/* These may be NULL. */

	/* The ICRC says that the datagram had this identification, which is
	 * none of those that are expected. False: it is known not to. */
	bool (*agrees)(void *lower, const struct adev_datagram *datagram,
		       uint16_t ip_id);
	/* Is this packet, which was checked, another function's? Then it is on
	 * its way there. */
	bool (*hand_on)(void *lower, const struct adev_datagram *datagram,
			uint32_t dest_qpn);
	/* For the agent: work that is due, and when some will be. */
	void (*maintain)(void *lower, uint64_t now_ns);
	uint64_t (*deadline)(void *lower);
	/* A connection will send along this path. */
	void (*connected)(void *lower, const struct adev_path *path);
	/* The function has new QP numbers. */
	void (*leased)(void *lower);
	/* Packets of a multicast group are wanted, or not any more. Once more
	 * does no harm, and finds interfaces that are new. */
	void (*join)(void *lower, const uint8_t gid[16]);
	void (*part)(void *lower, const uint8_t gid[16]);
	/* Receives no more; wire_receive is held, in the agent's thread. */
	void (*leave)(void *lower);
	/* In a forked child: frees what is the child's, and leaves alone what
	 * the parent still has. */
	void (*forget)(void *lower);
};

/* Puts the function on a wire of the caller's making; the wire closes it. 0,
 * ENOMEM, or EBUSY when it is on a wire already. */
int adev_wire_open_with(struct adev_function *fn,
			const struct adev_wire_ops *ops,
			void *lower) ARNICA_MUST_CHECK;

/* One datagram, now: for packets that did not leave in their batch. The ICRC is
 * sealed for identification zero and the port of source_port(). */
void adev_wire_send_one(struct adev_function *fn, const struct adev_path *path,
			uint8_t *bytes, uint32_t length);

#endif
