/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Completion events of what the wire brings. An adapter acknowledges what has
 * come before the application hears of it. Here the application may hear first,
 * on another processor, and then answers ahead of the acknowledgement, or ends
 * the process, and its peer never learns that the message arrived. So the
 * thread that drains the wire keeps the events that it raises until it has
 * acknowledged.
 */
#ifndef ADEV_COMP_HOLD_H
#define ADEV_COMP_HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct adev_function;

/* From now on this thread keeps the events of that function's CQs. Not nested.
 */
void adev_events_hold(struct adev_function *fn);

/* Keeps that of a CQ, which has fired. False: to be delivered at once. */
bool adev_events_keep(struct adev_function *fn, uint32_t cq);

/* Has this thread kept any? */
bool adev_events_are_kept(void);

/* Delivers them, in their order. Does nothing without a hold. */
void adev_events_release(void);

#endif
