/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The directory of the host domain: which functions there are, who is alive,
 * and whose a QP number is. It is a file that all processes of the domain map;
 * table.h says what is in it.
 *
 * The slot of a function belongs to the thread that entered it, its agent. A
 * word of the slot is a robust futex: the kernel marks it when that thread ends
 * for whatever reason (exit, SIGKILL, exec of the process), which makes the
 * question "is it alive" two loads. A forked child has no part in it.
 *
 * What the file says is believed by nobody: a wrong content costs connections,
 * not memory safety.
 */
#ifndef ADEV_DOMAIN_DIRECTORY_H
#define ADEV_DOMAIN_DIRECTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arnica/hw/format.h"
#include "domain/table.h"

struct adev_directory {
	struct adev_table *table;
	struct adev_life_shadow *shadow; /* private to life.c */
	struct adev_directory *next;	 /* of those that had to stay */
};

/*
 * The process's directory, made when there is none; each open needs its put.
 * EPROTO: of another version (a line says so); ENOSPC, EPERM, EACCES, ENOMEM.
 */
int adev_directory_open(struct adev_directory **directory) ARNICA_MUST_CHECK;
void adev_directory_put(struct adev_directory *directory);

/*
 * Enters a function; the calling thread becomes its agent and must be the one
 * that leaves. The descriptors are those that peers shall open: they must stay
 * open as long as the function runs. While a thread is entered, pthread robust
 * mutexes that it locks are not recovered at its death. beacon_fd may be -1.
 * ENOSPC: no free slot.
 */
int adev_directory_enter(struct adev_directory *directory, int segment_fd,
			 uint64_t generation, int wake_fd, int beacon_fd,
			 uint32_t *function) ARNICA_MUST_CHECK;

/* Orderly end; returns the QP blocks. Does nothing on any other thread. */
void adev_directory_leave(struct adev_directory *directory, uint32_t function);

enum adev_life {
	ADEV_LIFE_RUNNING,
	ADEV_LIFE_CLOSED,  /* orderly */
	ADEV_LIFE_DEAD,	   /* ended without leaving */
	ADEV_LIFE_UNKNOWN, /* the slot is another's by now, or never was its */
};

/* Loads only; any thread. */
enum adev_life adev_directory_life(const struct adev_directory *directory,
				   uint32_t function, uint64_t generation);

/*
 * For the data path. L1: the life word is loaded before the status, which a
 * leaving function closes before it lets go of the life word.
 */
static inline bool adev_directory_alive(const struct adev_directory *directory,
					uint32_t function, uint64_t generation)
{
	const struct adev_slot *slot =
		&directory->table->slots[function % ADEV_FUNCTIONS];
	uint32_t life = atomic_load_explicit(&slot->life, memory_order_acquire);
	uint64_t status = atomic_load_explicit(&slot->status,
					       memory_order_relaxed);

	return !(life & ADEV_LIFE_OWNER_DIED) &&
	       status == adev_status_encode(generation,
					    life & ADEV_LIFE_TID_MASK,
					    ADEV_SLOT_RUNNING);
}

/* Does a function run in this slot that is of this network namespace (others get
 * packets), and of which generation? */
bool adev_directory_is_here(const struct adev_directory *directory,
			    uint32_t function, uint64_t *generation);

/* Has the process of a running function the wire forced (ARNICA_LOOPBACK=off)?
 * Then it sends packets to peers of this host, too, and waits for packets. */
bool adev_directory_forces_wire(const struct adev_directory *directory,
				uint32_t function, uint64_t generation);

/* Does a function have a socket that packets can come to? */
bool adev_directory_is_on_wire(const struct adev_directory *directory,
			       uint32_t function, uint64_t generation);

/*
 * Leases a random free block of QP numbers (block * 256 and up) to a running
 * function under the lease number 0..255. Block 0 is never leased. ENOMEM: all
 * are taken; ESRCH: the function is not running.
 */
int adev_directory_lease(struct adev_directory *directory, uint32_t function,
			 uint32_t lease, uint32_t *block) ARNICA_MUST_CHECK;
void adev_directory_return(struct adev_directory *directory, uint32_t function,
			   uint32_t block);

/* The running function that owns a QP number; ENOENT. */
int adev_directory_find(const struct adev_directory *directory, uint32_t qpn,
			uint32_t *function, uint64_t *generation,
			uint32_t *lease) ARNICA_MUST_CHECK;

/* The process of a running function; ENOENT, EACCES (other pid namespace). */
int adev_directory_pid(const struct adev_directory *directory,
		       uint32_t function, uint64_t generation,
		       pid_t *pid) ARNICA_MUST_CHECK;

/*
 * Takes back the slots and blocks of functions that died; how many functions it
 * found dead. Any thread, any number of them, may be killed in the middle. Open
 * and enter do it by themselves.
 */
uint32_t adev_directory_reap(struct adev_directory *directory);

/* Asks /proc whether the owner of this function's life word is gone, of whose
 * end the kernel has not told, and frees the word then. */
void adev_directory_ask(struct adev_directory *directory, uint32_t function);

#endif
