/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Address handles: where datagrams go. Commands make and end them (lock role
 * `command`); whoever executes a UD queue reads them without a lock. Their
 * memory stays as long as the function, so a handle that an application
 * destroys too early costs a message and nothing else.
 */
#ifndef ADEV_TRANSPORT_ADDRESS_HANDLE_H
#define ADEV_TRANSPORT_ADDRESS_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "link/wire.h"

#define ADEV_MAX_AH 65536u
#define ADEV_AH_CHUNK 256u

/* What an address vector comes to. */
struct adev_way {
	bool here;  /* the destination is in this host domain */
	bool group; /* it is a multicast group: here, on the wire, or both */
	bool wire;  /* it is reached by packets */
	uint32_t mtu_bytes;    /* payload of a packet */
	struct adev_path path; /* its port: see adev_path_port() */
};

struct adev_ah {
	_Atomic uint32_t pd; /* its number + 1, stored last; zero: free */
	struct adev_way way;
};

struct adev_ah_table {
	_Atomic(struct adev_ah *) chunks[ADEV_MAX_AH / ADEV_AH_CHUNK];
};

/* The place of a handle, made when there is none yet; NULL: out of memory. */
struct adev_ah *adev_ah_make(struct adev_ah_table *table, uint32_t number);

/* A handle in use; NULL: there is none with this number. */
const struct adev_ah *adev_ah_find(const struct adev_ah_table *table,
				   uint32_t number);

void adev_ah_fini(struct adev_ah_table *table);

#endif
