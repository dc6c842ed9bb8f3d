/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The port, as this process sees it: a copy of the GID table and of the state,
 * read once and kept current by the kernel's notifications. Reading it costs
 * some loads; only before it says that there is no such GID does it look at the
 * present, by two system calls: an address may have come a moment ago. The agent
 * takes the notifications while there is one; otherwise adev_port_sync() does.
 * Where notifications are refused the interfaces are read anew from time to
 * time.
 *
 * Lock role `port`: bringing the copy up to date. Readers take no lock.
 */
#ifndef ADEV_DOMAIN_PORT_H
#define ADEV_DOMAIN_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/bus.h"

/* Numbers of enum ibv_port_state. */
enum adev_port_state {
	ADEV_PORT_DOWN = 1,
	ADEV_PORT_ACTIVE = 4,
};

/* All of it, consistent. */
void adev_port_read(struct arnica_bus_port *copy);

/* The GID in a slot. ENOENT: the slot is empty, or there is no such slot. */
int adev_port_gid(uint32_t index, struct arnica_bus_gid *gid) ARNICA_MUST_CHECK;

/* The slot of a GID; any interface when its index is zero. ENOENT. */
int adev_port_find(const uint8_t gid[16], uint32_t interface_index,
		   uint32_t *index) ARNICA_MUST_CHECK;

/* Is it a GID of this host: in the table, or the loopback's (127/8, ::1)? */
bool adev_port_is_local(const uint8_t gid[16]);

enum adev_port_state adev_port_state(void);

/* Another number after each change. */
uint64_t adev_port_version(void);

/* Brings the copy up to date when something has changed; two system calls when
 * nothing has. For those who show the present. */
void adev_port_sync(void);

/* What happened, in its order, for those who have to be told. */
enum adev_port_event {
	ADEV_PORT_EVENT_GIDS, /* the table has changed */
	ADEV_PORT_EVENT_DOWN,
	ADEV_PORT_EVENT_UP,
};

#define ADEV_PORT_NEWS_MAX 32u

struct adev_port_news {
	uint32_t count;
	enum adev_port_event events[ADEV_PORT_NEWS_MAX];
};

/*
 * The agent follows the port from now on, or does so no more. In between only
 * its thread calls adev_port_follow(): when adev_port_fd() is readable, and by
 * adev_port_deadline() (ns, CLOCK_MONOTONIC; UINT64_MAX: never).
 */
void adev_port_follow_begin(void);
void adev_port_follow_end(void);
void adev_port_follow(struct adev_port_news *news);
int adev_port_fd(void); /* -1: notifications are refused */
uint64_t adev_port_deadline(void);

#endif
