/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Engine threads: what is on the scheduling queues and nobody carries out now.
 *
 * With ARNICA_ENGINES=n a process has n of them, from its first function to its
 * last. They sleep at no cost until work is left that nobody is at, and carry
 * out queue pairs beside whoever polls, so that independent ones go on in
 * parallel. Without them the agent does what is left. docs/execution.md has the
 * whole story.
 */
#ifndef ADEV_EXEC_THREADS_H
#define ADEV_EXEC_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/function.h"

/* Starts the threads that the setting asks for, if there are none; each start
 * needs its stop. Fewer than wanted, or none, are no error: the agent is there.
 * With the attach lock held. */
void adev_engine_threads_start(void);
void adev_engine_threads_stop(void);

/* How many there are. */
uint32_t adev_engine_threads_count(void);

/* The function was taken from the adapter's list: waits until no engine thread
 * is at it. */
void adev_engine_threads_leave(void);

/*
 * Work was left on a function's scheduling queues, and who left it goes away:
 * wakes who sleeps, an engine thread or the agent, and lets polls enter the
 * adapter. Not called between turns of one who goes on.
 */
void adev_exec_left(struct adev_function *fn);

/* In a forked child: the threads are gone. */
void adev_engine_threads_forget(void);

#endif
