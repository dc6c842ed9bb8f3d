/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Threads of the adapter in the application's process. The application's signals
 * are none of theirs: all are blocked but those of a thread's own faults.
 */
#ifndef ADEV_CORE_THREAD_H
#define ADEV_CORE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <arnica/hw/format.h>

/* `name`: at most 15 characters, as /proc shows it. An errno of
 * pthread_create(). */
int adev_thread_create(pthread_t *thread, const char *name,
		       void *(*run)(void *), void *argument) ARNICA_MUST_CHECK;

/*
 * N2: what the caller stored before is visible to every other thread of the
 * process afterwards, or what that one stored before is visible to the caller:
 * each passes a full barrier meanwhile, whether it executes one or not.
 */
void adev_fence_threads(void);

/*
 * Threads that wake one of the adapter's. It may be given the processor of the one
 * that woke it, in the middle of a post or a poll of the program; then it lets
 * that one return first. A yield may not be enough, when that thread has had
 * much of the processor, and after some more it is not waited for.
 */
struct adev_waking {
	_Atomic uint32_t threads; /* that are at it */
	_Atomic int processor;    /* of the last one */
};

void adev_waking_begin(struct adev_waking *waking);
void adev_waking_end(struct adev_waking *waking);
/* By the one that was woken, before anything else. */
void adev_waking_let_return(const struct adev_waking *waking);

#endif
