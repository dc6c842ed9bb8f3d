/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The choices of the scheduler: which class, which engine of it, and for which
 * engine descriptors are fetched. All with the scheduler's lock.
 */
#ifndef ADEV_SCHED_ARBITER_H
#define ADEV_SCHED_ARBITER_H

#include "sched/sched.h"

/* An engine serves a QP for so many bytes while others wait for an engine. A
 * class may be so far ahead of the others. */
#define ADEV_SERVICE_BYTES (256u << 10)

/* Assigns the QPs at the heads of the queues to idle engines. */
void adev_arbiter_assign(struct adev_scheduler *scheduler);

/* Arbiter of the gather engines: by class, then by weight. NULL: none may. */
struct adev_engine *adev_arbiter_gather(struct adev_scheduler *scheduler);

/* Arbiter of the access to descriptors: by class, an engine whose buffer is below
 * its watermark. NULL: none wants. */
struct adev_engine *adev_arbiter_fetch(struct adev_scheduler *scheduler);

/* Does the engine keep its QP after a turn? Not when it has served it for long
 * and others wait for an engine, or when it may not serve it any more. */
bool adev_arbiter_keeps(const struct adev_scheduler *scheduler,
			const struct adev_engine *engine);

/* Takes all QPs that no thread has from their engines: the numbers change. */
void adev_arbiter_vacate(struct adev_scheduler *scheduler);

/* May a QP of this class go ahead of the backlog of others? */
bool adev_arbiter_ahead(struct adev_scheduler *scheduler, uint32_t class);

/* A class gets its first QP: what it had while others waited does not count. */
void adev_arbiter_enter(struct adev_scheduler *scheduler, uint32_t class);

/* The engine has no QP any more. In sched.c. */
void adev_sched_let_go(struct adev_scheduler *scheduler,
		       struct adev_engine *engine);

/* Bytes that the class, and the engine, if there is one, have had. */
void adev_arbiter_charge(struct adev_scheduler *scheduler, uint32_t class,
			 struct adev_engine *engine, uint64_t bytes);

#endif
