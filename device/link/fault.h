/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Faults: what a bad network does to the packets that a function sends. They
 * are asked for with ARNICA_FAULT (util/fault_spec.h has the words) and stand
 * between the batch, which seals packets, and the socket. Off, a function has
 * no adev_fault, and nobody asks for more than that.
 *
 * What happens to the n-th packet depends on the seed, on the function's number
 * in its process, on the address it sends from, and on n: on nothing else.
 *
 * Lock role `fault`: taken after every other; the callback `emit` is called
 * with it, so that packets leave in the order that was decided.
 */
#ifndef ADEV_LINK_FAULT_H
#define ADEV_LINK_FAULT_H

#include <fault_spec.h>

#include "core/counters.h"
#include "link/wire.h"

struct adev_fault;

struct adev_fault_ops {
	/* Sends one sealed packet now; `payload` is the callee's to change. */
	void (*emit)(void *owner, const struct adev_path *path,
		     uint8_t *payload, uint32_t bytes);
	/* adev_fault_release() is to be called by then. */
	void (*expect)(void *owner, uint64_t when_ns);
};

/* ARNICA_FAULT: *wanted tells whether it is set. EINVAL: it makes no sense,
 * and a line has said why. */
int adev_fault_settings(struct arnica_fault_spec *spec,
			bool *wanted) ARNICA_MUST_CHECK;

/*
 * For a function that goes on the wire: sets fn->fault when faults are wanted.
 * Its number is that of the order in which those of this process did. ENOMEM,
 * or as adev_fault_settings().
 */
int adev_fault_open(struct adev_function *fn,
		    const struct adev_fault_ops *ops) ARNICA_MUST_CHECK;

/* Ends it, if there is one: what is under way is emitted. */
void adev_fault_close(struct adev_function *fn);

/* The same in a forked child, whose parent's these packets are. */
void adev_fault_forget(struct adev_function *fn);

/* ENOMEM. Counts in `counters`, which outlive it. */
int adev_fault_create(const struct arnica_fault_spec *spec, uint32_t number,
		      struct adev_counters *counters,
		      const struct adev_fault_ops *ops, void *owner,
		      struct adev_fault **fault) ARNICA_MUST_CHECK;

/* What is under way leaves now: a network does not lose what was sent by a
 * host that has gone. */
void adev_fault_destroy(struct adev_fault *fault);

/* Takes a sealed packet, and emits what becomes of it, now or later. */
void adev_fault_send(struct adev_fault *fault, const struct adev_path *path,
		     const void *payload, uint32_t bytes, uint64_t now_ns);

/* Emits what is due. */
void adev_fault_release(struct adev_fault *fault, uint64_t now_ns);

/* When something will be due; UINT64_MAX: nothing is under way. */
uint64_t adev_fault_deadline(struct adev_fault *fault);

#endif
