/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Are the adapter's descriptors still its own? A program that closes all that it
 * has not opened, as daemons do, closes them too, and may then open others with
 * the same numbers. The descriptors of the agent stand for all: they are closed
 * together. Once lost they stay lost.
 *
 * Marked and let go of by the agent's owner, one at a time; looked at by any
 * thread.
 */
#ifndef ADEV_CORE_KEPT_H
#define ADEV_CORE_KEPT_H

#include <stdbool.h>

#include "arnica/hw/format.h"

#define ADEV_KEPT_FDS 3

/* These stand for all; -1: one less. */
int adev_kept_begin(const int fds[ADEV_KEPT_FDS]) ARNICA_MUST_CHECK;
void adev_kept_end(void);

/* Looks: a system call for each. True also where there are none. */
bool adev_kept_look(void);

/* As was found less than a millisecond ago, or looks: for who knocks. */
bool adev_kept(void);

#endif
