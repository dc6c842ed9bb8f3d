/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Changes of the port become asynchronous events of every function of the
 * process. The agent follows the port while it runs; all of these are called by
 * its thread, the first before it sleeps for the first time.
 */
#ifndef ADEV_CORE_PORT_EVENTS_H
#define ADEV_CORE_PORT_EVENTS_H

#include <stdint.h>

void adev_port_events_begin(void);
void adev_port_events_end(void);

/* Looks at what has changed, and tells it. */
void adev_port_events_follow(void);

/* Readable: something has changed. -1: only by_ns (CLOCK_MONOTONIC) counts. */
int adev_port_events_fd(void);
uint64_t adev_port_events_by_ns(void);

#endif
