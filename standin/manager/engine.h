/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The engine: a thread that takes messages, keeps the timers, and sees files
 * being closed. It exists from the first open() of the file on, sleeps when
 * there is nothing to do, and ends with the process. In a forked child there is
 * neither it nor any file: the parent's are the parent's.
 */
#ifndef STANDIN_CM_ENGINE_H
#define STANDIN_CM_ENGINE_H

#include "arnica/hw/format.h"

/* ENODEV and others: there is no adapter; EAGAIN, ENOMEM: no thread. */
int standin_cm_engine_start(void) ARNICA_MUST_CHECK;

/* It looks at files and timers anew. */
void standin_cm_engine_wake(void);

#endif
