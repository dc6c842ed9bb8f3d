/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is in the shared file <folder>/directory. All words are in the machine's
 * order: the file never leaves the machine, nor survives a boot.
 *
 *  offset     what
 *  0x00000    struct adev_table_header
 *  0x01000    ADEV_FUNCTIONS of struct adev_slot
 *  0x81000    ADEV_BLOCKS words: owner of the QP numbers block * 256 ... + 255
 *  0x101000   ADEV_SERVICES of struct adev_service, see domain/services.h
 *
 * Nobody ever holds a lock on it. Each change is one compare-and-exchange on a
 * word that names its owner in full, so a process may be killed or stopped
 * between any two of them, and whoever is late cannot harm the next owner.
 */
#ifndef ADEV_DOMAIN_TABLE_H
#define ADEV_DOMAIN_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/format.h"

#define ADEV_TABLE_MAGIC 0x5249444e5241ff01ull
#define ADEV_TABLE_VERSION 2u

#define ADEV_FUNCTIONS 4096u
#define ADEV_BLOCKS 65536u
#define ADEV_BLOCK_QPNS 256u /* queue pair numbers of one block */
#define ADEV_LEASES 256u     /* lease numbers of one function */
#define ADEV_SERVICES 1024u  /* taken or listened for by all functions */
#define ADEV_SPINNERS 256u   /* processors, by their number modulo this */

struct adev_table_header {
	_Atomic uint64_t magic;
	uint32_t version;
	uint32_t num_functions;
	uint32_t slot_bytes;
	uint32_t num_blocks;
	uint64_t size_bytes; /* of the file */
	uint64_t boot;	     /* hash of the boot id: life words die with it */
	/* The group of sockets on UDP port 4791; see link/group.h. */
	_Atomic uint64_t wire_secret; /* known to members; zero: not made yet */
	_Atomic uint32_t wire_epoch;  /* changes when places are asked for */
	_Atomic uint32_t wire_unsure; /* places may not be as members say */
	/* Multicast: functions with attached queue pairs, a bit for each, and a
	 * number that changes with every attachment; see domain/multicast.h. */
	_Atomic uint32_t mcast_epoch;
	_Atomic uint64_t mcast_members[ADEV_FUNCTIONS / 64];
	/* The limit of the port, on lines of its own; see domain/limit.h. */
	_Atomic uint64_t limit_rate;	/* bytes a second; zero: none */
	_Atomic uint64_t limit_free_ns; /* when all that was charged is sent */
	uint64_t reserved1[6];
	_Atomic uint64_t limit_members[ADEV_FUNCTIONS / 64]; /* may want to send */
	/* Who polled in vain there last; see domain/spinner.h. */
	_Atomic uint64_t spinners[ADEV_SPINNERS];
	uint8_t reserved0[4096 - 128 - 2 * (ADEV_FUNCTIONS / 8) -
			  8 * ADEV_SPINNERS];
};
ARNICA_FORMAT_SIZE(struct adev_table_header, 4096);

/*
 * Life word: a robust futex as the kernel knows it. Zero: free. A TID: that
 * thread owns the slot. OWNER_DIED (set by the kernel at its end): free too.
 */
#define ADEV_LIFE_TID_MASK 0x3fffffffu
#define ADEV_LIFE_OWNER_DIED 0x40000000u

/*
 * Status word, whose owner it names in full:
 *  63                         26 25                      2 1     0
 *  +----------------------------+-------------------------+-------+
 *  | generation, low 38 bits    | TID of the agent (24)   | state |
 *  +----------------------------+-------------------------+-------+
 */
#define ADEV_STATUS_STATE_MASK 0x3ull
#define ADEV_STATUS_TID_MASK 0x3fffffcull
#define ADEV_STATUS_TID_SHIFT 2
#define ADEV_STATUS_GENERATION_SHIFT 26

enum adev_slot_state {
	ADEV_SLOT_UNUSED = 0,
	ADEV_SLOT_RUNNING = 1,
	ADEV_SLOT_CLOSED = 2, /* orderly */
	ADEV_SLOT_DEAD = 3,   /* found dead, and its blocks taken back */
};

/* Where to find the parts of a function. Written by the owner of the life word
 * before the status says RUNNING; valid while the status stays the same. */
struct adev_slot {
	_Atomic uint32_t life;
	_Atomic uint32_t pid;
	_Atomic uint64_t status;
	_Atomic uint64_t generation;
	_Atomic uint64_t start_time;	/* of the agent thread, clock ticks */
	_Atomic uint64_t pid_namespace; /* inode: pid means nothing elsewhere */
	_Atomic uint64_t segment_inode;
	_Atomic uint64_t wake_inode;
	_Atomic uint32_t segment_fd; /* number in the process pid */
	_Atomic uint32_t wake_fd;
	/* Not with the status: written under the lock of the group of sockets
	 * on UDP port 4791, and believed only when `wire` names the function. */
	_Atomic uint64_t wire;	       /* ADEV_WIRE_* */
	_Atomic uint32_t wire_address; /* of its private socket; zero: none */
	_Atomic uint32_t wire_handed;  /* packets that others sent there */
	/* With the status again. */
	_Atomic uint64_t beacon_inode; /* zero: none */
	_Atomic uint32_t beacon_fd;
	/* Of an owner that takes it to peers of this host, too: its generation,
	 * low 32 bits, which are not all zero. */
	_Atomic uint32_t forces_wire;
	_Atomic uint64_t net_namespace; /* inode: its GIDs are of this one */
	/* Its part of the port's limit; domain/limit.h. */
	_Atomic uint64_t limit_time;	 /* virtual: what it sent, by weight */
	_Atomic uint64_t limit_wants_ns; /* until then it wants to send */
	_Atomic uint32_t limit_weight;
	_Atomic uint32_t limit_last; /* by how much its time advanced last */
};
ARNICA_FORMAT_SIZE(struct adev_slot, 128);

/*
 * Wire word: a function's socket on UDP port 4791; zero: it has none.
 *  63                     32  31  30 29       16 15        0
 *  +------------------------+---+---+-----------+-----------+
 *  | generation, low 32 bits| 1 | K | epoch (14)| place     |
 *  +------------------------+---+---+-----------+-----------+
 * Place: the kernel's index of the socket in its group, when K is set; learnt in
 * the epoch whose low bits are these.
 */
#define ADEV_WIRE_PLACE_MASK 0xffffull
#define ADEV_WIRE_EPOCH_MASK 0x3fff0000ull
#define ADEV_WIRE_PLACE_KNOWN (1ull << 30)
#define ADEV_WIRE_MEMBER (1ull << 31)
#define ADEV_WIRE_GENERATION_SHIFT 32

/*
 * Block word; zero: free.
 *  63  62                      20 19       12 11           0
 *  +---+-------------------------+-----------+--------------+
 *  | 1 | generation, low 43 bits | lease (8) | function (12)|
 *  +---+-------------------------+-----------+--------------+
 */
#define ADEV_BLOCK_FUNCTION_MASK 0xfffull
#define ADEV_BLOCK_LEASE_SHIFT 12
#define ADEV_BLOCK_LEASE_MASK 0xff000ull
#define ADEV_BLOCK_GENERATION_SHIFT 20
#define ADEV_BLOCK_USED (1ull << 63)

/* A service of connection management. The owner is a block word, whose lease is
 * the state; the other words are valid when it says more than WRITING, and as
 * long as it stays the same. */
enum adev_service_state {
	ADEV_SERVICE_WRITING = 1,
	ADEV_SERVICE_TAKEN = 2,
	ADEV_SERVICE_LISTENS = 3,
};

struct adev_service {
	_Atomic uint64_t owner; /* zero: free */
	_Atomic uint64_t id;
	_Atomic uint64_t mask;
	_Atomic uint64_t address[2]; /* a GID, as its bytes lie */
	_Atomic uint64_t flags;	     /* enum arnica_bus_service_flags */
	uint64_t reserved0[2];
};
ARNICA_FORMAT_SIZE(struct adev_service, 64);

struct adev_table {
	struct adev_table_header header;
	struct adev_slot slots[ADEV_FUNCTIONS];
	_Atomic uint64_t blocks[ADEV_BLOCKS];
	struct adev_service services[ADEV_SERVICES];
};
ARNICA_FORMAT_FIELD(struct adev_table, services, 0x101000);

/*
 * Maps the file in the folder, made if there is none; one of an earlier boot is
 * replaced, and one of another version in which no function lives. EPROTO: of
 * another version, in use. Each failure has written its line.
 */
int adev_table_open(int folder_fd, const char *folder,
		    struct adev_table **table) ARNICA_MUST_CHECK;
void adev_table_close(struct adev_table *table);

static inline uint64_t adev_status_encode(uint64_t generation, uint32_t tid,
					  enum adev_slot_state state)
{
	return generation << ADEV_STATUS_GENERATION_SHIFT |
	       ((uint64_t)tid << ADEV_STATUS_TID_SHIFT & ADEV_STATUS_TID_MASK) |
	       state;
}

static inline uint64_t adev_block_encode(uint64_t generation, uint32_t function,
					 uint32_t lease)
{
	return ADEV_BLOCK_USED | generation << ADEV_BLOCK_GENERATION_SHIFT |
	       (uint64_t)lease << ADEV_BLOCK_LEASE_SHIFT | function;
}

#endif
