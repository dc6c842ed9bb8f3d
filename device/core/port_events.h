/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Changes of the port become asynchronous events of every function of the
 * process. The agent follows the port while it runs (adev_port_follow_begin()).
 */
#ifndef ADEV_CORE_PORT_EVENTS_H
#define ADEV_CORE_PORT_EVENTS_H

/* Looks at what has changed, and tells it; called by the agent's thread. */
void adev_port_events_follow(void);

#endif
