/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * An open device: the function behind it, its control queue, its doorbell
 * pages, and the table that finds a work queue's completion ring by number.
 *
 * Locks: `objects` orders the life of queue pairs (create, destroy, change of
 * state) and changes of an SRQ's size. It is held over commands, and is taken
 * before the control queue's mutex and before any spinlock; the spinlocks of
 * CQs and SRQs are taken before that mutex. `translations_lock` guards the list of regions
 * whose addresses are not the process's own; it is innermost.
 */
#ifndef ARNICA_CONTEXT_H
#define ARNICA_CONTEXT_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/limits.h"
#include "arnica/hw/segment.h"
#include "command.h"
#include "doorbell.h"
#include "mirror.h"

#define ARNICA_NUM_RINGS (2u * ARNICA_HW_MAX_QP)

struct arnica_cq;
struct arnica_mr;
struct arnica_qp;
struct arnica_ring;
struct arnica_shareable;

/*
 * Entry of the table of rings. `cq` is compared before `ring` is followed, so
 * that a wrong number from shared memory never reaches a ring that another CQ
 * may be tearing down. `record` is that of the CQ; it stands in the segment and
 * may be written to whatever becomes of the CQ.
 */
struct arnica_ring_slot {
	_Atomic(struct arnica_cq *) cq;
	_Atomic(struct arnica_hw_cq_record *) record;
	struct arnica_ring *ring;
};

/*
 * A function with its host side. Several of the library's contexts may share
 * it: those that were imported, and the one that they were imported from.
 */
struct arnica_context {
	struct ibv_context *ibv; /* list, by struct arnica_opening */
	struct arnica_bus *bus;
	const struct arnica_hw_segment_header *header;
	struct arnica_ring_slot *rings;
	struct arnica_doorbell_page pages[ARNICA_HW_DOORBELL_PAGES];
	/* Regions with an address of their own choice, see mr.c. */
	atomic_uint num_translations;

	struct arnica_command_queue commands;
	struct arnica_mirror mirror;
	struct arnica_hw_device_caps caps;
	/* Set in a forked child if there are objects of the parent: every verb
	 * but closing answers EIO. */
	atomic_bool dead;
	/* It imports from another process's function (arnica_bus_import). */
	bool imports;
	pthread_mutex_t objects;
	struct arnica_qp *qps; /* list; guarded by `objects` */
	struct arnica_shareable *shareables; /* list, too */
	struct arnica_spinlock translations_lock;
	struct arnica_mr *translations; /* list */
	struct arnica_context *next;	/* all contexts of the process */
	struct arnica_context **link;
	struct stat device_file; /* by which it is known to an import */
};

/* As aligned_alloc() wants it. */
#define ARNICA_CONTEXT_BYTES                                                   \
	((sizeof(struct arnica_context) + 63) & ~(size_t)63)

/* Behind each of the library's contexts. */
struct arnica_opening {
	struct arnica_context *context;
	struct ibv_context *next; /* of the same function */
};

static inline struct arnica_opening *arnica_opening_of(
	struct ibv_context *context)
{
	return (struct arnica_opening *)(void *)(context + 1);
}

static inline struct arnica_context *arnica_context_of(
	struct ibv_context *context)
{
	return arnica_opening_of(context)->context;
}

void *arnica_context_alloc(struct ibv_device *device, int cmd_fd,
			   void *private_data);
/* A context of this process's shares it; else it imports from the other
 * process. EACCES, ENODEV: see arnica_bus_import(). */
void *arnica_context_import(struct ibv_device *device, int cmd_fd);
void arnica_context_free(struct ibv_context *context);

/* Everything between an open device file and a context that works. Given one,
 * it imports from the function of exported_fd (else -1). async_fd may be NULL. */
int arnica_context_bring_up(struct arnica_context *context, int device_fd,
			    int exported_fd, int *async_fd) ARNICA_MUST_CHECK;

/* Maps a part of the segment that an answer named; NULL when it lies outside.
 */
void *arnica_context_map(struct arnica_context *context, uint64_t offset,
			 uint64_t length);

#endif
