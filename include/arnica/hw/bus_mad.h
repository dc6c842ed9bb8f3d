/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * QP 1 of the port: management datagrams (MADs), as connection management sends
 * and receives them, and the services that are listened for. Part of the bus
 * (bus.h) and not of the control queue, whose commands are shorter than a MAD;
 * what uses it stands where the kernel's connection manager would, and has a
 * function of its own for it, made with arnica_bus_attach().
 *
 * A MAD of connection management is handed to whoever it is for, in whichever
 * process of the host domain, and whichever function it arrived at:
 *
 *  REQ, SIDR_REQ                 who listens for its service id and address
 *  MRA, REP, REJ, RTU, DREQ,     the function that the receiver's communication
 *  DREP, SIDR_REP                id (SIDR_REP: the request id) belongs to, see
 *                                struct arnica_bus_comm_ids
 *
 * A REQ or SIDR_REQ for which nobody listens, and a DREQ of a connection whose
 * function is gone, are answered by the adapter: REJ with reason 8, SIDR_REP
 * with status 1, DREP. Other MADs are dropped. MADs are datagrams, and lost
 * where a queue is full; repeating is the sender's affair.
 *
 * Any thread; 0 or a positive errno. EIO: the function has not been opened for
 * MADs, or is a forked parent's.
 */
#ifndef ARNICA_HW_BUS_MAD_H
#define ARNICA_HW_BUS_MAD_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"
#include "limits.h"

struct arnica_bus;

#define ARNICA_HW_MAD_BYTES 256u
#define ARNICA_HW_MAD_QUEUE 64u	     /* that wait to be taken */
#define ARNICA_HW_MAX_SERVICES 1024u /* of all functions of a domain */
#define ARNICA_HW_NO_GID 0xffffffffu

struct arnica_bus_mad {
	uint8_t remote_gid[16]; /* sent: destination; taken: source */
	uint8_t local_gid[16];	/* taken: that it was sent to; sent: unused */
	/* Sent: the own GID that it comes from. Taken: that of local_gid, or
	 * ARNICA_HW_NO_GID if it is in the table no more. */
	uint32_t gid_index;
	uint32_t flow_label; /* 20 bits */
	uint8_t traffic_class;
	uint8_t hop_limit;  /* sent: zero is the system's default */
	uint16_t reserved0; /* zero */
	uint32_t reserved1; /* zero */
	uint8_t bytes[ARNICA_HW_MAD_BYTES]; /* as on the wire */
};
ARNICA_FORMAT_SIZE(struct arnica_bus_mad, 304);
ARNICA_FORMAT_FIELD(struct arnica_bus_mad, bytes, 48);

/* Communication ids (and SIDR request ids) of a function: those whose bits of
 * the mask are these. The other bits are the host's to choose. */
struct arnica_bus_comm_ids {
	uint32_t base;
	uint32_t mask;
};

/*
 * Opens the function for MADs. The agent writes a 64-bit 1 to the descriptor
 * (an eventfd or a socket, of which the adapter keeps a duplicate) after MADs
 * came; there may be none any more, but never one that it does not tell of.
 * Opened again, it tells by the new descriptor: the old one may be lost, where
 * the application closes what it did not open. EINVAL: not O_NONBLOCK; EBADF:
 * no descriptor; ENOMEM, EMFILE.
 */
int arnica_bus_mads_open(struct arnica_bus *bus, int event_fd,
			 struct arnica_bus_comm_ids *ids) ARNICA_MUST_CHECK;

/*
 * Sends. EINVAL: no such source GID, or no MAD of connection management;
 * ENETUNREACH: another host, and no way there. What becomes of it afterwards is
 * not known.
 */
int arnica_bus_mad_send(struct arnica_bus *bus,
			const struct arnica_bus_mad *mad) ARNICA_MUST_CHECK;

/* Takes the oldest that came; EAGAIN: there is none. */
int arnica_bus_mad_take(struct arnica_bus *bus,
			struct arnica_bus_mad *mad) ARNICA_MUST_CHECK;

/*
 * Peers that end without a word. The number grows with each function of another
 * process that has ended as far as this one noticed, which the descriptor tells
 * of, too.
 */
uint32_t arnica_bus_mads_ended(struct arnica_bus *bus);

/*
 * Which function of this host a peer's communication id belongs to, the peer
 * having this GID: its generation, which no other function has had or will
 * have. ESRCH: it does not run any more; ENOENT: the GID is another host's, or
 * it runs where that address is another's.
 */
int arnica_bus_mad_peer(struct arnica_bus *bus, const uint8_t gid[16],
			uint32_t comm_id,
			uint64_t *generation) ARNICA_MUST_CHECK;

/* Does the function of that generation still run, which the communication id
 * belongs to? Also when GIDs have changed since, or namespaces. */
bool arnica_bus_mad_peer_lives(struct arnica_bus *bus, uint32_t comm_id,
			       uint64_t generation);

enum arnica_bus_service_flags {
	/* REQs are wanted. Without it the id is only taken (bound). */
	ARNICA_BUS_SERVICE_LISTENS = 1 << 0,
	/* Others may take the same id and address, if they say this too; it
	 * can be listened for when only one has it (SO_REUSEADDR). */
	ARNICA_BUS_SERVICE_SHARES = 1 << 1,
	/* An address of zeros means any of IPv6, not of IPv4. */
	ARNICA_BUS_SERVICE_IPV6_ONLY = 1 << 2,
};

struct arnica_bus_service {
	uint64_t id;   /* a value: port space of rdma_cm << 16 | port */
	uint64_t mask; /* bits of the id that count; all ones: this one only */
	/* GID to which REQs come; ::ffff:a.b.c.d for IPv4. Zeros: any; and
	 * ::ffff:0.0.0.0: any of IPv4. With the private data of rdma_cm
	 * (IBTA A11) the address that they name, else that of the packet. */
	uint8_t address[16];
	uint32_t flags;	    /* enum arnica_bus_service_flags */
	uint32_t reserved0; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_bus_service, 40);

/*
 * Takes a service in the host domain. EADDRINUSE: another one has id and
 * address, EADDRNOTAVAIL: ... with any address, here or there (these two as the
 * kernel's); ENOMEM: the table is full; EBUSY: a stopped process is in the way;
 * EINVAL.
 */
int arnica_bus_service_take(struct arnica_bus *bus,
			    const struct arnica_bus_service *service,
			    uint32_t *handle) ARNICA_MUST_CHECK;

/* From now on it listens; errors as above. ENOENT: no such handle. */
int arnica_bus_service_listen(struct arnica_bus *bus,
			      uint32_t handle) ARNICA_MUST_CHECK;

/* Gives it back; those of a function that ends are given back by that. ENOENT.
 */
int arnica_bus_service_give(struct arnica_bus *bus,
			    uint32_t handle) ARNICA_MUST_CHECK;

#endif
