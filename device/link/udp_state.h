/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The sockets of a function, as the files udp*.c know them. */
#ifndef ADEV_LINK_UDP_STATE_H
#define ADEV_LINK_UDP_STATE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/counters.h"
#include "link/group_members.h"
#include "link/udp.h"

/* Flows are spread over so many source ports, that is, receive queues of a
 * network card and paths of a network. */
#define ADEV_UDP_SENDERS 4u

/* The kernel puts together at most so many segments into one datagram. */
#define ADEV_UDP_MAX_RUN 64u

/* udp_home.c: a socket of one address of IPv4, and of one hop limit. */
#define ADEV_UDP_HOME_NONE    (-1)
#define ADEV_UDP_HOME_CLAIMED (-2) /* is being made */
struct adev_udp_home {
	_Atomic int fd;
	/* Of no meaning unless there is a socket. */
	uint8_t source[16];
	uint8_t hop_limit;
};

/* One source port, for both families. */
struct adev_udp_sender {
	int fd4; /* of all addresses; -1: the family is not there */
	int fd6;
	uint16_t port;
	struct adev_udp_home home;
};

struct adev_udp_receiver; /* udp_receive.c */
struct adev_witness;
struct adev_handed_on;	  /* hand_on.c */
struct adev_udp_helpers;  /* udp_multicast.c */

struct adev_udp {
	struct adev_function *fn;
	struct adev_counters *counters;
	struct adev_group_self self;
	struct adev_udp_sender senders[ADEV_UDP_SENDERS];
	_Atomic uint32_t max_run; /* 1: the kernel refused to segment */

	/* Receiving, under wire_receive. */
	int receive_fd; /* on port 4791; -1: has left */
	struct adev_udp_receiver *receiver;
	int private_fd; /* for what other members hand on */
	struct adev_handed_on *handed_on;
	struct adev_witness *witness;
	uint32_t handed_seen;	 /* of the slot's count, when all was taken */
	_Atomic bool look_there; /* the agent slept on private_fd too */
	uint64_t stray_again_ns;
	uint64_t stray_pause_ns;

	struct adev_udp_helpers *helpers; /* NULL: none were needed yet */

	/* When the agent is to refresh the group, and how long it waits for
	 * the answers to probes. */
	_Atomic uint64_t refresh_ns;
	_Atomic uint64_t retry_ns;
	uint64_t probe_again_ns; /* the agent's own */
};

/* udp_socket.c */

/* Makes the socket that receives, not bound yet; *family is what it can do:
 * AF_INET6 for both families, or AF_INET. */
int adev_udp_socket_receive(int *fd, int *family) ARNICA_MUST_CHECK;

/* As much room for what arrives as the system gives. */
void adev_udp_socket_ask_room(int fd);

/* Binds a socket to a port of the wildcard address. */
int adev_udp_socket_bind(int fd, int family, uint16_t port) ARNICA_MUST_CHECK;

/* Makes a socket to send from, not bound yet. */
int adev_udp_socket_make_sender(int family, int *fd) ARNICA_MUST_CHECK;

/* Makes the sockets of one source port. */
int adev_udp_socket_send(struct adev_udp_sender *sender) ARNICA_MUST_CHECK;
void adev_udp_socket_close(struct adev_udp_sender *sender);

/* udp_home.c */
void adev_udp_home_init(struct adev_udp_home *home);
/* Makes the socket of the first connection that leaves by a port. Any thread,
 * which cannot be cancelled now. */
void adev_udp_connected(void *lower, const struct adev_path *path);
void adev_udp_home_close(struct adev_udp_home *home);

/* udp_multicast.c; with the command lock held, but for the last. */
void adev_udp_join(void *lower, const uint8_t gid[16]);
void adev_udp_part(void *lower, const uint8_t gid[16]);
/* The socket gets the packets of groups that it joins itself, and no others. */
void adev_udp_socket_own_groups(int fd);
void adev_udp_part_all(struct adev_udp *udp);

/* udp_send.c */
struct adev_udp_sender *adev_udp_sender_of(struct adev_udp *udp,
					   const struct adev_path *path);
uint16_t adev_udp_source_port(void *lower, const struct adev_path *path);
void adev_udp_transmit(void *lower, struct adev_frame *frames, uint32_t count);

/* udp_receive.c */
struct adev_udp_receiver *adev_udp_receiver_create(void);
void adev_udp_receiver_destroy(struct adev_udp_receiver *receiver);
uint32_t adev_udp_receive(void *lower, struct adev_datagram *datagrams,
			  uint32_t max, bool *more);

#endif
