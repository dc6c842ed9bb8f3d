/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The agent: one thread for the process that does what nobody else does. It
 * owns the life words of the process's functions, delivers events, watches for
 * the death of peers, and goes on with work when nobody polls. It sleeps at no
 * cost until it is kicked, a peer ends, or a waiting QP's time has come; a second
 * after something came last, and then ever less often, it looks whether it still
 * has its descriptors (core/kept.h). Without them it comes by a hundred times a
 * second, and nobody knocks.
 *
 * It runs with all signals blocked.
 */
#ifndef ADEV_CORE_AGENT_H
#define ADEV_CORE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/function.h"

/* Starts the thread if there is none; each start needs its stop. */
int adev_agent_start(void) ARNICA_MUST_CHECK;
void adev_agent_stop(void);

/* Has the agent enter the function in the directory, or leave it; waits. */
int adev_agent_enter(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_agent_leave(struct adev_function *fn);

/* The write end of the wake pipe. */
int adev_agent_wake_fd(void);

/* Wakes the agent when it would sleep beyond `when_ns`. */
void adev_agent_expect(uint64_t when_ns);

/* Is this the agent's thread? */
bool adev_agent_is_self(void);

/* In a forked child: the agent is gone. */
void adev_agent_forget(void);

#endif
