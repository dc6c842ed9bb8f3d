/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The wire: a function's port to other hosts. Packets go out in batches, and
 * come in when somebody drains the port: a poll, or the agent while nobody
 * polls. Below are UDP sockets (udp.c), or in tests whatever `ops` says.
 *
 * Lock role `wire_receive`: one thread at a time drains. It is taken before
 * `send_queue` and `qp_responder`, never after.
 */
#ifndef ADEV_LINK_WIRE_H
#define ADEV_LINK_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include <roce/icrc.h>
#include <roce/packet.h>

#include "arnica/hw/format.h"

struct adev_function;
struct adev_wire;

/* What the packets of a flow have in common. Addresses are GIDs: IPv4 as
 * ::ffff:a.b.c.d. */
struct adev_path {
	uint8_t source[16];
	uint8_t destination[16];
	uint32_t interface_index; /* that the source belongs to; 0: any */
	uint32_t flow_label;	  /* 20 bits */
	uint16_t source_port; /* by flow, 0xc000 and up; see adev_path_port() */
	uint8_t traffic_class; /* DSCP and ECN */
	uint8_t hop_limit;     /* 0: the system's default */
};

/* Source port of a flow: the same for all packets of a QP, spread over the
 * ports from 0xc000 up (IBTA A17.9.3 with a zero flow label: by QP numbers). */
uint16_t adev_path_port(uint32_t flow_label, uint32_t qpn, uint32_t dest_qpn);

/* A packet that came in: parsed, its ICRC right as far as can be told. */
struct adev_arrival {
	struct roce_packet packet; /* payload: valid during the call */
	uint8_t source[16];
	uint8_t destination[16];
	uint32_t interface_index;
	uint32_t flow_label; /* as far as known; else zero */
	uint8_t traffic_class;
	uint8_t hop_limit;
	uint64_t now_ns;
};

/*
 * Puts the function on the wire: its sockets, its share of port 4791. Once is
 * enough; further calls return 0. EADDRINUSE: the port belongs to others in
 * this network namespace; EACCES, EMFILE, ENOMEM. Each writes one line, once
 * for each process. Any thread.
 */
int adev_wire_open(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_wire_close(struct adev_function *fn);

/* Packets of a multicast group are wanted, or not any more; of those that are
 * wanted already, on interfaces that are new. Do nothing for a function that is
 * not on the wire. With the command lock held. */
void adev_wire_join(struct adev_function *fn, const uint8_t gid[16]);
void adev_wire_part(struct adev_function *fn, const uint8_t gid[16]);
void adev_wire_rejoin(struct adev_function *fn);

/* Is the function on the wire? */
bool adev_wire_is_open(const struct adev_function *fn);

/*
 * Takes in what has arrived, up to `budget` packets, and hands each to
 * adev_transport_receive(), then calls adev_transport_settle(). Returns true
 * when there may be more, or more is left to do. Does nothing when another
 * thread drains.
 */
bool adev_wire_drain(struct adev_function *fn, uint32_t budget);

/* Has a drain put acknowledgements off, and the next one not come yet? */
bool adev_wire_owes(const struct adev_function *fn);

/* For adev_function_serve(): drains. The agent does it only while nobody else
 * polls busily. True when there may be more. By another thread: *polled_ns is
 * when it was done. */
bool adev_wire_serve(struct adev_function *fn, uint64_t *polled_ns);

/* As the agent found it when it looked last: whoever does will come again, and
 * the agent leaves all to that thread until it looks again. */
bool adev_wire_is_polled_busily(const struct adev_function *fn);

/* Did one of the last polls take packets in? Then the next one may well. */
bool adev_wire_is_busy(const struct adev_function *fn);

/* Does that thread wake the agent, by no longer keeping it asleep, when it
 * stops polling? Then the agent has nothing to wake up for before. */
bool adev_wire_has_watchdog(const struct adev_function *fn);

/* May something be left to the next poll that others wait for? It will come, or
 * the agent. Not for a while after it came late (found_held). */
bool adev_wire_may_hold(const struct adev_function *fn);

/* Is the last poll, or the last that was sent, a while ago? On a wire. */
bool adev_wire_holds_long(const struct adev_function *fn);

/* A poll, or the agent, came upon what was left so; before it counts as one. */
void adev_wire_found_held(struct adev_function *fn);

/* For the agent: did many packets come a moment ago, so that it had better look
 * again than sleep? */
bool adev_wire_is_lively(const struct adev_function *fn);

/* Then serves the function; if nothing comes, a few times only. */
bool adev_wire_follow(struct adev_function *fn);

/* For the agent, before it sleeps: which of the wire's descriptors it shall
 * watch; how many. If none, *deadline is brought forward to when it shall ask
 * again. */
uint32_t adev_wire_watch(struct adev_function *fn, int *fds, uint32_t max,
			 uint64_t *deadline);

/* For the agent: what has to be done for the wire from time to time, and when
 * something will be; UINT64_MAX: nothing. */
void adev_wire_maintain(struct adev_function *fn);
uint64_t adev_wire_deadline(const struct adev_function *fn);

/* A connection of a function on the wire will send along this path. With no
 * lock held. */
void adev_wire_connected(struct adev_function *fn,
			 const struct adev_path *path);

/* The function has leased QP numbers. */
void adev_wire_leased(struct adev_function *fn);

/* Receives no more, so that others may have the port in good order. By the
 * agent, when it leaves the function. */
void adev_wire_leave(struct adev_function *fn);

/* In a forked child: the wire is the parent's. */
void adev_wire_forget(struct adev_function *fn);

/* Waits until no thread drains that began before the call. Not with a QP's
 * lock held. After a QP was taken out of fn->qps, nobody has it any more. */
void adev_wire_quiesce(struct adev_function *fn);

/* Called by drain, with `wire_receive` held: see transport/receive.c. */
void adev_transport_receive(struct adev_function *fn,
			    const struct adev_arrival *arrival);
/* At the end of each drain, also when nothing arrived: coalesced
 * acknowledgements, read responses under way, QPs that may send again. With
 * `answers_only` only the last of these: the others wait for the next call,
 * which is sure to come soon. Sends the thread's batch. True: work is left,
 * drain again soon. */
bool adev_transport_settle(struct adev_function *fn, bool answers_only);

/* Packets on their way out: one batch for each thread. Adding may send what
 * is in it, when it is full. */
struct adev_batch;

/* The calling thread's batch for this function's wire; what it still holds for
 * another one is sent. NULL: out of memory, or not on the wire. */
struct adev_batch *adev_wire_batch(struct adev_function *fn);

/* How many packets of so many bytes, headers included, one datagram takes. */
uint32_t adev_batch_run_packets(uint32_t bytes);

/* Packets of so many bytes in all, headers included, are to leave together:
 * sends what is in the batch when it has no room for them. */
void adev_batch_make_room(struct adev_batch *batch, uint32_t packets,
			  uint32_t bytes);

/*
 * Adds a packet: emits its headers and returns the place of its payload
 * (packet->payload_bytes, to be written before the next call; pad and ICRC are
 * the batch's business).
 */
uint8_t *adev_batch_add(struct adev_batch *batch, const struct adev_path *path,
			const struct roce_packet *packet);

/* One more, as the last one that was added and at least as quickly: they differ
 * in PSN, address and ack_request at most. NULL: there is no room, or no last
 * one. */
uint8_t *adev_batch_add_like(struct adev_batch *batch,
			     const struct roce_packet *packet);

/* Takes back the packet that was added last, whose payload cannot be read. */
void adev_batch_cancel(struct adev_batch *batch);

/* Sends everything. What the kernel does not take is lost, and counted: as on
 * any wire. */
void adev_batch_send(struct adev_batch *batch);

#endif
